//! `gaitd check --stream`: what gaitd would make of a stream, for a model.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gaitd_api::FaultView;
use gaitd_core::clock::{Clock, MonotonicClock};
use gaitd_core::engine::largest;
use gaitd_core::exit::{self, ExitCode};
use gaitd_core::ladder::{Ladder, Manifest};
use gaitd_core::plausibility::{Fault, Response, Responses};
use gaitd_core::stream::unit::Quantity;
use gaitd_core::stream::{Channel, Reading, Sample, StreamCounts};
use gaitd_core::window::Window;
use gaitd_daemon::{Paths, SourceSpec};
use gaitd_sense::import::{ImportError, There};
use gaitd_sense::survey::{AtRest, Known, Survey, fits};
use gaitd_sense::{NO_DEADLINE, Pace, SenseError, Source, TagColumns, TimeColumn};
use serde::Serialize;

use crate::import::in_words;
use crate::loading::ModelArguments;
use crate::spelling::SpellingArguments;
use crate::together;

/// So much of a stream is looked at, in seconds, unless all of it is asked for.
const LONG_S: f64 = 120.0;
/// So many windows are shown.
const WINDOWS: usize = 6;
/// The shipped ladders by what they need: the first channels of their sensors, and the rate in hertz.
const SHIPPED: [(&str, &[&str], f64); 2] =
    [("uci-har-cnn", &["acc_x", "gyro_x"], 50.0), ("wisdm-watch-cnn", &["acc_x"], 20.0)];

#[derive(clap::Args)]
pub(super) struct StreamArguments {
    /// Say what gaitd would make of this file of samples: columns, units, rate, gaps, gravity, first windows. Several files,
    /// with some of the sensors each, are put together on one clock
    #[arg(long, value_name = "FILE", num_args = 1..)]
    stream: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    spelling: SpellingArguments,
    /// Look at the whole stream, rather than at its first two minutes
    #[arg(long, requires = "stream")]
    all: bool,
}

impl StreamArguments {
    pub(super) fn paths(&self) -> Option<Paths> {
        Paths::new(self.stream.iter().flat_map(|argument| together::files(argument)).collect())
    }

    /// Whether there is anything that is for a stream.
    pub(super) fn is_given(&self) -> bool {
        self.model.models.is_some() || self.spelling.is_given()
    }
}

/// A stream that does not fit the model.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoFit(String);

impl ExitCode for NoFit {
    fn exit_code(&self) -> u8 {
        exit::DATA
    }
}

/// What gaitd makes of a stream.
#[derive(Serialize)]
struct Report {
    stream: String,
    model: String,
    /// What keeps it from being one for the model.
    problem: Option<String>,
    form: String,
    channels: Vec<ChannelReport>,
    time: Option<TimeColumn>,
    label: Option<String>,
    unused: Vec<String>,
    /// Samples per second by the time column, and as the stream declares them.
    rate_hz: Option<f64>,
    declared_hz: Option<f64>,
    model_hz: f64,
    /// Of the samples that were read, in seconds.
    seconds: f64,
    counts: Option<StreamCounts>,
    gravity: Option<GravityReport>,
    windows: Vec<WindowReport>,
    /// What cannot be right about its sensors.
    implausible: Vec<FaultView>,
    /// What may be wrong, or had to be decided.
    remarks: Vec<String>,
}

#[derive(Serialize)]
struct ChannelReport {
    channel: String,
    unit: String,
    /// Nothing where no column is it.
    column: Option<String>,
    /// The unit that the stream states.
    stated: Option<String>,
    factor: f64,
}

#[derive(Serialize)]
struct GravityReport {
    #[serde(flatten)]
    at_rest: AtRest,
    unit: String,
}

#[derive(Serialize)]
struct WindowReport {
    samples: [u64; 2],
    time_s: Option<f64>,
    activity: String,
    probability: f64,
}

