//! Random numbers.

/// Returns a random number.
pub(crate) fn random() -> Result<u64, getrandom::Error> {
    getrandom::u64()
}
