//! How fast something grows.

/// The slope of the line that fits best, by least squares; zero for fewer than two points.
pub(super) fn slope(points: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let count = points.clone().count().max(1) as f64;
    let mean = |of: fn((f64, f64)) -> f64| points.clone().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let (rise, run) = points.fold((0.0, 0.0), |(rise, run), point| {
        (rise + (point.0 - x) * (point.1 - y), run + (point.0 - x) * (point.0 - x))
    });
    if run == 0.0 { 0.0 } else { rise / run }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_slope() {
        let points: Vec<_> = (0..10).map(|x| (f64::from(x), 3.0 + 2.5 * f64::from(x))).collect();
        assert!((slope(points.iter().copied()) - 2.5).abs() < 1e-9);
        assert_eq!(slope([(1.0, 5.0)].into_iter()), 0.0);
        assert_eq!(slope([].into_iter()), 0.0);
    }
}
