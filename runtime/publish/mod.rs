//! Decisions out: as readable lines or NDJSON to standard output or a file, and as events, metrics and status over
//! HTTP.

pub mod api;
#[cfg(feature = "http")]
mod board;
#[cfg(feature = "http")]
pub mod http;
mod line;
#[cfg(feature = "http")]
mod metrics;
mod sink;
mod summary;

#[cfg(feature = "http")]
pub use board::{Board, Event, Subscription};
pub use line::{Context, Format, LineWriter};
#[cfg(feature = "http")]
pub use metrics::{Metrics, Refused};
pub use sink::{Sink, SinkFault};
pub(crate) use summary::Account;
pub use summary::{ActivityCount, ConfigurationUse, Misses, PhaseLatency, Recognised, Summary, WindowCounts};

use std::time::Duration;

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
