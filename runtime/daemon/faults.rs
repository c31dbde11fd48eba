//! Telling repeated faults without flooding the log.

/// Decides which occurrences of one fault are worth a line: the 1st, 2nd, 4th, 8th and so on.
#[derive(Debug, Default)]
pub(super) struct Repeated(u64);

impl Repeated {
    /// Counts an occurrence; the number of occurrences so far if this one should be told.
    pub(super) fn occurred(&mut self) -> Option<u64> {
        self.0 += 1;
        self.0.is_power_of_two().then_some(self.0)
    }
}
