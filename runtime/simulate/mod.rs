//! Simulation: every policy on the same draws of a scenario, beside references that know more than a policy can.
//! Deterministic, and without waiting.

mod scenario;

pub use scenario::{
    BudgetSpan, Dwell, GivenConfiguration, LadderSpec, Level, LoadKind, LoadSpec, Order, Process, SCHEMA, Scenario,
    ScenarioError, SlowdownSpec, Tail, Trace,
};
