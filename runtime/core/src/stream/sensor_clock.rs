//! When a sensor took its samples, estimated from their stamps.

/// Periods after which the estimate is trusted; until then the sensor is taken to have the ladder's rate.
const RIPE: f64 = 50.0;

/// Observations that are needed as well.
const FEWEST: u32 = 3;

/// Periods over which the estimate remembers, once it is ripe, and the fewest observations.
const MEMORY: f64 = 150.0;
const FEWEST_REMEMBERED: u32 = 8;

/// A stamp this many periods off the line, twice in a row and to the same side, is no noise; nor is one that is so many
/// times further off than others are.
const BREAK: f64 = 1.5;
const BREAK_RATIO: f64 = 4.0;

/// A straight line through the number of each sample and its stamp: the times of a sensor that takes samples evenly,
/// however late, rounded or shared their stamps are. All times are in periods of the ladder's grid.
///
/// A filter of two states (time and period) with the gains of a least-squares line over all observations, which then stop
/// falling (the "g-h filter" with growing, then fading memory). Of samples that share a stamp the last one is observed.
#[derive(Debug)]
pub(super) struct SensorClock {
    /// Number of the newest sample.
    count: f64,
    stamp: f64,
    /// Samples with the newest stamp, and the most that any stamp had lately.
    group: f64,
    longest_group: f64,
    /// The line: sample number `at_count` was taken at `at`, each further one a `period` later.
    at_count: f64,
    at: f64,
    period: f64,
    /// What stamps have more than the line; known from the first observation on.
    offset: f64,
    anchored: bool,
    observations: u32,
    first: f64,
    ripe: bool,
    /// Usual distance of stamps from the line, and the largest one of late.
    noise: f64,
    worst: f64,
    /// The observation before.
    before: (f64, f64),
    last_error: f64,
}

/// What a stamp says of the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verdict {
    /// The sample was taken at this time.
    Taken(f64),
    /// The line so far does not hold for this sample any more; a new one begins with it, with one each so many periods of
    /// the grid.
    Broken(f64),
}

impl SensorClock {
    /// A clock whose first sample has the stamp 0.
    pub(super) fn new() -> Self {
        Self {
            count: 0.0,
            stamp: 0.0,
            group: 1.0,
            longest_group: 1.0,
            at_count: 0.0,
            at: 0.0,
            period: 1.0,
            offset: 0.0,
            anchored: false,
            observations: 0,
            first: 0.0,
            ripe: false,
            noise: 0.0,
            worst: 0.0,
            before: (0.0, 0.0),
            last_error: 0.0,
        }
    }

    /// Begins anew with a sample whose stamp is 0; nothing but the length of packets is kept.
    pub(super) fn restart(&mut self) {
        *self = Self { longest_group: self.longest_group, ..Self::new() };
    }

    /// Begins anew with a sample whose stamp is `stamp`, with one each `period`.
    pub(super) fn restart_at(&mut self, stamp: f64, period: f64) {
        let Self { noise, worst, .. } = *self;
        self.restart();
        (self.noise, self.worst) = (noise, worst);
        (self.stamp, self.at, self.first) = (stamp, stamp, stamp);
        (self.period, self.ripe, self.observations) = (period, true, FEWEST_REMEMBERED);
    }

    /// Takes the next packet's stamp for that of its last sample, whichever it belongs to: from here on samples share theirs.
    pub(super) fn begin_packets(&mut self) {
        self.anchored = false;
    }

    /// Periods of the grid from one sample to the next.
    pub(super) fn period(&self) -> f64 {
        if self.ripe { self.period } else { 1.0 }
    }

    /// How much later than expected the next sample is, if its stamp is `stamp`. That it may be the first of a packet is
    /// allowed for, and for a sensor whose stamps are `noisy` that one may be as far off as others.
    pub(super) fn late(&self, stamp: f64, noisy: bool) -> f64 {
        let late = stamp - self.offset - self.time(self.count + self.longest_group);
        if noisy { late - late.clamp(-self.worst, self.worst) } else { late }
    }

    fn time(&self, count: f64) -> f64 {
        if self.ripe { self.at + self.period * (count - self.at_count) } else { self.first + count }
    }

    /// Takes the stamp of the next sample, which comes after `missing` others.
    pub(super) fn push(&mut self, stamp: f64, missing: f64) -> Verdict {
        let mut broken = false;
        if stamp == self.stamp {
            self.group += 1.0;
        } else {
            broken = self.observe();
            self.longest_group = self.group.max(self.longest_group * 0.98).max(1.0);
            (self.group, self.stamp) = (1.0, stamp);
        }
        self.count += 1.0 + missing;
        if broken { Verdict::Broken(self.period) } else { Verdict::Taken(self.time(self.count)) }
    }

