//! Simulation: every policy on the same draws of a scenario, beside references that know more than a policy can.
//! Deterministic, and without waiting.
//!
//! The references: the per-inference `oracle`, which knows each latency beforehand; the causal `bound`, a Bayes filter
//! that is given the true model of the slowdowns; and `best-fixed`, the best single configuration in hindsight.

mod bound;
mod cascade;
mod contender;
mod draws;
mod dwell;
mod fit;
mod goals;
mod ladder;
mod player;
mod ranges;
mod run;
mod scatter;
mod scenario;
mod score;

pub use contender::Contender;
pub use draws::{Draw, Draws};
pub(crate) use fit::{INFERENCES, fit};
pub use goals::missed_goals;
pub use ladder::{ModelError, SimulatedLadder};
pub use run::{ScenarioReport, simulate};
pub use scenario::{
    BudgetSpan, Delay, Dwell, GivenConfiguration, HeadSpec, LadderSpec, Level, LoadKind, LoadSpec, Order, Process,
    SCHEMA, Scenario, ScenarioError, SlowdownSpec, Tail, Trace,
};
pub use score::Score;
