//! The ports that a server tries to bind.

/// Returns the ports to try, in order: `base` and the nine after it, up to 65535. Returns only `base` if it is 0 (any
/// free port) or if `strict`.
///
/// ```
/// use halloo_proto::ports::candidates;
///
/// assert!(candidates(8765, false).eq(8765..=8774));
/// assert!(candidates(65530, false).eq(65530..=65535));
/// assert!(candidates(8765, true).eq([8765]));
/// assert!(candidates(0, false).eq([0]));
/// ```
pub fn candidates(base: u16, strict: bool) -> impl Iterator<Item = u16> {
    let last = if strict || base == 0 { base } else { base.saturating_add(9) };
    base..=last
}
