//! What a text was found to be, for people.

use serde::Serialize;

/// What the columns of a text (the keys of its objects) are read as.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TextLayout {
    /// How the text is written, such as `CSV, separated by commas`.
    pub form: String,
    /// What each of the expected channels is read from, in their order; nothing where no column is it.
    pub channels: Vec<Option<ChannelColumn>>,
    /// The time, where there is one.
    pub time: Option<TimeColumn>,
    /// The column of the activity.
    pub label: Option<String>,
    /// The column of the wearer.
    pub subject: Option<String>,
    /// Columns that are not used.
    pub unused: Vec<String>,
    /// One of them that may be the time, where none is known to be it, and why.
    pub likely_time: Option<String>,
}

/// What a channel is read from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChannelColumn {
    /// The column as the text names it.
    pub column: String,
    /// The unit that the caller or the text states; the expected one where there is none.
    pub unit: Option<String>,
    /// What the values are multiplied by.
    pub factor: f64,
}

/// What the time is read from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TimeColumn {
    /// The column as the text names it.
    pub column: String,
    /// The unit (`s`, `ms`, `us`, `ns`); nothing of dates.
    pub unit: Option<String>,
    /// Whether the unit was seen in the steps, since nothing states it.
    pub seen: bool,
}

impl TextLayout {
    /// Takes what `other` knows, of objects that have other keys, besides what is known already.
    pub(super) fn add(&mut self, other: Self) {
        if self.channels.is_empty() {
            *self = other;
            return;
        }
        for (own, new) in self.channels.iter_mut().zip(other.channels) {
            *own = own.take().or(new);
        }
        self.time = self.time.take().or(other.time);
        self.label = self.label.take().or(other.label);
        self.subject = self.subject.take().or(other.subject);
        self.likely_time = self.likely_time.take().or(other.likely_time);
        for unused in other.unused {
            if !self.unused.contains(&unused) {
                self.unused.push(unused);
            }
        }
    }
}
