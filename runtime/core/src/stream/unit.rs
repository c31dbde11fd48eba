//! Units of sensor channels: how they are spelled, and which can be converted into one another.

/// Standard acceleration of free fall in m/s2, by definition (third CGPM, 1901).
const STANDARD_GRAVITY: f64 = 9.806_65;

/// The units that are known, for messages.
pub const KNOWN: &str = "g, mg, m/s2, rad/s, mrad/s, deg/s (dps) and mdps";

/// What stands for the unit where the values have none, as after their standardisation.
pub const NONE: &str = "1";

/// What a unit measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Acceleration.
    Acceleration,
    /// Angular rate.
    AngularRate,
}

impl Quantity {
    /// The unit of the SI for it.
    #[must_use]
    pub fn base(self) -> &'static str {
        match self {
            Self::Acceleration => "m/s2",
            Self::AngularRate => "rad/s",
        }
    }

    /// What is short for a sensor of it.
    #[must_use]
    pub fn sensor(self) -> &'static str {
        match self {
            Self::Acceleration => "acc",
            Self::AngularRate => "gyro",
        }
    }
}

/// A unit as a multiple of one without a prefix, so that two prefixes of one unit give their exact ratio.
#[derive(Clone, Copy)]
struct Meaning {
    quantity: Quantity,
    /// What one of the unit without its prefix is, in m/s2 or rad/s.
    base: f64,
    prefix: f64,
}

/// A unit with everything that spellings differ in taken away: `m/s²`, `m/s^2`, `M/S2` and `m / sec ** 2` are all
/// `m/s2`.
fn plain(unit: &str) -> String {
    let mut text = String::with_capacity(unit.len());
    for letter in unit.chars().flat_map(char::to_lowercase) {
        match letter {
            '²' => text.push('2'),
            '¹' => text.push('1'),
            // minus signs, the high and the long one
            '⁻' | '−' => text.push('-'),
            // the ordinal indicator is next to the degree sign on some keyboards
            'º' | '˚' => text.push('°'),
            '^' | '*' | '·' | '⋅' | '.' | '_' | '(' | ')' => {}
            letter if letter.is_whitespace() => {}
            letter => text.push(letter),
        }
    }
    // the longer word before the one that it begins with
    const WORDS: [(&str, &str); 16] = [
        ("persecond", "/s"),
        ("squared", "2"),
        ("seconds", "s"),
        ("second", "s"),
        ("sec", "s"),
        ("metres", "m"),
        ("meters", "m"),
        ("metre", "m"),
        ("meter", "m"),
        ("radians", "rad"),
        ("radian", "rad"),
        ("rads/", "rad/"),
        ("degrees", "deg"),
        ("degree", "deg"),
        ("milli", "m"),
        ("°", "deg"),
    ];
    for (word, short) in WORDS {
        if text.contains(word) {
            text = text.replace(word, short);
        }
    }
    text
}

fn meaning(unit: &str) -> Option<Meaning> {
    use Quantity::{Acceleration, AngularRate};
    let (quantity, base, prefix) = match plain(unit).as_str() {
        "m/s2" | "m/s/s" | "ms-2" | "mps2" | "m/ss" | "ms2" => (Acceleration, 1.0, 1.0),
        // telephones write the unit of free fall as G
        "g" | "gn" | "g0" | "g-force" | "gforce" => (Acceleration, STANDARD_GRAVITY, 1.0),
        "mg" | "m-g" => (Acceleration, STANDARD_GRAVITY, 1e-3),
        "rad/s" | "rads-1" | "radps" => (AngularRate, 1.0, 1.0),
        "mrad/s" | "mrads-1" => (AngularRate, 1.0, 1e-3),
        "deg/s" | "degs-1" | "dps" => (AngularRate, 1f64.to_radians(), 1.0),
        "mdeg/s" | "mdegs-1" | "mdps" => (AngularRate, 1f64.to_radians(), 1e-3),
        _ => return None,
    };
    Some(Meaning { quantity, base, prefix })
}

/// What a unit measures; nothing of one that is not known.
#[must_use]
pub fn quantity(unit: &str) -> Option<Quantity> {
    meaning(unit).map(|meaning| meaning.quantity)
}

/// What a value in `found` is multiplied by to be in `expected`: 1 where both are the same unit (or spellings of it),
/// nothing where there is no conversion.
#[must_use]
pub fn factor(found: &str, expected: &str) -> Option<f64> {
    if found == expected {
        return Some(1.0);
    }
    let (from, to) = (meaning(found)?, meaning(expected)?);
    // two spellings of one unit give exactly 1: a number divided by itself does
    (from.quantity == to.quantity).then(|| from.base / to.base * (from.prefix / to.prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions() {
        assert_eq!(factor("g", "m/s2"), Some(9.80665));
        assert!((factor("m/s2", "g").unwrap() * 9.80665 - 1.0).abs() < 1e-15);
        assert!((factor("deg/s", "rad/s").unwrap() * 180.0 - std::f64::consts::PI).abs() < 1e-15);
        assert!((factor("rad/s", "dps").unwrap() - 57.295_779_513_082_32).abs() < 1e-12);
        assert_eq!(factor("parsec", "parsec"), Some(1.0));
        assert_eq!(factor("mg", "g"), Some(0.001));
        assert_eq!(factor("g", "mg"), Some(1000.0));
        assert_eq!(factor("mdps", "deg/s"), Some(0.001));
        assert_eq!(factor("mrad/s", "rad/s"), Some(0.001));
        assert!((factor("mdps", "rad/s").unwrap() * 180_000.0 - std::f64::consts::PI).abs() < 1e-15);
        assert!((factor("mg", "m/s2").unwrap() - 0.009_806_65).abs() < 1e-17);
    }

    #[test]
    fn spellings_of_one_unit() {
        let spellings = [
            (
                "m/s2",
                "m/s^2,m/s²,M/S2,m/s/s,m s-2,m·s⁻²,ms^-2,m/s**2,m / sec ^ 2,mps2,meters/second²,metres per second squared",
            ),
            ("g", "G,gn, g "),
            ("mg", "mG,milli-g,MG"),
            ("rad/s", "RAD/S,rad/sec,rads/s,rad s-1,radians per second,rad·s⁻¹"),
            ("mrad/s", "mRad/s,mrad/sec,milliradians/s"),
            ("deg/s", "°/s,º/s,dps,DPS,degrees/s,degree/sec,deg s-1,Degrees per second"),
            ("mdps", "MDPS,mdeg/s,m°/s,millidegrees/second"),
        ];
        for (unit, others) in spellings {
            for other in others.split(',') {
                assert_eq!(factor(other, unit), Some(1.0), "{other} is {unit}");
            }
        }
    }

    #[test]
    fn no_conversion() {
        let pairs = [("g", "rad/s"), ("furlong", "g"), ("g", "furlong"), ("", "g"), ("m/s", "g"), ("kg", "g")];
        // G is no unit of an angular rate, and of counts nothing is known
        for (found, expected) in pairs.into_iter().chain([("G", "rad/s"), ("LSB", "g"), ("rad", "rad/s"), ("s", "g")]) {
            assert_eq!(factor(found, expected), None, "{found} to {expected}");
        }
    }
}
