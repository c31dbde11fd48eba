//! Golden vectors: a few windows with the logits that the trainer computed. The runtime must agree before it serves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::backend::{InferenceError, Runner};
use super::manifest::Manifest;

/// How far a logit may be from the trainer's.
pub const GOLDEN_TOLERANCE: f32 = 1e-4;

/// Golden vectors that are unusable or that this machine does not reproduce.
#[derive(Debug, thiserror::Error)]
pub enum GoldenError {
    /// The file does not fit the manifest.
    #[error("{}: {message}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// This machine's answer differs from the trainer's.
    #[error(
        "{}: configuration {id}, golden window {window}: logits differ from the trainer's by {difference:.1e}, and \
         {GOLDEN_TOLERANCE:.0e} is allowed",
        path.display()
    )]
    Differs {
        /// The file.
        path: PathBuf,
        /// The configuration.
        id: String,
        /// Which window, from 0.
        window: usize,
        /// The largest difference.
        difference: f32,
    },
    /// A configuration failed on a golden window.
    #[error("configuration {id}, golden window {window}: {reason}")]
    Inference {
        /// The configuration.
        id: String,
        /// Which window, from 0.
        window: usize,
        /// Why.
        reason: InferenceError,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GoldenFile {
    schema: u32,
    /// `[window, channel, time]` at full resolution.
    windows: Vec<Vec<Vec<f32>>>,
    /// By configuration: `[window, label]`.
    logits: BTreeMap<String, Vec<Vec<f32>>>,
}

/// The golden vectors of one model.
#[derive(Debug)]
pub struct Golden {
    path: PathBuf,
    windows: Vec<Vec<f32>>,
    logits: BTreeMap<String, Vec<Vec<f32>>>,
}

impl Golden {
    /// Reads golden vectors and checks that they fit `manifest`; `path` names them in errors.
    ///
    /// # Errors
    /// When the text is not of the schema, or a shape or a configuration is missing.
    pub fn parse(bytes: &[u8], path: &Path, manifest: &Manifest) -> Result<Self, GoldenError> {
        let unusable = |message: String| GoldenError::Unusable { path: path.to_path_buf(), message };
        let file: GoldenFile = serde_json::from_slice(bytes).map_err(|error| unusable(error.to_string()))?;
        let task = &manifest.task;
        if file.schema != 1 {
            return Err(unusable(format!("schema is {}, and this gaitd reads schema 1", file.schema)));
        }
        if file.windows.is_empty() {
            return Err(unusable("holds no windows".to_owned()));
        }
        let fits = |w: &Vec<Vec<f32>>| w.len() == task.channels.len() && w.iter().all(|c| c.len() == task.window);
        if !file.windows.iter().all(fits) {
            return Err(unusable(format!(
                "windows must be {} channels of {} samples",
                task.channels.len(),
                task.window
            )));
        }
        for configuration in &manifest.configurations {
            let fits = |logits: &Vec<Vec<f32>>| {
                logits.len() == file.windows.len() && logits.iter().all(|l| l.len() == task.labels.len())
            };
            if !file.logits.get(&configuration.id).is_some_and(fits) {
                return Err(unusable(format!("logits of configuration {} are missing or misshapen", configuration.id)));
            }
        }
        let windows = file.windows.iter().map(|window| window.concat()).collect();
        Ok(Self { path: path.to_path_buf(), windows, logits: file.logits })
    }

    /// Runs every golden window through every configuration of `manifest` and compares; returns the largest difference.
    ///
    /// # Errors
    /// When an inference fails or differs by more than [`GOLDEN_TOLERANCE`].
    pub fn check(&self, manifest: &Manifest, runner: &mut dyn Runner) -> Result<f32, GoldenError> {
        let mut largest = 0.0f32;
        for (rung, configuration) in manifest.configurations.iter().enumerate() {
            let id = &configuration.id;
            for (window, (signal, expected)) in self.windows.iter().zip(&self.logits[id]).enumerate() {
                let mut logits = vec![0.0; expected.len()];
                runner.infer(rung, signal, &mut logits).map_err(|reason| GoldenError::Inference {
                    id: id.clone(),
                    window,
                    reason,
                })?;
                let difference = logits.iter().zip(expected).map(|(a, b)| (a - b).abs());
                // what is not a number stays
                let difference = difference.fold(0.0, |most: f32, next| if next <= most { most } else { next });
                if difference.is_nan() || difference > GOLDEN_TOLERANCE {
                    return Err(GoldenError::Differs { path: self.path.clone(), id: id.clone(), window, difference });
                }
                largest = largest.max(difference);
            }
        }
        Ok(largest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ladder::{Ladder, ModelFiles};
    use crate::testing::FakeModel;

    /// Answers with values that are not numbers, and does not say so.
    struct NoNumbers;

    impl Runner for NoNumbers {
        fn infer(&mut self, _: usize, _: &[f32], logits: &mut [f32]) -> Result<(), InferenceError> {
            logits.fill(f32::NAN);
            Ok(())
        }
    }

    #[test]
    fn answers_that_are_not_numbers_differ() {
        let model = FakeModel::new(2);
        let manifest = Ladder::manifest_of(&model).unwrap();
        let golden = Golden::parse(&model.read("golden.json").unwrap(), Path::new("golden.json"), &manifest).unwrap();
        let outcome = golden.check(&manifest, &mut NoNumbers);
        assert!(matches!(outcome, Err(GoldenError::Differs { window: 0, .. })), "{outcome:?}");
    }
}
