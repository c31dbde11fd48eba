//! Why no window came of a stream.

use std::fmt::{Display, Formatter, Result};

use crate::stream::StreamCounts;
use crate::words::counted;

/// What a stream had, and what one window would have taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shortfall {
    /// What the stream consisted of.
    pub counts: StreamCounts,
    /// The longest stretch of samples without a gap, seconds.
    pub longest_s: f64,
    /// What a window spans, seconds.
    pub window_s: f64,
    /// By how much conditioning is behind the samples, seconds.
    pub conditioning_s: f64,
}

impl Display for Shortfall {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let StreamCounts { samples, malformed, non_finite, out_of_order, astray, gaps, resets, .. } = self.counts;
        let causes: Vec<String> = [
            (gaps, "gap", "gaps"),
            (resets.saturating_sub(gaps), "time the clock was set back", "times the clock was set back"),
            (malformed, "malformed", "malformed"),
            (non_finite, "not finite or beyond 1e6", "not finite or beyond 1e6"),
            (out_of_order, "out of order", "out of order"),
            (astray, "with a timestamp far ahead", "with a timestamp far ahead"),
        ]
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| counted(count, one, many))
        .collect();
        match (samples, resets) {
            (0, _) if causes.is_empty() => return f.write_str("there are no samples"),
            (0, _) => f.write_str("none of its samples could be used")?,
            (_, 0) => write!(f, "{} of samples, but {}", seconds(self.longest_s), self.window())?,
            _ => {
                write!(f, "no stretch without a gap is longer than {}, but {}", seconds(self.longest_s), self.window())?
            }
        }
        if causes.is_empty() { Ok(()) } else { write!(f, " ({})", causes.join(", ")) }
    }
}

impl Shortfall {
    fn window(&self) -> String {
        let window = format!("a window takes {}", seconds(self.window_s));
        if self.conditioning_s > 0.0 {
            format!("{window}, and conditioning {} more", seconds(self.conditioning_s))
        } else {
            window
        }
    }
}

fn seconds(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.0} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(longest_s: f64, conditioning_s: f64, counts: StreamCounts) -> String {
        Shortfall { counts, longest_s, window_s: 2.56, conditioning_s }.to_string()
    }

    #[test]
    fn what_a_stream_lacked_is_told() {
        let none = StreamCounts::default();
        assert_eq!(told(0.0, 0.02, none), "there are no samples");
        let bad = StreamCounts { malformed: 7, non_finite: 2, ..none };
        assert_eq!(told(0.0, 0.02, bad), "none of its samples could be used (7 malformed, 2 not finite or beyond 1e6)");
        let short = StreamCounts { samples: 16, ..none };
        assert_eq!(told(0.32, 0.0, short), "320 ms of samples, but a window takes 2.56 s");
        let odd = StreamCounts { samples: 100, out_of_order: 60, gaps: 3, resets: 5, ..none };
        assert_eq!(
            told(1.2, 0.02, odd),
            "no stretch without a gap is longer than 1.20 s, but a window takes 2.56 s, and conditioning 20 ms more (3 gaps, 2 \
             times the clock was set back, 60 out of order)"
        );
    }
}
