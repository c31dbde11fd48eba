//! What is done about faults.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fault, Faults};

/// What is done about a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Response {
    /// It is told; windows are not decided while it lasts, and gaitd is not ready.
    Hold,
    /// It is told, and every decision says so.
    Warn,
    /// It is counted, and told nowhere else.
    Ignore,
}

/// What is done about each fault of a sensor: `hold` (tell it, decide no window while it lasts, and be not ready), `warn`
/// (tell it, in every decision too) or `ignore`.
///
/// By default `hold` for what cannot be a measurement, `warn` for what may be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Responses {
    /// All values are 0: the sensor is off, or its scale is 0. `hold` by default.
    pub zero: Response,
    /// All values stay the same to the last digit. `hold` by default.
    pub frozen: Response,
    /// Values beyond what any sensor measures: raw counts of a converter. `hold` by default.
    pub counts: Response,
    /// As in training but for the factor between two units. `warn` by default.
    pub unit: Response,
    /// An accelerometer without gravity. `warn` by default.
    pub gravity: Response,
    /// Peaks are cut off at the end of the sensor's range. `warn` by default.
    pub saturated: Response,
    /// One axis stays the same while the others move. `warn` by default.
    pub stuck: Response,
    /// Far more noise than in training, or far less. `warn` by default.
    pub noise: Response,
    /// Samples without timestamps arrive at another rate than they are taken for. `warn` by default.
    pub rate: Response,
}

impl Default for Responses {
    fn default() -> Self {
        let (hold, warn) = (Response::Hold, Response::Warn);
        Self {
            zero: hold,
            frozen: hold,
            counts: hold,
            unit: warn,
            gravity: warn,
            saturated: warn,
            stuck: warn,
            noise: warn,
            rate: warn,
        }
    }
}

impl Responses {
    /// What is done about `fault`.
    #[must_use]
    pub fn to(&self, fault: Fault) -> Response {
        match fault {
            Fault::Zero => self.zero,
            Fault::Frozen => self.frozen,
            Fault::Counts => self.counts,
            Fault::Unit => self.unit,
            Fault::Gravity => self.gravity,
            Fault::Saturated => self.saturated,
            Fault::Stuck => self.stuck,
            Fault::Noise => self.noise,
            Fault::Rate => self.rate,
        }
    }

    /// The faults, of any sensor, about which `response` is done.
    #[must_use]
    pub fn with(&self, response: Response) -> Faults {
        Faults::any_of(Fault::ALL.into_iter().filter(|fault| self.to(*fault) == response))
    }
}
