//! What the wearer did: decisions per activity, and when.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use gaitd_api::{Activities, ActivityCount, ActivityMinutes, ActivityNow, ActivitySpan, LocalTime, Today};
use gaitd_core::engine::Decision;
use gaitd_core::ladder::{Manifest, Task};

/// Spans kept of a day: as many as there are windows in an hour and a half of one that changes with each.
const MOST_SPANS: usize = 4096;

/// What was shortly before midnight is kept beyond it.
const EVENING: Duration = Duration::from_secs(900);

/// Decisions per activity since the start, and the spans of today. Counting allocates nothing.
pub(crate) struct History {
    /// Of each activity: its windows, and the seconds that they stand for; since the start, and today.
    total: Vec<(u64, f64)>,
    today: Vec<(u64, f64)>,
    /// The day of `today`, counted from 1970.
    day: Option<i64>,
    spans: VecDeque<Span>,
    /// The activity now, and the clock time at which it began.
    now: Option<(usize, Duration)>,
}

/// A time in which the activity did not change. Times are since the beginning of 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Span {
    activity: usize,
    from: Duration,
    until: Duration,
}

impl Default for History {
    fn default() -> Self {
        let spans = VecDeque::with_capacity(MOST_SPANS);
        Self { total: Vec::new(), today: Vec::new(), day: None, spans, now: None }
    }
}

impl History {
    /// Counts a decision that was made.
    pub(super) fn decided(&mut self, decision: &Decision) {
        let task = &decision.manifest.task;
        let hop = hop(task);
        if self.total.len() < task.labels.len() {
            self.total.resize(task.labels.len(), (0, 0.0));
            self.today.resize(task.labels.len(), (0, 0.0));
        }
        let activity = decision.activity;
        if self.now.is_none_or(|(now, _)| now != activity) {
            self.now = Some((activity, decision.arrived));
        }
        let count = |(windows, seconds): &mut (u64, f64)| {
            *windows += 1;
            *seconds += hop.as_secs_f64();
        };
        count(&mut self.total[activity]);
        if let Some((wall, time)) = decision.wall.zip(decision.wall.and_then(LocalTime::new)) {
            if self.day != Some(time.day()) {
                self.day = Some(time.day());
                self.today.fill((0, 0.0));
                self.spans.retain(|span| span.until + EVENING > wall);
            }
            count(&mut self.today[activity]);
            self.span(activity, wall, hop);
        }
    }

    /// Adds the hop that ends at `until` to the spans.
    fn span(&mut self, activity: usize, until: Duration, hop: Duration) {
        let from = until.saturating_sub(hop);
        // a clock that was set back takes what it lived through before with it
        while self.spans.back().is_some_and(|last| last.from >= from) {
            self.spans.pop_back();
        }
        if let Some(last) = self.spans.back_mut() {
            // a late sample, or one window that was not answered, is no pause
            let goes_on = last.activity == activity && last.until + hop >= from;
            last.until = if goes_on { until } else { last.until.min(from) };
            if goes_on {
                return;
            }
        }
        if self.spans.len() == MOST_SPANS {
            self.spans.pop_front();
        }
        self.spans.push_back(Span { activity, from, until });
    }

    /// Decisions per activity of `manifest`, which has those that were counted.
    pub(crate) fn counts(&self, manifest: &Manifest) -> Vec<ActivityCount> {
        counts(manifest, &self.total)
    }

    /// When the day of the latest decision with a time began.
    fn midnight(&self) -> Option<LocalTime> {
        self.day.and_then(|_| LocalTime::new(self.spans.back()?.until)).and_then(|time| time.midnight())
    }

    /// How long each activity was on that day.
    pub(crate) fn today(&self, manifest: &Manifest) -> Today {
        let minutes =
            |count: ActivityCount| ActivityMinutes { activity: count.activity, minutes: count.seconds / 60.0 };
        let activities = counts(manifest, &self.today).into_iter().map(minutes).collect();
        Today { midnight: self.midnight(), activities }
    }

    /// All of it at clock time `now`.
    pub(crate) fn view(&self, manifest: &Arc<Manifest>, now: Duration) -> Activities {
        let labels = &manifest.task.labels;
        let label = |activity: usize| labels.get(activity).cloned().unwrap_or_default();
        let span = |span: &Span| {
            let (from, until) = (LocalTime::new(span.from)?, LocalTime::new(span.until)?);
            Some(ActivitySpan { activity: label(span.activity), from, until })
        };
        Activities {
            hop_s: hop(&manifest.task).as_secs_f64(),
            now: self.now.map(|(activity, since)| ActivityNow {
                activity: label(activity),
                unchanged_s: now.saturating_sub(since).as_secs_f64(),
            }),
            midnight: self.midnight(),
            total: self.counts(manifest),
            today: counts(manifest, &self.today),
            spans: self.spans.iter().filter_map(span).collect(),
        }
    }
}

fn hop(task: &Task) -> Duration {
    Duration::try_from_secs_f64(task.hop as f64 / task.sample_rate_hz).unwrap_or_default()
}

