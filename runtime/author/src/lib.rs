//! From somebody's networks to a ladder: what their files say of themselves and what their owner states become a
//! [manifest](gaitd_core::ladder::Manifest), golden vectors and figures, in a directory that gaitd verifies and runs.
//!
//! The steps, in their order:
//!
//! 1. [`understand()`] makes a manifest of the files' facts and of what is [`Stated`], or says what has to be stated
//!    ([`Questions`]).
//! 2. A [`Draft`] holds manifest and files in memory, and its golden vectors: the answers of an independent reference
//!    or of a second backend.
//! 3. The draft is loaded as any model is, which verifies it.
//! 4. [`assess()`] finds accuracy, recall and temperature on held-out windows; [`front()`] says which configurations are worth
//!    keeping.
//! 5. [`Draft::write`] makes the directory, whole or not at all.

#![forbid(unsafe_code)]

mod assess;
mod draft;
mod means;
mod understand;

pub use assess::{Figures, assess, front};
pub use draft::{Draft, DraftError, GoldenWindows, in_the_way};
pub use means::Means;
pub use understand::{Conditioning, NetworkFile, Questions, Stated, StatedOfNetwork, understand};
