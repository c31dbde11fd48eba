//! How many samples a second a stream really has.

use std::time::Duration;

use gaitd_core::stream::Sample;

/// The rate is known after so long, and speaks of no more than so long, in seconds, by timestamps and by arrival: a sensor may
/// gather samples for seconds.
const SHORTEST_S: f64 = 2.0;
const LONGEST_S: f64 = 4.0;
const LONGEST_ARRIVAL_S: f64 = 10.0;

/// What arrives right after the start has waited for its reader, for so long, in seconds.
const BACKLOG_S: f64 = 0.5;

/// A rate this far from the expected one, as a share, shows after so many seconds of samples that come evenly: no further apart
/// than the last.
const FAR: f64 = 0.25;
const FAR_S: f64 = 3.0;
const EVENLY_S: f64 = 0.5;

/// Longer pauses are left out, in seconds: by their timestamps those are gaps, and by their arrival the sensor was off.
const LONGEST_STEP_S: f64 = 1.05;
const LONGEST_SILENCE_S: f64 = 60.0;

/// Shorter steps, in periods of the expected rate, are those within a packet or a burst.
const WITHIN_PACKET: f64 = 0.25;

/// A rate this far from the expected one, as a share, makes windows of another length.
const TOLERANCE: f64 = 0.1;

/// Measures the rate of one stream: by its timestamps, where it has any, else by when its samples arrive, where that says
/// something.
pub(crate) struct AchievedRate {
    /// Samples come as the sensor takes them.
    live: bool,
    by_stamps: Stretch,
    by_arrival: Stretch,
    soon: Stretch,
    began_s: Option<f64>,
    /// By arrival, the rate, where it was last found to be another than the one that counts.
    off: Option<f64>,
}

/// What is to be told of the rate of a live stream without timestamps, whose samples are taken to come at another rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Told {
    /// It has so many a second.
    Off(f64),
    /// It has what it should, again.
    Right(f64),
}

impl AchievedRate {
    /// Of a stream that should have about `expected_hz`, and whose samples arrive as they are taken if it is `live`.
    pub(crate) fn new(expected_hz: f64, live: bool) -> Self {
        Self {
            live,
            by_stamps: Stretch::new(expected_hz, LONGEST_S, LONGEST_STEP_S),
            by_arrival: Stretch::new(expected_hz, LONGEST_ARRIVAL_S, LONGEST_SILENCE_S),
            soon: Stretch::new(expected_hz, FAR_S, EVENLY_S),
            began_s: None,
            off: None,
        }
    }

    /// Samples per second, once that is known.
    pub(crate) fn hz(&self) -> Option<f64> {
        self.by_stamps.hz.or(self.by_arrival.hz)
    }

    /// Takes the next sample. Where samples without timestamps are taken to come `untimed_hz` times a second: what is new
    /// of that.
    pub(crate) fn push(&mut self, sample: &Sample, arrived: Duration, untimed_hz: Option<f64>) -> Option<Told> {
        if let (Some(time_s), None) = (sample.time_s, untimed_hz) {
            self.by_stamps.push(time_s);
            return None;
        }
        let untimed_hz = untimed_hz.filter(|_| self.live)?;
        let arrived_s = arrived.as_secs_f64();
        if arrived_s - *self.began_s.get_or_insert(arrived_s) < BACKLOG_S {
            return None;
        }
        let (soon, whole) = (self.soon.push(arrived_s), self.by_arrival.push(arrived_s));
        let off = |found: &f64, tolerance: f64| (found / untimed_hz - 1.0).abs() > tolerance;
        let far = self.soon.hz.filter(|found| soon && off(found, FAR));
        let found = if whole { self.by_arrival.hz? } else { far? };
        let was_off = self.off.is_some();
        self.off = Some(found).filter(|found| off(found, TOLERANCE));
        match (was_off, self.off) {
            (false, Some(found)) => Some(Told::Off(found)),
            (true, None) => Some(Told::Right(found)),
            _ => None,
        }
    }

    /// Samples per second by their arrival, where they are taken for another rate.
    pub(crate) fn off_hz(&self) -> Option<f64> {
        self.off
    }
}

/// Samples over the time that they take. It begins and ends where a packet does, however many samples that has.
struct Stretch {
    within_packet_s: f64,
    longest_s: f64,
    longest_step_s: f64,
    /// Where it began and the samples since then, that first one included.
    begin_s: f64,
    count: u32,
    last_s: Option<f64>,
    hz: Option<f64>,
}

impl Stretch {
    fn new(expected_hz: f64, longest_s: f64, longest_step_s: f64) -> Self {
        let within_packet_s = WITHIN_PACKET / expected_hz;
        Self { within_packet_s, longest_s, longest_step_s, begin_s: 0.0, count: 0, last_s: None, hz: None }
    }

