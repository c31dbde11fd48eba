//! What is wrong with sensors, as it stands in decisions, in the status and in the summary.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use gaitd_core::plausibility::{Fault, Faults, Finding, Response, Responses, Sensor};

/// The faults of a stream's sensors at one time: a JSON array of [`ImplausibleSensor`] on the wire.
#[derive(Clone, Debug)]
pub struct Implausible<'a> {
    marks: Marks<'a>,
}

#[derive(Clone, Debug)]
enum Marks<'a> {
    Present(&'a [Sensor], Faults),
    Read(Vec<ImplausibleSensor<'static>>),
}

/// A sensor, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, JsonSchema)]
pub struct ImplausibleSensor<'a> {
    /// The sensor: what the names of its channels have in common.
    pub sensor: Cow<'a, str>,
    /// `zero`, `frozen`, `counts`, `unit`, `gravity`, `saturated`, `stuck`, `noise` or `rate`.
    pub fault: Cow<'a, str>,
}

/// A fault that a sensor has or had in this run.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, JsonSchema)]
#[schemars(rename = "SensorFault")]
pub struct FaultView {
    /// The sensor: what the names of its channels have in common.
    pub sensor: String,
    /// What is wrong.
    pub fault: Fault,
    /// What is done about it.
    pub response: Response,
    /// It is still there.
    pub present: bool,
    /// How long it was there in all, seconds of the stream.
    #[schemars(range(min = 0))]
    pub seconds: f64,
    /// How often it came.
    pub times: u64,
    /// What was measured, the likely cause, and what to do.
    pub explanation: String,
}

impl<'a> Implausible<'a> {
    /// The `faults` of `sensors`.
    #[must_use]
    pub fn new(sensors: &'a [Sensor], faults: Faults) -> Self {
        Self { marks: Marks::Present(sensors, faults) }
    }

    /// Each sensor's name, and a fault of it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let (present, read): (_, &[_]) = match &self.marks {
            Marks::Present(sensors, faults) => (Some((*sensors, *faults)), &[]),
            Marks::Read(read) => (None, read),
        };
        let present = present.into_iter().flat_map(|(sensors, faults)| {
            let named = move |(sensor, fault): (usize, Fault)| Some((sensors.get(sensor)?.name.as_str(), fault.name()));
            faults.iter().filter_map(named)
        });
        present.chain(read.iter().map(|mark| (&*mark.sensor, &*mark.fault)))
    }
}

impl Default for Implausible<'_> {
    fn default() -> Self {
        Self { marks: Marks::Present(&[], Faults::NONE) }
    }
}

impl PartialEq for Implausible<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Serialize for Implausible<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(
            self.iter().map(|(sensor, fault)| ImplausibleSensor { sensor: sensor.into(), fault: fault.into() }),
        )
    }
}

impl<'de> Deserialize<'de> for Implausible<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self { marks: Marks::Read(Vec::deserialize(deserializer)?) })
    }
}

impl JsonSchema for Implausible<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Implausible".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Vec::<ImplausibleSensor<'static>>::json_schema(generator)
    }
}

impl FaultView {
    /// What `finding` says of `sensors`, and what `responses` do about it.
    #[must_use]
    pub fn new(finding: &Finding, sensors: &[Sensor], responses: &Responses) -> Option<Self> {
        let sensor = sensors.get(finding.sensor)?;
        Some(Self {
            sensor: sensor.name.clone(),
            fault: finding.fault,
            response: responses.to(finding.fault),
            present: finding.present,
            seconds: finding.seconds,
            times: finding.times,
            explanation: sensor.explain(finding),
        })
    }
}
