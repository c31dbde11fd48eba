//! The fitted parameters of the simulated wearer: how the file is read and checked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::WearerError;
use gaitd_core::stream::Channel;

/// Three accelerometer and three gyroscope channels.
pub(super) const AXES: usize = 6;
const SCHEMA: u32 = 1;
const GENERATOR: u32 = 1;

/// The parameters inside the program, as `gaitd-train fit-wearer` wrote them.
fn embedded() -> String {
    String::from_utf8(gaitd_packed::unpack(gaitd_packed::packed!("wearer"))).unwrap_or_default()
}

/// What the simulated wearer can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activity {
    /// Walking on level ground.
    Walking,
    /// Walking up stairs.
    Upstairs,
    /// Walking down stairs.
    Downstairs,
    /// Sitting.
    Sitting,
    /// Standing.
    Standing,
    /// Lying.
    Lying,
}

impl Activity {
    /// Every activity.
    pub const ALL: [Self; 6] =
        [Self::Walking, Self::Upstairs, Self::Downstairs, Self::Sitting, Self::Standing, Self::Lying];

    /// The name by which manifests and configs call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Walking => "walking",
            Self::Upstairs => "upstairs",
            Self::Downstairs => "downstairs",
            Self::Sitting => "sitting",
            Self::Standing => "standing",
            Self::Lying => "lying",
        }
    }
}

impl std::fmt::Display for Activity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// Parameters of the simulated wearer, as `gaitd-train fit-wearer` writes them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    #[serde(rename = "schema")]
    _schema: u32,
    #[serde(rename = "generator")]
    _generator: u32,
    #[serde(rename = "command")]
    _command: String,
    #[serde(rename = "fitted_on")]
    _fitted_on: FittedOn,
    pub(super) sample_rate_hz: f64,
    pub(super) channels: Vec<Channel>,
    pub(super) dwell_s: BTreeMap<Activity, [f64; 2]>,
    pub(super) transitions: Vec<Transition>,
    pub(super) personas: Vec<Persona>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FittedOn {
    #[serde(rename = "data")]
    _data: String,
    #[serde(rename = "subjects")]
    _subjects: Vec<u32>,
}

/// How long a change of posture takes: shortest and longest usual seconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Transition {
    pub(super) from: Activity,
    pub(super) to: Activity,
    pub(super) seconds: [f64; 2],
}

/// One recording of one person: within it the orientations of the activities belong together.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Persona {
    #[serde(rename = "subject")]
    _subject: u32,
    #[serde(rename = "recording")]
    _recording: u32,
    walking: Gait,
    upstairs: Gait,
    downstairs: Gait,
    sitting: Posture,
    standing: Posture,
    lying: Posture,
}

/// How a persona moves or rests in one activity.
pub(super) enum Manner<'a> {
    Gait(&'a Gait),
    Posture(&'a Posture),
}

impl Manner<'_> {
    pub(super) fn noise(&self) -> &Noise {
        match self {
            Self::Gait(gait) => &gait.noise,
            Self::Posture(posture) => &posture.noise,
        }
    }
}

impl Persona {
    pub(super) fn manner(&self, activity: Activity) -> Manner<'_> {
        match activity {
            Activity::Walking => Manner::Gait(&self.walking),
            Activity::Upstairs => Manner::Gait(&self.upstairs),
            Activity::Downstairs => Manner::Gait(&self.downstairs),
            Activity::Sitting => Manner::Posture(&self.sitting),
            Activity::Standing => Manner::Posture(&self.standing),
            Activity::Lying => Manner::Posture(&self.lying),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Gait {
    /// Mean of every axis, and how it differs from bout to bout.
    pub(super) mean: [f64; AXES],
    pub(super) mean_sd: [f64; AXES],
    /// Strides (two steps) per second, how they differ from bout to bout (a share of it), and from stride to stride.
    pub(super) stride_hz: f64,
    pub(super) bout_stride_sd: f64,
    pub(super) stride: Wander,
    pub(super) gain: Wander,
    /// Fourier series over the stride: per harmonic and axis the real and the imaginary part.
    pub(super) series: Vec<[[f64; 2]; AXES]>,
    pub(super) noise: Noise,
    /// How strong the noise is along the stride, at equal steps of phase: a heel strike is noisier than a swing.
    pub(super) envelope: Vec<[f64; AXES]>,
}

/// A first-order autoregression over the strides around 1.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wander {
    pub(super) sd: f64,
    pub(super) correlation: f64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Posture {
    /// Mean vectors of the postures that the person held; a bout keeps to one of them.
    pub(super) means: Vec<[f64; AXES]>,
    pub(super) sway: Sway,
    pub(super) noise: Noise,
}

/// A slow first-order autoregression; `mix` is the lower Cholesky factor of its covariance.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sway {
    pub(super) pole: f64,
    pub(super) mix: [[f64; AXES]; AXES],
}

/// An autoregression per axis; `mix` is the lower Cholesky factor of the covariance of the innovations.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Noise {
    pub(super) ar: [Vec<f64>; AXES],
    pub(super) mix: [[f64; AXES]; AXES],
}

