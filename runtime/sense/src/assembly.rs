//! From rows to samples: settles the unit of the time, and puts rows of one sensor each together.

use std::collections::VecDeque;

use log::{info, warn};

use super::merge::{Labelled, Merge, Popped, Sensors};
use super::tags::Tags;
use super::time::{Stamp, TimeUnit, UnitSearch};
use super::wanted::Wanted;
use gaitd_core::stream::Sample;

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Accepted {
    /// It is a sample as it stands.
    Sample,
    /// It was taken; samples that are ready are given by [`Assembly::pop`].
    Taken,
    /// It lacks channels that the rows of this stream have.
    Lacking,
}

/// Rows that are not samples yet.
pub(super) struct Assembly {
    rate_hz: f64,
    /// The unit of times that state none, once it is known.
    unit: Option<TimeUnit>,
    search: UnitSearch,
    /// Rows whose time has no unit yet, and what was wrong with lines between them.
    unsettled: VecDeque<Unsettled>,
    merge: Option<Merge>,
    ready: VecDeque<Ready>,
    spare: Vec<Labelled>,
    /// A row has come.
    started: bool,
    /// What the row before had, where that was not every sensor.
    partial: Option<Sensors>,
}

enum Unsettled {
    Row(Stamp, Labelled),
    Problem(String),
}

enum Ready {
    Sample(Labelled),
    Problem(String),
}

/// What comes next of a stream.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// A sample, with values of these sensors.
    Sample(Sensors),
    /// A line that was none.
    Problem(String),
}

/// A row apart from its sample.
pub(super) struct Arrival {
    /// The sensors that it has values of.
    pub(super) present: Sensors,
    /// It has not even names for the others.
    pub(super) lacking: bool,
    /// It names its sensor.
    pub(super) by_row: bool,
    pub(super) stamp: Stamp,
    pub(super) unit: Option<TimeUnit>,
}

impl Assembly {
    pub(super) fn new(rate_hz: f64) -> Self {
        Self {
            rate_hz,
            unit: None,
            search: UnitSearch::new(rate_hz),
            unsettled: VecDeque::new(),
            merge: None,
            ready: VecDeque::new(),
            spare: Vec::new(),
            started: false,
            partial: None,
        }
    }

    /// The unit of times that state none, as it was seen.
    pub(super) fn unit(&self) -> Option<TimeUnit> {
        self.unit
    }

    /// The unit of times that state none was seen before.
    pub(super) fn set_unit(&mut self, unit: TimeUnit) {
        self.unit = Some(unit);
    }

    /// Another header holds from here on: a unit that was seen says nothing of its time.
    pub(super) fn restart(&mut self, origin: &str) {
        self.settle(origin);
        (self.unit, self.search) = (None, UnitSearch::new(self.rate_hz));
    }

    /// Takes a row. Unless it is a sample, another buffer is in its place afterwards.
    pub(super) fn accept(
        &mut self,
        row: &Arrival,
        sample: &mut Sample,
        tags: &mut Tags,
        wanted: &Wanted,
        origin: &str,
    ) -> Accepted {
        // rows of a stream in part are put together with those of the others, elsewhere
        if !wanted.in_part && self.merge.is_none() && (row.by_row || self.shows_rows_of_one_sensor(row.present, wanted))
        {
            info!("{origin}: rows are of one sensor each; they are put together at the times of the first one");
            self.merge = Some(Merge::new(wanted.sensors()));
        }
        if row.lacking && self.merge.is_none() && !wanted.in_part {
            return Accepted::Lacking;
        }
        match row.unit.or(self.unit) {
            _ if matches!(row.stamp, Stamp::Missing | Stamp::Instant(..) | Stamp::OfDay(..)) => self.settle(origin),
            Some(_) => {}
            // in whatever unit, the start of a clock is the same, and fractions of so many are seconds since 1970
            None if self.unsettled.is_empty() && row.stamp == Stamp::Whole(0) => drop(self.search.observe(row.stamp)),
            None => {
                let seen = self.search.observe(row.stamp);
                let row = Unsettled::Row(row.stamp, self.keep(sample, tags, row.present));
                self.unsettled.push_back(row);
                if let Some(unit) = seen {
                    self.found(unit, origin);
                }
                return Accepted::Taken;
            }
        }
        sample.time_s = row.stamp.seconds(row.unit.or(self.unit).unwrap_or(TimeUnit::Seconds));
        if self.merge.is_none() && self.ready.is_empty() {
            return Accepted::Sample;
        }
        let kept = self.keep(sample, tags, row.present);
        self.pass_on(kept);
        Accepted::Taken
    }

