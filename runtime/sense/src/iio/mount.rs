//! How a sensor sits on the board.

use std::str::FromStr;

/// A mount matrix: what a sensor's axes are in those of the device that wears it. IIO writes it row by row,
/// `0, 1, 0; -1, 0, 0; 0, 0, 1`; a reading is multiplied by it from the left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mount([[f64; 3]; 3]);

/// How far a determinant may be from 1 or -1.
const TOLERANCE: f64 = 0.05;

impl Default for Mount {
    fn default() -> Self {
        Self([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    }
}

impl FromStr for Mount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let row = |text: &str| -> Option<[f64; 3]> {
            let numbers: Option<Vec<f64>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
            numbers?.try_into().ok()
        };
        let rows: Option<Vec<_>> = text.split(';').map(row).collect();
        let matrix = rows.and_then(|rows| <[[f64; 3]; 3]>::try_from(rows).ok()).map(Self);
        let matrix = matrix.ok_or("expected three rows of three numbers, such as 1, 0, 0; 0, 1, 0; 0, 0, 1")?;
        let volume = matrix.determinant().abs();
        if (volume - 1.0).abs() <= TOLERANCE {
            Ok(matrix)
        } else {
            Err(format!("it changes the size of what it turns, by a factor of {volume}: no mount matrix"))
        }
    }
}

impl Mount {
    /// A reading of the sensor, in the device's axes.
    #[must_use]
    pub fn turn(&self, sensed: [f64; 3]) -> [f64; 3] {
        self.0.map(|row| row.iter().zip(sensed).map(|(factor, value)| factor * value).sum())
    }

    fn determinant(&self) -> f64 {
        let [a, b, c] = self.0;
        let cross = [b[1] * c[2] - b[2] * c[1], b[2] * c[0] - b[0] * c[2], b[0] * c[1] - b[1] * c[0]];
        a.iter().zip(cross).map(|(one, other)| one * other).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_are_turned_into_the_device_s_axes() {
        let mount: Mount = "0, 1, 0; -1, 0, 0; 0, 0, 1".parse().unwrap();
        assert_eq!(mount.turn([1.0, 2.0, 3.0]), [2.0, -1.0, 3.0]);
        assert_eq!("1, 0, 0; 0, 1, 0; 0, 0, 1".parse(), Ok(Mount::default()));
        assert_eq!(Mount::default().turn([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn no_mount_matrix() {
        for text in
            ["", "1, 0; 0, 1", "1,0,0;0,1,0;0,0,x", "0,0,0;0,0,0;0,0,0", "2,0,0;0,2,0;0,0,2", "1,0,0;0,1,0;0,0,nan"]
        {
            assert!(text.parse::<Mount>().is_err(), "{text}");
        }
    }
}
