//! Whether a CI service runs this program, where a check must not be skipped unnoticed.

use anyhow::{Error, Result};

/// Returns whether `CI=true` is in the environment.
pub(crate) fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}

/// Returns what was prepared. If that failed, prints that the checks which need it are skipped, and returns `None`.
///
/// In a CI service, the failure stays an error.
pub(crate) fn or_skip<T>(prepared: Result<T>, skipped: impl FnOnce(&Error) -> String) -> Result<Option<T>> {
    match prepared {
        Ok(prepared) => Ok(Some(prepared)),
        Err(error) if is_ci() => Err(error),
        Err(error) => {
            eprintln!("SKIPPED: {}", skipped(&error));
            Ok(None)
        }
    }
}
