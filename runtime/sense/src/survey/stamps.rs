//! The rate of samples by their timestamps.

/// So many intervals at most are looked at.
const MOST: usize = 20_000;
/// With fewer the rate is not known.
const FEWEST: usize = 10;
/// A longer interval, in seconds, is a gap; stamps in whole seconds have shorter ones.
const LONGEST_S: f64 = 1.05;
/// Intervals within this share of the median are regular.
const REGULAR: f64 = 0.25;
/// This share of the intervals is regular where samples neither share stamps nor come in bursts.
const MOSTLY: f64 = 0.7;

/// Rates that sensors and loggers are set to, in hertz.
const NOMINAL_HZ: [f64; 32] = [
    1.0, 2.0, 4.0, 5.0, 6.25, 8.0, 10.0, 12.5, 15.0, 16.0, 20.0, 25.0, 26.0, 30.0, 31.25, 32.0, 40.0, 50.0, 52.0, 60.0,
    62.5, 64.0, 75.0, 80.0, 100.0, 104.0, 120.0, 125.0, 128.0, 200.0, 208.0, 250.0,
];
/// A rate this near to one of them, as a share, is that one.
const NEAR: f64 = 0.025;

/// Intervals between timestamps.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    last_s: Option<f64>,
    intervals: Vec<f64>,
}

impl Stamps {
    /// Takes the next sample's time.
    pub(super) fn observe(&mut self, time_s: f64) {
        if let Some(last_s) = self.last_s.replace(time_s)
            && self.intervals.len() < MOST
            && time_s >= last_s
        {
            self.intervals.push(time_s - last_s);
        }
    }

    /// Samples per second: where most intervals are alike by these alone, so that what is missing between others says
    /// nothing; else by the number of samples in the time that they take, gaps apart.
    pub(super) fn rate_hz(&self) -> Option<f64> {
        let mut sorted = self.intervals.clone();
        sorted.sort_by(f64::total_cmp);
        let median = *sorted.get(sorted.len() / 2)?;
        let regular = |interval: &&f64| (**interval - median).abs() <= REGULAR * median;
        let rate = |of: Vec<f64>| {
            let sum: f64 = of.iter().sum();
            (of.len() >= FEWEST && sum > 0.0).then(|| of.len() as f64 / sum)
        };
        let alike: Vec<f64> = sorted.iter().filter(regular).copied().collect();
        if median > 0.0 && alike.len() as f64 >= MOSTLY * sorted.len() as f64 {
            return rate(alike);
        }
        // the last packet may not be whole
        let last = self.intervals.iter().rposition(|interval| *interval > 0.0)?;
        rate(self.intervals[..=last].iter().copied().filter(|interval| *interval <= LONGEST_S).collect())
    }
}

/// The rate that a sensor was set to which delivers `rate_hz`: one in use that is within 2.5 %, else a round number.
#[must_use]
pub fn nominal_hz(rate_hz: f64) -> f64 {
    let off = |nominal: &f64| (rate_hz / nominal - 1.0).abs();
    let hundreds = (rate_hz / 100.0).round() * 100.0;
    let known = NOMINAL_HZ.iter().copied().chain((hundreds > 0.0).then_some(hundreds));
    let nearest = known.min_by(|one, other| off(one).total_cmp(&off(other))).filter(|nominal| off(nominal) <= NEAR);
    nearest.unwrap_or_else(|| if rate_hz < 10.0 { (rate_hz * 100.0).round() / 100.0 } else { rate_hz.round() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(times: impl IntoIterator<Item = f64>) -> Option<f64> {
        let mut stamps = Stamps::default();
        times.into_iter().for_each(|time| stamps.observe(time));
        stamps.rate_hz()
    }

    #[test]
    fn rates_are_found() {
        for hz in [2.0, 20.0, 50.1, 99.8, 121.6, 400.0] {
            let even = |i: u32| f64::from(i) / hz;
            let forms: [fn(f64) -> f64; 3] =
                [|time| time, |time| (time * 1e3).round() / 1e3, |time| 1.7e9 + (time * 5.0).floor() / 5.0];
            // a packet's stamp says nothing of slow samples that come one at a time
            for form in forms.into_iter().take(if hz < 10.0 { 2 } else { 3 }) {
                let found = rate((0..3000).map(even).map(form)).unwrap();
                assert!((found / hz - 1.0).abs() < 0.01, "{hz}: {found}");
            }
        }
        // jitter of 31 and 9 ms in turn; every tenth sample lost; pauses
        assert!(
            (rate((0..400).map(|i| f64::from(i / 2) * 0.04 + f64::from(i % 2) * 0.031)).unwrap() - 50.0).abs() < 0.1
        );
        assert!((rate((0..400).filter(|i| i % 10 != 3).map(|i| f64::from(i) * 0.02)).unwrap() - 50.0).abs() < 0.01);
        assert!((rate((0..400).map(|i| f64::from(i) * 0.02 + f64::from(i / 50) * 0.4)).unwrap() - 50.0).abs() < 0.01);
        assert_eq!(rate([0.0, 0.02]), None);
        assert_eq!(rate([5.0; 100]), None);
    }

    #[test]
    fn rates_are_rounded_to_what_sensors_are_set_to() {
        for (found, nominal) in [
            (50.1, 50.0),
            (49.3, 50.0),
            (51.9, 52.0),
            (99.8, 100.0),
            (101.1, 100.0),
            (103.5, 104.0),
            (121.6, 120.0),
            (2.01, 2.0),
            (0.333, 0.33),
            (44.1, 44.0),
            (398.0, 400.0),
            (19.98, 20.0),
            (971.0, 971.0),
        ] {
            assert_eq!(nominal_hz(found), nominal, "{found}");
        }
    }
}
