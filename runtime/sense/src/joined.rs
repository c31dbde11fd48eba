//! Several streams, each with some of the sensors, put together on one clock: files, pipes, devices.

use std::fs::File;
use std::io::BufRead;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::merge::{Labelled, Merge, Popped, Sensors};
use super::tags::Tags;
use super::wanted::Wanted;
use crate::{Pace, Pacer, SenseError, Source, TextSource};
use gaitd_core::clock::Clock;
use gaitd_core::stream::{Reading, Sample, StreamFormat};

/// The most streams that are put together.
pub const MOST_PARTS: usize = 8;

/// Clocks whose first times are further apart than this, in seconds, have nothing in common: a time zone is wrong, or one
/// counts from another event than the other.
const FARTHEST_S: f64 = 900.0;

/// Times from here on, in seconds, are since 1970.
const SINCE_1970_S: f64 = 1e8;

/// A time earlier than the one before by more than this, in seconds, is one of a clock that was set back.
const SET_BACK_S: f64 = 0.1;

/// For so long, in seconds of its stream, a part may go on by a clock that was not set back when another's was.
const LONGEST_LAG_S: f64 = 2.0;

/// A part that gives nothing for so long, while others do, is told.
const PATIENCE: Duration = Duration::from_secs(5);

/// One of several streams that are put together.
pub(crate) trait Part: Send {
    /// Reads the next reading, as [`Source::read`] does.
    fn read(&mut self, into: &mut Labelled, deadline: Duration) -> Result<Reading, SenseError>;

    /// The time of the first reading by another clock than its time is of: since 1970, beside one since the start.
    fn tie_s(&self) -> Option<f64> {
        None
    }

    /// The file in which further bytes are to be waited for; nothing where reading never has to wait.
    fn waits_for(&self) -> Option<&File>;

    /// What messages call it.
    fn name(&self) -> &str;
}

/// Streams that have some of the sensors each, as one: a sample for each reading of the sensor of the first channel, with
/// the others' values interpolated at its time.
///
/// **One clock.** Times are compared as they are: those since 1970, since a device was switched on, or since the start of
/// recordings that began together. First times that are more than 15 minutes apart are refused, unless a column beside the
/// one since the start says what it is since 1970.
///
/// **What is waited for.** Readings are taken in the order of their times. Where the pace is [`Pace::Live`], a reading that
/// comes more than one and a half periods of its sensor late is not waited for: the one before is held, for at most 0.25 s.
/// All streams are waited for at once, so that none of them keeps another from being read.
///
/// **The end** of one stream is the end, after the samples that can be made.
pub struct JoinedSource {
    parts: Vec<Slot>,
    merge: Merge,
    wanted: Wanted,
    /// The part that has each sensor.
    owners: Vec<Option<usize>>,
    spare: Vec<Labelled>,
    pacer: Pacer,
    live: bool,
    tags: Tags,
    /// The latest activity, and wearer, that are stated beside each sensor.
    beside: Vec<Tags>,
    /// All parts have had a reading, or have ended.
    begun: bool,
    /// A sample was made.
    made: bool,
    over: bool,
}

/// A part, and what it gave last.
struct Slot {
    part: Box<dyn Part>,
    /// A reading that has not been taken, if `has_next`.
    next: Labelled,
    has_next: bool,
    /// Its place in the order: how often the clock was set back, and the time since.
    key: Key,
    /// What its times lack to those of the others.
    behind_s: f64,
    /// The first time and the latest one.
    span_s: Option<(f64, f64)>,
    ended: bool,
    /// When it had a reading last, by the caller's clock.
    heard: Duration,
    told: bool,
    /// The time at which another's clock was set back, and its own was not.
    lags_since_s: Option<f64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
struct Key {
    set_back: u32,
    time_s: f64,
}

impl Slot {
    fn new(part: Box<dyn Part>, now: Duration) -> Self {
        Self {
            part,
            next: Labelled::blank(),
            has_next: false,
            key: Key::default(),
            behind_s: 0.0,
            span_s: None,
            ended: false,
            heard: now,
            told: false,
            lags_since_s: None,
        }
    }

