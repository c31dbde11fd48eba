//! The episodes of a stream, from its decisions.

use std::time::Duration;

use super::Decision;
use super::moment::Moment;
use crate::decode::{Episode, Episodes, Place, Stretch};
use crate::ladder::Task;

/// Hops that the shortest episode takes where nothing else is said: two windows of another activity are flicker.
const SHORTEST: f64 = 3.0;

/// Hops from one decision to the next that are no gap: a window that was not answered is none, nor is a timestamp that is late.
const NO_GAP: f64 = 2.5;

/// An episode may be so much shorter: times that were seconds in a double are rounded.
const ROUNDED: Duration = Duration::from_millis(1);

/// Makes episodes of the decisions of one stream: of what they answer, so that they follow [`Settings::context`]. Each decision
/// stands for the time since the one before; the first one, and one after a gap, for a hop.
///
/// [`Settings::context`]: super::Settings::context
pub struct Diary {
    episodes: Episodes,
    /// The end of the latest decision's window.
    latest: Option<(Moment, Place)>,
}

impl Diary {
    /// For a stream of `task`, whose episodes last for `shortest` at least, or three hops where none is given.
    #[must_use]
    pub fn new(task: &Task, shortest: Option<Duration>) -> Self {
        let shortest = shortest.unwrap_or_else(|| hops(task, SHORTEST));
        Self { episodes: Episodes::new(shortest.saturating_sub(ROUNDED)), latest: None }
    }

    /// Takes the next decision; the episode that has ended before it, if one has.
    pub fn push(&mut self, decision: &Decision) -> Option<Episode> {
        let task = &decision.manifest.task;
        let Decision { samples: (_, sample), time_s, wall, arrived, activity, .. } = *decision;
        let (moment, end) = (Moment { sample, time_s, arrived }, Place { sample, time_s, wall });
        let latest = self.latest.replace((moment, end)).and_then(|(before, place)| {
            let elapsed = before.until(&moment, task);
            // a clock that was set back begins anew
            let back = is_before(time_s, place.time_s) || is_before(wall, place.wall);
            (elapsed <= hops(task, NO_GAP) && !back).then_some((elapsed, place))
        });
        let stretch = match latest {
            Some((lasts, begin)) => {
                Stretch { begin: Place { sample: begin.sample + 1, ..begin }, end, lasts, adjoins: true }
            }
            None => {
                let lasts = hops(task, 1.0);
                let begin = Place {
                    sample: (sample + 1).saturating_sub(task.hop as u64),
                    time_s: time_s.map(|time_s| time_s - lasts.as_secs_f64()),
                    wall: wall.map(|wall| wall.saturating_sub(lasts)),
                };
                Stretch { begin, end, lasts, adjoins: false }
            }
        };
        let confidence = decision.belief.get(activity).copied().map_or(0.0, f64::from);
        self.episodes.push(activity, confidence, &stretch)
    }

    /// The episode that the end of the stream ends, if there is one.
    pub fn finish(&mut self) -> Option<Episode> {
        self.latest = None;
        self.episodes.finish()
    }
}

fn hops(task: &Task, hops: f64) -> Duration {
    Duration::try_from_secs_f64(hops * task.hop as f64 / task.sample_rate_hz).unwrap_or_default()
}

