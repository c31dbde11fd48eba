//! Simulation: every policy on the same draws of a scenario, beside references that know more than a policy can.
//! Deterministic, and without waiting.
//!
//! The references: the per-inference `oracle`, which knows each latency beforehand; the causal `bound`, a Bayes filter
//! that is given the true model of the slowdowns; and `best-fixed`, the best single configuration in hindsight.

mod bound;
mod draws;
mod run;
mod scenario;
mod virtual_time;

pub use draws::{Draw, Draws};
pub use run::{Contender, ScenarioReport, Score, SimulatedLadder, simulate};
pub use scenario::{
    BudgetSpan, Dwell, GivenConfiguration, LadderSpec, Level, LoadKind, LoadSpec, Order, Process, SCHEMA, Scenario,
    ScenarioError, SlowdownSpec, Tail, Trace,
};
pub use virtual_time::{VirtualClock, slow_down};
