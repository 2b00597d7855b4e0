//! The two implementations of the addon, which pass the same tests.

/// The implementation of the server in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Implementation {
    /// The crate `halloo-godot`, built for this machine.
    Native,
    /// `fallback.gd`, as on a platform without a native library.
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
