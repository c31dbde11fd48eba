//! The simulated wearer: raw 6-axis signals per activity, by a seeded schedule, so that gaitd can be tried and tested
//! without a sensor.
//!
//! It is a real test of the whole chain, because it stands where a sensor would: its samples are raw (gravity, drift
//! and noise included) and pass conditioning, windowing and recognition like any other. Its parameters are fitted on
//! training subjects by `gaitd-train fit-wearer` and describe a few *personas*, each one recording of one person.
//! Whatever shows its samples, or what was recognised in them, must call them simulated.
//!
//! - A gait is a Fourier series over the stride whose rate and gain wander from stride to stride, plus coloured noise.
//! - A posture is a mean orientation with a slow sway, plus coloured noise.
//! - In between, the orientation turns along the shortest arc, and the gyroscope sees that turn.
//!
//! The same seed gives the same stream on every machine: the random numbers come from a generator that is defined bit
//! by bit (xoshiro256++), and values are rounded to the step of a sensor, which swallows the last bits in which the
//! mathematical libraries of platforms differ.

mod model;
mod schedule;
mod turn;
mod voice;

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

pub use model::{Activity, Model};
pub use schedule::Truth;

use crate::{Pace, Pacer, SenseError, Source, rate};
use gaitd_core::clock::Clock;
use gaitd_core::stream::{Channel, Reading, Sample, StreamFormat, unit};
use schedule::{Schedule, Segment, uniform};
use turn::Turn;
use voice::{Axes, Voice};

/// Values are multiples of this (g, rad/s): the step of a common 16-bit sensor at +-4 g and +-230 deg/s.
const STEP: f64 = 1.0 / 8192.0;

/// What is wrong with the simulated wearer's parameters or configuration.
#[derive(Debug, thiserror::Error)]
pub enum WearerError {
    /// Not JSON, or not the fields of a parameter file.
    #[error("the wearer's parameters cannot be read: {0}; write them anew with `gaitd-train fit-wearer`")]
    Json(serde_json::Error),
    /// A parameter file of another version.
    #[error(
        "the wearer's parameters have schema {schema} for generator {generator}, but this gaitd reads schema \
         {expected_schema} for generator {expected_generator}; write them with the matching `gaitd-train fit-wearer`"
    )]
    Version {
        /// Schema of the file.
        schema: u32,
        /// Generator for which it was fitted.
        generator: u32,
        /// Schema that can be read.
        expected_schema: u32,
        /// Generator that is built in.
        expected_generator: u32,
    },
    /// A parameter that no generator could use.
    #[error("the wearer's parameters cannot be used: {0}")]
    Parameter(String),
    /// No such persona.
    #[error("persona {persona} does not exist; choose one from 0 to {}, or none for one picked by the seed", .count - 1)]
    Persona {
        /// What was asked for.
        persona: usize,
        /// How many there are.
        count: usize,
    },
    /// The length of the run is not a length.
    #[error("seconds is {0}, but must be above 0 and at most {MAX_SECONDS}; leave it out for an endless run")]
    Seconds(f64),
    /// A bout of the schedule is not a length.
    #[error("schedule[{bout}].seconds is {seconds}, but must be above 0 and at most {MAX_SECONDS}")]
    Bout {
        /// Index in the schedule.
        bout: usize,
        /// What was asked for.
        seconds: f64,
    },
    /// A schedule without a bout.
    #[error("the schedule is empty; name at least one bout, or leave it out for a random schedule")]
    EmptySchedule,
    /// The model that is to read the samples asks for other channels, units or another rate.
    #[error(transparent)]
    Format(#[from] SenseError),
    /// The model that is to read the samples was trained for something else.
    #[error(
        "the simulated wearer has its sensor at the waist, and walks, climbs stairs up and down, sits, stands and lies; this \
         ladder does not know the {} {missing}, and may be for another place of the body, so that its answers would mean \
         nothing; give it samples of its own kind (--source FILE, or - for standard input; `source`; see examples/)",
        if missing.contains(',') { "activities" } else { "activity" }
    )]
    Foreign {
        /// What the wearer does and the model does not know.
        missing: String,
    },
}

