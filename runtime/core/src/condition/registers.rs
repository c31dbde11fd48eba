//! Rows of registers, and channels that are side by side in them.

/// Neighbouring input registers, and as many neighbouring ones that their results go to.
///
/// Filters work on all channels of a run at once, in loops whose length is known to the compiler: the axes of a sensor
/// have neighbouring registers, and so have sensors that go through the same operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) count: usize,
}

/// The lengths that runs have, the longest first: two sensors of three axes, one, and what is left over.
pub(super) const COUNTS: [usize; 4] = [6, 3, 2, 1];

/// Calls `$function` with the count of a run as its constant.
macro_rules! with_count {
    ($count:expr, $function:ident, $($argument:expr),*) => {
        match $count {
            6 => $function::<6>($($argument),*),
            3 => $function::<3>($($argument),*),
            2 => $function::<2>($($argument),*),
            _ => $function::<1>($($argument),*),
        }
    };
}
pub(super) use with_count;

impl Run {
    /// The runs of pairs of registers (from, to), in their order.
    pub(super) fn of(pairs: &[(usize, usize)]) -> Vec<Self> {
        let mut runs = Vec::new();
        let side_by_side = |one: &(usize, usize), next: &(usize, usize)| *next == (one.0 + 1, one.1 + 1);
        for mut stretch in pairs.chunk_by(side_by_side) {
            while let Some(&(from, to)) = stretch.first() {
                let count = COUNTS.into_iter().find(|count| *count <= stretch.len()).unwrap_or(1);
                runs.push(Self { from, to, count });
                stretch = &stretch[count..];
            }
        }
        runs
    }

    /// Its inputs in `row`, as many as it counts.
    #[inline(always)]
    pub(super) fn read<const N: usize>(self, row: &[f64]) -> [f64; N] {
        *row[self.from..].first_chunk().expect("a run lies within the row")
    }

    /// Puts its results into `row`, as many as it counts.
    #[inline(always)]
    pub(super) fn write<const N: usize>(self, row: &mut [f64], results: [f64; N]) {
        *row[self.to..].first_chunk_mut().expect("a run lies within the row") = results;
    }
}

/// One row of registers for each sample of a block, the earliest first.
pub(super) struct Rows<'a> {
    values: &'a mut [f64],
    registers: usize,
}

impl<'a> Rows<'a> {
    /// The rows that `values` holds, of so many registers each.
    pub(super) fn new(values: &'a mut [f64], registers: usize) -> Self {
        Self { values, registers }
    }

    pub(super) fn count(&self) -> usize {
        self.values.len() / self.registers
    }

    pub(super) fn first(&self) -> Option<&[f64]> {
        self.values.get(..self.registers)
    }

    #[inline(always)]
    pub(super) fn iter(&mut self) -> impl Iterator<Item = &mut [f64]> {
        self.values.chunks_exact_mut(self.registers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_that_go_to_neighbours_are_one_run() {
        let run = |from, to, count| Run { from, to, count };
        let pairs = |from: std::ops::Range<usize>, to: usize| from.enumerate().map(move |(n, from)| (from, to + n));
        let of = |pairs: Vec<_>| Run::of(&pairs);
        assert_eq!(of(pairs(0..6, 0).collect()), [run(0, 0, 6)]);
        assert_eq!(of(pairs(1..12, 20).collect()), [run(1, 20, 6), run(7, 26, 3), run(10, 29, 2)]);
        assert_eq!(of(pairs(2..6, 0).collect()), [run(2, 0, 3), run(5, 3, 1)]);
        assert_eq!(of(vec![(0, 0), (1, 2), (2, 3), (1, 4)]), [run(0, 0, 1), run(1, 2, 2), run(1, 4, 1)]);
        assert_eq!(of(vec![]), []);
    }
}
