//! How a figure grows with a size: the exponent of the power law that fits best.

/// The slope of the line through the logarithms of the points, by least squares: 1 is linear, 0 is constant. Fixed costs
/// make it smaller than the growth at large sizes, which [`of_last_two`] shows.
///
/// Not a number with fewer than two sizes.
#[must_use]
pub fn by_least_squares(points: &[(f64, f64)]) -> f64 {
    let logs: Vec<(f64, f64)> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let mean = |of: fn(&(f64, f64)) -> f64| {
        logs.iter().map(of).sum::<f64>() / logs.iter().map(|_| 1.0).sum::<f64>()
    };
    let (x, y) = (mean(|log| log.0), mean(|log| log.1));
    let covariance: f64 = logs.iter().map(|log| (log.0 - x) * (log.1 - y)).sum();
    let variance: f64 = logs.iter().map(|log| (log.0 - x).powi(2)).sum();
    covariance / variance
}

/// The exponent between the two largest sizes.
///
/// Not a number with fewer than two sizes.
#[must_use]
pub fn of_last_two(points: &[(f64, f64)]) -> f64 {
    by_least_squares(&points[points.len().saturating_sub(2)..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 1e-9
    }

    #[test]
    fn a_power_law_gives_its_exponent() {
        for exponent in [0.0, 0.5, 1.0, 2.0] {
            let points: Vec<_> = [1.0, 10.0, 100.0, 1000.0]
                .map(|x: f64| (x, 3.0 * x.powf(exponent)))
                .to_vec();
            assert!(close(by_least_squares(&points), exponent), "{exponent}");
            assert!(close(of_last_two(&points), exponent), "{exponent}");
        }
    }

    #[test]
    fn a_fixed_cost_hides_growth_from_the_fit_and_less_from_the_last_two_sizes() {
        let points: Vec<_> = [1.0, 10.0, 100.0, 1000.0, 10_000.0]
            .map(|x: f64| (x, 1000.0 + x))
            .to_vec();
        assert!(by_least_squares(&points) < 0.3);
        assert!(of_last_two(&points) > 0.7);
    }

    #[test]
    fn fewer_than_two_sizes_have_no_exponent() {
        assert!(by_least_squares(&[]).is_nan() && by_least_squares(&[(1.0, 1.0)]).is_nan());
        assert!(of_last_two(&[]).is_nan() && of_last_two(&[(1.0, 1.0)]).is_nan());
    }
}
