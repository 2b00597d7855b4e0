//! The pure core is given the time and its bytes; it never asks for either.

use super::source::Source;

const CORE: &str = "crates/halloo-proto/src/";

/// What would make the core depend on a clock, a thread or a network.
const IMPURE: [&str; 7] =
    ["Instant::now", "SystemTime::now", "thread::sleep", "thread::spawn", "TcpStream", "TcpListener", "UdpSocket"];

pub(super) fn check(source: &Source) -> Vec<String> {
    if !source.path.starts_with(CORE) {
        return Vec::new();
    }
    let impure = |(number, line): (usize, &str)| {
        let name = IMPURE.into_iter().find(|name| line.contains(name))?;
        Some(source.complaint(number, &format!("`{name}` in the pure core; let the caller pass it in")))
    };
    source.code_lines().filter_map(impure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> Vec<String> {
        check(&Source { path: path.into(), text: text.into() })
    }

    #[test]
    fn a_clock_or_a_socket_in_the_core_is_named() {
        for name in IMPURE {
            let found = complaints("crates/halloo-proto/src/frame.rs", &format!("\nlet x = std::{name}();"));
            assert_eq!(
                found,
                [format!("crates/halloo-proto/src/frame.rs:2: `{name}` in the pure core; let the caller pass it in")]
            );
        }
    }

    #[test]
    fn addresses_comments_and_other_crates_are_free() {
        assert!(complaints("crates/halloo-proto/src/frame.rs", "use std::net::IpAddr; // not a UdpSocket").is_empty());
        assert!(complaints("crates/halloo/src/server.rs", "let now = Instant::now();").is_empty());
    }
}