/// Refuses a model whose `labels` lack something that the simulated wearer does: what it answered would mean nothing.
///
/// # Errors
/// With the names of what they lack.
pub fn check_labels(labels: &[String]) -> Result<(), WearerError> {
    let names = Activity::ALL.map(Activity::name);
    let missing: Vec<&str> = names.into_iter().filter(|name| !labels.iter().any(|label| label == name)).collect();
    if missing.is_empty() { Ok(()) } else { Err(WearerError::Foreign { missing: missing.join(", ") }) }
}

/// The longest run, seconds. A century: long enough for any run, and short enough to count samples exactly.
pub const MAX_SECONDS: f64 = 3.2e9;

/// One bout of a given schedule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bout {
    /// What the wearer does.
    pub activity: Activity,
    /// For how long, in seconds; the transition to the next bout comes on top.
    pub seconds: f64,
}

/// What the simulated wearer is to do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WearerConfig {
    /// Everything random follows from this number.
    pub seed: u64,
    /// Length of the run in seconds, above 0 and at most [`MAX_SECONDS`]; without it the run is endless.
    pub seconds: Option<f64>,
    /// What to do, over and over until the run ends; without it a random schedule of plausible activities.
    pub schedule: Option<Vec<Bout>>,
    /// Which of the fitted persons to be, from 0; without it the seed picks one.
    pub persona: Option<usize>,
    /// How fast samples come; `live` is `realtime`, as a simulation has no pace but its own.
    pub pace: Pace,
}

/// A source of simulated samples; see the module. Every sample has a timestamp, seconds since the start.
pub struct WearerSource {
    model: Arc<Model>,
    persona: usize,
    /// Per value of a sample: which axis it is, and what it is multiplied by to be in the unit that was asked for.
    outputs: Vec<(usize, f64)>,
    /// Samples that the wearer gives for each one at the rate that was asked for.
    ratio: f64,
    beginning: Schedule,
    schedule: Schedule,
    rng: Xoshiro256PlusPlus,
    pacer: Pacer,
    samples: Option<u64>,
    next: u64,
    segment: Segment,
    /// The bout that goes on or ends, and during a transition the one that begins.
    voice: Voice,
    coming: Voice,
    turn: Option<Turn>,
}

impl WearerSource {
    /// A wearer with the parameters that are shipped with gaitd, who delivers the channels of `format`.
    ///
    /// # Errors
    /// As [`WearerSource::with_model`].
    pub fn new(config: &WearerConfig, format: &StreamFormat, clock: Arc<dyn Clock>) -> Result<Self, WearerError> {
        Self::with_model(Model::embedded()?, config, format, clock)
    }

