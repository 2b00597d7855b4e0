//! Only text for people and certificates contain the time of day, which jumps when the clock is set.

use super::source::Source;

/// Beacons carry a timestamp, certificates are valid between two dates, the log of the program shows the time, and a benchmark
/// report its date.
const ALLOWED: [&str; 4] = [
    "crates/halloo/src/discovery.rs",
    "crates/halloo/src/tls/certificate.rs",
    "crates/halloo-cli/src/log.rs",
    "crates/halloo-bench/src/compare.rs",
];

const WALL_CLOCK: [&str; 4] = ["SystemTime::now", "UNIX_EPOCH", "Local::now", "Utc::now"];

pub(super) fn check(source: &Source) -> Vec<String> {
    if !source.path.starts_with("crates/") || ALLOWED.contains(&source.path.as_str()) {
        return Vec::new();
    }
    let wall_clock = |(number, line): (usize, &str)| {
        let name = WALL_CLOCK.into_iter().find(|name| line.contains(name))?;
        Some(source.violation(number, &format!("`{name}` jumps when the clock is set; use `Instant`")))
    };
    source.code_lines().filter_map(wall_clock).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_day_is_refused_outside_of_the_allowed_files() {
        let check = |path: &str, text: &str| check(&Source { path: path.into(), text: text.into() }).len();
        for name in WALL_CLOCK {
            assert_eq!(check("crates/halloo/src/reactor.rs", &format!("\nlet x = {name}();")), 1);
        }
        assert_eq!(check("crates/halloo/src/discovery.rs", "SystemTime::now()"), 0);
        assert_eq!(check("crates/halloo/src/server.rs", "Instant::now() // not SystemTime::now"), 0);
    }
}
