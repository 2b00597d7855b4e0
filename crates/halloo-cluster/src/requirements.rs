//! What a broker has to have.

/// The oldest version of a broker that works: the first one that answers when there is no receiver.
pub(crate) const OLDEST: &str = "2.2.0";
/// Its first two parts.
pub(crate) const OLDEST_PARTS: (u32, u32) = (2, 2);
/// The least that a broker has to accept per message, in bytes.
pub(crate) const MIN_PAYLOAD: usize = 4096;
