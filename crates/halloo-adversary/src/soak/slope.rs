//! How fast something grows.

/// The median of the slopes between every two points (Theil and Sen): what grows steadily shows in all of them, and a
/// sample taken while a large message was under way in few. Zero for fewer than two points.
pub(super) fn slope(points: &[(f64, f64)]) -> f64 {
    let pairs =
        points.iter().enumerate().flat_map(|(index, from)| points[index + 1..].iter().map(move |to| (from, to)));
    let mut slopes: Vec<f64> = pairs.map(|(from, to)| (to.1 - from.1) / (to.0 - from.0)).collect();
    slopes.sort_unstable_by(f64::total_cmp);
    slopes.get(slopes.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leak_shows_beneath_what_comes_and_goes() {
        let leak = |minute: u32| (f64::from(minute), 7000.0 + 25.0 * f64::from(minute));
        let mut points: Vec<_> = (0..100).map(leak).collect();
        assert!((slope(&points) - 25.0).abs() < 1e-9);
        for at in [3, 50, 97, 98] {
            points[at].1 += 1000.0;
        }
        assert!((slope(&points) - 25.0).abs() < 1.0, "{}", slope(&points));
        let mut still: Vec<_> = (0..100).map(|minute| (f64::from(minute), 7000.0)).collect();
        still[98].1 += 1000.0;
        assert_eq!(slope(&still), 0.0);
        assert_eq!((slope(&still[..1]), slope(&[])), (0.0, 0.0));
    }
}
