//! The laboratory: policies in simulation, on recorded windows and on the machine at hand, and figures of what comes
//! out.
//!
//! # Example
//!
//! Every policy on a hundred inferences of a device that is now idle, now twice as slow:
//!
//! ```
//! use std::path::Path;
//!
//! use gaitd_lab::simulate::{Contender, LadderSpec, Scenario, SimulatedLadder, simulate};
//!
//! let scenario = br#"{
//!     "schema": 1, "name": "steps", "about": "idle, then loaded", "inferences": 100, "seeds": [1],
//!     "budgets": [{"ms": 30, "inferences": 1}], "miss_target": 0.02,
//!     "ladder": {"kind": "given", "labels": 6, "configurations": [
//!         {"id": "0.10x-96", "accuracy": 0.94, "latency_ms": 5, "macs": 100000},
//!         {"id": "1.00x-128", "accuracy": 0.98, "latency_ms": 20, "macs": 13000000}
//!     ]},
//!     "slowdown": {
//!         "kind": "process", "dwell": {"kind": "geometric", "mean": 25},
//!         "levels": [{"slowdown": 1, "load": 0}, {"slowdown": 2, "load": 0.5}]
//!     }
//! }"#;
//! let scenario = Scenario::parse(scenario, Path::new("steps.json"))?;
//! let LadderSpec::Given { labels, configurations } = &scenario.ladder else { unreachable!() };
//! let ladder = SimulatedLadder::given(*labels, configurations);
//! let report = simulate(&scenario, &ladder, &Contender::all(), || ())?;
//! let accuracy = |name: &str| report.score(name).map(|score| score.effective_accuracy);
//! assert!(accuracy("bayes") <= accuracy("oracle"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

pub mod figure;

pub mod simulate;

pub mod rehearse;

pub mod replay;