fn counts(manifest: &Manifest, of: &[(u64, f64)]) -> Vec<ActivityCount> {
    let of = of.iter().copied().chain(std::iter::repeat((0, 0.0)));
    let count = |(activity, (windows, seconds)): (&String, (u64, f64))| ActivityCount {
        activity: activity.clone(),
        windows,
        seconds,
    };
    manifest.task.labels.iter().zip(of).map(count).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use gaitd_core::ladder::Ladder;
    use proptest::prelude::*;

    use super::*;

    static MANIFEST: LazyLock<Arc<Manifest>> =
        LazyLock::new(|| Ladder::load(&gaitd_embedded::Embedded, &[&gaitd_tract::Tract]).unwrap().manifest().clone());

    /// A history, and a decision of the shipped ladder, whose hop is 1.28 s.
    fn fresh() -> (History, Decision) {
        (History::default(), Decision::empty(&MANIFEST))
    }

    fn decide(history: &mut History, decision: &mut Decision, activity: usize, wall_s: Option<f64>) {
        decision.activity = activity;
        decision.arrived += Duration::from_millis(1280);
        decision.wall = wall_s.map(Duration::from_secs_f64);
        history.decided(decision);
    }

    fn spans(history: &History) -> Vec<(usize, f64, f64)> {
        let seconds = |time: Duration| (time.as_secs_f64() * 100.0).round() / 100.0;
        history.spans.iter().map(|span| (span.activity, seconds(span.from), seconds(span.until))).collect()
    }

    #[test]
    fn windows_of_one_activity_are_one_span_until_it_changes_or_pauses() {
        let (mut history, mut decision) = fresh();
        let noon = 1_764_417_600.0;
        for (activity, at) in [(0, 1.28), (0, 2.56), (0, 5.12), (3, 6.4), (3, 20.0), (3, 21.28)] {
            decide(&mut history, &mut decision, activity, Some(noon + at));
        }
        let expected = [(0, 0.0, 5.12), (3, 5.12, 6.4), (3, 18.72, 21.28)];
        assert_eq!(spans(&history), expected.map(|(activity, from, until)| (activity, noon + from, noon + until)));
        let view = history.view(&decision.manifest, decision.arrived + Duration::from_secs(1));
        let now = view.now.unwrap();
        assert_eq!((now.activity.as_str(), (now.unchanged_s * 100.0).round()), ("sitting", 356.0));
        assert_eq!((view.total[0].windows, view.today[3].windows, view.total.len()), (3, 3, 6));
        assert!((view.total[3].seconds - 3.0 * 1.28).abs() < 1e-9);
        let today = history.today(&decision.manifest);
        assert_eq!((today.midnight, today.activities.len()), (view.midnight, 6));
        assert!((today.activities[3].minutes - 3.0 * 1.28 / 60.0).abs() < 1e-9);
    }

    #[test]
    fn without_a_time_of_day_windows_are_counted_and_there_are_no_spans() {
        let (mut history, mut decision) = fresh();
        assert_eq!(history.view(&decision.manifest, Duration::ZERO).now, None);
        decide(&mut history, &mut decision, 1, None);
        let view = history.view(&decision.manifest, decision.arrived);
        assert_eq!((view.total[1].windows, view.today[1].windows, view.spans.len()), (1, 0, 0));
        assert_eq!((view.midnight, history.today(&decision.manifest).midnight), (None, None));
    }

    #[test]
    fn a_new_day_begins_afresh_but_for_the_last_minutes() {
        let (mut history, mut decision) = fresh();
        // the days of whatever zone the test runs in change at one of these
        for hour in 0..30u32 {
            for second in 0..10 {
                let at = 1_764_417_600.0 + f64::from(hour) * 3600.0 + f64::from(second) * 1.28;
                decide(&mut history, &mut decision, hour as usize % 2, Some(at));
            }
        }
        let view = history.view(&decision.manifest, decision.arrived);
        let midnight = view.midnight.unwrap().since_1970();
        assert!(view.spans.iter().all(|span| span.until.since_1970() + EVENING > midnight));
        let today: u64 = view.today.iter().map(|count| count.windows).sum();
        assert_eq!(
            (today, view.total.iter().map(|count| count.windows).sum::<u64>()),
            (view.spans.len() as u64 * 10, 300)
        );
        assert!(today < 300);
    }

    proptest! {
        /// Whatever the clock does, spans are in order, do not overlap, and do not grow without bound.
        #[test]
        fn spans_are_in_order_and_bounded(steps in prop::collection::vec((0..3usize, -20_000..40_000i64), 1..300)) {
            let (mut history, mut decision) = fresh();
            let mut ms = 1_764_417_600_000i64;
            for (activity, step) in steps {
                ms += step;
                decide(&mut history, &mut decision, activity, Some(ms as f64 / 1e3));
                let last = history.spans.back().unwrap();
                prop_assert_eq!((last.activity, (last.until.as_secs_f64() * 1e3).round() as i64), (activity, ms));
            }
            for (one, next) in history.spans.iter().zip(history.spans.iter().skip(1)) {
                prop_assert!(one.from < one.until && one.until <= next.from, "{:?} {:?}", one, next);
            }
            prop_assert!(history.spans.capacity() >= MOST_SPANS && history.spans.len() <= MOST_SPANS);
        }
    }
}