    /// Reads its next reading, unless there is one.
    fn fill(&mut self, channels: usize, deadline: Duration, now: Duration) -> Result<Option<Reading>, SenseError> {
        if self.has_next || self.ended {
            return Ok(None);
        }
        self.next.sample.values.resize(channels, f64::NAN);
        match self.part.read(&mut self.next, deadline)? {
            Reading::Pending => return Ok(None),
            Reading::End => self.ended = true,
            Reading::Sample => {
                self.has_next = true;
                (self.heard, self.told) = (now, false);
                self.next.sample.time_s = self.next.sample.time_s.map(|time_s| time_s + self.behind_s);
                // without a time it belongs to the one before
                let time_s = self.next.sample.time_s.unwrap_or(self.key.time_s);
                self.key.set_back += u32::from(self.span_s.is_some() && time_s < self.key.time_s - SET_BACK_S);
                self.key.time_s = time_s;
                self.span_s = Some((self.span_s.map_or(time_s, |span| span.0), time_s));
            }
            other => return Ok(Some(other)),
        }
        Ok(None)
    }

    /// Goes by the clock since 1970 from its first reading on, if it says what that is.
    fn tie(&mut self) {
        let Some((first_s, latest_s)) = self.span_s.filter(|span| span.0 < SINCE_1970_S) else { return };
        let Some(tie_s) = self.part.tie_s().filter(|tie_s| *tie_s >= SINCE_1970_S) else { return };
        self.behind_s = tie_s - first_s;
        log::warn!("{}: its times since the start are put onto the clock beside them", self.part.name());
        self.span_s = Some((tie_s, latest_s + self.behind_s));
        self.key.time_s += self.behind_s;
        self.next.sample.time_s = self.next.sample.time_s.map(|time_s| time_s + self.behind_s);
    }

    /// The times that it has had, for people.
    fn span(&self) -> String {
        let name = self.part.name();
        self.span_s.map_or_else(|| format!("{name} none"), |(from, to)| format!("{name} from {from:.2} to {to:.2} s"))
    }
}

impl JoinedSource {
    /// The streams `texts` of a model that reads `format`, each with all channels of one of its sensors or more; at most
    /// eight. Whatever their own pace, they come at `pace`.
    #[must_use]
    pub fn new<R: BufRead + Send + 'static>(
        texts: Vec<TextSource<R>>,
        format: &StreamFormat,
        pace: Pace,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let part = |text: TextSource<R>| Box::new(text.in_part()) as Box<dyn Part>;
        Self::of_parts(texts.into_iter().map(part).collect(), format, pace, clock)
    }

    pub(crate) fn of_parts(
        parts: Vec<Box<dyn Part>>,
        format: &StreamFormat,
        pace: Pace,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let wanted = Wanted::new(format);
        let now = clock.now();
        Self {
            parts: parts.into_iter().map(|part| Slot::new(part, now)).collect(),
            merge: Merge::new(wanted.sensors()),
            owners: vec![None; wanted.sensors().len()],
            beside: vec![Tags::default(); wanted.sensors().len()],
            wanted,
            spare: Vec::new(),
            pacer: Pacer::new(clock, pace, format.rate_hz),
            live: pace == Pace::Live,
            tags: Tags::default(),
            begun: false,
            made: false,
            over: false,
        }
    }

    fn names(&self) -> String {
        self.parts.iter().map(|slot| slot.part.name()).collect::<Vec<_>>().join(", ")
    }

    fn apart(&self, problem: String) -> SenseError {
        SenseError::Apart { names: self.names(), problem }
    }

    /// The sensors whose number is `wanted`.
    fn bits(&self, wanted: impl Fn(usize) -> bool) -> Sensors {
        (0..self.owners.len()).filter(|number| wanted(*number)).fold(0, |all, number| all | 1 << number)
    }

    /// Names of the channels of `sensors`.
    fn channels(&self, sensors: Sensors) -> String {
        let of = self.wanted.sensors().iter().enumerate().filter(|(number, _)| sensors >> number & 1 == 1);
        let names: Vec<_> =
            of.flat_map(|(_, all)| all).map(|&c| self.wanted.expected.channels[c].name.as_str()).collect();
        names.join(", ")
    }

    /// Refuses streams whose clocks have nothing in common.
    fn check_clocks(&self) -> Result<(), SenseError> {
        let begins = |slot: &'_ Slot| slot.span_s.map(|span| span.0);
        let order =
            |one: &&Slot, other: &&Slot| begins(one).partial_cmp(&begins(other)).unwrap_or(std::cmp::Ordering::Equal);
        let timed = || self.parts.iter().filter(|slot| slot.span_s.is_some());
        let (Some(first), Some(last)) = (timed().min_by(order), timed().max_by(order)) else { return Ok(()) };
        let (Some(from), Some(to)) = (begins(first), begins(last)) else { return Ok(()) };
        if to - from <= FARTHEST_S {
            return Ok(());
        }
        let (one, other) = (first.part.name(), last.part.name());
        Err(self.apart(format!(
            "{one} begins at {from:.2} s ({}), {other} at {to:.2} s ({}), which are clocks that have nothing in common; record \
             all with the same clock, or name columns that hold the times of one (--columns, `source.columns`)",
            kind(from),
            kind(to)
        )))
    }

