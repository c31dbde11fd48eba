//! Activities as intervals of time, in a file of their own: `start,end,label`.

use std::path::{Path, PathBuf};

use crate::fields::{Fields, SEPARATORS};
use crate::name::{Meaning, Name, split_unit};
use crate::time::{Stamp, TimeUnit};

/// A file of intervals that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}{}: {problem}", path.display(), if *line > 0 { format!(", line {line}") } else { String::new() })]
pub struct IntervalsError {
    /// The file.
    pub path: PathBuf,
    /// The line; 0 where the whole file is meant.
    pub line: usize,
    /// What is wrong, and what mends it.
    pub problem: String,
}

/// Who did what when.
#[derive(Debug)]
pub struct Intervals {
    path: PathBuf,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    line: usize,
    start: Stamp,
    end: Stamp,
    /// The unit that the header states.
    unit: Option<TimeUnit>,
    label: String,
    file: Option<String>,
}

/// Intervals in seconds of one file's clock, in the order of their starts; none overlaps the next.
#[derive(Debug, Default)]
pub struct Timeline(Vec<(f64, f64, String)>);

impl Timeline {
    /// What was done at `time_s`: from an interval's start to before its end; empty where nothing is said of that.
    #[must_use]
    pub fn at(&self, time_s: f64) -> &str {
        let next = self.0.partition_point(|(start, ..)| *start <= time_s);
        let before = next.checked_sub(1).map(|place| &self.0[place]);
        before.filter(|(_, end, _)| time_s < *end).map_or("", |(.., label)| label)
    }

    /// Start, end and activity of each.
    pub fn iter(&self) -> impl Iterator<Item = (f64, f64, &str)> {
        self.0.iter().map(|(start, end, label)| (*start, *end, label.as_str()))
    }
}

/// What a column of the file is.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    Start,
    End,
    Label,
    File,
    Unknown,
}

fn role(name: &str) -> Role {
    let plain: String = name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let stem = plain.strip_suffix("ms").unwrap_or(&plain);
    match stem.trim_end_matches("time").trim_end_matches("sec").trim_end_matches("seconds") {
        "start" | "begin" | "from" | "onset" | "starts" | "begins" => Role::Start,
        "end" | "stop" | "to" | "until" | "offset" | "ends" | "finish" => Role::End,
        "file" | "filename" | "recording" | "source" => Role::File,
        _ if Name::new(name).meaning == Meaning::Label => Role::Label,
        _ => Role::Unknown,
    }
}

impl Intervals {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// When it cannot be read, or understood.
    pub fn read(path: &Path) -> Result<Self, IntervalsError> {
        let unread = |error| format!("cannot be read: {error}");
        let wrong = |problem| IntervalsError { path: path.to_path_buf(), line: 0, problem };
        Self::parse(&std::fs::read_to_string(path).map_err(unread).map_err(wrong)?, path)
    }

    /// Reads `text`, which messages call `path`.
    ///
    /// # Errors
    /// When it cannot be understood.
    pub fn parse(text: &str, path: &Path) -> Result<Self, IntervalsError> {
        let wrong = |line, problem: String| IntervalsError { path: path.to_path_buf(), line, problem };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // lines end as those of samples do: with LF, CR LF or CR
        let text = text.replace("\r\n", "\n");
        let lines = (1..).zip(text.split(['\n', '\r']));
        let mut lines = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        let Some((first, header)) = lines.next() else { return Err(wrong(0, "is empty".to_owned())) };
        let separator = SEPARATORS.into_iter().max_by_key(|separator| Fields::new(*separator).split(header).len());
        let mut fields = Fields::new(separator.unwrap_or(b','));
        let names: Vec<String> = fields.split(header).iter().map(str::to_owned).collect();
        let roles: Vec<Role> = names.iter().map(|name| role(split_unit(name).0)).collect();
        let place = |wanted: Role| roles.iter().position(|role| *role == wanted);
        let (Some(start), Some(end), Some(label)) = (place(Role::Start), place(Role::End), place(Role::Label)) else {
            let problem = format!(
                "intervals have the columns start, end and label (and file, where there are several recordings); found {}",
                names.join(", ")
            );
            return Err(wrong(first, problem));
        };
        let unit = match split_unit(&names[start]).1 {
            Some(unit) => Some(TimeUnit::named(unit).ok_or_else(|| {
                wrong(first, format!("the unit of the start is {unit:.40}, which is none of s, ms, us and ns"))
            })?),
            None => names[start].to_lowercase().ends_with("ms").then_some(TimeUnit::Millis),
        };
        let mut rows = Vec::new();
        for (line, text) in lines {
            let row: Vec<String> = fields.split(text).iter().map(str::to_owned).collect();
            if row.len() < roles.len() {
                return Err(wrong(line, format!("{} fields, but the header has {}", row.len(), roles.len())));
            }
            let stamp = |place: usize| {
                let stamp = Stamp::parse(&row[place]).filter(|stamp| *stamp != Stamp::Missing);
                stamp.ok_or_else(|| wrong(line, format!("`{:.40}` is not a time", row[place])))
            };
            let file = place(Role::File).map(|place| row[place].clone()).filter(|file| !file.is_empty());
            rows.push(Row { line, start: stamp(start)?, end: stamp(end)?, unit, label: row[label].clone(), file });
        }
        Ok(Self { path: path.to_path_buf(), rows })
    }

    /// The intervals of the recording in `files`, by its clock; numbers are in `unit` (`s`, `ms`, ...) where the header
    /// says nothing, and in seconds where that is none.
    ///
    /// # Errors
    /// When an interval is none, or overlaps another.
    pub fn of(&self, files: &[&Path], unit: Option<&str>) -> Result<Timeline, IntervalsError> {
        let unit = unit.and_then(TimeUnit::named).unwrap_or(TimeUnit::Seconds);
        let is_meant = |row: &&Row| {
            let is =
                |file: &&Path, meant: &str| Path::new(meant) == *file || file.file_name().is_some_and(|it| it == meant);
            row.file.as_deref().is_none_or(|meant| files.iter().any(|file| is(file, meant)))
        };
        let mut timeline = Vec::new();
        for row in self.rows.iter().filter(is_meant) {
            let seconds = |stamp: Stamp| stamp.seconds(row.unit.unwrap_or(unit));
            let (Some(start), Some(end)) = (seconds(row.start), seconds(row.end)) else { continue };
            if end <= start {
                return Err(self.wrong(row.line, "the end is not after the start".to_owned()));
            }
            timeline.push((start, end, row.label.clone(), row.line));
        }
        timeline.sort_by(|one, other| one.0.total_cmp(&other.0));
        for pair in timeline.windows(2) {
            if pair[0].1 > pair[1].0 {
                let problem = format!("overlaps the interval in line {}", pair[0].3);
                return Err(self.wrong(pair[1].3, problem));
            }
        }
        Ok(Timeline(timeline.into_iter().map(|(start, end, label, _)| (start, end, label)).collect()))
    }

    /// None of the intervals touches a recording, in `files`.
    pub(super) fn nowhere(&self, files: &str, span: Option<(f64, f64)>) -> IntervalsError {
        let (start, end) = span.unwrap_or_default();
        let problem = format!(
            "no interval lies in {files}, whose times run from {start:.3} to {end:.3} s; write start and end by its clock, and the \
             unit behind the name (start [s]) where it is another than the recording's"
        );
        self.wrong(0, problem)
    }

    fn wrong(&self, line: usize, problem: String) -> IntervalsError {
        IntervalsError { path: self.path.clone(), line, problem }
    }
}
