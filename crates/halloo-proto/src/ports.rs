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

/// Returns the TCP ports that a server tries to bind: those of [`candidates`] without the fallbacks that browsers block.
/// `base` stays, because it was asked for.
///
/// ```
/// use halloo_proto::ports::tcp_candidates;
///
/// assert!(tcp_candidates(8765, false).eq(8765..=8774));
/// assert!(tcp_candidates(6661, false).eq([6661, 6662, 6663, 6664, 6670]));
/// assert!(tcp_candidates(6000, true).eq([6000]));
/// ```
pub fn tcp_candidates(base: u16, strict: bool) -> impl Iterator<Item = u16> {
    candidates(base, strict).filter(move |&port| port == base || !is_blocked_by_browsers(port))
}

/// Returns whether browsers refuse to connect to `port` (Fetch standard, section "Port blocking"), so that neither a
/// page nor a WebSocket on it can be opened there. Other clients can connect.
pub fn is_blocked_by_browsers(port: u16) -> bool {
    BAD_PORTS.binary_search(&port).is_ok()
}

/// The "bad ports" of the Fetch standard, in ascending order.
#[rustfmt::skip]
const BAD_PORTS: [u16; 82] = [
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
    110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531,
    532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060,
    5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_ports_are_sorted_and_the_default_range_is_free_of_them() {
        assert!(BAD_PORTS.is_sorted_by(|before, after| before < after));
        assert!((8765..=8775).all(|port| !is_blocked_by_browsers(port)));
        assert!([1, 6000, 6669, 10080].into_iter().all(is_blocked_by_browsers));
        assert!([80, 443, 8080, 6001].into_iter().all(|port| !is_blocked_by_browsers(port)));
    }

    #[test]
    fn only_the_base_of_a_range_can_be_blocked() {
        for base in 1..=u16::MAX {
            let mut ports = tcp_candidates(base, false);
            assert_eq!(ports.next(), Some(base));
            assert!(ports.all(|port| port > base && port - base < 10 && !is_blocked_by_browsers(port)), "{base}");
        }
    }
}
