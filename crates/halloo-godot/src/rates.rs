//! Messages per second, computed from counters.

use std::time::{Duration, Instant};

use godot::prelude::Vector2;

/// The time over which rates are averaged. A shorter one makes them fluctuate.
const SPAN: Duration = Duration::from_secs(1);

/// The rates over the last complete span.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    since: Option<Instant>,
    received: u64,
    sent: u64,
    rates: Vector2,
}

impl Rates {
    /// Updates the rates from the current counters, and returns those of the last complete span: received, sent.
    pub(crate) fn update(&mut self, now: Instant, received: u64, sent: u64) -> Vector2 {
        let Some(since) = self.since else {
            *self = Rates { since: Some(now), received, sent, rates: Vector2::ZERO };
            return self.rates;
        };
        let span = now.saturating_duration_since(since);
        if span >= SPAN {
            // A restart resets the counters.
            let rate = |now: u64, before: u64| now.saturating_sub(before) as f32 / span.as_secs_f32();
            let rates = Vector2::new(rate(received, self.received), rate(sent, self.sent));
            *self = Rates { since: Some(now), received, sent, rates };
        }
        self.rates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_cover_the_last_complete_span() {
        let (mut rates, start) = (Rates::default(), Instant::now());
        assert_eq!(rates.update(start, 100, 0), Vector2::ZERO);
        assert_eq!(rates.update(start + SPAN / 2, 200, 0), Vector2::ZERO);
        assert_eq!(rates.update(start + SPAN, 300, 10), Vector2::new(200.0, 10.0));
        assert_eq!(rates.update(start + SPAN * 3, 300, 10), Vector2::ZERO);
        assert_eq!(rates.update(start + SPAN * 4, 5, 0), Vector2::ZERO);
    }
}
