//! Readings of several sensors, each with times of its own, put together on the clock of one of them.

use std::collections::VecDeque;

use super::tags::Tags;
use gaitd_core::stream::Sample;

/// Readings of one sensor further apart than this, in seconds, have nothing between them that is known; and nothing is
/// held for longer.
const LONGEST_STRETCH_S: f64 = 0.25;
/// So many periods after its last reading a sensor is late.
const LATE_PERIODS: f64 = 1.5;
/// So many readings of the first sensor at most wait for a sensor that has had none.
const MOST_WAITING: usize = 100;

/// A set of sensors: bit `i` stands for sensor `i`.
pub(super) type Sensors = u64;

/// A reading with its activity and its wearer, and of which sensors it has values: its others do not matter.
#[derive(Debug)]
pub(super) struct Labelled {
    pub(super) sample: Sample,
    pub(super) tags: Tags,
    pub(super) sensors: Sensors,
}

impl Labelled {
    /// Room for a reading.
    pub(super) fn blank() -> Self {
        Self { sample: Sample { time_s: None, values: Vec::new() }, tags: Tags::default(), sensors: 0 }
    }
}

/// Puts the readings of several sensors together: one sample for each reading of the first sensor, with the values of the
/// others at its time.
///
/// Another sensor's values are interpolated between its readings before and after. Where the one after is late (none
/// within one and a half periods of that sensor, by the times of the first one), the one before is held, so that a live
/// stream waits for no more than that. Where readings are more than 0.25 s apart, what lies between is not a number.
/// Readings of the first sensor before the first ones of the others are left out. Without times, the latest values are
/// taken.
#[derive(Debug)]
pub(super) struct Merge {
    others: Vec<Other>,
    /// Readings of the first sensor in the order in which they came, with the sensors that they still wait for.
    waiting: VecDeque<Waiting>,
    late: Sensors,
}

#[derive(Debug)]
struct Waiting {
    reading: Labelled,
    /// Sensors without values at its time.
    lacks: Sensors,
    /// It lies before the first reading of some sensor.
    too_early: bool,
}

/// A sensor that is not the first one: its last two readings.
#[derive(Debug)]
struct Other {
    bit: Sensors,
    channels: Vec<usize>,
    before: Known,
    last: Known,
    period_s: Option<f64>,
}

#[derive(Clone, Debug, Default)]
struct Known {
    /// Whether there is one.
    is: bool,
    time_s: Option<f64>,
    values: Vec<f64>,
}

/// What a sensor's values at some time are.
enum At<'a> {
    /// These.
    Values(&'a Known),
    /// A share of the second on the way from the first.
    Between(&'a Known, &'a Known, f64),
    /// Not known, and nothing will change that.
    Unknown,
    /// There is none before it.
    TooEarly,
    /// Not known before the next reading.
    Open,
}

impl Other {
    fn take(&mut self, sample: &Sample) {
        std::mem::swap(&mut self.before, &mut self.last);
        let Self { channels, last, .. } = self;
        (last.is, last.time_s) = (true, sample.time_s);
        last.values.clear();
        last.values.extend(channels.iter().map(|&channel| sample.values[channel]));
        let step = self.last.time_s.zip(self.before.time_s).map(|(last, before)| last - before);
        self.period_s = step.filter(|step| *step > 0.0 && *step <= LONGEST_STRETCH_S).or(self.period_s);
    }

    fn at(&self, time_s: Option<f64>) -> At<'_> {
        let (Some(time), Some(last)) = (time_s, self.last.time_s) else {
            // without times the latest is the best that there is
            return if self.last.is { At::Values(&self.last) } else { At::Open };
        };
        if last == time {
            return At::Values(&self.last);
        }
        if last < time {
            return At::Open;
        }
        match self.before.time_s {
            Some(before) if before <= time && last - before <= LONGEST_STRETCH_S => {
                At::Between(&self.before, &self.last, (time - before) / (last - before))
            }
            Some(before) if before <= time => At::Unknown,
            // it came late: the sensor is further on
            Some(before) if before - time <= LONGEST_STRETCH_S => At::Values(&self.before),
            Some(_) => At::Unknown,
            None => At::TooEarly,
        }
    }

    /// The values at `time_s` when no further reading is waited for.
    fn held(&self, time_s: Option<f64>) -> At<'_> {
        match self.at(time_s) {
            At::Open => {
                let since = time_s.zip(self.last.time_s).map_or(0.0, |(time, last)| time - last);
                if self.last.is && since <= LONGEST_STRETCH_S { At::Values(&self.last) } else { At::Unknown }
            }
            at => at,
        }
    }

    /// Whether the next reading is late at `time_s`.
    fn is_late(&self, time_s: Option<f64>) -> bool {
        let since = time_s.zip(self.last.time_s).map(|(time, last)| time - last);
        since.is_some_and(|since| since > LATE_PERIODS * self.period_s.unwrap_or(LONGEST_STRETCH_S))
    }
}

