//! Golden vectors: a few windows with the logits that the trainer, or another reference, computed. The runtime must agree before it serves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::backend::{InferenceError, Runner};
use super::manifest::Manifest;

/// How far a logit may be from the expected one, as a share of the largest expected logit of that window or of 1, whichever
/// is more; a configuration of fewer bits than float32 may name a larger share.
pub const GOLDEN_TOLERANCE: f32 = 1e-4;

/// The largest share that a configuration may name: that of 8 bits.
const LARGEST_TOLERANCE: f32 = 0.1;

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
    /// This machine's answer differs from the expected one.
    #[error(
        "{}: configuration {id}, golden window {window}: logits differ from the expected ones by {difference:.1e}, and \
         {allowed:.0e} is allowed",
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
        /// How much it may be.
        allowed: f32,
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

/// `golden.json`. Schema 2 adds who computed the logits, and tolerances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GoldenFile {
    /// Version of this format: 1 or 2.
    pub schema: u32,
    /// What computed the logits, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// `[window, channel, time]` at full resolution, before the task's normalisation.
    pub windows: Vec<Vec<Vec<f32>>>,
    /// By configuration: `[window, label]`.
    pub logits: BTreeMap<String, Vec<Vec<f32>>>,
    /// By configuration: a share other than [`GOLDEN_TOLERANCE`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tolerances: BTreeMap<String, f32>,
}

impl GoldenFile {
    /// The newest version of the format.
    pub const SCHEMA: u32 = 2;
}

/// The golden vectors of one model.
#[derive(Debug)]
pub struct Golden {
    path: PathBuf,
    windows: Vec<Vec<f32>>,
    logits: BTreeMap<String, Vec<Vec<f32>>>,
    tolerances: BTreeMap<String, f32>,
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
        if !(1..=GoldenFile::SCHEMA).contains(&file.schema) {
            return Err(unusable(format!(
                "schema is {}, and this gaitd reads schemas 1 to {}",
                file.schema,
                GoldenFile::SCHEMA
            )));
        }
        if let Some((id, share)) = file.tolerances.iter().find(|(_, share)| !(0.0..=LARGEST_TOLERANCE).contains(*share))
        {
            return Err(unusable(format!(
                "the tolerance of {id} is {share}, and must be from 0 to {LARGEST_TOLERANCE}"
            )));
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
        Ok(Self { path: path.to_path_buf(), windows, logits: file.logits, tolerances: file.tolerances })
    }

    /// Runs every golden window through every configuration of `manifest` and compares; returns the largest difference.
    ///
    /// # Errors
    /// When an inference fails or differs by more than [`GOLDEN_TOLERANCE`], or what the configuration names.
    pub fn check(&self, manifest: &Manifest, runner: &mut dyn Runner) -> Result<f32, GoldenError> {
        let mut largest = 0.0f32;
        for (rung, configuration) in manifest.configurations.iter().enumerate() {
            let id = &configuration.id;
            let share = self.tolerances.get(id).copied().unwrap_or(GOLDEN_TOLERANCE);
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
                let allowed = share * expected.iter().fold(1.0, |most: f32, logit| most.max(logit.abs()));
                if difference.is_nan() || difference > allowed {
                    let (path, id) = (self.path.clone(), id.clone());
                    return Err(GoldenError::Differs { path, id, window, difference, allowed });
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
