//! From answers, one for each window, to episodes: what the wearer did, from when to when.

use std::time::Duration;

/// A place in a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// Number of the sample there, counted from 0 since the stream began.
    pub sample: u64,
    /// The stream's own time, seconds, where it has timestamps.
    pub time_s: Option<f64>,
    /// The time since the beginning of 1970, UTC, where it is known.
    pub wall: Option<Duration>,
}

/// The part of a stream that one window's answer stands for: what no window before stood for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stretch {
    /// Where it begins.
    pub begin: Place,
    /// Where it ends.
    pub end: Place,
    /// Time of the stream from there to there.
    pub lasts: Duration,
    /// It begins where the one before ended.
    pub adjoins: bool,
}

/// A time of one activity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Episode {
    /// The activity, by its place among the labels.
    pub activity: usize,
    /// Where it began.
    pub begin: Place,
    /// Up to where it was answered.
    pub end: Place,
    /// Time of the stream from there to there.
    pub lasts: Duration,
    /// Windows that answered it.
    pub windows: u64,
    /// Their mean belief in it, 0 to 1.
    pub confidence: f64,
}

/// Joins stretches of one activity to an [`Episode`], in the order in which they come.
///
/// An episode begins when an activity has been answered without a break for the shortest time, and where it was answered first.
/// It ends when another has been answered for that long, where it was itself answered last, or at a gap. What is shorter than that
/// is flicker: it makes no episode, and ends none. Nothing is allocated.
///
/// ```
/// use std::time::Duration;
///
/// use gaitd_core::decode::{Episodes, Place, Stretch};
///
/// let mut episodes = Episodes::new(Duration::from_secs(3));
/// let place = |sample| Place { sample, ..Place::default() };
/// let mut ended = Vec::new();
/// // a window every second; a second of another activity is flicker, three are an episode
/// for (second, activity) in [0, 0, 0, 0, 1, 0, 1, 1, 1].into_iter().enumerate() {
///     let second = second as u64;
///     let (begin, end, lasts) = (place(50 * second), place(50 * second + 50), Duration::from_secs(1));
///     ended.extend(episodes.push(activity, 0.75, &Stretch { begin, end, lasts, adjoins: second > 0 }));
/// }
/// ended.extend(episodes.finish());
/// let told: Vec<_> = ended.iter().map(|it| (it.activity, it.lasts.as_secs(), it.windows, it.confidence)).collect();
/// assert_eq!(told, [(0, 6, 5, 0.75), (1, 3, 3, 0.75)]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Episodes {
    shortest: Duration,
    /// Time of all stretches so far.
    now: Duration,
    current: Option<Run>,
    /// What may become the next one: answered until now, but not for long.
    next: Option<Run>,
}

/// What may go on.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Run {
    activity: usize,
    begin: Place,
    end: Place,
    began: Duration,
    ended: Duration,
    windows: u64,
    /// Sum of the windows' beliefs.
    believed: f64,
}

impl Run {
    fn new(activity: usize, stretch: &Stretch, began: Duration) -> Self {
        let Stretch { begin, end, .. } = *stretch;
        Self { activity, begin, end, began, ended: began, windows: 0, believed: 0.0 }
    }

    /// Goes on over `stretch`, which ends at `now`.
    fn extend(&mut self, confidence: f64, stretch: &Stretch, now: Duration) {
        (self.end, self.ended) = (stretch.end, now);
        self.windows += 1;
        self.believed += confidence;
    }

    fn lasts(&self) -> Duration {
        self.ended - self.began
    }

    fn episode(&self) -> Episode {
        let Self { activity, begin, end, windows, believed, .. } = *self;
        let confidence = if windows > 0 { believed / windows as f64 } else { 0.0 };
        Episode { activity, begin, end, lasts: self.lasts(), windows, confidence }
    }
}

impl Episodes {
    /// Episodes of no less than `shortest`; 0 makes one of each change.
    #[must_use]
    pub fn new(shortest: Duration) -> Self {
        Self { shortest, now: Duration::ZERO, current: None, next: None }
    }

    /// Takes the activity that is answered for `stretch`, and the belief in it, 0 to 1; the episode that ended before, if one
    /// did.
    pub fn push(&mut self, activity: usize, confidence: f64, stretch: &Stretch) -> Option<Episode> {
        let ended = if stretch.adjoins { None } else { self.finish() };
        let before = self.now;
        self.now = self.now.saturating_add(stretch.lasts);
        if let Some(current) = self.current.as_mut().filter(|current| current.activity == activity) {
            current.extend(confidence, stretch, self.now);
            self.next = None;
            return ended;
        }
        let mut next = self.next.filter(|next| next.activity == activity);
        let next = next.get_or_insert_with(|| Run::new(activity, stretch, before));
        next.extend(confidence, stretch, self.now);
        if next.lasts() < self.shortest {
            self.next = Some(*next);
            return ended;
        }
        self.next = None;
        ended.or(self.current.replace(*next).map(|run| run.episode()))
    }

