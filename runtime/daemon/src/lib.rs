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

#![forbid(unsafe_code)]

pub mod account;
mod config;
mod control_handle;
#[cfg(feature = "http")]
pub mod http;
mod interfaces;
mod learned_state;
mod load;
mod operations;
mod operator;
mod os;
mod prepare;
pub mod publish;
mod publish_reserve;
mod repeated_faults;
mod run;
mod stream;
mod threads;

pub use config::source::{OpenError, Opened};
pub use config::{Config, ConfigError, Http, OnFailure, Output, SourceSpec};
pub use control_handle::{ControlHandle, SettingsWatch};
pub use learned_state::{Memory, MemoryError};
pub use load::{LatestSignals, Sampling, SystemProbe, cpu_name};
pub use operations::Reconfigure;
pub use operator::{Operator, Refusal};
pub use os::activation::Activated;
pub use os::service_manager::{Heartbeat, Notifier};
pub use os::signals::{Hangup, Requests};
pub use os::stop::Stop;
pub use prepare::{StartError, kept_or_measured};
pub use publish_reserve::PublishReserve;
pub use run::{DaemonError, Ending, Plan, run};
