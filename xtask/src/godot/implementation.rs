//! The two implementations of the server in the addon.

/// What stands behind the server in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Implementation {
    /// The crate `halloo-godot`, built for this machine.
    Native,
    /// `fallback.gd`, as on a platform without a library.
    Fallback,
}

impl Implementation {
    pub(crate) const BOTH: [Implementation; 2] = [Implementation::Fallback, Implementation::Native];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Implementation::Native => "native",
            Implementation::Fallback => "fallback",
        }
    }
}
