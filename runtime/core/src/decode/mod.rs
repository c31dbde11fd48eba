//! The answer of the stream, not of the window: what the wearer is doing, from all windows so far.
//!
//! With the belief `b` after the window before, over `L` labels, `stay` the chance that the wearer still does the same, and `p`
//! what the present window says (softmax(logits / temperature)):
//!
//! ```text
//! pass    q[l] = stay b[l] + (1 - stay) / L                      stay = exp(-elapsed / bout), or less after a change
//! learn   b[l] = q[l] e[l] / sum over k of q[k] e[k]             e[l] = ((1 - doubt) p[l] + doubt / L) ^ (evidence share)
//! ```
//!
//! `doubt` keeps a window that is surely wrong from deciding alone: networks are surer than they are right, and the less
//! accurate one more so. `evidence`, at most 1, weighs windows, which err together: errors fill whole bouts. It holds for
//! windows that begin a hop after one another; of two that overlap more, the second one brings the `share` of it that is
//! new.
//!
//! Where the raw samples told of a movement that may be a change of activity (a [`Change`]), `stay` is at most what that leaves.
//!
//! Whatever changes leads to any activity alike: people who recorded training data followed a script, and a table of which
//! activity follows which would have learned the script.
//!
//! Beside the filter, [`FixedLag`] is the belief of some windows back by the answers since, too, and [`Viterbi`] the most probable
//! sequence of a whole recording; [`Episodes`] say from when to when an activity was answered.
//!
//! Sources: the forward pass of a hidden Markov model (Rabiner, "A tutorial on hidden Markov models", 1989), with a
//! tempered likelihood, as in annealed or power posteriors (Friel and Pettitt, 2008).

mod change;
mod context;
mod decoder;
mod detector;
mod episodes;
mod lag;
mod viterbi;

pub use change::{Change, Movement};
pub use context::{Context, ContextError};
pub use decoder::{Decoder, Trust};
pub use detector::ChangeDetector;
pub use episodes::{Episode, Episodes, Place, Stretch};
pub use lag::FixedLag;
pub use viterbi::Viterbi;
