//! Which ports to try, and in which order.

/// The ports to try for `base`: itself and the nine after it, only itself when `strict`, and only 0 (the system's
/// choice) for 0. No port above 65535 is ever named.
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
