//! The values of a constant.

use crate::{Constant, FLOAT, INT64, OnnxError};

/// The values of a constant, as they lie in the file: the last axis fastest.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Weights.
    Floats(Vec<f32>),
    /// Shapes and bounds.
    Integers(Vec<i64>),
}

impl Constant {
    /// The lengths of the axes.
    ///
    /// # Errors
    /// When one is negative.
    pub fn lengths(&self) -> Result<Vec<usize>, OnnxError> {
        let lengths = self.shape.iter().map(|&length| usize::try_from(length));
        lengths.collect::<Result<_, _>>().map_err(|_| OnnxError(format!("its shape is {:?}", self.shape)))
    }

    /// The values, as many as the shape says.
    ///
    /// # Errors
    /// When they are of another type, or not so many, as where they lie in another file.
    pub fn values(&self) -> Result<Values, OnnxError> {
        let raw = &self.raw;
        let values = match self.kind {
            FLOAT => {
                let raw = raw.as_chunks().0.iter().copied().map(f32::from_le_bytes);
                Values::Floats(self.floats.iter().copied().chain(raw).collect())
            }
            INT64 => {
                let raw = raw.as_chunks().0.iter().copied().map(i64::from_le_bytes);
                Values::Integers(self.integers.iter().copied().chain(raw).collect())
            }
            kind => {
                return Err(OnnxError(format!("it is of data type {kind}; gaitd knows 1 (float) and 7 (int64)")));
            }
        };
        let count = match &values {
            Values::Floats(values) => values.len(),
            Values::Integers(values) => values.len(),
        };
        let shape = self.lengths()?;
        if shape.iter().try_fold(1_usize, |length, &axis| length.checked_mul(axis)) != Some(count) {
            return Err(OnnxError(format!(
                "its shape is {shape:?}, and it has {count} values; gaitd reads no values from other files"
            )));
        }
        Ok(values)
    }
}
