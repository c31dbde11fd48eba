//! Readings of load, as values; what takes them is a [`LoadProbe`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One reading of what else takes the processors. Every value can be missing, stale or wrong; a policy that has fewer
/// of them only gets less sharp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Load {
    /// Busy share of the processors that gaitd may use, gaitd's own share taken out; 0 to 1.
    #[serde(default)]
    pub cpu: Option<f64>,
    /// Share of the time in which a task waited for a processor (the kernel's pressure stall information); 0 to 1.
    #[serde(default)]
    pub pressure: Option<f64>,
    /// Clock of the processors that gaitd may use, as a share of the highest one; above 0, at most 1.
    #[serde(default)]
    pub frequency: Option<f64>,
    /// The hottest thermal zone, degrees Celsius.
    #[serde(default)]
    pub temperature_c: Option<f64>,
}

impl Load {
    /// A reading without any value.
    pub const NONE: Self = Self { cpu: None, pressure: None, frequency: None, temperature_c: None };

    /// A reading of the CPU load only.
    #[must_use]
    pub fn cpu(share: f64) -> Self {
        Self { cpu: Some(share), ..Self::NONE }
    }
}

/// Reads the load. Reading may take a while, so it is not called on the way from sample to decision.
pub trait LoadProbe: Send {
    /// The load since the last reading; values that the system does not give are missing.
    fn read(&mut self) -> Load;
}
