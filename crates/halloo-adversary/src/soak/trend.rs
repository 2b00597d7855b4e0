//! The trend of a series of measurements.

/// Returns the median of the slopes between every two points (Theil-Sen estimator): steady growth shows in all of them, a
/// sample during a large message only in a few. Returns zero for fewer than two points.
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
    fn the_slope_of_a_leak_is_not_hidden_by_outliers() {
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
