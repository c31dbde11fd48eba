//! The low-pass by which a stream is put onto a grid of even times.
//!
//! A kernel in continuous time, so that it serves samples at any times: up to 0.4 of the grid's rate (20 Hz at 50 Hz) it
//! passes within 0.3 dB, from 0.6 of it on (30 Hz) it is 42 dB down. It looks three periods ahead of the grid's time and twelve
//! back: a symmetric one that is as good looks six ahead, which would cost every answer another 60 ms.

/// Periods of the grid that the kernel looks ahead.
pub(super) const AHEAD: f64 = 3.0;

/// Periods of the grid that it looks back.
pub(super) const BACK: f64 = 12.0;

/// Knots of the spline in a period.
const KNOTS: f64 = 4.0;

/// The kernel as a sum of uniform cubic B-splines, whose knots begin at `-AHEAD`. Least squares against a response of
/// 1 up to 0.4 of the grid's rate and of 0 from 0.6 to 8 of it, in the complex plane, so that the phase is kept as well; the
/// stop band weighs 6 times as much, its edge 18 times, and that of the pass band 2.5 times.
const COEFFICIENTS: [f64; 57] = [
    -0.00579, 0.00038, -0.02170, -0.05603, -0.08643, -0.07583, 0.01560, 0.20979, 0.48693, 0.77847, 0.98395, 1.01111,
    0.82176, 0.46003, 0.04386, -0.28123, -0.40663, -0.31143, -0.07207, 0.17604, 0.30628, 0.26274, 0.08375, -0.12448,
    -0.24861, -0.22908, -0.08826, 0.08781, 0.20110, 0.19605, 0.08637, -0.05855, -0.15697, -0.16082, -0.07863, 0.03527,
    0.11593, 0.12457, 0.06655, -0.01761, -0.07936, -0.08976, -0.05208, 0.00538, 0.04902, 0.05905, 0.03736, 0.00203,
    -0.02583, -0.03412, -0.02383, -0.00552, 0.00959, 0.01451, 0.01164, 0.00260, 0.01324,
];

/// The kernel for a sample that lies `back` periods before the grid's time (negative: after it), per period.
pub(super) fn weight(back: f64) -> f64 {
    let place = (back + AHEAD) * KNOTS;
    if !(0.0..(AHEAD + BACK) * KNOTS).contains(&place) {
        return 0.0;
    }
    let (knot, x) = (place as usize, place.fract());
    let rest = 1.0 - x;
    // the four splines that are not zero here, the earliest first
    let splines = [
        rest * rest * rest,
        3.0 * x * x * x - 6.0 * x * x + 4.0,
        3.0 * rest * rest * rest - 6.0 * rest * rest + 4.0,
        x * x * x,
    ];
    let terms = splines.iter().enumerate().map(|(index, spline)| {
        let coefficient = (knot + index).checked_sub(3).and_then(|index| COEFFICIENTS.get(index));
        coefficient.copied().unwrap_or_default() * spline
    });
    terms.sum::<f64>() / 6.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The gain in decibels at `frequency`, as a share of the grid's rate, where `rate` samples come in a period of the grid
    /// and the grid's time lies `offset` of their distance after one of them.
    fn decibels(frequency: f64, rate: f64, offset: f64) -> f64 {
        let (mut real, mut imaginary) = (0.0, 0.0);
        for number in -400..=400 {
            let back = (f64::from(number) + offset) / rate;
            let (sine, cosine) = (std::f64::consts::TAU * frequency * back).sin_cos();
            real += weight(back) / rate * cosine;
            imaginary += weight(back) / rate * sine;
        }
        20.0 * f64::hypot(real, imaginary).log10()
    }

    #[test]
    fn what_is_slow_passes_and_what_would_fold_back_does_not() {
        for rate in [4.0, 5.0, 7.3, 20.0] {
            for offset in [0.0, 0.3, 0.5] {
                for step in 0..=40 {
                    let pass = decibels(0.4 * f64::from(step) / 40.0, rate, offset);
                    assert!(pass.abs() < 0.4, "{pass} dB at {step} of 40, {rate} samples a period");
                    let stop = decibels(0.6 + 0.8 * f64::from(step) / 40.0, rate, offset);
                    assert!(stop < -40.0, "{stop} dB at {step} of 40, {rate} samples a period");
                }
            }
        }
    }

    #[test]
    fn it_ends_where_it_says() {
        assert_eq!(weight(-AHEAD - 1e-9), 0.0);
        assert_eq!(weight(BACK), 0.0);
        assert!(weight(0.2) > 0.8);
        assert_eq!(weight(f64::NAN), 0.0);
    }
}
