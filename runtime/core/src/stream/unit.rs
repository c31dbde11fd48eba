//! Units of sensor channels: which are the same, and which can be converted into one another.

/// Standard acceleration of free fall in m/s2, by definition (third CGPM, 1901).
const STANDARD_GRAVITY: f64 = 9.806_65;

#[derive(Clone, Copy, PartialEq)]
enum Quantity {
    Acceleration,
    AngularRate,
}

/// Quantity of a unit, and what one of it is in m/s2 or rad/s.
fn meaning(unit: &str) -> Option<(Quantity, f64)> {
    match unit {
        "m/s2" | "m/s^2" | "m/s²" => Some((Quantity::Acceleration, 1.0)),
        "g" => Some((Quantity::Acceleration, STANDARD_GRAVITY)),
        "rad/s" => Some((Quantity::AngularRate, 1.0)),
        "deg/s" | "°/s" | "dps" => Some((Quantity::AngularRate, 1f64.to_radians())),
        _ => None,
    }
}

/// What a value in `found` is multiplied by to be in `expected`: 1 where both are the same unit (or spellings of it),
/// nothing where there is no conversion.
pub fn factor(found: &str, expected: &str) -> Option<f64> {
    if found == expected {
        return Some(1.0);
    }
    let ((from, from_scale), (to, to_scale)) = (meaning(found)?, meaning(expected)?);
    // two spellings of one unit give exactly 1: a number divided by itself does
    (from == to).then(|| from_scale / to_scale)
}

#[cfg(test)]
mod tests {
    use super::factor;

    #[test]
    fn conversions() {
        assert_eq!(factor("g", "m/s2"), Some(9.80665));
        assert!((factor("m/s2", "g").unwrap() * 9.80665 - 1.0).abs() < 1e-15);
        assert!((factor("deg/s", "rad/s").unwrap() * 180.0 - std::f64::consts::PI).abs() < 1e-15);
        assert!((factor("rad/s", "dps").unwrap() - 57.295_779_513_082_32).abs() < 1e-12);
        assert_eq!(factor("m/s²", "m/s^2"), Some(1.0));
        assert_eq!(factor("deg/s", "dps"), Some(1.0));
        assert_eq!(factor("°/s", "deg/s"), Some(1.0));
        assert_eq!(factor("parsec", "parsec"), Some(1.0));
    }

    #[test]
    fn no_conversion() {
        for (found, expected) in [("g", "rad/s"), ("furlong", "g"), ("g", "furlong"), ("G", "g"), ("", "g")] {
            assert_eq!(factor(found, expected), None, "{found} to {expected}");
        }
    }
}
