//! `gaitd import`: makes a recording in gaitd's own form out of people's files.

use std::path::{Path, PathBuf};

use gaitd_core::ladder::Ladder;
use gaitd_core::stream::StreamCounts;
use gaitd_core::words::counted;
use gaitd_daemon::ConfigError;
use gaitd_sense::import::{Import, ImportFile};
use gaitd_sense::survey::Known;
use gaitd_sense::{RecordingInfo, RecordingPaths, SourceInfo, TagColumns};

use super::of_files::{channels, of_files};
use super::spelling::{SpellingArguments, rate};
use super::together;

/// Make a recording in gaitd's own form, to train on and to replay, out of files of samples
#[derive(clap::Args)]
#[command(
    after_help = "Files are read as `gaitd run` reads them. Files with the same sensors follow one another, with a gap \
                  between. Files with different sensors were recorded together, and are put together on one clock: a file \
                  goes with those before it as long as it has other sensors than they. acc.csv+gyro.csv says it where there \
                  is a choice. The recording is a CSV and a JSON beside it (docs/recordings.md); `gaitd-train prepare \
                  recording` reads it, and `gaitd run` and `gaitd replay` do.\n\nExamples:\n  \
                  gaitd import watch.csv -o ward                          with columns `activity` and `person`\n  \
                  gaitd import walk.csv sit.csv --label walk.csv=walking --label sit.csv=sitting --subject ann -o ann\n  \
                  gaitd import Accelerometer.csv Gravity.csv Gyroscope.csv -o bob     recorded together, a file for each sensor\n  \
                  gaitd import a-acc.csv+a-gyro.csv b-acc.csv+b-gyro.csv -o both      two such recordings\n  \
                  gaitd import phone.csv.gz --labels intervals.csv --resample 50 -o bob.csv.gz"
)]
pub(super) struct Arguments {
    /// Files of samples, as text; FILE+FILE for files that were recorded together
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where the recording goes: NAME, NAME.csv or NAME.csv.gz, with NAME.json beside it
    #[arg(short, long, value_name = "RECORDING")]
    output: PathBuf,
    /// The channels that are wanted, with their units, such as acc_x:g,acc_y:g,acc_z:g [default: acceleration and rotation,
    /// as far as they are there, in the units of the file]
    #[arg(long, value_name = "CHANNELS", conflicts_with = "models")]
    channels: Option<String>,
    /// Take the channels, their units and the rate that the model in this directory expects
    #[arg(short, long, value_name = "DIR", visible_alias = "model")]
    models: Option<PathBuf>,
    /// Samples per second of the recording [default: those of the files, rounded to what sensors are set to]
    #[arg(long, value_name = "HZ", value_parser = rate)]
    resample: Option<f64>,
    #[command(flatten)]
    spelling: SpellingArguments,
    /// The column of the activity [default: the one called label, activity, ...]
    #[arg(long, value_name = "COLUMN")]
    label_column: Option<String>,
    /// The column of the person [default: the one called subject, person, participant, user, ...]
    #[arg(long, value_name = "COLUMN")]
    subject_column: Option<String>,
    /// The activity in all files, or in one of them
    #[arg(long, value_name = "[FILE=]LABEL", conflicts_with = "label_column")]
    label: Vec<String>,
    /// The person in all files, or in one of them
    #[arg(long, value_name = "[FILE=]SUBJECT", conflicts_with = "subject_column")]
    subject: Vec<String>,
    /// A CSV of activities by time: start, end and label, and file where there are several; times by the files' clock
    #[arg(long, value_name = "INTERVALS", conflicts_with_all = ["label", "label_column"])]
    labels: Option<PathBuf>,
    /// Replace a recording that is there
    #[arg(long)]
    force: bool,
    /// Print what the recording's JSON says
    #[arg(long)]
    json: bool,
}

