//! Options that resolve an error of the library, which does not know the command line.

use std::io::ErrorKind;

use halloo::{StartError, StatusError};

/// For a client of a server that requires a token.
const TOKEN: &str = "set HALLOO_TOKEN or use `--token TOKEN`";

/// For a server that does not respond.
pub(crate) const DOCTOR: &str = "run `halloo doctor` here and on the machine of the server to find the cause";

/// Returns what resolves `error`, if it is known.
pub(crate) fn for_error(error: &anyhow::Error) -> Option<&'static str> {
    if let Some(StatusError::Refused { status: 401, .. }) = error.downcast_ref() {
        return Some(TOKEN);
    }
    if let Some(StatusError::Unreachable(reason)) = error.downcast_ref() {
        return (!names_option(reason)).then_some(DOCTOR);
    }
    if let Some(StartError::Listener(_)) = error.downcast_ref() {
        return Some("systemd passes such a socket only with `Accept=no` in the socket unit");
    }
    #[cfg(feature = "cluster")]
    match error.downcast_ref() {
        Some(halloo_cluster::ClusterError::Broker(_)) => {
            return Some("without `--cluster-required`, the server starts and joins when it can");
        }
        Some(halloo_cluster::ClusterError::Name(_)) => return Some("`--cluster-name NAME` sets it"),
        _ => {}
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

/// Returns the reason why a client gave up, followed by what resolves it, if it is known.
pub(crate) fn add_to_reason(reason: String, status: Option<u16>, was_connected: bool) -> String {
    match status {
        Some(401) => format!("{reason}; {TOKEN}"),
        None if !was_connected && !names_option(&reason) => format!("{reason}; {DOCTOR}"),
        _ => reason,
    }
}

/// Returns whether `reason` already says what to do.
fn names_option(reason: &str) -> bool {
    reason.contains("`--")
}