    /// The part whose reading is to be taken next; nothing where that is not known before more has come.
    fn choose(&self) -> Option<usize> {
        let available = || self.parts.iter().enumerate().filter(|(_, slot)| slot.has_next);
        let earlier = |one: &(usize, &Slot), other: &(usize, &Slot)| {
            one.1.key.partial_cmp(&other.1.key).unwrap_or(std::cmp::Ordering::Equal)
        };
        // the first reading of another sensor shows which of the first sensor's are too early
        let new =
            |slot: &Slot| self.bits(|number| number > 0 && self.owners[number].is_none()) & slot.next.sensors != 0;
        if let Some((place, _)) = available().find(|(_, slot)| new(slot)) {
            return Some(place);
        }
        // what a sample waits for can be taken at once: later samples lie behind that one
        let lacking = self.merge.lacking();
        if let Some((place, _)) = available().find(|(_, slot)| slot.next.sensors & lacking != 0) {
            return Some(place);
        }
        let (place, _) = available().min_by(earlier)?;
        let complete = self.parts.iter().all(|slot| slot.has_next || slot.ended);
        // the first sensor's wait for the others by themselves
        let of_first = |(_, slot): (usize, &Slot)| slot.next.sensors & 1 != 0;
        (complete || self.live && available().any(of_first)).then_some(place)
    }

    /// Whether nothing more can be made, where `next` would be taken next: a part has ended, and what goes on is behind
    /// its last reading and completes nothing.
    fn is_over(&self, next: Option<usize>) -> bool {
        let Some(end) =
            self.parts.iter().filter(|slot| slot.ended && !slot.has_next).map(|slot| slot.key).reduce(least)
        else {
            return false;
        };
        match next.map(|place| &self.parts[place]) {
            Some(slot) => slot.key > end && slot.next.sensors & self.merge.lacking() == 0,
            None if self.live => true,
            None => {
                let first_ended = self.owners[0].is_some_and(|owner| self.parts[owner].ended);
                first_ended && self.merge.lacking() == 0 || self.parts.iter().all(|slot| slot.ended)
            }
        }
    }

    /// Takes the next reading of a part.
    fn take(&mut self, place: usize) -> Result<(), SenseError> {
        let blank = self.spare.pop().unwrap_or_else(Labelled::blank);
        let slot = &mut self.parts[place];
        slot.has_next = false;
        let mut reading = std::mem::replace(&mut slot.next, blank);
        let sensors = reading.sensors;
        self.check_lag(place)?;
        for number in (0..self.owners.len()).filter(|number| sensors >> number & 1 == 1) {
            let owner = *self.owners[number].get_or_insert(place);
            if owner != place {
                let (other, one) = (self.parts[owner].part.name(), self.parts[place].part.name());
                let channels = self.channels(1 << number);
                return Err(self.apart(format!("both {other} and {one} have {channels}; leave it out in one of them")));
            }
        }
        if sensors & 1 == 0 {
            let of = self.beside.iter_mut().enumerate().filter(|(number, _)| sensors >> number & 1 == 1);
            of.for_each(|(_, beside)| beside.set(&reading.tags));
        } else {
            self.beside.iter().for_each(|beside| reading.tags.complete(beside));
        }
        self.spare.extend(self.merge.push(reading));
        Ok(())
    }

    /// Refuses a part that goes on for long by the clock of before, where another's was set back.
    fn check_lag(&mut self, place: usize) -> Result<(), SenseError> {
        let key = self.parts[place].key;
        let ahead = self.parts.iter().find(|other| other.key.set_back > key.set_back);
        let since = ahead.map(|_| self.parts[place].lags_since_s.unwrap_or(key.time_s));
        if let (Some(other), Some(since)) = (ahead, since)
            && key.time_s - since > LONGEST_LAG_S
        {
            let (name, other, to) = (self.parts[place].part.name(), other.part.name(), other.key.time_s);
            return Err(self.apart(format!(
                "the clock of {other} was set back to {to:.2} s, and that of {name} goes on at {:.2} s; split them there",
                key.time_s
            )));
        }
        self.parts[place].lags_since_s = since;
        Ok(())
    }

