//! Numbers as text.

/// The longest number with a decimal comma.
const LONGEST: usize = 40;

/// Reads a number with a decimal point or a decimal comma. A comma and a point in one number are not told apart from
/// thousands.
pub(super) fn parse(text: &str) -> Option<f64> {
    text.parse().ok().or_else(|| with_comma(text))
}

fn with_comma(text: &str) -> Option<f64> {
    let at = text.find(',')?;
    let mut bytes = [0; LONGEST];
    let bytes = bytes.get_mut(..text.len())?;
    bytes.copy_from_slice(text.as_bytes());
    if bytes.contains(&b'.') {
        return None;
    }
    bytes[at] = b'.';
    // a second comma is refused by the parser
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_and_commas() {
        for (text, number) in
            [("1.5", 1.5), ("-0,25", -0.25), ("1e-3", 1e-3), ("2,5E2", 250.0), ("+7", 7.0), (",5", 0.5)]
        {
            assert_eq!(parse(text), Some(number), "{text}");
        }
        for text in ["", "1,234.5", "1.234,5", "1,2,3", "x", ",", "1,5 m", "0x1", &"1,".repeat(40)] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert!(parse("NaN").is_some_and(f64::is_nan));
    }
}
