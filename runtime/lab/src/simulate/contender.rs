//! The policies that a simulation compares, each in the form in which it is compared.

use gaitd_core::control::{PolicySpec, Step};

/// A policy to simulate.
#[derive(Clone, Debug, PartialEq)]
pub struct Contender {
    /// Its name in the report.
    pub name: String,
    /// What makes it.
    pub spec: PolicySpec,
    /// Whether it sees the load signals.
    pub sees_load: bool,
    /// The allowed miss rate if not the scenario's.
    pub miss_target: Option<f64>,
    /// It is ALERT, and in place of its constants it gets those that suit the scenario best, found on other seeds.
    pub fitted: bool,
}

impl Contender {
    /// The name of SlackFit's entry in a report.
    pub const SLACKFIT: &str = "slackfit";
    /// The name of ALERT's entry in a report.
    pub const ALERT: &str = "alert";
    /// The name of the entry of ALERT with constants that were fitted to the scenario.
    pub const ALERT_FITTED: &str = "alert-fitted";
    /// The name of the entry of gaitd's own policy without load signals.
    pub const BAYES_NO_LOAD: &str = "bayes-no-load";
    /// The name of the entry of gaitd's own policy with whatever load signals there are.
    pub const BAYES: &str = "bayes";

    /// Every policy. ALERT stands as it was published, without an allowed miss rate: it only weighs a miss as a guess,
    /// and so reaches a higher effective accuracy than with one; and so it does with fitted constants.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let contender = |name: &str, spec, sees_load, miss_target| Self {
            name: name.to_owned(),
            spec,
            sees_load,
            miss_target,
            fitted: name == Self::ALERT_FITTED,
        };
        vec![
            contender("fixed", PolicySpec::Fixed { configuration: None }, true, None),
            contender("step", PolicySpec::Step { band_ms: None, average: Step::default_average() }, true, None),
            contender(Self::SLACKFIT, PolicySpec::Slackfit {}, true, None),
            contender(Self::ALERT, PolicySpec::ALERT, true, Some(1.0)),
            contender(Self::ALERT_FITTED, PolicySpec::ALERT, true, Some(1.0)),
            contender(Self::BAYES_NO_LOAD, PolicySpec::Bayes {}, false, None),
            contender(Self::BAYES, PolicySpec::Bayes {}, true, None),
        ]
    }

    /// Whether `self` would do the same as `other` under another name, where `signals` says whether there are any.
    pub(super) fn same_as(&self, other: &Self, signals: bool) -> bool {
        let (sees, other_sees) = (self.sees_load && signals, other.sees_load && signals);
        self.spec == other.spec && self.miss_target == other.miss_target && sees == other_sees
    }
}
