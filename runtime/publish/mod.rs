//! Decisions out: as readable lines or NDJSON, to standard output or a file.

pub mod api;
mod line;
mod sink;
mod summary;

pub use line::{Context, Format, LineWriter};
pub use sink::{Sink, SinkFault};
pub(crate) use summary::Account;
pub use summary::{ActivityCount, ConfigurationUse, Misses, PhaseLatency, Recognised, Summary, WindowCounts};

use std::time::Duration;

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
