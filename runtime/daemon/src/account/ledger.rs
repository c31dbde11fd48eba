//! The latency ledger: how long each phase of each window took, per configuration.

use std::time::Duration;

use gaitd_core::engine::Phase;
use hdrhistogram::Histogram;

/// Latencies up to this many nanoseconds (one minute) are kept apart; longer ones count as this long.
const LONGEST_NS: u64 = 60_000_000_000;

/// How long each phase took: histograms of fixed size (two significant digits), so that recording allocates
/// nothing and years of it take no more memory than a minute.
pub struct Ledger {
    phases: [Histogram<u64>; Phase::ALL.len()],
    inferences: Vec<Histogram<u64>>,
}

impl Ledger {
    /// A ledger for `rungs` configurations.
    #[must_use]
    pub fn new(rungs: usize) -> Self {
        Self { phases: std::array::from_fn(|_| histogram()), inferences: (0..rungs).map(|_| histogram()).collect() }
    }

    /// Makes room for one more configuration.
    pub fn add_rung(&mut self) {
        self.inferences.push(histogram());
    }

    /// Records that `phase` took `latency`.
    pub fn record(&mut self, phase: Phase, latency: Duration) {
        self.phases[phase as usize].saturating_record(nanoseconds(latency));
    }

    /// Records that an inference of the configuration `rung` answered, and took `latency` by itself.
    pub fn record_inference(&mut self, rung: usize, latency: Duration) {
        self.inferences[rung].saturating_record(nanoseconds(latency));
    }

    /// Windows counted for `phase`.
    #[must_use]
    pub fn count(&self, phase: Phase) -> u64 {
        self.phases[phase as usize].len()
    }

    /// Inferences of the configuration `rung`.
    #[must_use]
    pub fn inferences(&self, rung: usize) -> u64 {
        self.inferences[rung].len()
    }

    /// The latency that the share `quantile` (0 to 1) of the windows did not exceed in `phase`; 0 if there are none.
    #[must_use]
    pub fn quantile(&self, phase: Phase, quantile: f64) -> Duration {
        Duration::from_nanos(self.phases[phase as usize].value_at_quantile(quantile))
    }

    /// The same for the inferences of the configuration `rung`.
    #[must_use]
    pub fn inference_quantile(&self, rung: usize, quantile: f64) -> Duration {
        Duration::from_nanos(self.inferences[rung].value_at_quantile(quantile))
    }
}

fn nanoseconds(latency: Duration) -> u64 {
    u64::try_from(latency.as_nanos()).unwrap_or(LONGEST_NS)
}

fn histogram() -> Histogram<u64> {
    #[expect(clippy::expect_used, reason = "the bounds are constants that the histogram accepts")]
    Histogram::new_with_bounds(1, LONGEST_NS, 2).expect("constant bounds")
}
