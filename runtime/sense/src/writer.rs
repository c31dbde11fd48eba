//! Samples written as text: what [`TextSource`](super::TextSource) reads.

use std::fmt::Write;

use serde_json::json;

use crate::TextFormat;
use gaitd_core::stream::{Sample, StreamFormat};

/// Writes samples as CSV or NDJSON, with their units and rate, line by line.
///
/// ```
/// use gaitd_core::stream::{Channel, Sample, StreamFormat};
/// use gaitd_sense::{TextFormat, TextWriter};
///
/// let channels = vec![Channel { name: "acc_x".into(), unit: "m/s2".into() }];
/// let mut writer = TextWriter::new(TextFormat::Csv, StreamFormat { channels, rate_hz: 50.0 });
/// assert_eq!(writer.header(), "# rate_hz=50\nt [s],acc_x [m/s2]\n");
/// let sample = Sample { time_s: Some(1.02), values: vec![-9.8] };
/// assert_eq!(writer.line(&sample), "1.020000,-9.800000\n");
/// let mut tagged = writer.tagged(true, true);
/// assert_eq!(tagged.header(), "# rate_hz=50\nt [s],acc_x [m/s2],label,subject\n");
/// assert_eq!(tagged.tagged_line(&sample, "up, down", "ann"), "1.020000,-9.800000,\"up, down\",ann\n");
/// ```
#[derive(Debug)]
pub struct TextWriter {
    text: TextFormat,
    format: StreamFormat,
    /// What stands before each value: the time's, and one for each channel.
    before: Vec<String>,
    /// The names of the activity and the wearer, where they are written.
    tags: [Option<&'static str>; 2],
    line: String,
}

impl TextWriter {
    /// For samples in this format.
    #[must_use]
    pub fn new(text: TextFormat, format: StreamFormat) -> Self {
        let names = std::iter::once("t").chain(format.channels.iter().map(|channel| channel.name.as_str()));
        let before = names.enumerate().map(|(place, name)| match (text, place) {
            (TextFormat::Csv, 0) => String::new(),
            (TextFormat::Csv, _) => ",".to_owned(),
            (TextFormat::Ndjson, 0) => format!("{{{}:", json!(name)),
            (TextFormat::Ndjson, _) => format!(",{}:", json!(name)),
        });
        let before = before.collect();
        Self { text, format, before, tags: [None; 2], line: String::new() }
    }

    /// With the activity (`label`), the wearer (`subject`), or both behind the values.
    #[must_use]
    pub fn tagged(mut self, label: bool, subject: bool) -> Self {
        self.tags = [label.then_some("label"), subject.then_some("subject")];
        self
    }

    /// What goes before the samples, with the end of its last line.
    #[must_use]
    pub fn header(&self) -> String {
        let StreamFormat { channels, rate_hz } = &self.format;
        match self.text {
            TextFormat::Csv => {
                let columns: String =
                    channels.iter().map(|channel| format!(",{} [{}]", channel.name, channel.unit)).collect();
                let tags: String = self.tags.iter().flatten().map(|name| format!(",{name}")).collect();
                format!("# rate_hz={rate_hz}\nt [s]{columns}{tags}\n")
            }
            TextFormat::Ndjson => {
                let units: serde_json::Map<_, _> =
                    channels.iter().map(|channel| (channel.name.clone(), channel.unit.clone().into())).collect();
                json!({"class": "stream", "rate_hz": rate_hz, "units": units}).to_string() + "\n"
            }
        }
    }

    /// A sample's line, with its end. Time and values have six digits behind the point; what is not finite was not
    /// measured.
    ///
    /// # Panics
    /// When there is not one value per channel.
    pub fn line(&mut self, sample: &Sample) -> &str {
        self.tagged_line(sample, "", "")
    }

    /// A sample's line with what the wearer does and who it is; nothing is said of what is empty.
    ///
    /// # Panics
    /// When there is not one value per channel.
    pub fn tagged_line(&mut self, sample: &Sample, label: &str, subject: &str) -> &str {
        assert_eq!(sample.values.len(), self.format.channels.len(), "one value per channel");
        let (missing, end) = match self.text {
            TextFormat::Csv => ("", "\n"),
            TextFormat::Ndjson => ("null", "}\n"),
        };
        let line = &mut self.line;
        line.clear();
        let values = std::iter::once(sample.time_s.unwrap_or(f64::NAN)).chain(sample.values.iter().copied());
        for (before, value) in self.before.iter().zip(values) {
            line.push_str(before);
            if value.is_finite() {
                // writing to memory cannot fail
                let _ = write!(line, "{value:.6}");
            } else {
                line.push_str(missing);
            }
        }
        for (name, tag) in self.tags.iter().zip([label, subject]) {
            match (name, self.text) {
                (None, _) => {}
                (Some(_), TextFormat::Csv) => {
                    line.push(',');
                    push_quoted(line, tag);
                }
                (Some(_), TextFormat::Ndjson) if tag.is_empty() => {}
                (Some(name), TextFormat::Ndjson) => {
                    let _ = write!(line, ",{}:{}", json!(name), json!(tag));
                }
            }
        }
        line.push_str(end);
        line
    }
}

/// A field, in quotes where it needs them. A line ends at every end of a line, even in quotes: a blank stands for one.
fn push_quoted(line: &mut String, field: &str) {
    let ends = |letter: char| matches!(letter, '\n' | '\r');
    if !field.contains(|letter: char| matches!(letter, ',' | '"') || ends(letter)) {
        return line.push_str(field);
    }
    line.push('"');
    for letter in field.chars() {
        match letter {
            '"' => line.push_str("\"\""),
            letter => line.push(if ends(letter) { ' ' } else { letter }),
        }
    }
    line.push('"');
}