    /// Ends the episode that goes on, if one does: the stream has ended, or had a gap.
    pub fn finish(&mut self) -> Option<Episode> {
        self.next = None;
        self.current.take().map(|run| run.episode())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(second: u64) -> Place {
        let time_s = second as f64;
        Place { sample: second, time_s: Some(time_s), wall: Some(Duration::from_secs(1_000_000 + second)) }
    }

    /// The episodes of a window every second, each of the activity that a letter stands for; ` ` is a second without one.
    fn episodes(letters: &str, shortest: u64) -> Vec<Episode> {
        let mut episodes = Episodes::new(Duration::from_secs(shortest));
        let (mut ended, mut before) = (Vec::new(), ' ');
        for (second, letter) in letters.chars().enumerate() {
            let second = second as u64;
            if letter != ' ' {
                let (begin, end) = (place(second), place(second + 1));
                let stretch = Stretch { begin, end, lasts: Duration::from_secs(1), adjoins: before != ' ' };
                ended.extend(episodes.push(letter as usize, 0.5, &stretch));
            }
            before = letter;
        }
        ended.extend(episodes.finish());
        assert_eq!(episodes.finish(), None);
        ended
    }

    /// The same, each as its letter, begin and end.
    fn told(letters: &str, shortest: u64) -> String {
        let tell = |it: &Episode| {
            let letter = char::from(it.activity as u8);
            assert_eq!(it.lasts.as_secs(), it.end.sample - it.begin.sample);
            format!("{letter}{}-{}", it.begin.sample, it.end.sample)
        };
        episodes(letters, shortest).iter().map(tell).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn an_episode_lasts_for_the_shortest_time_at_least() {
        assert_eq!(told("aaaaa", 5), "a0-5");
        assert_eq!(told("aaaa", 5), "");
        assert_eq!(told("aaaaabbbbb", 5), "a0-5 b5-10");
        assert_eq!(told("aaaaabbbb", 5), "a0-5");
        assert_eq!(told("aabbbbb", 5), "b2-7", "too short a beginning is none");
        assert_eq!(told("abab", 0), "a0-1 b1-2 a2-3 b3-4");
        assert_eq!(told("", 3), "");
    }

    #[test]
    fn flicker_makes_no_episode_and_ends_none() {
        assert_eq!(told("aaaaabaabbaaaaaa", 3), "a0-16");
        assert_eq!(told("aaaaabcbcbcbaaaa", 3), "a0-16", "none of the others lasts");
        assert_eq!(told("aaaaabcbcbcbddd", 3), "a0-5 d12-15", "it ends where it was answered last");
        assert_eq!(told("abcabcabc", 3), "");
        assert_eq!(told("aaaaabbabbb", 3), "a0-8 b8-11", "the same again begins anew");
    }

    #[test]
    fn a_gap_ends_an_episode_and_what_might_have_become_one() {
        assert_eq!(told("aaaaa   aaaaa", 5), "a0-5 a8-13");
        assert_eq!(told("aaaaa   aaaa", 5), "a0-5");
        assert_eq!(told("aaaabbb  bbb", 4), "a0-4");
        assert_eq!(told("aa bb", 1), "a0-2 b3-5");
    }

    #[test]
    fn confidence_is_the_mean_belief_without_the_flicker() {
        let mut episodes = Episodes::new(Duration::from_secs(2));
        let mut push = |activity, confidence, second: u64| {
            let (begin, end, lasts) = (place(second), place(second + 1), Duration::from_secs(1));
            episodes.push(activity, confidence, &Stretch { begin, end, lasts, adjoins: second > 0 })
        };
        for (activity, confidence, second) in [(1, 0.5, 0), (1, 0.75, 1), (0, 0.1, 2), (1, 1.0, 3), (0, 0.25, 4)] {
            assert_eq!(push(activity, confidence, second), None);
        }
        let ended = push(0, 0.75, 5).unwrap();
        let (begin, end, lasts) = (place(0), place(4), Duration::from_secs(4));
        assert_eq!(ended, Episode { activity: 1, begin, end, lasts, windows: 3, confidence: 0.75 });
        let last = episodes.finish().unwrap();
        assert_eq!((last.begin, last.end, last.windows, last.confidence), (place(4), place(6), 2, 0.5));
    }

    proptest! {
        /// Whatever is answered: episodes are in order, apart, long enough, of windows that said so at both ends, and none holds
        /// a run of another activity that is as long as one.
        #[test]
        fn episodes_are_what_was_answered_for_long(letters in "[abc ]{0,60}", shortest in 0..6u64) {
            let found = episodes(&letters, shortest);
            let seconds: Vec<char> = letters.chars().collect();
            let mut until = 0;
            for episode in &found {
                let (begin, end) = (episode.begin.sample as usize, episode.end.sample as usize);
                let letter = char::from(episode.activity as u8);
                prop_assert!(until <= begin && begin < end && end <= seconds.len());
                prop_assert!(episode.lasts.as_secs() >= shortest && episode.lasts.as_secs() as usize == end - begin);
                prop_assert!(seconds[begin] == letter && seconds[end - 1] == letter);
                let within = &seconds[begin..end];
                prop_assert!(!within.contains(&' '));
                prop_assert_eq!(within.iter().filter(|second| **second == letter).count() as u64, episode.windows);
                let others = within.chunk_by(|one, other| one == other).filter(|run| run[0] != letter);
                prop_assert!(others.map(<[char]>::len).max().unwrap_or(0) < shortest.max(1) as usize);
                until = end;
            }
            // what was answered for long enough is in one
            let mut begin = 0;
            for run in seconds.chunk_by(|one, other| one == other) {
                let end = begin + run.len();
                if run[0] != ' ' && run.len() as u64 >= shortest {
                    let holds = |it: &&Episode| it.activity == run[0] as usize
                        && it.begin.sample as usize <= begin && it.end.sample as usize >= end;
                    prop_assert_eq!(found.iter().filter(holds).count(), 1);
                }
                begin = end;
            }
        }
    }
}
