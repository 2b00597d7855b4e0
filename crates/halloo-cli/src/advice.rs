//! Options that resolve an error of the library, which does not know the command line.

use std::io::ErrorKind;

use halloo::{StartError, StatusError};

/// For a client of a server that requires a token.
const TOKEN: &str = "set HALLOO_TOKEN or use `--token TOKEN`";

/// Returns the options that resolve `error`, if there are any.
pub(crate) fn for_error(error: &anyhow::Error) -> Option<&'static str> {
    if let Some(StatusError::Refused { status: 401, .. }) = error.downcast_ref() {
        return Some(TOKEN);
    }
    let Some(StartError::Bind { error, .. }) = error.downcast_ref() else { return None };
    match error.kind() {
        ErrorKind::AddrInUse | ErrorKind::PermissionDenied => {
            Some("`--port PORT` chooses one, and `--port 0` any free one")
        }
        ErrorKind::AddrNotAvailable => Some("choose another address with `--bind`"),
        _ => None,
    }
}

/// Returns the reason why a client gave up, followed by the option that resolves it, if there is one.
pub(crate) fn add_to_reason(reason: String, status: Option<u16>) -> String {
    if status == Some(401) { format!("{reason}; {TOKEN}") } else { reason }
}
