//! The result of one check.

use serde::Serialize;

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How serious the finding is.
    pub severity: Severity,
    /// What was checked: `network`, `broadcast`, `multicast`, `port`, `server`, `firewall` or `vpn`.
    pub about: &'static str,
    /// What was found.
    pub text: String,
    /// The next step; `None` if there is nothing to do.
    pub advice: Option<String>,
}

/// How serious a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is wrong.
    Ok,
    /// This may be the cause, or something could not be checked.
    Warn,
    /// This prevents servers from being found.
    Fail,
}

pub(super) fn ok(about: &'static str, text: String) -> Finding {
    Finding { severity: Severity::Ok, about, text, advice: None }
}

pub(super) fn warn(about: &'static str, text: String, advice: String) -> Finding {
    Finding { severity: Severity::Warn, about, text, advice: Some(advice) }
}

pub(super) fn fail(about: &'static str, text: String, advice: String) -> Finding {
    Finding { severity: Severity::Fail, about, text, advice: Some(advice) }
}