    /// A wearer with the parameters of `model`, who delivers the channels of `format`, in its order and units, and at the rate
    /// of `model`.
    ///
    /// # Errors
    /// When the configuration is out of range, or `format` has a rate to which that of `model` cannot be brought, or a channel
    /// or unit that the wearer cannot deliver.
    pub fn with_model(
        model: Model,
        config: &WearerConfig,
        format: &StreamFormat,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, WearerError> {
        let outputs = outputs(&model, format)?;
        let is_length = |seconds: f64| seconds > 0.0 && seconds <= MAX_SECONDS;
        let seconds = config.seconds.map(|s| if is_length(s) { Ok(s) } else { Err(WearerError::Seconds(s)) });
        let samples = seconds.transpose()?.map(|seconds| (seconds * model.sample_rate_hz).round() as u64);
        let plan = config.schedule.as_deref().unwrap_or_default();
        if config.schedule.is_some() && plan.is_empty() {
            return Err(WearerError::EmptySchedule);
        }
        if let Some((bout, Bout { seconds, .. })) = plan.iter().enumerate().find(|(_, b)| !is_length(b.seconds)) {
            return Err(WearerError::Bout { bout, seconds: *seconds });
        }
        let count = model.personas.len();
        // Schedule, persona and signal draw from generators of their own: a change of one leaves the others as they are.
        let mut seeds = Xoshiro256PlusPlus::seed_from_u64(config.seed);
        let model = Arc::new(model);
        let beginning = Schedule::new(Arc::clone(&model), seeds.next_u64(), plan.into());
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seeds.next_u64());
        let persona = config.persona.unwrap_or((uniform(&mut seeds) * count as f64) as usize);
        if persona >= count {
            return Err(WearerError::Persona { persona, count });
        }
        let order = Activity::ALL.iter().map(|a| model.personas[persona].manner(*a).noise().order()).max();
        let mut voice = Voice::new(order.unwrap_or_default());
        let coming = voice.clone();
        let mut schedule = beginning.clone();
        let segment = schedule.next_segment();
        voice.begin(&model.personas[persona].manner(segment.to), &mut rng);
        let pace = if config.pace == Pace::Live { Pace::Realtime } else { config.pace };
        let pacer = Pacer::new(clock, pace, model.sample_rate_hz);
        Ok(Self {
            ratio: model.sample_rate_hz / format.rate_hz,
            model,
            persona,
            outputs,
            beginning,
            schedule,
            rng,
            pacer,
            samples,
            next: 0,
            segment,
            voice,
            coming,
            turn: None,
        })
    }

    /// What the wearer does, from the first sample on, by samples at the rate that was asked for; ask it wherever decisions are
    /// compared with the truth.
    #[must_use]
    pub fn truth(&self) -> Truth {
        Truth::new(self.beginning.clone(), self.samples, self.ratio)
    }

    /// Which of the fitted persons this is.
    #[must_use]
    pub fn persona(&self) -> usize {
        self.persona
    }

    fn enter_next_segment(&mut self) {
        let ended = std::mem::replace(&mut self.segment, self.schedule.next_segment());
        if !ended.steady {
            std::mem::swap(&mut self.voice, &mut self.coming);
        }
        self.turn = None;
        let Segment { to, first, end, steady, .. } = self.segment;
        if !steady {
            self.coming.begin(&self.model.personas[self.persona].manner(to), &mut self.rng);
            let seconds = (end - first) as f64 / self.model.sample_rate_hz;
            self.turn = Some(Turn::new(self.voice.mean(), self.coming.mean(), seconds));
        }
    }

    /// The signal at sample `self.next`, in the model's own channels and units.
    fn signal(&mut self) -> Axes {
        let dt = self.model.sample_rate_hz.recip();
        let persona = &self.model.personas[self.persona];
        let Segment { from, to, first, end, .. } = self.segment;
        let here = self.voice.next(&persona.manner(from), dt, &mut self.rng);
        let Some(turn) = &self.turn else {
            return std::array::from_fn(|i| self.voice.mean()[i] + here[i]);
        };
        let there = self.coming.next(&persona.manner(to), dt, &mut self.rng);
        let at = ((self.next - first) as f64 + 0.5) / (end - first) as f64;
        let (mean, progress) = (turn.mean(at), Turn::progress(at));
        std::array::from_fn(|i| mean[i] + (1.0 - progress) * here[i] + progress * there[i])
    }
}

impl Source for WearerSource {
    fn read(&mut self, sample: &mut Sample, deadline: Duration) -> Result<Reading, SenseError> {
        if let Some(reading) = self.pacer.resume(sample, deadline) {
            return Ok(reading);
        }
        if self.samples.is_some_and(|samples| self.next >= samples) {
            return Ok(Reading::End);
        }
        if self.next == self.segment.end {
            self.enter_next_segment();
        }
        let signal = self.signal().map(|value| (value / STEP).round() * STEP);
        sample.time_s = Some(self.next as f64 / self.model.sample_rate_hz);
        sample.values.clear();
        sample.values.extend(self.outputs.iter().map(|(axis, factor)| signal[*axis] * factor));
        self.next += 1;
        Ok(self.pacer.pace(sample, deadline))
    }
}

