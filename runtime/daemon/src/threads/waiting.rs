//! Windows that wait for the engine: which of them are still answered, and which are overtaken by newer ones.
//!
//! A sensor that batches its samples, or a system that resumes, gives many windows at once. All are answered, in order,
//! while there is time for each of them; where there is not, the newest win.

use std::collections::VecDeque;
use std::time::Duration;

use crossbeam_channel::Receiver;

use crate::threads::queue::LatestRx;
use gaitd_core::window::Window;

/// Windows that may wait: those of 40 s of the shipped ladder's stream, about as many as an idle machine answers within
/// the default budget.
pub(crate) const CAPACITY: usize = 32;

/// The engine's end of the queue of windows.
pub(crate) struct Waiting {
    incoming: LatestRx<Window>,
    /// The oldest first.
    held: VecDeque<Box<Window>>,
    capacity: usize,
    /// The sender waits, and so no window is overtaken.
    lossless: bool,
}

/// What decides whose turn it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) now: Duration,
    /// From a window's arrival to its published decision.
    pub(crate) budget: Duration,
    /// How long an inference takes at the least.
    pub(crate) quickest: Duration,
    /// How long a window takes beside that, usually: the median, which an outlier does not move.
    pub(crate) overhead: Duration,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    /// So many of the oldest windows stay without an answer.
    pub(crate) overtaken: usize,
    /// Of the time of the one after them, what those behind it need.
    pub(crate) reserve: Duration,
}