    /// Takes the next sample's time; true when a stretch of full length is over.
    fn push(&mut self, time_s: f64) -> bool {
        let step_s = self.last_s.replace(time_s).map(|last_s| time_s - last_s);
        if !step_s.is_some_and(|step_s| (0.0..=self.longest_step_s).contains(&step_s)) {
            (self.begin_s, self.count) = (time_s, 1);
            return false;
        }
        let length_s = time_s - self.begin_s;
        if step_s.is_some_and(|step_s| step_s >= self.within_packet_s) && length_s >= SHORTEST_S {
            self.hz = Some(f64::from(self.count) / length_s);
            if length_s >= self.longest_s {
                (self.begin_s, self.count) = (time_s, 1);
                return true;
            }
        }
        self.count += 1;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(time_s: Option<f64>) -> Sample {
        Sample { time_s, values: vec![0.0] }
    }

    /// The rate of a stream with these timestamps, which arrives at once.
    fn by_stamps(times: impl IntoIterator<Item = f64>) -> Option<f64> {
        let mut rate = AchievedRate::new(50.0, true);
        for time_s in times {
            assert_eq!(rate.push(&sample(Some(time_s)), Duration::ZERO, None), None);
        }
        rate.hz()
    }

    /// What is told of samples without timestamps that arrive at these times, and the rate.
    fn by_arrival(times: impl IntoIterator<Item = f64>) -> (Vec<Told>, Option<f64>) {
        let mut rate = AchievedRate::new(50.0, true);
        let times = times.into_iter();
        let told = times.filter_map(|time_s| rate.push(&sample(None), Duration::from_secs_f64(time_s), Some(50.0)));
        (told.collect(), rate.hz())
    }

    fn near(found: Option<f64>, hz: f64) -> bool {
        found.is_some_and(|found| (found / hz - 1.0).abs() < 0.005)
    }

    #[test]
    fn the_rate_is_that_of_the_timestamps() {
        let even = |hz: f64| (0..3000).map(move |number| 1.7e9 + f64::from(number) / hz);
        for hz in [42.0, 50.0, 100.0, 200.0] {
            assert!(near(by_stamps(even(hz)), hz), "{hz}");
            // packets that share one, and bursts
            assert!(near(by_stamps(even(hz).map(|time| (time * hz / 10.0).floor() * 10.0 / hz)), hz), "{hz}");
            assert!(near(by_stamps(even(hz).map(f64::floor)), hz), "{hz}");
        }
        assert_eq!(by_stamps(even(50.0).take(100)), None);
        // a gap, and a clock set back
        assert!(near(by_stamps(even(50.0).chain(even(50.0).map(|time| time + 100.0))), 50.0));
        assert!(near(by_stamps(even(50.0).chain(even(50.0).map(|time| time - 1e9))), 50.0));
        // it is the one of late
        assert!(near(by_stamps(even(50.0).chain(even(100.0).map(|time| time + 60.0))), 100.0));
    }

    #[test]
    fn without_timestamps_the_arrival_tells_whether_the_rate_is_another() {
        let at = |hz: f64, seconds: f64, begin_s: f64| {
            (0..(hz * seconds) as u32).map(move |number| begin_s + f64::from(number) / hz)
        };
        let (told, hz) = by_arrival(at(50.0, 60.0, 0.0));
        assert!(told.is_empty() && near(hz, 50.0));
        // as a sensor delivers that gathers for ten seconds
        let (told, hz) = by_arrival(at(50.0, 60.0, 0.0).map(|time| (time / 10.0).floor() * 10.0));
        assert!(told.is_empty() && near(hz, 50.0), "{told:?} {hz:?}");
        let (told, hz) = by_arrival(at(50.0, 60.0, 0.0).chain(at(25.0, 60.0, 60.0)).chain(at(50.0, 60.0, 120.0)));
        assert!(
            matches!(told[..], [Told::Off(off), Told::Right(right)] if near(Some(off), 25.0) && right > 45.0),
            "{told:?}"
        );
        assert!(near(hz, 50.0));
        // nobody wore it for a night
        assert!(by_arrival(at(50.0, 60.0, 0.0).chain(at(50.0, 60.0, 30_000.0))).0.is_empty());
    }

    #[test]
    fn a_rate_that_is_far_off_shows_soon_and_a_backlog_or_a_stall_does_not() {
        let at = |hz: f64, seconds: f64| (0..(hz * seconds) as u32).map(move |number| f64::from(number) / hz);
        let first = |times: Vec<f64>| {
            let mut rate = AchievedRate::new(50.0, true);
            let mut told = times
                .into_iter()
                .map(|time| (time, rate.push(&sample(None), Duration::from_secs_f64(time), Some(50.0))));
            told.find_map(|(time, told)| Some((time, told?)))
        };
        for hz in [20.0, 37.0, 64.0, 100.0, 190.0] {
            let (after, told) = first(at(hz, 20.0).collect()).unwrap();
            assert!((3.0..4.0).contains(&after), "{hz}: after {after} s");
            assert!(matches!(told, Told::Off(found) if near(Some(found), hz)), "{hz}: {told:?}");
        }
        let (after, _) = first(at(58.0, 20.0).collect()).unwrap();
        assert!((10.0..11.0).contains(&after), "{after} s");
        // ten seconds that had waited in a pipe, and a stall of two
        let backlog = (0..500).map(|number| f64::from(number) * 1e-4).chain(at(50.0, 20.0).map(|time| time + 0.1));
        assert_eq!(first(backlog.collect()), None);
        let stall = at(50.0, 5.0).map(|time| if (1.0..3.0).contains(&time) { 3.0 } else { time });
        assert_eq!(first(stall.collect()), None);
    }

    #[test]
    fn the_arrival_of_a_recording_says_nothing() {
        let mut rate = AchievedRate::new(50.0, false);
        for number in 0..3000 {
            assert_eq!(rate.push(&sample(None), Duration::from_millis(number), Some(50.0)), None);
        }
        assert_eq!(rate.hz(), None);
    }
}