    /// Whether no sample is ready.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Keeps what is wrong with a line for its turn, where rows before it wait; else gives it back.
    pub(super) fn defer(&mut self, problem: String) -> Option<String> {
        if !self.unsettled.is_empty() {
            self.unsettled.push_back(Unsettled::Problem(problem));
        } else if !self.ready.is_empty() {
            self.ready.push_back(Ready::Problem(problem));
        } else {
            return Some(problem);
        }
        None
    }

    /// What comes next: a sample is put in place of `sample`.
    pub(super) fn pop(&mut self, sample: &mut Sample, tags: &mut Tags) -> Option<Next> {
        Some(match self.ready.pop_front()? {
            Ready::Sample(mut ready) => {
                std::mem::swap(&mut ready.sample, sample);
                std::mem::swap(&mut ready.tags, tags);
                let sensors = ready.sensors;
                self.spare.push(ready);
                Next::Sample(sensors)
            }
            Ready::Problem(problem) => Next::Problem(problem),
        })
    }

    /// No row will come any more: all samples are ready.
    pub(super) fn finish(&mut self, origin: &str) {
        self.settle(origin);
        if let Some(merge) = &mut self.merge {
            merge.finish();
        }
        self.collect();
    }

    /// Sensors of which there was no row while the others waited for one.
    pub(super) fn missing(&self) -> Sensors {
        self.merge.as_ref().map_or(0, Merge::missing)
    }

    /// Whether rows so far, and this one, are of one sensor each: the very first one is, or it and the one before have
    /// nothing in common. A sensor that failed to answer once leaves a hole.
    fn shows_rows_of_one_sensor(&mut self, present: Sensors, wanted: &Wanted) -> bool {
        let first = !std::mem::replace(&mut self.started, true);
        if present == 0 || present == wanted.all() {
            self.partial = None;
            return false;
        }
        let before = self.partial.replace(present);
        first || before.is_some_and(|before| before & present == 0)
    }

    /// The unit of rows that wait for it is not to be seen: goes by their size.
    fn settle(&mut self, origin: &str) {
        if !self.unsettled.is_empty() {
            self.found(self.search.by_size(), origin);
        }
    }

    fn found(&mut self, unit: TimeUnit, origin: &str) {
        if unit != TimeUnit::Seconds {
            let symbol = unit.symbol();
            warn!(
                "{origin}: the time states no unit, and looks like {symbol}; name it, as in `time_{symbol}`, or by --units \
                 t={symbol} (`source.units`)"
            );
        }
        self.unit = Some(unit);
        while let Some(next) = self.unsettled.pop_front() {
            match next {
                Unsettled::Row(stamp, mut row) => {
                    row.sample.time_s = stamp.seconds(unit);
                    self.pass_on(row);
                }
                Unsettled::Problem(problem) => self.ready.push_back(Ready::Problem(problem)),
            }
        }
    }

    fn pass_on(&mut self, row: Labelled) {
        match &mut self.merge {
            Some(merge) => {
                let back = merge.push(row);
                self.spare.extend(back);
                self.collect();
            }
            None => self.ready.push_back(Ready::Sample(row)),
        }
    }

    fn collect(&mut self) {
        while let Some(popped) = self.merge.as_mut().and_then(Merge::pop) {
            match popped {
                Popped::Sample(row) => self.ready.push_back(Ready::Sample(row)),
                Popped::LeftOut(row) => self.spare.push(row),
            }
        }
    }

    /// Takes the row out of `sample` and `tags`, and leaves room for the next one.
    fn keep(&mut self, sample: &mut Sample, tags: &mut Tags, sensors: Sensors) -> Labelled {
        let mut kept = self.spare.pop().unwrap_or_else(Labelled::blank);
        kept.sensors = sensors;
        kept.sample.values.resize(sample.values.len(), f64::NAN);
        std::mem::swap(&mut kept.sample, sample);
        std::mem::swap(&mut kept.tags, tags);
        kept
    }
}