    /// Draws the line through the newest stamp as well; whether that breaks it.
    fn observe(&mut self) -> bool {
        let (count, stamp) = (self.count, self.stamp);
        let step = count - self.at_count;
        let known = self.observations;
        let mut broken = false;
        if !self.anchored {
            let time = self.time(count);
            (self.offset, self.at_count, self.at, self.anchored) = (stamp - time, count, time, true);
        } else if step > 0.0 {
            let error = stamp - self.offset - (self.at + self.period * step);
            let limit = BREAK.max(BREAK_RATIO * self.noise);
            broken = self.ripe && error.abs() > limit && self.last_error.abs() > limit && error * self.last_error > 0.0;
            self.noise += 0.1 * (error.abs() - self.noise);
            self.worst = error.abs().max(0.995 * self.worst);
            self.last_error = error;
            let n = f64::from(known);
            let (gain, trend) = (2.0 * (2.0 * n + 1.0) / ((n + 1.0) * (n + 2.0)), 6.0 / ((n + 1.0) * (n + 2.0)));
            self.at += self.period * step + gain * error;
            self.period += trend * error / step;
            self.at_count = count;
            if broken {
                let (before_count, before_stamp) = self.before;
                self.period = (stamp - before_stamp) / (count - before_count);
            }
        }
        self.before = (count, stamp);
        if known < FEWEST_REMEMBERED || f64::from(known) * step * self.period < MEMORY {
            self.observations += 1;
        }
        // a sensor that takes no time, or goes back, is none
        self.period = self.period.clamp(0.01, 100.0);
        if !self.ripe && self.observations >= FEWEST && stamp - self.first >= RIPE {
            self.ripe = true;
            broken |= (self.period - 1.0).abs() * count > BREAK;
            // samples in bursts have been placed after the latest of them: the line goes on from there
            let nominal = self.first + count;
            self.offset += self.time(count) - nominal;
            (self.at_count, self.at) = (count, nominal);
        }
        broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The times of samples with these stamps; the samples at which the line broke.
    fn times(stamps: impl IntoIterator<Item = f64>) -> (Vec<f64>, Vec<usize>) {
        let mut clock = SensorClock::new();
        let (mut times, mut broken) = (vec![0.0], vec![]);
        for (number, stamp) in stamps.into_iter().enumerate().skip(1) {
            match clock.push(stamp, 0.0) {
                Verdict::Taken(time) => times.push(time),
                Verdict::Broken(period) => {
                    broken.push(number);
                    clock.restart_at(stamp, period);
                    times.push(stamp);
                }
            }
        }
        (times, broken)
    }

    /// The largest distance of the steps between `times` from `step`, after the first `skip`.
    fn unevenness(times: &[f64], step: f64, skip: usize) -> f64 {
        times.windows(2).skip(skip).map(|pair| (pair[1] - pair[0] - step).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn packets_with_one_stamp_are_spread_evenly() {
        for (size, most) in [(2_u32, 0.02), (4, 0.05), (10, 0.1), (50, 0.2)] {
            let (times, broken) = times((0..1000).map(|number| f64::from(number / size * size)));
            assert_eq!(broken, [0; 0], "{size}");
            assert!(unevenness(&times, 1.0, 0) < most, "{size}: {}", unevenness(&times, 1.0, 0));
            assert!((times[999] - 999.0).abs() < f64::from(size) + 1.0, "{size}: {}", times[999]);
        }
    }

    #[test]
    fn bursts_are_spread_evenly() {
        let burst = |number: u32| f64::from(number / 10 * 10) + 0.05 * f64::from(number % 10);
        let (times, broken) = times((0..2000).map(burst));
        assert_eq!(broken, [0; 0]);
        assert!(unevenness(&times, 1.0, 500) < 0.3, "{}", unevenness(&times, 1.0, 500));
        assert!((times[1999] - 1999.0).abs() < 10.0);
    }

    #[test]
    fn packets_at_another_rate_break_the_line_once() {
        let (times, broken) = times((0..1000).map(|number| f64::from(number / 10 * 10) / 2.0));
        assert_eq!(broken.len(), 1);
        assert!(broken[0] <= 130, "{broken:?}");
        assert!(unevenness(&times, 0.5, broken[0] + 1) < 0.1);
    }

    #[test]
    fn a_noisy_clock_is_smoothed_and_a_new_rate_is_noticed() {
        // pseudo-random, between -0.3 and 0.3
        let noise = |number: u32| f64::from(number.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24) * 0.6 - 0.3;
        let (even, broken) = times((0..2000).map(|number| f64::from(number) + noise(number)));
        assert_eq!(broken, [0; 0]);
        assert!(unevenness(&even, 1.0, 100) < 0.05, "{}", unevenness(&even, 1.0, 100));
        let drifting = |number: u32| f64::from(number) * 1.01 + noise(number);
        assert!(unevenness(&times((0..2000).map(drifting)).0, 1.01, 100) < 0.05);
        let halved = |number: u32| f64::from(number.min(1000)) + 0.5 * f64::from(number.saturating_sub(1000));
        let (_, broken) = times((0..2000).map(halved));
        assert!((1..=2).contains(&broken.len()) && (1001..1020).contains(&broken[0]), "{broken:?}");
    }

    #[test]
    fn stamps_of_minutes_leave_the_ladder_s_rate() {
        let (times, broken) = times((0..20_000).map(|number| f64::from(number / 6400 * 6400)));
        assert_eq!(broken, [0; 0]);
        assert!(unevenness(&times, 1.0, 0) < 1e-9);
    }
}