/// Prints what becomes of the stream in `files`.
///
/// # Errors
/// When it cannot be read, or does not fit the model, which is told first.
pub(super) fn check(files: Paths, arguments: &StreamArguments, json: bool) -> anyhow::Result<()> {
    let paths = files.all();
    let is_none = |path: &&PathBuf| std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
    if let Some(path) = paths.iter().find(is_none) {
        return Err(ImportError::NotAFile(path.clone()).into());
    }
    let ladder = arguments.model.load()?;
    let spelling = arguments.spelling.spelling()?;
    let known = Known::new(spelling.clone(), TagColumns::default());
    let manifest = ladder.manifest();
    let format = manifest.stream_format();
    let stream = files.to_string();
    let mut report = match Survey::of_several(paths, &format.channels, &known) {
        Ok(survey) => Report::new(stream, manifest, &format.channels, &survey),
        Err(missing @ SenseError::MissingChannels { .. }) => {
            // what there is instead is worth seeing
            let (there, problem) = match There::summed(paths, &format, &known) {
                Ok(Some(there)) => (there, None),
                other => {
                    let problem = other.err().unwrap_or(missing);
                    let Ok(there) = There::look(paths, &known) else { return Err(problem.into()) };
                    (there, Some(problem.to_string()))
                }
            };
            let mut report = Report::new(stream, manifest, &there.channels, &there.survey);
            report.problem = problem;
            report.remarks.splice(0..0, there.notes);
            report
        }
        Err(error) => return Err(error.into()),
    };
    if report.problem.is_none() {
        let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::start());
        let mut spec = SourceSpec::file(files);
        spec.set_pace(Pace::Fast);
        spec.spell(spelling);
        let mut opened = spec.open(&format, &clock)?;
        match report.read(opened.source.as_mut(), &ladder, arguments.all) {
            Err(error) if error.downcast_ref::<SenseError>().is_some() => {
                (report.problem, report.counts) = (Some(error.to_string()), None);
            }
            read => read?,
        }
    }
    if report.problem.is_some() {
        report.name_others();
    }
    if json {
        crate::print_json(&report)?
    } else {
        crate::print(&report.text())?
    }
    report.problem.map_or(Ok(()), |problem| Err(NoFit(problem).into()))
}

impl Report {
    fn new(stream: String, manifest: &Manifest, channels: &[Channel], survey: &Survey) -> Self {
        let layout = survey.layout.clone();
        let of = |(channel, found): (&Channel, &Option<gaitd_sense::ChannelColumn>)| ChannelReport {
            channel: channel.name.clone(),
            unit: channel.unit.clone(),
            column: found.as_ref().map(|found| found.column.clone()),
            stated: found.as_ref().and_then(|found| found.unit.clone()),
            factor: found.as_ref().map_or(1.0, |found| found.factor),
        };
        let unit = channels.first().map(|channel| channel.unit.clone()).unwrap_or_default();
        let gravity = survey.at_rest.map(|at_rest| GravityReport { at_rest, unit });
        let mut report = Self {
            stream,
            model: manifest.name.clone(),
            problem: None,
            form: layout.form,
            channels: channels.iter().zip(&layout.channels).map(of).collect(),
            time: layout.time,
            label: layout.label,
            unused: layout.unused,
            rate_hz: survey.rate_hz,
            declared_hz: survey.declared_hz,
            model_hz: manifest.task.sample_rate_hz,
            seconds: 0.0,
            counts: None,
            gravity,
            windows: Vec::new(),
            implausible: Vec::new(),
            remarks: Vec::new(),
        };
        report.remark(survey);
        report.remark_mount(manifest);
        report
    }

    /// Notes what may be wrong.
    fn remark(&mut self, survey: &Survey) {
        let absent: Vec<_> = survey.absent.iter().filter_map(|&at| self.channels.get(at)).collect();
        if !absent.is_empty() {
            let names: Vec<_> = absent.iter().map(|channel| channel.channel.as_str()).collect();
            self.remarks.push(format!("{}: empty throughout", names.join(", ")));
        }
        if let Some(GravityReport { at_rest, unit }) = &self.gravity {
            let stated = self.channels.first().is_some_and(|channel| channel.stated.is_some());
            match at_rest.likely_unit() {
                Some(likely) if gaitd_core::stream::unit::factor(likely, unit) == Some(1.0) => {}
                Some(likely) if stated => self.remarks.push(format!(
                    "the accelerometer is stated in another unit than its magnitude at rest says: likely {likely}; --units \
                     acc={likely}"
                )),
                Some(likely) => self.remarks.push(format!(
                    "no unit is stated, so {unit} is taken, but the magnitude at rest says {likely}: --units acc={likely}"
                )),
                None => self.remarks.push(format!("the magnitude at rest is gravity's in no unit, taken in {unit}")),
            }
        }
        match (&self.time, self.declared_hz) {
            (None, None) => {
                let likely = survey.layout.likely_time.iter();
                let likely: String = likely
                    .map(|it| format!("; {it}, and may be the time: name it `time_s`, or by --columns"))
                    .collect();
                self.remarks.push(format!(
                    "no times: taken for {} samples per second, unless --rate states another{likely}",
                    self.model_hz
                ));
            }
            (Some(time), _) if time.seen && time.unit.as_deref() != Some("s") => self.remarks.push(format!(
                "the time states no unit, and looks like {0}: --units t={0}",
                time.unit.as_deref().unwrap_or_default()
            )),
            _ => {}
        }
        if let (Some(found), Some(declared)) = (self.rate_hz, self.declared_hz)
            && (found / declared - 1.0).abs() > 0.05
        {
            self.remarks.push(format!("{declared} samples per second are declared, and the times say {found:.1}"));
        }
    }