impl Model {
    /// The parameters that are shipped with gaitd, fitted on training subjects of UCI-HAR.
    ///
    /// # Errors
    /// As [`Model::from_json`].
    pub fn embedded() -> Result<Self, WearerError> {
        Self::from_json(&embedded())
    }

    /// Reads and checks a parameter file.
    ///
    /// # Errors
    /// When it is not such a file, is of another schema or generator, or holds a parameter that no generator could use.
    pub fn from_json(text: &str) -> Result<Self, WearerError> {
        #[derive(Deserialize)]
        struct Head {
            schema: u32,
            generator: u32,
        }
        // The versions come first: another one may have any fields.
        let head: Head = serde_json::from_str(text).map_err(WearerError::Json)?;
        if (head.schema, head.generator) != (SCHEMA, GENERATOR) {
            return Err(WearerError::Version {
                schema: head.schema,
                generator: head.generator,
                expected_schema: SCHEMA,
                expected_generator: GENERATOR,
            });
        }
        let model: Self = serde_json::from_str(text).map_err(WearerError::Json)?;
        model.check()?;
        Ok(model)
    }

    /// How many personas there are to choose from.
    #[must_use]
    pub fn personas(&self) -> usize {
        self.personas.len()
    }

    fn check(&self) -> Result<(), WearerError> {
        demand(self.sample_rate_hz > 0.0, || "sample_rate_hz must be above 0".into())?;
        demand(self.channels.len() == AXES, || format!("channels must be {AXES}, found {}", self.channels.len()))?;
        for activity in Activity::ALL {
            let dwell = self.dwell_s.get(&activity);
            demand(dwell.is_some_and(is_range), || {
                format!("dwell_s.{activity} must be [low, high] with 0 < low <= high")
            })?;
        }
        for (i, transition) in self.transitions.iter().enumerate() {
            demand(is_range(&transition.seconds), || {
                format!("transitions[{i}].seconds must be [low, high] with 0 < low <= high")
            })?;
        }
        demand(!self.personas.is_empty(), || "personas must not be empty".into())?;
        for (i, persona) in self.personas.iter().enumerate() {
            for activity in Activity::ALL {
                let problem = match persona.manner(activity) {
                    Manner::Gait(gait) => gait.problem(),
                    Manner::Posture(posture) => posture.problem(),
                };
                demand(problem.is_none(), || format!("personas[{i}].{activity}.{}", problem.unwrap_or_default()))?;
            }
        }
        Ok(())
    }
}

fn demand(holds: bool, problem: impl FnOnce() -> String) -> Result<(), WearerError> {
    if holds { Ok(()) } else { Err(WearerError::Parameter(problem())) }
}

fn is_range([low, high]: &[f64; 2]) -> bool {
    0.0 < *low && low <= high
}

impl Gait {
    fn problem(&self) -> Option<&'static str> {
        let wanders = [self.stride, self.gain];
        if self.stride_hz <= 0.0 {
            Some("stride_hz must be above 0")
        } else if self.series.is_empty() {
            Some("series must not be empty")
        } else if self.envelope.is_empty() {
            Some("envelope must not be empty")
        } else if wanders.iter().any(|w| !(0.0..1.0 / 3.0).contains(&w.sd) || !(0.0..1.0).contains(&w.correlation)) {
            Some("stride and gain need 0 <= sd < 1/3 and 0 <= correlation < 1")
        } else {
            self.noise.problem()
        }
    }
}