/// For every channel of `format`, the wearer's axis and the factor to its unit.
fn outputs(model: &Model, format: &StreamFormat) -> Result<Vec<(usize, f64)>, SenseError> {
    let place = || "the simulated wearer".to_owned();
    if !rate::fits(model.sample_rate_hz, format.rate_hz) {
        return Err(SenseError::Rate {
            place: place(),
            found_hz: model.sample_rate_hz,
            expected_hz: format.rate_hz,
            by: "parameters",
        });
    }
    let found = |channel: &Channel| model.channels.iter().position(|own| own.name == channel.name);
    let names = |channels: Vec<&Channel>| channels.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
    let output = |channel: &Channel| {
        let axis = found(channel).ok_or_else(|| SenseError::MissingChannels {
            place: place(),
            missing: names(format.channels.iter().filter(|c| found(c).is_none()).collect()),
            found: names(model.channels.iter().collect()),
            near: String::new(),
        })?;
        let own = &model.channels[axis].unit;
        let factor = unit::factor(own, &channel.unit).ok_or_else(|| SenseError::Unit {
            place: place(),
            channel: channel.name.clone(),
            found: own.clone(),
            expected: channel.unit.clone(),
        })?;
        Ok((axis, factor))
    };
    format.channels.iter().map(output).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NO_DEADLINE;
    use gaitd_core::clock::ManualClock;
    use gaitd_core::clock::MonotonicClock;

    fn format() -> StreamFormat {
        let channels = Model::embedded().unwrap().channels;
        StreamFormat { channels, rate_hz: 50.0 }
    }

    fn wearer(config: WearerConfig) -> WearerSource {
        let config = WearerConfig { pace: Pace::Fast, ..config };
        WearerSource::new(&config, &format(), Arc::new(MonotonicClock::start())).unwrap()
    }

    fn error(config: WearerConfig, format: &StreamFormat) -> String {
        let made = WearerSource::new(&config, format, Arc::new(MonotonicClock::start()));
        made.err().expect("should be refused").to_string()
    }

    fn samples(source: &mut WearerSource, count: usize) -> Vec<[f64; 6]> {
        let mut sample = Sample { time_s: None, values: vec![] };
        let mut next = || {
            assert_eq!(source.read(&mut sample, NO_DEADLINE).unwrap(), Reading::Sample);
            sample.values.as_slice().try_into().unwrap()
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn one_seed_is_one_stream() {
        let of = |seed| samples(&mut wearer(WearerConfig { seed, ..Default::default() }), 3000);
        assert_eq!(of(7), of(7));
        assert_ne!(of(7), of(8));
    }

    /// The stream is part of what gaitd promises: it must not change between machines, nor unnoticed between versions.
    #[test]
    fn the_stream_is_the_same_on_every_machine() {
        let mut digest = 0_u64;
        for value in samples(&mut wearer(WearerConfig::default()), 20_000).as_flattened() {
            let steps = (value / STEP).round();
            assert_eq!(steps * STEP, *value, "every value is a multiple of the step");
            digest = digest.wrapping_mul(0x100_0000_01b3) ^ (steps as i64 as u64);
        }
        assert_eq!(digest, 1_525_085_812_205_289_627, "digest of the stream");
    }

    #[test]
    fn a_million_samples_stay_within_what_a_person_can_do() {
        for seed in 0..3 {
            let mut source = wearer(WearerConfig { seed, ..Default::default() });
            for sample in samples(&mut source, 350_000) {
                assert!(sample[..3].iter().all(|g| g.abs() < 4.0), "acceleration {sample:?} g");
                assert!(sample[3..].iter().all(|rate| rate.abs() < 12.0), "angular rate {sample:?} rad/s");
            }
        }
    }

    #[test]
    fn a_run_has_the_length_that_was_asked_for() {
        let mut source = wearer(WearerConfig { seconds: Some(2.5), ..Default::default() });
        let mut sample = Sample { time_s: None, values: vec![] };
        for i in 0..125 {
            assert_eq!(source.read(&mut sample, NO_DEADLINE).unwrap(), Reading::Sample);
            assert_eq!(sample.time_s, Some(f64::from(i) / 50.0));
        }
        assert_eq!(source.read(&mut sample, NO_DEADLINE).unwrap(), Reading::End);
        assert_eq!(source.read(&mut sample, NO_DEADLINE).unwrap(), Reading::End);
        assert_eq!(source.truth().activity(125), None);
    }

    #[test]
    fn a_given_schedule_is_followed_and_repeated() {
        let bouts = [(Activity::Walking, 4.0), (Activity::Standing, 3.0)];
        let schedule = bouts.map(|(activity, seconds)| Bout { activity, seconds }).to_vec();
        let source = wearer(WearerConfig { schedule: Some(schedule), ..Default::default() });
        let mut truth = source.truth();
        let labels: Vec<_> = (0..3000).map(|sample| truth.activity(sample)).collect();
        let runs: Vec<_> = labels.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect();
        for (i, (label, length)) in runs.iter().enumerate().take(runs.len() - 1) {
            match i % 4 {
                0 => assert_eq!((*label, *length), (Some(Activity::Walking), 200)),
                2 => assert_eq!((*label, *length), (Some(Activity::Standing), 150)),
                _ => assert!(label.is_none() && (50..=150).contains(length), "transition of {length} samples"),
            }
        }
        assert!(runs.len() > 10);
    }

    #[test]
    fn a_random_schedule_is_plausible_and_holds_everything() {
        let mut truth = wearer(WearerConfig { seed: 3, ..Default::default() }).truth();
        let labels: Vec<_> = (0..500_000).map(|sample| truth.activity(sample)).collect();
        let mut bouts: Vec<_> =
            labels.chunk_by(|a, b| a == b).filter_map(|run| run[0].map(|a| (a, run.len()))).collect();
        bouts.pop();
        assert!(Activity::ALL.iter().all(|activity| bouts.iter().any(|(a, _)| a == activity)));
        assert!(bouts.iter().all(|(_, length)| (400..2000).contains(length)), "bouts of 8 to 40 s");
        let gait = |a| matches!(a, Activity::Walking | Activity::Upstairs | Activity::Downstairs);
        let leaps =
            |pair: &[(Activity, usize)]| gait(pair[0].0) && matches!(pair[1].0, Activity::Sitting | Activity::Lying);
        assert!(!bouts.windows(2).any(leaps), "nobody lies down while walking");
        assert!(bouts.windows(2).all(|pair| pair[0].0 != pair[1].0));
    }

    #[test]
    fn steady_windows_lie_wholly_inside_one_bout() {
        let source = wearer(WearerConfig { seed: 5, seconds: Some(600.0), ..Default::default() });
        let mut labels = source.truth();
        let labels: Vec<_> = (0..30_000).map(|sample| labels.activity(sample)).collect();
        let mut truth = source.truth();
        let (mut steady, mut others) = (0, 0);
        for first in (0..29_900).step_by(64) {
            let last = first + 127;
            let window = labels.get(first..=last).unwrap_or(&[None]);
            let expected = window[0].filter(|_| window.iter().all(|label| *label == window[0]));
            assert_eq!(truth.steady(first as u64, last as u64), expected, "window from {first}");
            if expected.is_some() { steady += 1 } else { others += 1 }
        }
        assert!(steady > 300 && others > 20, "{steady} steady windows, {others} others");
    }

    /// The truth is about this very signal: gaits shake the accelerometer, postures do not.
    #[test]
    fn the_signal_does_what_the_truth_says() {
        for persona in 0..Model::embedded().unwrap().personas() {
            let mut source =
                wearer(WearerConfig { seed: 11, persona: Some(persona), seconds: Some(900.0), ..Default::default() });
            let mut truth = source.truth();
            let signal = samples(&mut source, 45_000);
            for (i, window) in signal.chunks_exact(100).enumerate() {
                let Some(activity) = truth.steady(i as u64 * 100, i as u64 * 100 + 99) else { continue };
                let length: Vec<f64> =
                    window.iter().map(|s| s[..3].iter().map(|g| g * g).sum::<f64>().sqrt()).collect();
                let mean = length.iter().sum::<f64>() / 100.0;
                let sd = (length.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / 100.0).sqrt();
                assert!((mean - 1.0).abs() < 0.15, "persona {persona}, {activity}: mean of {mean} g");
                let moves = matches!(activity, Activity::Walking | Activity::Upstairs | Activity::Downstairs);
                assert!(if moves { sd > 0.08 } else { sd < 0.08 }, "persona {persona}, {activity}: sd of {sd} g");
            }
        }
    }

    #[test]
    fn samples_come_in_real_time_unless_asked_otherwise() {
        for (pace, end_s) in [(Pace::Realtime, 1.98), (Pace::Live, 1.98), (Pace::Fast, 0.0)] {
            let clock = Arc::new(ManualClock::default());
            let config = WearerConfig { pace, ..Default::default() };
            let mut source = WearerSource::new(&config, &format(), clock.clone()).unwrap();
            samples(&mut source, 100);
            assert!((clock.now().as_secs_f64() - end_s).abs() < 1e-6, "{pace:?}");
        }
    }

    #[test]
    fn channels_come_in_the_order_and_units_that_are_asked_for() {
        let channel = |name: &str, unit: &str| Channel { name: name.into(), unit: unit.into() };
        let other =
            StreamFormat { channels: vec![channel("gyro_y", "deg/s"), channel("acc_z", "m/s2")], rate_hz: 50.0 };
        let config = WearerConfig { pace: Pace::Fast, ..Default::default() };
        let mut source = WearerSource::new(&config, &other, Arc::new(MonotonicClock::start())).unwrap();
        let mut sample = Sample { time_s: None, values: vec![] };
        for own in samples(&mut wearer(config), 50) {
            source.read(&mut sample, NO_DEADLINE).unwrap();
            assert!((sample.values[0] - own[4].to_degrees()).abs() < 1e-9);
            assert!((sample.values[1] - own[2] * 9.80665).abs() < 1e-9);
        }
    }

    #[test]
    fn another_format_is_refused_by_name() {
        let mut other = format();
        other.rate_hz = 100.0;
        let message = error(WearerConfig::default(), &other);
        assert!(message.contains("100.00") && message.contains("50.00"), "{message}");
        let mut other = format();
        other.channels[1].name = "mag_y".into();
        let message = error(WearerConfig::default(), &other);
        assert!(message.contains("mag_y") && message.contains("simulated wearer"), "{message}");
        let mut other = format();
        other.channels[5].unit = "g".into();
        let message = error(WearerConfig::default(), &other);
        assert!(message.contains("gyro_z") && message.contains("rad/s"), "{message}");
    }

    #[test]
    fn a_bad_configuration_is_refused_by_name() {
        let bad = |config| error(config, &format());
        assert!(bad(WearerConfig { persona: Some(99), ..Default::default() }).contains("persona 99"));
        for seconds in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e300] {
            let message = bad(WearerConfig { seconds: Some(seconds), ..Default::default() });
            assert!(message.starts_with("seconds is"), "{message}");
        }
        assert!(bad(WearerConfig { schedule: Some(vec![]), ..Default::default() }).contains("schedule is empty"));
        let bout = |seconds| Bout { activity: Activity::Lying, seconds };
        let message = bad(WearerConfig { schedule: Some(vec![bout(1.0), bout(-2.0)]), ..Default::default() });
        assert!(message.contains("schedule[1].seconds is -2"), "{message}");
        assert!(serde_json::from_str::<WearerConfig>(r#"{"sede":1}"#).unwrap_err().to_string().contains("sede"));
    }
}