impl Waiting {
    /// Fills in what `other` was at the time, if that is settled.
    fn fill(&mut self, other: &Other, at: &At<'_>) {
        let values = &mut self.reading.sample.values;
        match at {
            At::Open => return,
            At::TooEarly => self.too_early = true,
            At::Unknown => other.channels.iter().for_each(|&channel| values[channel] = f64::NAN),
            At::Values(known) => {
                other.channels.iter().zip(&known.values).for_each(|(&channel, value)| values[channel] = *value);
            }
            At::Between(before, after, share) => {
                let ends = before.values.iter().zip(&after.values);
                for (&channel, (from, to)) in other.channels.iter().zip(ends) {
                    values[channel] = from + share * (to - from);
                }
            }
        }
        self.lacks &= !other.bit;
    }

    /// Fills in what `other` was at the time as far as that is known.
    fn settle(&mut self, other: &Other) {
        let at = other.held(self.reading.sample.time_s);
        self.fill(other, &at);
    }
}

impl Merge {
    /// Of sensors that have these channels each; the times of the samples are those of the first one.
    pub(super) fn new(sensors: &[Vec<usize>]) -> Self {
        let other = |(number, channels): (usize, &Vec<usize>)| Other {
            bit: 1 << number,
            channels: channels.clone(),
            before: Known::default(),
            last: Known::default(),
            period_s: None,
        };
        let others = sensors.iter().enumerate().skip(1).map(other).collect();
        Self { others, waiting: VecDeque::new(), late: 0 }
    }

    /// Takes a reading. Gives it back where it is no sample of its own.
    pub(super) fn push(&mut self, reading: Labelled) -> Option<Labelled> {
        let of = reading.sensors;
        for other in &mut self.others {
            if of & other.bit == 0 {
                continue;
            }
            let steps_back = reading.sample.time_s.zip(other.last.time_s).is_some_and(|(now, last)| now < last);
            for waiting in self.waiting.iter_mut().filter(|waiting| steps_back && waiting.lacks & other.bit != 0) {
                // no later reading is after it
                waiting.settle(other);
            }
            other.take(&reading.sample);
            for waiting in self.waiting.iter_mut().filter(|waiting| waiting.lacks & other.bit != 0) {
                let at = other.at(waiting.reading.sample.time_s);
                waiting.fill(other, &at);
            }
        }
        if of & 1 == 0 {
            return Some(reading);
        }
        let now = reading.sample.time_s;
        let mut lacks = 0;
        self.others.iter().filter(|other| of & other.bit == 0).for_each(|other| lacks |= other.bit);
        self.waiting.push_back(Waiting { reading, lacks, too_early: false });
        for other in &self.others {
            let is_late = other.is_late(now);
            for waiting in self.waiting.iter_mut().filter(|waiting| waiting.lacks & other.bit != 0) {
                let time_s = waiting.reading.sample.time_s;
                let at = if is_late { other.held(time_s) } else { other.at(time_s) };
                waiting.fill(other, &at);
            }
        }
        if self.waiting.len() > MOST_WAITING {
            self.settle(1);
        }
        None
    }

    /// The next sample, if all of it is known.
    pub(super) fn pop(&mut self) -> Option<Popped> {
        self.waiting.pop_front_if(|waiting| waiting.lacks == 0).map(|waiting| {
            if waiting.too_early { Popped::LeftOut(waiting.reading) } else { Popped::Sample(waiting.reading) }
        })
    }

    /// Sensors for whose next reading a sample waits.
    pub(super) fn lacking(&self) -> Sensors {
        self.waiting.iter().fold(0, |all, waiting| all | waiting.lacks)
    }

    /// Nothing more will come: settles what waits.
    pub(super) fn finish(&mut self) {
        self.settle(self.waiting.len());
    }

    /// Sensors that have had no reading while a sample waited for them until it could no more.
    pub(super) fn missing(&self) -> Sensors {
        self.late
    }

    fn settle(&mut self, count: usize) {
        for waiting in self.waiting.iter_mut().take(count) {
            let lacks = waiting.lacks;
            for other in self.others.iter().filter(|other| lacks & other.bit != 0) {
                if !other.last.is {
                    self.late |= other.bit;
                }
                waiting.settle(other);
            }
        }
    }
}

/// What [`Merge::pop`] gives.
#[derive(Debug)]
pub(super) enum Popped {
    /// A sample.
    Sample(Labelled),
    /// A reading from before the first of another sensor.
    LeftOut(Labelled),
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Sensors = 1;
    const SECOND: Sensors = 2;

    /// Two sensors of one channel each.
    fn merge() -> Merge {
        Merge::new(&[vec![0], vec![1]])
    }

    fn push(merge: &mut Merge, of: Sensors, time_s: Option<f64>, value: f64) -> Vec<(Option<f64>, f64, f64)> {
        let mut values = vec![f64::NAN; 2];
        for (bit, place) in [(FIRST, 0), (SECOND, 1)] {
            if of & bit != 0 {
                values[place] = value;
            }
        }
        let back = merge.push(Labelled { sample: Sample { time_s, values }, tags: Tags::default(), sensors: of });
        assert_eq!(back.is_some(), of & FIRST == 0);
        popped(merge)
    }