    /// Hints at a sensor that is mounted otherwise than in training.
    fn remark_mount(&mut self, manifest: &Manifest) {
        let Some(GravityReport { at_rest, .. }) = &self.gravity else { return };
        let sensors = manifest.sensors();
        let accelerometer = sensors.iter().find(|sensor| sensor.quantity == Quantity::Acceleration);
        self.remarks.extend(accelerometer.and_then(|sensor| sensor.mounted_otherwise(at_rest.mean)));
    }

    /// Names a shipped ladder that would do with what there is.
    fn name_others(&mut self) {
        let has = |name: &&str| self.channels.iter().any(|it| it.column.is_some() && it.channel == *name);
        let rate_hz = self.rate_hz.or(self.declared_hz);
        let would_do = |(name, needs, hz): &&(&str, &[&str], f64)| {
            *name != self.model && needs.iter().all(has) && rate_hz.is_none_or(|rate| fits(rate, *hz))
        };
        if let Some((name, ..)) = SHIPPED.iter().find(would_do) {
            self.remarks.push(format!("the shipped ladder {name} would do: --models models/{name}"));
        }
    }

    /// Reads the stream as the daemon does, as fast as it can be read.
    fn read(&mut self, source: &mut dyn Source, ladder: &Ladder, all: bool) -> anyhow::Result<()> {
        let manifest = ladder.manifest();
        let task = &manifest.task;
        let mut intake = manifest.intake()?;
        let mut sample = Sample { time_s: None, values: vec![0.0; intake.channels()] };
        let mut window = Window::new(task.channels.len(), task.window);
        let (mut runner, mut logits) = (ladder.runner()?, vec![0.0; task.labels.len()]);
        // the last one where no accuracy is known
        let accuracy = |rung: &usize| ladder.configurations()[*rung].accuracy.validation.unwrap_or_default();
        let rungs = 0..ladder.configurations().len();
        let rung = rungs.max_by(|one, other| accuracy(one).total_cmp(&accuracy(other))).unwrap_or_default();
        let temperature = ladder.configurations()[rung].temperature;
        let (mut failed, mut windows) = (None, 0);
        let rate_hz = self.rate_hz.or(self.declared_hz).unwrap_or(task.sample_rate_hz);
        loop {
            let outcome = source.read(&mut sample, NO_DEADLINE);
            let reading = outcome.as_ref().map_or(Reading::End, Clone::clone);
            intake.push(&reading, &sample, Duration::ZERO, |ready| {
                windows += 1;
                if windows > WINDOWS || failed.is_some() {
                    return;
                }
                ready.fill(&mut window);
                match runner.infer(rung, window.samples(), &mut logits) {
                    Ok(()) => self.windows.push(WindowReport {
                        samples: [window.first_sample, window.last_sample],
                        time_s: window.time_s,
                        activity: task.labels[largest(&logits)].clone(),
                        probability: probability(&logits, temperature),
                    }),
                    Err(error) => failed = Some(error),
                }
            });
            let counts = intake.counts();
            self.counts = Some(counts);
            self.seconds = counts.samples as f64 / rate_hz;
            outcome?;
            if reading == Reading::End || !all && self.seconds >= LONG_S {
                break;
            }
        }
        if let Some(error) = failed {
            return Err(error.into());
        }
        let (plausibility, responses) = (intake.plausibility(), Responses::default());
        let views = plausibility.findings().iter();
        let views = views.filter_map(|finding| FaultView::new(finding, plausibility.sensors(), &responses));
        // the magnitude at rest has said so already
        let told = |view: &FaultView| {
            let flag = format!("--units {}=", view.sensor);
            view.fault == Fault::Unit && self.remarks.iter().any(|remark| remark.contains(&flag))
        };
        self.implausible = views.filter(|view| !told(view)).collect();
        if windows == 0 {
            let needed = task.window as f64 / task.sample_rate_hz;
            self.remarks.push(format!("no window: one takes {needed:.2} s without a gap"));
        }
        Ok(())
    }

