//! Decisions out: as readable lines or NDJSON, to standard output or a file.

mod line;
mod sink;
mod summary;

pub use line::{Context, Format, LineWriter};
pub use sink::{Sink, SinkFault};
pub(crate) use summary::Account;
pub use summary::{ActivityCount, ConfigurationUse, Misses, PhaseLatency, Recognised, Summary, WindowCounts};
