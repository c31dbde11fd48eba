//! The rehearsal: the paper's two experiments (Qin, Zhang et al., IEEE TKDE 2024) on the machine at hand.
//!
//! - *static*: one budget after the other, nothing else running;
//! - *varying*: one budget, and a co-runner that takes a share of the same processor, more in some phases than in
//!   others.
//!
//! All policies take turns: at each tick every one of them picks a configuration and runs its own inference, observing
//! only its own latencies, so that all meet the same load. Candidates' latencies are measured first, on the quiet
//! machine and in the same way. Where the machine is faster than the device that is meant, each inference is repeated;
//! every table and figure says how often.

mod bench;
mod co_runner;
mod doubts;
mod expected;
mod layout;
mod load;
mod load_watch;
mod machine;
mod outcome;
mod picture;
mod report;
mod run;
mod settings;
mod trace;

pub use co_runner::CoRunnerError;
pub use layout::compact_json;
pub use load::{CoRunnerLoad, LoadKind, carry};
pub use outcome::{Course, Inference, Measured, Outcome, Phase};
pub use report::{AfterFall, AfterRise, CourseReport, MeasuredReport, PhaseReport, PolicyReport, Report, Share, Used};
pub use run::{Rehearsal, RehearsalError};
pub use settings::{Experiment, Problem, Rehearsed, Repeats, Settings, SettingsError};
