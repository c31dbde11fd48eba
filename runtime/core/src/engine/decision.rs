//! What the engine answers for one window, and why.

use std::sync::Arc;
use std::time::Duration;

use super::Revision;
use super::cascade::{Escalation, Second};
use crate::control::{Choice, Estimate, Forecast, Load, Outlook, Reason};
use crate::decode::Episode;
use crate::ladder::{Configuration, Manifest};
use crate::plausibility::{Faults, Sensor};

/// What was expected of one plan when the window's was picked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Considered {
    /// Its accuracy and CPU time.
    pub outlook: Outlook,
    /// Its latency.
    pub forecast: Forecast,
}

/// What an inference has done before its window's last sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head {
    /// How long before that sample it began.
    pub lead: Duration,
    /// How long it took: of the configuration that answered alone.
    pub infer: Duration,
    /// How much of it, and of what else was begun for this window, was still to be done when that sample came.
    pub late: Duration,
    /// The head of the smallest configuration was done first, for the case that the one that was picked would be late.
    pub insured: bool,
    /// The configuration that was picked, where its head was given up for being late; another one then answered.
    pub given_up: Option<usize>,
    /// Multiply-accumulates of the head that did not answer, where one was done or begun: of the whole of it.
    pub wasted_macs: u64,
    /// The load that the policy saw.
    pub signals: Load,
    /// How long the tail would have taken, had it been as slow as the head.
    pub expected_tail: Duration,
}

/// How long a window has taken beside its inference, until its decision was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beside {
    /// Since it was taken.
    pub taken: Duration,
    /// Since its last sample arrived, with what a tail took longer than its head has let expect.
    pub arrived: Duration,
}

/// What one window says by itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Instant {
    /// Index of the most probable activity among the labels.
    pub activity: usize,
    /// Probability of each label: softmax(logits / temperature), with the temperature of the configuration.
    pub probabilities: Vec<f32>,
}

/// The answer for one window.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The ladder that answered; another one may answer the next window.
    pub manifest: Arc<Manifest>,
    /// Number of the window in its stream, from 0; dropped windows count.
    pub window: u64,
    /// First and last sample of the window, counted from 0 since the stream began.
    pub samples: (u64, u64),
    /// Stream time of the raw sample that completed the window, seconds, where the stream has timestamps.
    pub time_s: Option<f64>,
    /// The same sample's time since the beginning of 1970, UTC, where it is known.
    pub wall: Option<Duration>,
    /// The sensors of the raw stream, and what was wrong with them when the window was complete.
    pub sensors: Arc<[Sensor]>,
    /// See [`Decision::sensors`].
    pub faults: Faults,
    /// Index among the labels of what the wearer is believed to do: the most probable of `belief`.
    pub activity: usize,
    /// Probability of each label from all windows of the stream so far; of this one alone where [`Settings::context`] is off.
    ///
    /// [`Settings::context`]: super::Settings::context
    pub belief: Vec<f32>,
    /// What this window says by itself.
    pub instant: Instant,
    /// The plan and why it was picked.
    pub choice: Choice,
    /// Index of the configuration that answered.
    pub rung: usize,
    /// What the plan did after its first inference, where it is a cascade.
    pub escalation: Option<Escalation>,
    /// One entry per plan that could be picked: accuracy (for what the wearer was probably doing, if on time), CPU time, latency.
    pub considered: Vec<Considered>,
    /// The policy's estimate of the slowdown when it picked.
    pub slowdown: Option<Estimate>,
    /// The latest load when the window was taken; where there was no head, what the policy saw.
    pub signals: Load,
    /// What the inference did before the window's last sample, where it began then.
    pub head: Option<Head>,
    /// From the arrival of the last sample to the published decision.
    pub budget: Duration,
    /// What of it was left for the inference (from the last sample on) when the configuration was picked, by the median of what
    /// comes beside it.
    pub available: Duration,
    /// Probability that what comes beside the inference makes the decision late by itself, whatever is picked.
    pub late_elsewhere: f64,
    /// Clock time at which the window's last sample arrived.
    pub arrived: Duration,
    /// From there to a complete, conditioned window.
    pub condition: Duration,
    /// From there until the engine took it.
    pub wait: Duration,
    /// Picking the configuration, where that was not done with the head.
    pub prepare: Duration,
    /// The inference, resampling included: what its head has left of it. Of a cascade, all that it asked.
    pub infer: Duration,
    /// CPU time of the inference, and of all that was begun for this window, where the clock measures it.
    pub cpu: Option<Duration>,
    /// Clock time at which the decision was there.
    pub decided: Duration,
    /// What is believed of an earlier window by now, where [`Settings::lag`] asks for that.
    ///
    /// [`Settings::lag`]: super::Settings::lag
    pub revision: Option<Revision>,
    /// The episode of the stream that ended before it, where one did: what a [`Diary`](super::Diary) says.
    pub episode: Option<Episode>,
}