impl Posture {
    fn problem(&self) -> Option<&'static str> {
        if self.means.is_empty() {
            Some("means must not be empty")
        } else if !(0.0..1.0).contains(&self.sway.pole) {
            Some("sway.pole must be at least 0 and below 1")
        } else {
            self.noise.problem()
        }
    }
}

impl Noise {
    fn problem(&self) -> Option<&'static str> {
        if self.ar.iter().any(|ar| ar.len() != self.order()) {
            Some("noise.ar must have equally many coefficients for every axis")
        } else if !self.ar.iter().all(|ar| is_stable(ar)) {
            Some("noise.ar must be stable")
        } else {
            None
        }
    }

    pub(super) fn order(&self) -> usize {
        self.ar[0].len()
    }
}

/// Whether an autoregression dies away: the step-down recursion of Levinson and Durbin finds all its reflection
/// coefficients inside (-1, 1).
fn is_stable(coefficients: &[f64]) -> bool {
    let mut a = coefficients.to_vec();
    while let Some(k) = a.pop() {
        if k.is_nan() || k.abs() >= 1.0 {
            return false;
        }
        let reversed: Vec<f64> = a.iter().rev().copied().collect();
        for (a, r) in a.iter_mut().zip(reversed) {
            *a = (*a + k * r) / (1.0 - k * k);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_parameters_are_sound_and_small() {
        let length = embedded().len();
        assert!((100..=200_000).contains(&length), "{length} bytes");
        assert!(Model::embedded().unwrap().personas() >= 4);
    }

    #[test]
    fn stability_is_that_of_the_roots() {
        // (1 - 0.9 z)(1 - 0.5 z) and (1 - 1.1 z)(1 - 0.5 z)
        assert!(is_stable(&[1.4, -0.45]));
        assert!(!is_stable(&[1.6, -0.55]));
        assert!(!is_stable(&[f64::NAN]));
        assert!(is_stable(&[]));
    }

    fn error_of(change: impl FnOnce(&mut serde_json::Value)) -> String {
        let mut value: serde_json::Value = serde_json::from_str(&embedded()).unwrap();
        change(&mut value);
        Model::from_json(&value.to_string()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(error_of(|v| v["schema"] = 2.into()).contains("schema 2"));
        assert!(error_of(|v| v["surprise"] = 2.into()).contains("surprise"));
        assert!(error_of(|v| v["personas"] = serde_json::json!([])).contains("personas must not be empty"));
        assert!(error_of(|v| v["dwell_s"]["lying"] = serde_json::json!([3.0, 1.0])).contains("dwell_s.lying"));
        assert!(error_of(|v| v["transitions"][0]["seconds"][0] = (-1).into()).contains("transitions[0]"));
        assert!(error_of(|v| v["channels"] = serde_json::json!([])).contains("channels must be 6"));
        assert!(error_of(|v| v["sample_rate_hz"] = 0.into()).contains("sample_rate_hz"));
        let of_persona = |path: &str, value: serde_json::Value| {
            error_of(|v| *v.pointer_mut(&format!("/personas/1/{path}")).unwrap() = value)
        };
        assert!(of_persona("walking/stride_hz", 0.into()).contains("personas[1].walking.stride_hz"));
        assert!(of_persona("upstairs/series", serde_json::json!([])).contains("personas[1].upstairs.series"));
        assert!(of_persona("upstairs/envelope", serde_json::json!([])).contains("personas[1].upstairs.envelope"));
        assert!(of_persona("downstairs/gain/sd", 2.into()).contains("personas[1].downstairs.stride and gain"));
        assert!(of_persona("lying/means", serde_json::json!([])).contains("personas[1].lying.means"));
        assert!(of_persona("sitting/sway/pole", 1.into()).contains("personas[1].sitting.sway.pole"));
        assert!(of_persona("standing/noise/ar/2", serde_json::json!([0.1])).contains("equally many"));
        assert!(of_persona("standing/noise/ar/2/0", 9.into()).contains("stable"));
        assert!(Model::from_json("junk").unwrap_err().to_string().contains("line 1"));
        assert!(Model::from_json(&embedded()[..50_000]).is_err());
    }
}
