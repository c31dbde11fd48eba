//! A cap on the average share of a processor that inferences take.

use std::time::Duration;

/// CPU time that was not used can be used so much later at most.
const HORIZON: Duration = Duration::from_secs(60);

/// An account of CPU time: all time that passes pays in its share, each inference draws what it took. The balance
/// is what the next inference may take, so the average keeps to the share while single windows may exceed it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Allowance {
    share: f64,
    /// Seconds; below 0 after an inference that took more than there was.
    balance: f64,
}

impl Allowance {
    /// An account for the share `share` (above 0, of one processor), which starts empty.
    #[must_use]
    pub fn new(share: f64) -> Self {
        Self { share, balance: 0.0 }
    }

    /// The share.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.share
    }

    /// `elapsed` has passed.
    pub fn pay_in(&mut self, elapsed: Duration) {
        let most = self.share * HORIZON.as_secs_f64();
        self.balance = (self.balance + self.share * elapsed.as_secs_f64()).min(most);
    }

    /// An inference took `cost` of CPU time. A debt is never greater than what a horizon pays in.
    pub fn draw(&mut self, cost: Duration) {
        let most = self.share * HORIZON.as_secs_f64();
        self.balance = (self.balance - cost.as_secs_f64()).max(-most);
    }

    /// What the next inference may take.
    #[must_use]
    pub fn limit(&self) -> Duration {
        Duration::try_from_secs_f64(self.balance).unwrap_or(Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What keeps to the limit keeps to the share, over any stretch.
        #[test]
        fn keeping_to_the_limit_keeps_to_the_share(
            share in 0.001..1.0f64,
            windows in prop::collection::vec((1u64..5_000, 0.0..=1.0f64), 1..200),
        ) {
            let mut allowance = Allowance::new(share);
            let (mut elapsed, mut spent) = (0.0, 0.0);
            for (ms, part) in windows {
                let passed = Duration::from_millis(ms);
                allowance.pay_in(passed);
                elapsed += passed.as_secs_f64();
                let cost = allowance.limit().mul_f64(part);
                allowance.draw(cost);
                spent += cost.as_secs_f64();
                prop_assert!(spent <= share * elapsed + 1e-6);
            }
        }
    }

    #[test]
    fn a_debt_is_paid_before_anything_else_and_savings_do_not_grow_for_ever() {
        let mut allowance = Allowance::new(0.1);
        allowance.pay_in(Duration::from_secs(3600));
        assert_eq!(allowance.limit(), Duration::from_secs(6));
        allowance.draw(Duration::from_secs(7));
        assert_eq!(allowance.limit(), Duration::ZERO);
        allowance.pay_in(Duration::from_secs(20));
        assert!((allowance.limit().as_secs_f64() - 1.0).abs() < 1e-9);
        allowance.draw(Duration::MAX);
        allowance.pay_in(Duration::from_secs(61));
        assert!(allowance.limit() > Duration::ZERO);
    }
}