impl Decision {
    /// A decision of the ladder `manifest`, to be filled.
    #[must_use]
    pub fn empty(manifest: &Arc<Manifest>) -> Self {
        let forecast = Forecast { predicted: Duration::ZERO, miss_probability: None };
        Self {
            manifest: Arc::clone(manifest),
            window: 0,
            samples: (0, 0),
            time_s: None,
            wall: None,
            sensors: manifest.sensors(),
            faults: Faults::NONE,
            activity: 0,
            belief: vec![0.0; manifest.task.labels.len()],
            instant: Instant { activity: 0, probabilities: vec![0.0; manifest.task.labels.len()] },
            choice: Choice { plan: 0, reason: Reason::Start, forecast },
            rung: 0,
            escalation: None,
            considered: Vec::with_capacity(manifest.configurations.len() + manifest.cascades.len()),
            slowdown: None,
            signals: Load::NONE,
            head: None,
            budget: Duration::ZERO,
            available: Duration::ZERO,
            late_elsewhere: 0.0,
            arrived: Duration::ZERO,
            condition: Duration::ZERO,
            wait: Duration::ZERO,
            prepare: Duration::ZERO,
            infer: Duration::ZERO,
            cpu: None,
            decided: Duration::ZERO,
            revision: None,
            episode: None,
        }
    }

    /// Takes over all of `other`; allocates only where its ladder has more configurations or activities.
    pub fn copy_from(&mut self, other: &Self) {
        let (mut considered, mut belief) = (std::mem::take(&mut self.considered), std::mem::take(&mut self.belief));
        let mut instant = std::mem::take(&mut self.instant);
        considered.clone_from(&other.considered);
        belief.clone_from(&other.belief);
        instant.activity = other.instant.activity;
        instant.probabilities.clone_from(&other.instant.probabilities);
        let mut revision = self.revision.take();
        match (&mut revision, &other.revision) {
            (Some(mine), Some(other)) => mine.copy_from(other),
            (mine, other) => mine.clone_from(other),
        }
        let (manifest, sensors) = (Arc::clone(&other.manifest), Arc::clone(&other.sensors));
        *self = Self { manifest, sensors, considered, belief, instant, revision, ..*other };
    }

    /// How long the window has taken beside its inference, where its decision was published at clock time `now`.
    #[must_use]
    pub fn beside(&self, now: Duration) -> Beside {
        let since_arrival = now.saturating_sub(self.arrived);
        let waited = self.condition + self.wait;
        // of a head that was late, the window has waited for the rest
        let (late, infer) = self.head.map_or((Duration::ZERO, self.infer), |head| {
            // a second inference has no head, and is expected to take what it takes
            let expected = head.expected_tail + self.second().unwrap_or_default();
            (head.late, self.infer.min(expected))
        });
        Beside {
            taken: since_arrival.saturating_sub(waited + self.infer),
            arrived: since_arrival.saturating_sub(late.min(waited) + infer),
        }
    }