fn is_before<T: PartialOrd>(now: Option<T>, then: Option<T>) -> bool {
    now.zip(then).is_some_and(|(now, then)| now < then)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::ladder::{Manifest, ModelFiles};
    use crate::testing::FakeModel;

    /// Decisions of a stream at 50 Hz, with a hop of 64 samples.
    struct Stream {
        diary: Diary,
        decision: Decision,
    }

    impl Stream {
        fn new() -> Self {
            let file = FakeModel::new(1).read("manifest.json").unwrap();
            let manifest = Arc::new(Manifest::parse(&file, Path::new("fake")).unwrap());
            let mut decision = Decision::empty(&manifest);
            (decision.samples, decision.belief) = ((0, 63), vec![0.25, 0.5, 0.25]);
            Self { diary: Diary::new(&manifest.task, None), decision }
        }

        /// Decides a window of `activity` that ends `samples` after the one before, and at that time of `time_s` and `wall` where
        /// there are any.
        fn decide(
            &mut self,
            activity: usize,
            samples: u64,
            time_s: Option<f64>,
            wall_s: Option<f64>,
        ) -> Option<Episode> {
            self.decision.activity = activity;
            self.decision.samples.1 += samples;
            self.decision.arrived += Duration::from_secs_f64(samples as f64 / 50.0);
            (self.decision.time_s, self.decision.wall) = (time_s, wall_s.map(Duration::from_secs_f64));
            self.diary.push(&self.decision)
        }
    }

    #[test]
    fn three_hops_are_an_episode_by_default_and_have_all_times_that_are_known() {
        let mut stream = Stream::new();
        for window in 0..3 {
            let at = 1.28 * f64::from(window);
            assert_eq!(stream.decide(1, 64, Some(10.0 + at), Some(1e9 + at)), None);
        }
        let ended = stream.diary.finish().unwrap();
        assert_eq!((ended.activity, ended.windows, ended.confidence), (1, 3, 0.5));
        assert_eq!((ended.begin.sample, ended.end.sample), (64, 255));
        let near = |found: Option<f64>, expected: f64| assert!((found.unwrap() - expected).abs() < 1e-5, "{ended:?}");
        let wall = |place: Place| place.wall.map(|wall| wall.as_secs_f64());
        near(ended.begin.time_s, 8.72);
        near(ended.end.time_s, 12.56);
        near(wall(ended.begin), 1e9 - 1.28);
        near(wall(ended.end), 1e9 + 2.56);
        near(Some(ended.lasts.as_secs_f64()), 3.84);
        // two are none, and nothing is known of times that a stream does not have
        (0..2).for_each(|_| assert_eq!(stream.decide(1, 64, None, None), None));
        assert_eq!(stream.diary.finish(), None);
        (0..3).for_each(|_| assert_eq!(stream.decide(2, 64, None, None), None));
        let ended = stream.diary.finish().unwrap();
        assert_eq!((ended.begin.time_s, ended.end.wall, ended.begin.sample), (None, None, 384));
    }

    #[test]
    fn a_window_that_was_not_answered_is_no_gap_and_two_are() {
        for (samples, gap) in [(64, false), (128, false), (150, false), (192, true), (100_000, true)] {
            let mut stream = Stream::new();
            (0..3).for_each(|_| assert_eq!(stream.decide(1, 64, None, None), None));
            let ended = stream.decide(1, samples, None, None);
            assert_eq!(ended.map(|it| it.windows), gap.then_some(3), "{samples}");
            (0..2).for_each(|_| assert_eq!(stream.decide(1, 64, None, None), None));
            assert_eq!(stream.diary.finish().map(|it| it.windows), Some(if gap { 3 } else { 6 }), "{samples}");
        }
    }

    #[test]
    fn a_gap_may_show_in_the_times_alone_and_a_clock_that_was_set_back_is_one() {
        for (times, walls, gap) in [
            ([6.0, 7.28, 8.56, 9.84], None, false),
            ([6.0, 7.28, 8.56, 20.0], None, true),
            ([6.0, 7.28, 8.56, 2.0], None, true),
            ([6.0, 7.28, 8.56, 9.84], Some([6.0, 7.28, 8.56, 3.0]), true),
        ] {
            let mut stream = Stream::new();
            let mut ended = None;
            for window in 0..4 {
                ended = stream.decide(0, 64, Some(times[window]), walls.map(|walls: [f64; 4]| walls[window]));
            }
            assert_eq!(ended.map(|it| it.windows), gap.then_some(3), "{times:?} {walls:?}");
        }
    }
}
