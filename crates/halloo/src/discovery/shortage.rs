//! Errors of a system that is short of resources. They say nothing about the networks, and pass.

use std::io;

/// Returns whether `error` means that file descriptors or memory have run out, so that the same call may succeed later.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    if matches!(error.kind(), io::ErrorKind::OutOfMemory | io::ErrorKind::Interrupted) {
        return true;
    }
    // EMFILE, ENFILE and ENOBUFS, which have no kind.
    let codes: &[i32] = if cfg!(any(target_os = "linux", target_os = "android")) {
        &[24, 23, 105]
    } else if cfg!(windows) {
        // WSAEMFILE, WSAENOBUFS, ERROR_NOT_ENOUGH_MEMORY and ERROR_TOO_MANY_OPEN_FILES.
        &[10024, 10055, 8, 4]
    } else {
        &[24, 23, 55]
    };
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_a_lack_of_resources_passes() {
        let is_short = |code| is_shortage(&io::Error::from_raw_os_error(code));
        // EMFILE, ENFILE, ENOMEM, ENOBUFS; EPERM, EACCES, EAFNOSUPPORT, ENETUNREACH.
        assert_eq!([24, 23, 12, 105].map(is_short), [true; 4]);
        assert_eq!([1, 13, 97, 101].map(is_short), [false; 4]);
    }
}
