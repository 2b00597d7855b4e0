//! Which options help against an error of the library, which knows none.

use std::io::ErrorKind;

use halloo::{StartError, StatusError};

/// For a server that requires a token.
const TOKEN: &str = "give it in HALLOO_TOKEN or with `--token TOKEN`";

/// Returns what to do about `error` in terms of options, if there is something.
pub(crate) fn options_for(error: &anyhow::Error) -> Option<&'static str> {
    if let Some(StatusError::Refused { status: 401, .. }) = error.downcast_ref() {
        return Some(TOKEN);
    }
    let Some(StartError::Bind { error, .. }) = error.downcast_ref() else { return None };
    match error.kind() {
        ErrorKind::AddrInUse | ErrorKind::PermissionDenied => {
            Some("choose a port with `--port`; `--port 0` takes any free one")
        }
        ErrorKind::AddrNotAvailable => Some("choose an address with `--bind`"),
        _ => None,
    }
}

/// Returns the reason for which a client gave up, with the option that helps if there is one.
pub(crate) fn gave_up(reason: String, status: Option<u16>) -> String {
    if status == Some(401) { format!("{reason}; {TOKEN}") } else { reason }
}
