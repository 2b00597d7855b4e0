//! The pure core does no I/O: the time and all bytes are passed in.

use super::source::Source;

const CORE: &str = "crates/halloo-proto/src/";

/// Names that would make the core depend on a clock, a thread or a network.
const IMPURE: [&str; 7] =
    ["Instant::now", "SystemTime::now", "thread::sleep", "thread::spawn", "TcpStream", "TcpListener", "UdpSocket"];

pub(super) fn check(source: &Source) -> Vec<String> {
    if !source.path.starts_with(CORE) {
        return Vec::new();
    }
    let impure = |(number, line): (usize, &str)| {
        let name = IMPURE.into_iter().find(|name| line.contains(name))?;
        Some(source.violation(number, &format!("`{name}` in the pure core; pass it in from the caller")))
    };
    source.code_lines().filter_map(impure).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(path: &str, text: &str) -> Vec<String> {
        check(&Source { path: path.into(), text: text.into() })
    }

    #[test]
    fn a_clock_or_a_socket_in_the_core_is_refused() {
        for name in IMPURE {
            let found = violations("crates/halloo-proto/src/frame.rs", &format!("\nlet x = std::{name}();"));
            assert_eq!(
                found,
                [format!("crates/halloo-proto/src/frame.rs:2: `{name}` in the pure core; pass it in from the caller")]
            );
        }
    }

    #[test]
    fn addresses_comments_and_other_crates_pass() {
        assert!(violations("crates/halloo-proto/src/frame.rs", "use std::net::IpAddr; // not a UdpSocket").is_empty());
        assert!(violations("crates/halloo/src/server.rs", "let now = Instant::now();").is_empty());
    }
}