    /// Waits until some part may have more, or the deadline has come.
    fn wait(&mut self, deadline: Duration) -> Result<(), SenseError> {
        self.tell_silent();
        let waiting = || self.parts.iter().filter(|slot| !slot.has_next && !slot.ended);
        let files = || waiting().filter_map(|slot| slot.part.waits_for());
        let Some(some) = files().next() else { return Ok(()) };
        if files().count() < waiting().count() {
            return Ok(());
        }
        // a file may be asked about twice, so that their number need not be known
        let mut files = files();
        let mut asked: [PollFd<'_>; MOST_PARTS] =
            std::array::from_fn(|_| PollFd::new(files.next().unwrap_or(some), PollFlags::IN));
        // a time that is too long for the system is for ever
        let timeout = Timespec::try_from(deadline.saturating_sub(self.pacer.clock().now())).ok();
        match poll(&mut asked, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(SenseError::Read { place: self.names(), error: error.into() }),
        }
    }

    /// Tells of a part that gives nothing while another does.
    fn tell_silent(&mut self) {
        let Some(latest) = self.parts.iter().map(|slot| slot.heard).max() else { return };
        let now = self.pacer.clock().now();
        let any = self.parts.iter().any(|slot| slot.has_next);
        for slot in self.parts.iter_mut().filter(|slot| !slot.has_next && !slot.ended && !slot.told) {
            // a live stream goes on without it, and hears others meanwhile
            let since = if any { now } else { latest };
            if since.saturating_sub(slot.heard) > PATIENCE {
                slot.told = true;
                let seconds = PATIENCE.as_secs();
                log::warn!(
                    "{}: nothing for {seconds} s, while there is something to put together with it",
                    slot.part.name()
                );
            }
        }
    }

    /// Refuses a stream of which nothing could be made.
    fn end(&self) -> Result<Reading, SenseError> {
        let missing = self.merge.missing();
        if missing != 0 && self.parts.iter().all(|slot| slot.span_s.is_some()) {
            return Err(self.apart(format!(
                "none of them has {}; add the file that has it, or name its columns (--columns, `source.columns`)",
                self.channels(missing)
            )));
        }
        if !self.made {
            let spans: Vec<_> = self.parts.iter().map(Slot::span).collect();
            return Err(self.apart(format!(
                "there is no reading at whose time all sensors are known; there are readings of {}; record them at the \
                 same time, with the same clock",
                spans.join(", of ")
            )));
        }
        Ok(Reading::End)
    }
}

fn least(one: Key, other: Key) -> Key {
    if other < one { other } else { one }
}

/// What a time seems to be counted from.
fn kind(time_s: f64) -> &'static str {
    match time_s {
        ..1e3 => "since the start of the recording",
        1e3..SINCE_1970_S => "since the device was switched on, or of the day",
        _ => "since 1970",
    }
}

impl Source for JoinedSource {
    fn read(&mut self, sample: &mut Sample, deadline: Duration) -> Result<Reading, SenseError> {
        if let Some(reading) = self.pacer.resume(sample, deadline) {
            return Ok(reading);
        }
        loop {
            while let Some(popped) = self.merge.pop() {
                match popped {
                    Popped::LeftOut(reading) => self.spare.push(reading),
                    Popped::Sample(mut reading) => {
                        std::mem::swap(&mut reading.sample, sample);
                        std::mem::swap(&mut reading.tags, &mut self.tags);
                        self.spare.push(reading);
                        if self.merge.missing() != 0 {
                            return self.end();
                        }
                        self.made = true;
                        return Ok(self.pacer.pace(sample, deadline));
                    }
                }
            }
            if self.over {
                return self.end();
            }
            let now = self.pacer.clock().now();
            for slot in &mut self.parts {
                if let Some(other) = slot.fill(self.wanted.expected.channels.len(), now, now)? {
                    return Ok(other);
                }
            }
            if !self.begun && self.parts.iter().all(|slot| slot.has_next || slot.ended) {
                self.begun = true;
                if self.check_clocks().is_err() {
                    self.parts.iter_mut().for_each(Slot::tie);
                    self.check_clocks()?;
                }
            }
            let next = if self.begun { self.choose() } else { None };
            if self.begun && self.is_over(next) {
                self.over = true;
                self.merge.finish();
            } else if let Some(place) = next {
                self.take(place)?;
            } else if now >= deadline {
                return Ok(Reading::Pending);
            } else {
                self.wait(deadline)?;
            }
        }
    }

    fn label(&self) -> Option<&str> {
        self.tags.label()
    }

    fn subject(&self) -> Option<&str> {
        self.tags.subject()
    }
}