    fn text(&self) -> String {
        let mut text = format!("{} for {}: {}\n", self.stream, self.model, self.form);
        for channel in &self.channels {
            let column = channel.column.as_deref().map_or("nothing".to_owned(), |column| format!("`{column}`"));
            let unit = match &channel.stated {
                None => "no unit stated".to_owned(),
                Some(stated) if channel.factor == 1.0 => format!("in {stated}"),
                Some(stated) => format!("in {stated}, times {:.6}", channel.factor),
            };
            text += &format!("  {} [{}] from {column}, {unit}\n", channel.channel, channel.unit);
        }
        if let Some(label) = &self.label {
            text += &format!("  label from `{label}`\n");
        }
        if !self.unused.is_empty() {
            text += &format!("  not used: {}\n", self.unused.join(", "));
        }
        text += &match &self.time {
            Some(TimeColumn { column, unit, .. }) => {
                format!(
                    "time: `{column}`, {}\n",
                    unit.as_deref().map_or("dates".to_owned(), |unit| format!("in {unit}"))
                )
            }
            None => "time: none\n".to_owned(),
        };
        let rates = [
            self.rate_hz.map(|rate| format!("{rate:.1} samples per second by the time")),
            self.declared_hz.map(|rate| format!("{rate} declared")),
            Some(format!("{} expected", self.model_hz)),
        ];
        text += &format!("rate: {}\n", rates.into_iter().flatten().collect::<Vec<_>>().join(", "));
        if let Some(counts) = &self.counts {
            text += &format!("read: {:.1} s, {}\n", self.seconds, in_words(counts));
        }
        if let Some(GravityReport { at_rest, unit }) = &self.gravity {
            let [x, y, z] = at_rest.mean;
            let when = if at_rest.quiet_s > 0.0 {
                format!("over {:.0} s at rest", at_rest.quiet_s)
            } else {
                "never at rest".to_owned()
            };
            text += &format!("gravity: {:.3} {unit}, mean ({x:.3}, {y:.3}, {z:.3}), {when}\n", at_rest.magnitude);
        }
        for window in &self.windows {
            let time = window.time_s.map_or(String::new(), |time| format!(", to {time:.2} s"));
            let [first, last] = window.samples;
            let probability = 100.0 * window.probability;
            text += &format!("window {first} to {last}{time}: {} {probability:.0} %\n", window.activity);
        }
        for FaultView { response, seconds, explanation, .. } in &self.implausible {
            let held = if *response == Response::Hold { "; `gaitd run` decides no window meanwhile" } else { "" };
            text += &format!("implausible for {seconds:.0} s: {explanation}{held}\n");
        }
        for remark in &self.remarks {
            text += &format!("remark: {remark}\n");
        }
        text
    }
}

/// That of the largest logit.
fn probability(logits: &[f32], temperature: f64) -> f64 {
    let highest = f64::from(logits[largest(logits)]);
    logits.iter().map(|logit| ((f64::from(*logit) - highest) / temperature).exp()).sum::<f64>().recip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_ladders_need_what_is_said_of_them() {
        let models = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models"));
        for (name, needs, hz) in SHIPPED {
            let files = crate::loading::library().files(Some(&models.join(name)));
            let Ok(manifest) = Ladder::manifest_of(files.as_ref()) else { panic!("{name} is not there") };
            let format = manifest.stream_format();
            let firsts: Vec<_> = format
                .channels
                .iter()
                .map(|channel| channel.name.as_str())
                .filter(|name| name.ends_with("_x"))
                .collect();
            assert_eq!((firsts.as_slice(), format.rate_hz), (needs, hz), "{name}");
        }
    }
}
