//! Which unused column may be the time: one that rises evenly.

/// So many rows are looked at.
pub(super) const ROWS: usize = 32;
/// Fewer rows say nothing.
const FEWEST: usize = 10;
/// So many unused columns at most are looked at.
const MOST_COLUMNS: usize = 32;
/// How far a value may lie off the straight line between the first and the last one, as a share of the whole rise: packets
/// of a few rows share a time.
const UNEVEN: f64 = 0.2;

/// The first values of columns that are not used.
#[derive(Debug, Default)]
pub(super) struct Rising {
    columns: Vec<(usize, Vec<f64>)>,
}

impl Rising {
    /// Takes the value of the unused column `at`; nothing where it is no number.
    pub(super) fn observe(&mut self, at: usize, value: Option<f64>) {
        let place = self.columns.iter().position(|(known, _)| *known == at);
        let place = match place {
            Some(place) => place,
            None if self.columns.len() == MOST_COLUMNS => return,
            None => {
                self.columns.push((at, Vec::with_capacity(ROWS)));
                self.columns.len() - 1
            }
        };
        let values = &mut self.columns[place].1;
        if values.len() < ROWS {
            values.push(value.unwrap_or(f64::NAN));
        }
    }

    /// The column that rises evenly, the first of several, and by how much a row.
    pub(super) fn found(&self) -> Option<(usize, f64)> {
        self.columns.iter().find_map(|(at, values)| Some((*at, step(values)?)))
    }
}

/// By how much the values rise a row, if they do so evenly, and do not just number the rows.
fn step(values: &[f64]) -> Option<f64> {
    let (first, rise) = (*values.first()?, values.last()? - values.first()?);
    let step = rise / (values.len() - 1) as f64;
    let even = values.iter().enumerate().all(|(row, value)| {
        let line = first + step * row as f64;
        (value - line).abs() <= UNEVEN * rise
    });
    let rises = values.windows(2).all(|pair| pair[1] >= pair[0]);
    let numbers = values.windows(2).all(|pair| pair[1] - pair[0] == 1.0);
    (values.len() >= FEWEST && rise > 0.0 && even && rises && !numbers).then_some(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(value: impl Fn(f64) -> f64) -> Option<f64> {
        step(&(0..ROWS as u32).map(|row| value(f64::from(row))).collect::<Vec<_>>())
    }

    #[test]
    fn what_rises_evenly_may_be_the_time() {
        let near = |found: Option<f64>, step: f64| found.is_some_and(|found| (found / step - 1.0).abs() < 0.2);
        assert!(near(found(|row| 1.7e12 + 10.0 * row), 10.0));
        // packets with one stamp, jitter
        assert!(near(found(|row| (row / 4.0).floor() * 0.04), 0.01));
        assert!(near(found(|row| 0.02 * row + 0.009 * (row * 7.0).sin()), 0.02));
        // a row's number, a constant, a signal, and a step
        assert_eq!(found(|row| 5.0 + row), None);
        assert_eq!(found(|_| 21.5), None);
        assert_eq!(found(|row| (row / 5.0).sin()), None);
        assert_eq!(found(|row| f64::from(u8::from(row > 20.0))), None);
        assert_eq!(found(|row| if row == 3.0 { f64::NAN } else { row / 50.0 }), None);
        assert_eq!(step(&[0.0, 0.02, 0.04]), None);
        assert_eq!(step(&[]), None);
    }
}