    fn popped(merge: &mut Merge) -> Vec<(Option<f64>, f64, f64)> {
        let mut all = Vec::new();
        while let Some(popped) = merge.pop() {
            if let Popped::Sample(Labelled { sample, .. }) = popped {
                all.push((sample.time_s, sample.values[0], sample.values[1]));
            }
        }
        all
    }

    #[test]
    fn values_are_interpolated_at_the_first_sensor_s_times() {
        let mut merge = merge();
        // before there is anything of the second sensor
        assert_eq!(push(&mut merge, FIRST, Some(0.0), 1.0), []);
        assert_eq!(push(&mut merge, SECOND, Some(0.005), 10.0), []);
        assert_eq!(push(&mut merge, FIRST, Some(0.02), 2.0), []);
        assert_eq!(push(&mut merge, SECOND, Some(0.025), 14.0), [(Some(0.02), 2.0, 13.0)]);
        // a reading at the very time
        assert_eq!(push(&mut merge, FIRST, Some(0.04), 3.0), []);
        assert_eq!(push(&mut merge, SECOND, Some(0.04), 20.0), [(Some(0.04), 3.0, 20.0)]);
        // both at once
        assert_eq!(push(&mut merge, FIRST | SECOND, Some(0.06), 5.0), [(Some(0.06), 5.0, 5.0)]);
        // the second sensor's come first
        assert_eq!(push(&mut merge, SECOND, Some(0.082), 27.0), []);
        let found = push(&mut merge, FIRST, Some(0.08), 6.0);
        assert!((found[0].2 - 25.0).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn a_late_reading_is_waited_for_one_period_and_a_half() {
        let mut merge = merge();
        for step in 0..5 {
            let time = f64::from(step) * 0.02;
            push(&mut merge, SECOND, Some(time), f64::from(step));
            push(&mut merge, FIRST, Some(time + 0.001), 0.0);
        }
        // the second sensor stops after 0.08
        assert_eq!(push(&mut merge, FIRST, Some(0.101), 1.0), []);
        let held = push(&mut merge, FIRST, Some(0.121), 2.0);
        assert_eq!(held, [(Some(0.081), 0.0, 4.0), (Some(0.101), 1.0, 4.0), (Some(0.121), 2.0, 4.0)]);
        // and is held for a quarter of a second
        let found = push(&mut merge, FIRST, Some(0.4), 3.0);
        assert!(found.len() == 1 && found[0].2.is_nan(), "{found:?}");
        // what lies in a hole is not known either
        assert_eq!(push(&mut merge, SECOND, Some(0.5), 9.0), []);
        let found = push(&mut merge, FIRST, Some(0.45), 4.0);
        assert!(found.len() == 1 && found[0].2.is_nan(), "{found:?}");
    }

    #[test]
    fn sensors_at_rates_of_their_own() {
        let mut merge = merge();
        let mut found = Vec::new();
        // 100 Hz beside 50 Hz
        for step in 0..100 {
            let time = f64::from(step) * 0.01;
            found.extend(push(&mut merge, SECOND, Some(time + 0.003), time + 0.003));
            if step % 2 == 0 {
                found.extend(push(&mut merge, FIRST, Some(time), 0.0));
            }
        }
        merge.finish();
        found.extend(popped(&mut merge));
        assert_eq!(found.len(), 49);
        assert!(found.iter().all(|(time, _, value)| (time.unwrap() - value).abs() < 1e-9), "{found:?}");
    }

    #[test]
    fn without_times_the_latest_values_are_taken() {
        let mut merge = merge();
        assert_eq!(push(&mut merge, FIRST, None, 1.0), []);
        assert_eq!(push(&mut merge, SECOND, None, 10.0), [(None, 1.0, 10.0)]);
        assert_eq!(push(&mut merge, FIRST, None, 2.0), [(None, 2.0, 10.0)]);
    }

    #[test]
    fn a_sensor_that_never_comes_is_told() {
        let mut merge = merge();
        let all: Vec<_> = (0..150).flat_map(|i| push(&mut merge, FIRST, Some(f64::from(i) * 0.02), 1.0)).collect();
        assert_eq!(all.len(), 50);
        assert!(all.iter().all(|(_, _, value)| value.is_nan()));
        assert_eq!(merge.missing(), SECOND);
        merge.finish();
        assert_eq!(popped(&mut merge).len(), 100);
    }

    #[test]
    fn a_step_back_in_time_holds_nothing_up() {
        let mut merge = merge();
        for step in 0..100 {
            let time = f64::from(step % 50) * 0.02;
            push(&mut merge, FIRST, Some(time), 0.0);
            push(&mut merge, SECOND, Some(time + 0.006), 0.0);
        }
        assert!(merge.waiting.len() <= 1, "{} wait", merge.waiting.len());
    }
}
