//! Which network interfaces a server or a browser uses.

/// Patterns for the names of interfaces: those to use, and those not to use. In a pattern, `*` stands for any characters;
/// upper and lower case do not matter.
///
/// ```
/// use halloo_proto::interface_filter::InterfaceFilter;
///
/// let filter = InterfaceFilter::new(["eth*", "wlan0"], ["eth1"]);
/// assert!(filter.allows("eth0") && filter.allows("wlan0"));
/// assert!(!filter.allows("eth1") && !filter.allows("docker0"));
/// assert!(InterfaceFilter::default().allows("docker0"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceFilter {
    /// If empty, all.
    used: Vec<String>,
    excluded: Vec<String>,
}

impl InterfaceFilter {
    /// Creates a filter for the interfaces that match a pattern of `used`, or all if it is empty, and no pattern of
    /// `excluded`.
    pub fn new<T: Into<String>>(
        used: impl IntoIterator<Item = T>,
        excluded: impl IntoIterator<Item = T>,
    ) -> InterfaceFilter {
        let owned = |patterns: &mut dyn Iterator<Item = T>| patterns.map(Into::into).collect();
        InterfaceFilter { used: owned(&mut used.into_iter()), excluded: owned(&mut excluded.into_iter()) }
    }

    /// Returns whether every interface is allowed.
    pub fn is_empty(&self) -> bool {
        self.used.is_empty() && self.excluded.is_empty()
    }

    /// Returns whether the interface `name` is used.
    pub fn allows(&self, name: &str) -> bool {
        let is_in = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, name));
        (self.used.is_empty() || is_in(&self.used)) && !is_in(&self.excluded)
    }

    /// Returns the patterns that match none of the names, and may be mistyped. An excluded pattern with a `*` may well have
    /// nothing to exclude.
    pub fn unmatched<'a>(&'a self, names: &'a [String]) -> impl Iterator<Item = &'a str> {
        let patterns = self.used.iter().chain(self.excluded.iter().filter(|pattern| !pattern.contains('*')));
        patterns.filter(|pattern| !names.iter().any(|name| matches(pattern, name))).map(String::as_str)
    }
}

/// Returns whether the whole name matches.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        // The first occurrence leaves the most for what follows.
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, names) in [
            ("eth0", "eth0 ETH0"),
            ("docker*", "docker docker0 docker_gwbridge"),
            ("*0", "0 eth0 wlan0"),
            ("v*t*", "vt veth123 vEthernet"),
            ("*", "lo eth0"),
            ("br-*-*", "br--- br-1-2"),
        ] {
            assert!(names.split(' ').all(|name| matches(pattern, name)), "{pattern}");
        }
        for (pattern, names) in
            [("eth0", "eth eth01 xeth0"), ("docker*", "xdocker0"), ("*0", "eth01"), ("a*a", "a"), ("br-*-*", "br-1")]
        {
            assert!(!names.split(' ').any(|name| matches(pattern, name)), "{pattern}");
        }
    }

    #[test]
    fn patterns_without_an_interface_are_returned() {
        let filter = InterfaceFilter::new(["eth0", "wlan*"], ["docker*", "tun0"]);
        let names = ["lo", "eth0"].map(str::to_owned);
        assert!(filter.unmatched(&names).eq(["wlan*", "tun0"]));
    }
}
