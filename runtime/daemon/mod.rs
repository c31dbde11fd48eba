//! The daemon: threads, bounded channels, signals and a clean end around one engine.
//!
//! One thread reads and conditions samples, one runs the engine, one writes, and one reads the signals of load, for
//! which nobody waits. All channels are bounded, and buffers travel back to where they are filled, so that the steady
//! state allocates nothing. When the engine falls behind a live stream, the newest window wins and the older one is
//! counted as dropped; a source that can wait (a recording read as fast as possible) waits instead.
//!
//! Where somebody may watch, one more thread shows decisions to metrics and subscribers, and one serves HTTP; what they
//! ask for goes through `operations`. Ladders are made and freed in a thread of their own, the first one and those of
//! reloads. The main thread waits: for the source's end, signals, and the service manager's next report.

mod activation;
mod audience;
mod compare;
mod config;
mod faults;
mod inference;
mod live;
mod memory;
mod notify;
mod operations;
mod outbox;
mod persistent;
mod prepare;
mod publishing;
mod requests;
mod run;
mod sensing;
mod service;
mod signals;
mod source;
mod stop;
mod workshop;

pub use activation::Activated;
pub use config::{Config, ConfigError, Http, OnFailure, Output, SourceSpec};
pub use memory::{Memory, MemoryError};
pub use notify::{Heartbeat, Notifier};
pub use operations::Reconfigure;
pub use prepare::{StartError, kept_or_measured};
pub use requests::{Hangup, Requests};
pub use run::{DaemonError, Ending, Plan, run};
pub(crate) use signals::{LatestSignals, Sampling};
pub use signals::{SystemProbe, cpu_name};
pub use source::{OpenError, Opened};
pub use stop::Stop;