impl Waiting {
    /// No windows yet, and room for `capacity` of them; one more is held while it is decided.
    pub(crate) fn new(incoming: LatestRx<Window>, capacity: usize, lossless: bool) -> Self {
        Self { incoming, held: VecDeque::with_capacity(capacity), capacity, lossless }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Where windows come from while none is held.
    pub(crate) fn incoming(&self) -> &Receiver<Box<Window>> {
        self.incoming.values()
    }

    /// Takes a window that has come.
    pub(crate) fn hold(&mut self, window: Box<Window>) {
        self.held.push_back(window);
    }

    /// The window whose turn it is, whose buffer is to be given back before the next turn, and that turn; nothing where none
    /// is held.
    pub(crate) fn take(&mut self, moment: &Moment) -> Option<(Box<Window>, Turn)> {
        let mut turn = Turn::default();
        if !self.lossless {
            let overflown = self.gather();
            turn = whose_turn(self.held.iter().map(|window| window.arrived), moment);
            (0..turn.overtaken).for_each(|_| self.overtake());
            turn.overtaken += overflown;
        }
        self.held.pop_front().map(|window| (window, turn))
    }

    /// Gives the buffer of a decided window back.
    pub(crate) fn give_back(&self, window: Box<Window>) {
        self.incoming.give_back(window);
    }

    /// Holds all that has come; the number of those for which there was no room.
    fn gather(&mut self) -> usize {
        let mut overflown = 0;
        while let Ok(window) = self.incoming.values().try_recv() {
            if self.held.len() == self.capacity {
                self.overtake();
                overflown += 1;
            }
            self.held.push_back(window);
        }
        overflown
    }

    fn overtake(&mut self) {
        if let Some(oldest) = self.held.pop_front() {
            self.incoming.give_back(oldest);
        }
    }
}

/// Whose turn it is among windows that arrived at these times, the oldest first: the longest run of the newest that can all
/// be answered in time, one after the other; the newest alone where not even that can be.
fn whose_turn(arrivals: impl ExactSizeIterator<Item = Duration> + Clone, moment: &Moment) -> Turn {
    let quickest = moment.quickest.max(Duration::from_nanos(1)).as_nanos();
    let left = |arrived: Duration| {
        let spent = moment.now.saturating_sub(arrived).saturating_add(moment.overhead);
        moment.budget.saturating_sub(spent)
    };
    // before the window at `place`, no more may be answered than there is time for
    let newest = arrivals.len().saturating_sub(1);
    let first =
        |(place, arrived): (usize, Duration)| (place + 1_usize).saturating_sub(in_time(left(arrived), quickest));
    let overtaken = arrivals.clone().enumerate().map(first).max().unwrap_or_default().min(newest);
    let rest = arrivals.enumerate().skip(overtaken);
    let own = rest.clone().next().map(|(_, arrived)| left(arrived)).unwrap_or_default();
    let before = |place: usize| moment.quickest.saturating_mul(u32::try_from(place - overtaken).unwrap_or(u32::MAX));
    let shared = rest.map(|(place, arrived)| left(arrived).saturating_sub(before(place))).min().unwrap_or_default();
    Turn { overtaken, reserve: own.saturating_sub(shared) }
}

/// How many decisions fit into `left`.
fn in_time(left: Duration, quickest: u128) -> usize {
    usize::try_from(left.as_nanos() / quickest).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::threads::queue::{LatestTx, Sent, latest};

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn moment(now: u64, budget: u64, quickest: u64) -> Moment {
        Moment { now: MS(now), budget: MS(budget), quickest: MS(quickest), overhead: Duration::ZERO }
    }

    fn turn(arrivals: &[u64], moment: &Moment) -> Turn {
        whose_turn(arrivals.iter().map(|&arrived| MS(arrived)), moment)
    }

    #[test]
    fn a_burst_is_answered_as_far_as_there_is_time() {
        // seven at once, of which each takes 4 ms at the least: the first has to leave 24 ms of its 50
        assert_eq!(turn(&[0; 7], &moment(0, 50, 4)), Turn { overtaken: 0, reserve: MS(24) });
        assert_eq!(turn(&[0; 7], &moment(0, 27, 4)), Turn { overtaken: 1, reserve: MS(20) });
        assert_eq!(turn(&[0; 7], &moment(30, 50, 4)), Turn { overtaken: 2, reserve: MS(16) });
        // publishing takes its time, too
        let moment = Moment { overhead: MS(12), ..moment(30, 50, 4) };
        assert_eq!(turn(&[0; 7], &moment), Turn { overtaken: 5, reserve: MS(4) });
    }

    #[test]
    fn where_there_is_no_time_the_newest_wins() {
        for arrivals in [&[0][..], &[0, 10, 20], &[0; 7]] {
            assert_eq!(turn(arrivals, &moment(90, 1, 4)), Turn { overtaken: arrivals.len() - 1, reserve: MS(0) });
        }
        assert_eq!(turn(&[], &moment(0, 1, 1)), Turn::default());
    }

    #[test]
    fn a_window_is_not_held_against_one_that_has_time_enough() {
        // the first can be answered by 49, and the second, which came 45 ms later, by 52
        assert_eq!(turn(&[0, 45], &moment(46, 50, 3)), Turn { overtaken: 0, reserve: MS(0) });
    }

    fn waiting(capacity: usize) -> (LatestTx<Window>, Waiting) {
        let (windows, incoming) = latest(capacity, capacity + 1, false, || Window::new(1, 1));
        (windows, Waiting::new(incoming, capacity, false))
    }

    proptest! {
        /// Against trying them all: the longest run of the newest of which each is in time.
        #[test]
        fn as_many_as_can_be_are_answered(
            steps in prop::collection::vec(0..30_u64, 1..12),
            now in 0..200_u64,
            budget in 1..100_u64,
            quickest in 1..20_u64,
        ) {
            let arrivals: Vec<u64> = steps.iter().scan(0, |at, step| { *at += step; Some(*at) }).collect();
            let now = now.max(arrivals[arrivals.len() - 1]);
            let in_time = |first: usize, delay: u64| {
                arrivals[first..].iter().zip(1..).all(|(arrived, place)| now + delay + place * quickest <= arrived + budget)
            };
            let found = turn(&arrivals, &moment(now, budget, quickest));
            let newest = arrivals.len() - 1;
            let expected = (0..=newest).find(|&first| in_time(first, 0)).unwrap_or(newest);
            prop_assert_eq!(found.overtaken, expected);
            if in_time(expected, 0) {
                // what the first takes longer than the quickest, without the reserve, makes none of the others late
                let own = arrivals[expected] + budget - now;
                let reserve = u64::try_from(found.reserve.as_millis()).unwrap();
                let longer = own - reserve - quickest;
                prop_assert!(in_time(expected, longer) && !in_time(expected, longer + 1));
            }
        }

        /// Whatever comes and whenever the engine has time: each window is decided, overtaken by the one end or the other,
        /// or still there; they are decided in order, and the sender never waits.
        #[test]
        fn all_are_accounted_for(
            capacity in 1_usize..5,
            quickest in 1..60_u64,
            steps in prop::collection::vec((any::<bool>(), 0..20_u64), 0..200),
        ) {
            let (mut tx, mut rx) = waiting(capacity);
            let (mut now, mut produced, mut dropped, mut overtaken, mut decided) = (0, 0, 0, 0, Vec::new());
            for (produce, passed) in steps {
                now += passed;
                if produce {
                    let sent = tx.send(|window| (window.index, window.arrived) = (produced, MS(now)));
                    prop_assert_ne!(sent, Sent::Closed);
                    produced += 1;
                    dropped += u64::from(sent == Sent::Overtook);
                } else {
                    if rx.is_empty() && let Ok(window) = rx.incoming().try_recv() {
                        rx.hold(window);
                    }
                    if let Some((window, turn)) = rx.take(&moment(now, 50, quickest)) {
                        overtaken += turn.overtaken as u64;
                        decided.push(window.index);
                        rx.give_back(window);
                    }
                }
                let there = (rx.held.len() + rx.incoming().len()) as u64;
                prop_assert_eq!(produced, decided.len() as u64 + dropped + overtaken + there);
                prop_assert!(rx.held.len() <= capacity);
            }
            prop_assert!(decided.is_sorted_by(|before, after| before < after));
        }
    }
}