    /// The configuration that answered.
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        &self.manifest.configurations[self.rung]
    }

    /// How long the second inference of a cascade took, where there was one.
    #[must_use]
    pub fn second(&self) -> Option<Duration> {
        match self.escalation?.second {
            Second::Answered(infer) => Some(infer),
            Second::NotNeeded | Second::NoTime | Second::Failed => None,
        }
    }

    /// Multiply-accumulates of all that ran for the window.
    #[must_use]
    pub fn macs(&self) -> u64 {
        let beside = self.escalation.and_then(|Escalation { small, large, second, .. }| match second {
            Second::Answered(_) => Some(small),
            Second::Failed => Some(large),
            Second::NotNeeded | Second::NoTime => None,
        });
        let beside = beside.map_or(0, |rung| self.manifest.configurations[rung].macs);
        let wasted = self.head.map_or(0, |head| head.wasted_macs);
        beside.saturating_add(self.configuration().macs).saturating_add(wasted)
    }

    /// The recognised activity's label.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.manifest.task.labels[self.activity]
    }

    /// Accuracy that was expected of the configuration for what the wearer was probably doing, if on time; 0 to 1. None
    /// where the ladder knows none.
    #[must_use]
    pub fn expected_accuracy(&self) -> Option<f64> {
        let considered = self.considered.get(self.choice.plan).filter(|_| self.manifest.knows_accuracy());
        considered.map(|considered| considered.outlook.accuracy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Place;
    use crate::ladder::Ladder;
    use crate::plausibility::Fault;
    use crate::stream::Channel;
    use crate::testing::{FakeBackend, FakeModel};
    use crate::virtual_time::VirtualClock;

    fn manifest(rungs: usize) -> Arc<Manifest> {
        let clock = Arc::new(VirtualClock::new());
        let latencies = vec![Duration::from_millis(1); rungs];
        let backend = FakeBackend::new(&latencies, &clock);
        Ladder::load(&FakeModel::new(rungs), &[&backend]).unwrap().manifest().clone()
    }

    /// A decision no part of which is as in an empty one.
    fn filled() -> Decision {
        let ms = Duration::from_millis;
        let forecast = |latency| Forecast { predicted: ms(latency), miss_probability: Some(0.25) };
        let considered = |accuracy, latency| {
            let outlook = Outlook { accuracy, cost: ms(latency) / 2, short: None };
            Considered { outlook, forecast: forecast(latency) }
        };
        let place = Place { sample: 63, time_s: Some(1.28), wall: None };
        let (begin, end, lasts) = (place, place, ms(3840));
        let episode = Episode { activity: 1, begin, end, lasts, windows: 3, confidence: 0.75 };
        Decision {
            manifest: manifest(3),
            window: 7,
            samples: (448, 575),
            time_s: Some(11.5),
            wall: Some(ms(1_764_400_000_500)),
            sensors: Sensor::of(
                &["a_x", "a_y", "a_z"].map(|name| Channel { name: name.into(), unit: "g".into() }),
                &[],
            )
            .into(),
            faults: Faults::any_of([Fault::Frozen]),
            activity: 2,
            belief: vec![0.25, 0.125, 0.625],
            instant: Instant { activity: 1, probabilities: vec![0.125, 0.5, 0.375] },
            choice: Choice { plan: 1, reason: Reason::LeastLate, forecast: forecast(4) },
            rung: 1,
            escalation: Some(Escalation { small: 0, large: 1, sure: 0.5, threshold: 0.75, second: Second::NoTime }),
            considered: vec![considered(0.25, 2), considered(0.75, 4), considered(0.875, 8)],
            slowdown: Some(Estimate { mean: 2.0, spread: 0.5 }),
            signals: Load::cpu(0.5),
            head: Some(Head {
                lead: ms(80),
                infer: ms(70),
                late: ms(2),
                insured: true,
                given_up: Some(2),
                wasted_macs: 700,
                signals: Load::cpu(0.25),
                expected_tail: ms(3),
            }),
            budget: ms(50),
            available: ms(40),
            late_elsewhere: 0.125,
            arrived: ms(11_500),
            condition: ms(1),
            wait: ms(2),
            prepare: ms(3),
            infer: ms(4),
            cpu: Some(ms(5)),
            decided: ms(11_510),
            revision: Some(Revision {
                window: 5,
                samples: (320, 447),
                time_s: Some(8.94),
                wall: None,
                activity: 1,
                belief: vec![0.125, 0.625, 0.25],
            }),
            episode: Some(episode),
        }
    }

    #[test]
    fn a_decision_names_its_configuration_its_label_and_what_was_expected() {
        let mut decision = filled();
        assert_eq!(decision.configuration().id, "0.67x-128");
        assert_eq!(decision.label(), "running");
        assert_eq!(decision.expected_accuracy(), Some(0.75));
        assert_eq!(decision.macs(), decision.configuration().macs + 700);
        (decision.choice.plan, decision.rung, decision.activity) = (2, 2, 1);
        assert_eq!(decision.configuration().id, "1.00x-128");
        assert_eq!((decision.label(), decision.expected_accuracy()), ("walking", Some(0.875)));
    }

    #[test]
    fn what_comes_beside_an_inference_is_counted_from_where_it_begins() {
        let whole = Decision { head: None, ..filled() };
        // conditioned 1, waited 2, prepared 3, inferred 4, and published 2 later
        let (now, ms) = (whole.arrived + Duration::from_millis(12), Duration::from_millis);
        assert_eq!(whole.beside(now), Beside { taken: ms(5), arrived: ms(8) });
        // two of the waiting were the head's, and the tail took one longer than expected
        assert_eq!(filled().beside(now), Beside { taken: ms(5), arrived: ms(7) });
        // a head that was late by more than the window has waited
        let mut late = filled();
        late.head = late.head.map(|head| Head { late: ms(90), ..head });
        assert_eq!(late.beside(now), Beside { taken: ms(5), arrived: ms(6) });
    }

    #[test]
    fn nothing_was_expected_of_an_empty_decision() {
        let decision = Decision::empty(&manifest(3));
        assert_eq!((decision.expected_accuracy(), decision.belief.len()), (None, 3));
        assert_eq!((decision.choice.reason, decision.configuration().id.as_str()), (Reason::Start, "0.33x-128"));
    }

    #[test]
    fn a_copy_is_the_whole_decision_of_its_own_ladder_and_keeps_its_buffers() {
        let original = filled();
        let mut copy = Decision::empty(&manifest(5));
        let buffers = |decision: &Decision| {
            let Decision { considered, belief, instant, .. } = decision;
            (considered.as_ptr(), belief.as_ptr(), instant.probabilities.as_ptr())
        };
        let before = buffers(&copy);
        copy.copy_from(&original);
        assert_eq!(copy, original);
        assert!(Arc::ptr_eq(&copy.manifest, &original.manifest));
        assert_eq!(buffers(&copy), before, "the places of five configurations have room for three");
    }
}
