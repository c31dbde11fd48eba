//! Decisions out: as readable lines or NDJSON to standard output or a file, and as events and metrics over HTTP.

#[cfg(feature = "http")]
mod board;
mod line;
#[cfg(feature = "http")]
pub(crate) mod metrics;
mod sink;

#[cfg(feature = "http")]
pub use board::{Board, Event, Subscription};
pub use line::{Format, LineWriter, RunHeader};
#[cfg(feature = "http")]
pub use metrics::{Metrics, Refused};
pub use sink::{Sink, SinkFault};