impl Arguments {
    fn import(&self) -> anyhow::Result<Import> {
        let wrong = |problem: String| ConfigError::OutOfRange(vec![problem]);
        let output = RecordingPaths::of(&self.output)
            .ok_or_else(|| wrong(format!("--output: {} names no recording", self.output.display())))?;
        let mut channels = self.channels.as_deref().map(channels).transpose().map_err(wrong)?;
        let mut resample_hz = self.resample;
        if let Some(models) = &self.models {
            let library = super::loading::library();
            let format = Ladder::manifest_of(library.files(Some(models)).as_ref())?.stream_format();
            channels = Some(format.channels);
            resample_hz = resample_hz.or(Some(format.rate_hz));
        }
        let files: Vec<Vec<PathBuf>> = self.files.iter().map(|argument| together::files(argument)).collect();
        let all: Vec<&Path> = files.iter().flatten().map(PathBuf::as_path).collect();
        let (label, labels) = of_files(&self.label, &all, "--label").map_err(wrong)?;
        let (subject, subjects) = of_files(&self.subject, &all, "--subject").map_err(wrong)?;
        let mut own = labels.into_iter().zip(subjects);
        let mut file = |path: &PathBuf| {
            let (label, subject) = own.next().unwrap_or_default();
            ImportFile { path: path.clone(), label, subject }
        };
        let mut spelling = self.spelling.spelling()?;
        // held against the times of those that have some
        let rate_hz = spelling.rate_hz.take();
        Ok(Import {
            files: files.iter().map(|together| together.iter().map(&mut file).collect()).collect(),
            label,
            subject,
            known: Known::new(
                spelling,
                TagColumns { label: self.label_column.clone(), subject: self.subject_column.clone() },
            ),
            channels,
            rate_hz,
            resample_hz,
            intervals: self.labels.clone(),
            output,
            force: self.force,
        })
    }
}

pub(super) fn execute(arguments: &Arguments) -> anyhow::Result<()> {
    let import = arguments.import()?;
    let info = import.run()?;
    if arguments.json {
        return super::print_json(&info);
    }
    super::print(&text(&info, &import.output))
}

fn text(info: &RecordingInfo, output: &RecordingPaths) -> String {
    let mut text: String = info.sources.iter().map(|source| of_source(source, info)).collect();
    let gaps = counted(info.gaps, "gap", "gaps");
    text += &format!(
        "{}: {} samples at {} Hz, {:.1} s, {gaps}\n",
        info.name,
        info.samples,
        info.rate_hz,
        info.samples as f64 / info.rate_hz
    );
    for (what, names) in [("labels", &info.labels), ("subjects", &info.subjects)] {
        if names.is_empty() {
            text += &format!("no {what}: training needs them\n");
            continue;
        }
        let one = |(name, samples): (&String, &u64)| {
            let name = if name.is_empty() { "(none)" } else { name };
            format!("{name} {:.1} s", *samples as f64 / info.rate_hz)
        };
        text += &format!("{what}: {}\n", names.iter().map(one).collect::<Vec<_>>().join(", "));
    }
    text + &format!("written: {} and {}\n", output.samples.display(), output.info.display())
}

fn of_source(source: &SourceInfo, info: &RecordingInfo) -> String {
    let mut text = format!("{}\n", source.file);
    for (channel, (columns, unit)) in info.channels.iter().zip(source.columns.iter().zip(&source.units)) {
        if columns.is_empty() {
            // it is in a file beside this one
            continue;
        }
        let columns: Vec<_> = columns.iter().map(|column| format!("`{column}`")).collect();
        let unit = match unit {
            Some(unit) => format!("in {unit}"),
            None => "no unit stated".to_owned(),
        };
        text += &format!("  {} [{}] from {}, {unit}\n", channel.name, channel.unit, columns.join(" + "));
    }
    text += &match source.rate_hz {
        Some(rate_hz) => format!("  {rate_hz:.1} samples per second by its time column\n"),
        None => "  no time column that tells the rate\n".to_owned(),
    };
    text += &format!("  {}\n", in_words(&source.counts));
    text + &source.notes.iter().map(|note| format!("  note: {note}\n")).collect::<String>()
}

/// What a stream consisted of, in words; what there was none of is left out.
pub(super) fn in_words(counts: &StreamCounts) -> String {
    let StreamCounts { samples, bridged, malformed, non_finite, out_of_order, astray, moved, resampled, gaps, .. } =
        *counts;
    let parts = [
        (non_finite, "with missing or impossible values", "with missing or impossible values"),
        (malformed, "line not understood", "lines not understood"),
        (out_of_order, "out of order", "out of order"),
        (astray, "with a wild time", "with a wild time"),
        (bridged, "filled in", "filled in"),
        (moved, "placed evenly against its time", "placed evenly against their times"),
        (resampled, "computed for the grid", "computed for the grid"),
        (gaps, "gap", "gaps"),
    ];
    let parts = parts.iter().filter(|(count, ..)| *count > 0).map(|(count, one, many)| counted(*count, one, many));
    std::iter::once(counted(samples, "sample", "samples")).chain(parts).collect::<Vec<_>>().join(", ")
}
