//! Decisions out: as readable lines or NDJSON to standard output or files, and as events and metrics over HTTP. What
//! takes decisions is a `Publisher`.

#[cfg(feature = "http")]
mod board;
mod line;
#[cfg(feature = "http")]
pub(crate) mod metrics;
pub(crate) mod output;
mod publisher;
mod sink;
mod table;
#[cfg(feature = "http")]
pub(crate) mod watch;

#[cfg(feature = "http")]
pub use board::{Board, Event, Subscription};
pub use line::{Format, LineWriter, RunHeader};
#[cfg(feature = "http")]
pub use metrics::{Metrics, Refused};
pub use publisher::PublishError;
pub(crate) use publisher::Publisher;
pub use sink::{Sink, take_back};
pub use table::Table;
