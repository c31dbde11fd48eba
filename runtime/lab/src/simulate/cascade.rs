//! A cascade in a simulation: for which windows the large configuration is asked, and what that is worth.
//!
//! Each window is one about which the small configuration is right or wrong, and one for which the large one would be asked or
//! not, more probably where the small one is wrong. What counts is the probability of a right answer given both, so that a
//! simulation adds up what is expected, as it does for configurations.

use super::draws::Draw;
use super::scenario::CascadeSpec;
use gaitd_core::control::Pair;

/// A cascade of a simulated ladder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SimulatedCascade {
    pub(super) pair: Pair,
    /// Accuracy of the small configuration.
    small: f64,
    asked_if_right: f64,
    asked_if_wrong: f64,
    spoilt: f64,
    saved: f64,
}

impl SimulatedCascade {
    /// The cascade of `pair`, whose small configuration has the accuracy `small`.
    pub(super) fn new(pair: Pair, small: f64, spec: &CascadeSpec) -> Self {
        let CascadeSpec { asked_if_right, asked_if_wrong, spoilt, saved, .. } = *spec;
        Self { pair, small, asked_if_right, asked_if_wrong, spoilt, saved }
    }

    /// Probability that the large configuration is asked.
    pub(super) fn asks(&self) -> f64 {
        self.small * self.asked_if_right + (1.0 - self.small) * self.asked_if_wrong
    }

    /// Accuracy where there is always time to ask.
    pub(super) fn accuracy(&self) -> f64 {
        let asks = self.asks();
        (1.0 - asks) * self.worth(false, false) + asks * self.worth(true, true)
    }

    /// Whether the large configuration would be asked at `draw`.
    pub(super) fn is_asked(&self, draw: &Draw) -> bool {
        draw.doubt < if self.is_small_right(draw) { self.asked_if_right } else { self.asked_if_wrong }
    }

    /// Whether the small configuration is right at `draw`.
    pub(super) fn is_small_right(&self, draw: &Draw) -> bool {
        draw.ease < self.small
    }

    /// Probability of a right answer, where the large configuration was to be `asked` or not, and `answered` or there was no
    /// time for it.
    pub(super) fn worth(&self, asked: bool, answered: bool) -> f64 {
        let of = |share: f64| if asked { share } else { 1.0 - share };
        let right = self.small * of(self.asked_if_right);
        let wrong = (1.0 - self.small) * of(self.asked_if_wrong);
        let now_right = if answered { right * (1.0 - self.spoilt) + wrong * self.saved } else { right };
        if right + wrong > 0.0 { now_right / (right + wrong) } else { 0.0 }
    }

    /// Probability of a right answer of the large configuration where the small one is right or wrong.
    pub(super) fn worth_knowing(&self, small_right: bool) -> f64 {
        if small_right { 1.0 - self.spoilt } else { self.saved }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cascade(spec: [f64; 4]) -> SimulatedCascade {
        let [asked_if_right, asked_if_wrong, spoilt, saved] = spec;
        let names = ["s", "l"].map(str::to_owned);
        let [small, large] = names;
        let spec = CascadeSpec { small, large, asked_if_right, asked_if_wrong, spoilt, saved };
        SimulatedCascade::new(Pair { small: 0, large: 1 }, 0.75, &spec)
    }

    #[test]
    fn what_is_asked_adds_up() {
        // of 16 windows 12 are right; of them 3 are asked and 1 spoilt, of the 4 wrong ones 2 are asked and 1 saved
        let cascade = cascade([0.25, 0.5, 1.0 / 3.0, 0.5]);
        assert!((cascade.asks() - 5.0 / 16.0).abs() < 1e-12);
        assert!((cascade.worth(false, false) - 9.0 / 11.0).abs() < 1e-12);
        assert!((cascade.worth(true, false) - 3.0 / 5.0).abs() < 1e-12);
        assert!((cascade.worth(true, true) - 3.0 / 5.0).abs() < 1e-12);
        assert!((cascade.accuracy() - 12.0 / 16.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_asked_is_the_small_one_and_all_asked_is_the_large_one() {
        assert!((cascade([0.0, 0.0, 0.5, 0.5]).accuracy() - 0.75).abs() < 1e-12);
        // 0.75 of 0.75 stay right, half of 0.25 become right
        assert!((cascade([1.0, 1.0, 0.25, 0.5]).accuracy() - (0.5625 + 0.125)).abs() < 1e-12);
    }
}
