//! Percentiles of latencies.

use std::time::Duration;

/// Returns the latency that 99 of 100 samples do not exceed; zero for no samples.
pub(crate) fn p99(mut micros: Vec<u32>) -> Duration {
    micros.sort_unstable();
    let index = (micros.len() * 99 / 100).min(micros.len().saturating_sub(1));
    micros.get(index).map_or(Duration::ZERO, |&micros| Duration::from_micros(u64::from(micros)))
}

/// Formats a duration in milliseconds.
pub(crate) fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p99_is_the_99th_of_a_hundred_samples() {
        let samples: Vec<u32> = (1..=100).rev().collect();
        assert_eq!(
            (p99(samples), p99(vec![7]), p99(Vec::new())),
            (Duration::from_micros(100), Duration::from_micros(7), Duration::ZERO)
        );
    }
}
