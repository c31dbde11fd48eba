//! NumPy archives (.npz), in whatever number type NumPy chose.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::Context;
use ndarray::{Array, Dimension, OwnedRepr};
use ndarray_npy::NpzReader;

use super::labelled::{DataError, unusable};

/// An open archive.
pub(super) struct Archive {
    name: String,
    names: Vec<String>,
    reader: NpzReader<BufReader<File>>,
}

impl Archive {
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
        let wrong = |error: &dyn ToString| unusable(&name, &error.to_string());
        let mut reader = NpzReader::new(BufReader::new(file)).map_err(|error| wrong(&error))?;
        let names = reader.names().map_err(|error| wrong(&error))?;
        let names = names.into_iter().map(|name| name.trim_end_matches(".npy").to_owned()).collect();
        Ok(Self { name, names, reader })
    }

    /// Whether it holds an array `array`.
    pub(super) fn has(&self, array: &str) -> bool {
        self.names.iter().any(|name| name == array)
    }

    /// An array of numbers.
    pub(super) fn numbers<D: Dimension>(&mut self, array: &str) -> Result<Array<f32, D>, DataError> {
        let single = self.reader.by_name::<OwnedRepr<f32>, D>(array);
        single
            .or_else(|_| self.reader.by_name::<OwnedRepr<f64>, D>(array).map(|it| it.mapv(|value| value as f32)))
            .map_err(|error| self.wrong(array, &error))
    }

    /// A list of whole numbers.
    pub(super) fn integers(&mut self, array: &str) -> Result<Vec<i64>, DataError> {
        use ndarray::Ix1;

        let reader = &mut self.reader;
        let wide = reader.by_name::<OwnedRepr<i64>, Ix1>(array);
        let found = wide
            .or_else(|_| reader.by_name::<OwnedRepr<i32>, Ix1>(array).map(|it| it.mapv(i64::from)))
            .or_else(|_| reader.by_name::<OwnedRepr<u8>, Ix1>(array).map(|it| it.mapv(i64::from)))
            .or_else(|_| reader.by_name::<OwnedRepr<i8>, Ix1>(array).map(|it| it.mapv(i64::from)))
            .or_else(|_| reader.by_name::<OwnedRepr<i16>, Ix1>(array).map(|it| it.mapv(i64::from)));
        found.map(|it| it.to_vec()).map_err(|error| self.wrong(array, &error))
    }

    fn wrong(&self, array: &str, error: &dyn ToString) -> DataError {
        let names = self.names.join(", ");
        unusable(&self.name, &format!("{array}: {}; it holds {names}", error.to_string()))
    }
}
