//! The daemon: threads, bounded channels, Unix signals and a clean end around one engine.
//!
//! One thread reads and conditions samples, one runs the engine, one reads the load, for which no window waits, and each
//! publisher (an output, the events, the metrics) has one. All channels are bounded, and buffers travel back to where
//! they are filled, so that the steady state allocates nothing. When the engine falls behind a live stream, the newest
//! windows win and those that they overtake are counted as dropped; a source that can wait (a recording read as fast as
//! possible) waits instead. A publisher that falls behind loses its oldest decisions, and does not slow the engine.
//!
//! Where there is an interface, one more thread serves HTTP; requests go through `operations`. Ladders are made and
//! freed in a thread of their own, the first one and those of reloads. The main thread waits: for the source's end,
//! Unix signals, and the service manager's next report. It joins every thread at the end of the run.
//!
//! # Example
//!
//! Half a minute of the simulated wearer, as fast as it can be read:
//!
//! ```
//! use std::sync::Arc;
//!
//! use gaitd_core::{clock::MonotonicClock, ladder::Library};
//! use gaitd_daemon::{Activated, Config, Output, Plan, Requests, SourceSpec, Stop, run};
//! use gaitd_daemon::publish::Format;
//! use gaitd_embedded::Embedded;
//! use gaitd_sense::Pace;
//! use gaitd_tract::Tract;
//!
//! # let state = tempfile::tempdir()?;
//! let config = Config {
//!     source: SourceSpec::Wearer { seed: 1, seconds: Some(30.0), pace: Pace::Fast },
//!     outputs: vec![Output { format: Format::None, ..Output::default() }],
//! #   state: Some(state.path().to_owned()),
//!     ..Config::default()
//! };
//! let library = Arc::new(Library::new(Arc::new(Embedded), vec![Box::new(Tract)]));
//! let clock = Arc::new(MonotonicClock::start());
//! let plan = Plan::new(config, library, None, Activated::default(), clock, Stop::default())?;
//! let windows = run(plan, &Requests::none())?.summary.windows;
//! assert!(windows.produced > 0);
//! assert_eq!(windows.produced, windows.decided + windows.dropped + windows.failed);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

pub mod account;
mod config;
mod control_handle;
#[cfg(feature = "http")]
pub mod http;
mod interfaces;
mod learned_state;
mod load;
mod log_limits;
mod operations;
mod operator;
mod os;
mod prepare;
pub mod publish;
mod reload;
mod run;
mod status;
mod stream;
mod sync;
mod threads;

pub use config::source::{OpenError, Opened};
pub use config::{Config, ConfigError, EpisodesConfig, Http, OnFailure, Output, Paths, RATES, SourceSpec, user_socket};
pub use control_handle::{ControlHandle, SettingsWatch};
pub use learned_state::{LearnedState, LearnedStateError};
pub use load::{LatestLoad, Sampling, SystemProbe, cpu_name};
pub use operations::Reconfigure;
pub use operator::{Operator, Refusal};
pub use os::activation::Activated;
pub use os::service_manager::{Heartbeat, Notifier};
pub use os::signals::{Hangup, Requests};
pub use os::stop::Stop;
pub use prepare::{StartError, kept_or_measured};
pub use run::{DaemonError, Ending, Plan, run};
