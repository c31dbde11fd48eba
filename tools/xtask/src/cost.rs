//! What steps cost: time, and time of the processors.

use std::fmt;
use std::fs;
use std::iter::Sum;
use std::time::{Duration, Instant};

/// The time that passed, and the processor time of the child processes that ended meanwhile; the latter is known on Linux
/// alone.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    wall: Duration,
    cpu: Option<Duration>,
}

impl Cost {
    /// The processor time, in user and kernel, of all child processes that have ended so far, their children included.
    pub(crate) fn of_children() -> Option<Duration> {
        children(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    /// The cost since `start`, when [`Cost::of_children`] was `children`.
    pub(crate) fn since(start: Instant, children: Option<Duration>) -> Self {
        let cpu = Self::of_children().zip(children).map(|(now, before)| now.saturating_sub(before));
        Self { wall: start.elapsed(), cpu }
    }
}

/// `cutime` and `cstime` of proc(5), which come in hundredths of a second on every Linux.
fn children(stat: &str) -> Option<Duration> {
    // the program's name, in brackets, may hold spaces
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(13);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(Duration::from_millis(10 * (next()? + next()?)))
}

impl Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), |sum, cost| Self {
            wall: sum.wall + cost.wall,
            cpu: cost.cpu.map_or(sum.cpu, |cpu| Some(sum.cpu.unwrap_or_default() + cpu)),
        })
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>7.1} s", self.wall.as_secs_f64())?;
        self.cpu.map_or(Ok(()), |cpu| write!(f, " {:>8.1} s CPU", cpu.as_secs_f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_children_is_read_behind_any_name() {
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 11 12 150 25 20 0 1 0";
        assert_eq!(children(stat), Some(Duration::from_millis(1750)));
        assert_eq!(children("7 (x) S 1 2"), None);
    }

    #[test]
    fn a_sum_is_that_of_both_times() {
        let cost = |wall, cpu| Cost { wall: Duration::from_secs(wall), cpu: Some(Duration::from_secs(cpu)) };
        let sum: Cost = [cost(1, 2), cost(3, 4)].into_iter().sum();
        assert_eq!(sum.to_string(), "    4.0 s      6.0 s CPU");
    }
}
