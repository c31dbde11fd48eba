//! Builders for tests and examples: a small model without an inference library, on a clock that only moves when
//! something is waited for.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use gaitd_core::testing::{FakeBackend, FakeModel};
//! use gaitd_core::ladder::Ladder;
//! use gaitd_core::virtual_time::VirtualClock;
//!
//! let clock = Arc::new(VirtualClock::new());
//! let latencies = [5, 10, 20].map(Duration::from_millis);
//! let ladder = Ladder::load(&FakeModel::new(3), &[&FakeBackend::new(&latencies, &clock)])?;
//! assert_eq!(ladder.configurations().len(), 3);
//! # Ok::<(), gaitd_core::ladder::LoadError>(())
//! ```

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::clock::Clock;
use crate::decode::Context;
use crate::ladder::{
    Backend, Cascade, FilesError, InferenceError, LoadError, Loaded, Memory, ModelFiles, Network, NetworkFiles, Runner,
    Task, sha256,
};
use crate::virtual_time::{VirtualClock, slow_down};
use crate::window::Window;

pub use crate::clock::ManualClock;

/// The activities that a [`FakeModel`] recognises.
pub const ACTIVITIES: [&str; 3] = ["resting", "walking", "running"];

/// The logit of the activity that a fake network recognises; that of the others is 0.
const LOGIT: f32 = 6.0;

/// Multiply-accumulates of the least configuration of a [`FakeModel`], and from one to the next.
const MACS: u64 = 1000;

/// Samples of a window of a [`FakeModel`], and from one window to the next; at 50 Hz.
const WINDOW: usize = 128;
const HOP: usize = 64;

/// The files of a model with one channel, at 50 Hz, in windows of 128 samples every 64.
///
/// Its networks answer with the activity whose index in [`ACTIVITIES`] is the window's first value. The more
/// multiply-accumulates a configuration takes, the more accurate it is; all of them recognise resting.
#[derive(Clone, Debug)]
pub struct FakeModel {
    configurations: usize,
    context: Option<Context>,
    cascades: Vec<Cascade>,
}

impl FakeModel {
    /// A ladder of so many configurations, which the manifest vouches for.
    #[must_use]
    pub fn new(configurations: usize) -> Self {
        Self { configurations, context: None, cascades: Vec::new() }
    }

    /// The same with a `context` in its manifest.
    #[must_use]
    pub fn with_context(self, context: Context) -> Self {
        Self { context: Some(context), ..self }
    }

    /// The same with `cascades` in its manifest.
    #[must_use]
    pub fn with_cascades(self, cascades: Vec<Cascade>) -> Self {
        Self { cascades, ..self }
    }

    fn file(rung: usize) -> String {
        format!("{rung}.onnx")
    }

    fn manifest(&self) -> serde_json::Value {
        let channel = json!([{"name": "acc", "unit": "g"}]);
        let configurations: Vec<_> = (0..self.configurations)
            .map(|rung| {
                let place = (rung + 1) as f64 / self.configurations as f64;
                let width = (place * 100.0).round() / 100.0;
                let accuracy = 0.7 + 0.28 * place;
                json!({
                    "id": format!("{width:.2}x-{WINDOW}"),
                    "width": width,
                    "resolution": WINDOW,
                    "file": Self::file(rung),
                    "sha256": sha256(Self::file(rung).as_bytes()),
                    "macs": MACS * (rung as u64 + 1),
                    "parameters": 10 * (rung + 1),
                    "accuracy": {"validation": accuracy},
                    "recall": [1.0, accuracy, accuracy],
                })
            })
            .collect();
        let mut manifest = json!({
            "schema": 3,
            "name": "fake",
            "task": {
                "labels": ACTIVITIES,
                "channels": channel,
                "sample_rate_hz": 50.0,
                "window": WINDOW,
                "hop": HOP,
                "input": {"channels": channel, "conditioning": []},
            },
            "training": {},
            "configurations": configurations,
        });
        if let Some(context) = self.context {
            manifest["context"] = json!(context);
        }
        if !self.cascades.is_empty() {
            manifest["cascades"] = json!(self.cascades);
        }
        manifest
    }

    fn golden(&self) -> serde_json::Value {
        let manifest = self.manifest();
        let ids = manifest["configurations"].as_array().into_iter().flatten();
        let logits: serde_json::Map<_, _> = ids
            .filter_map(|configuration| configuration["id"].as_str())
            .map(|id| (id.to_owned(), json!([[LOGIT, 0.0, 0.0]])))
            .collect();
        json!({"schema": 1, "windows": [[vec![0.0; WINDOW]]], "logits": logits})
    }
}

impl ModelFiles for FakeModel {
    fn origin(&self) -> String {
        "a fake model".to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("fake").join(name)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, FilesError> {
        Ok(match name {
            "manifest.json" => self.manifest().to_string().into_bytes(),
            "golden.json" => self.golden().to_string().into_bytes(),
            network => network.as_bytes().to_vec(),
        })
    }

    fn networks(&self) -> Result<Vec<String>, FilesError> {
        Ok((0..self.configurations).map(Self::file).collect())
    }
}

/// Runs a [`FakeModel`]: each inference takes its configuration's latency on a [`VirtualClock`], times that clock's
/// slowdown.
pub struct FakeBackend {
    latencies: Vec<Duration>,
    clock: Arc<VirtualClock>,
    fault: Option<Fault>,
}

/// A configuration, and whether its inferences fail now.
type Fault = (usize, Arc<AtomicBool>);

impl FakeBackend {
    /// One of `latencies` for each configuration, on `clock`.
    #[must_use]
    pub fn new(latencies: &[Duration], clock: &Arc<VirtualClock>) -> Self {
        Self { latencies: latencies.to_vec(), clock: Arc::clone(clock), fault: None }
    }

    /// The same, in which inferences of `rung` fail while `fails` is true.
    #[must_use]
    pub fn with_fault(self, rung: usize, fails: &Arc<AtomicBool>) -> Self {
        Self { fault: Some((rung, Arc::clone(fails))), ..self }
    }
}

impl Backend for FakeBackend {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn load(&self, files: &NetworkFiles<'_>) -> Result<Loaded, LoadError> {
        (0..files.manifest().configurations.len()).try_for_each(|rung| files.read(rung).map(drop))?;
        let (latencies, clock) = (self.latencies.clone(), Arc::clone(&self.clock));
        Ok(Loaded::Network(Arc::new(FakeNetwork { latencies, clock, fault: self.fault.clone() })))
    }
}

struct FakeNetwork {
    latencies: Vec<Duration>,
    clock: Arc<VirtualClock>,
    fault: Option<Fault>,
}

impl Network for FakeNetwork {
    fn runner(&self) -> Result<Box<dyn Runner>, InferenceError> {
        Ok(slow_down(
            Box::new(FakeRunner { begun: None, fault: self.fault.clone() }),
            self.latencies.clone(),
            &self.clock,
        ))
    }

    fn identity(&self) -> String {
        "fake".to_owned()
    }

    fn memory(&self) -> Memory {
        (0..self.latencies.len()).map(|rung| self.rung_memory(rung)).sum()
    }

    fn macs(&self, rung: usize) -> Option<u64> {
        Some(MACS * (rung as u64 + 1))
    }

    fn head_macs(&self, rung: usize, missing: usize) -> Option<u64> {
        (missing > 0 && missing < WINDOW).then(|| self.macs(rung).map(|macs| macs / 8 * 7))?
    }

    fn parameters(&self, _: usize) -> Option<u64> {
        None
    }

    fn rung_memory(&self, _: usize) -> Memory {
        Memory { shared: 1000, own: 100 }
    }

    fn kernels(&self, _: usize) -> &[String] {
        &[]
    }
}

struct FakeRunner {
    /// The configuration whose head is done.
    begun: Option<usize>,
    fault: Option<Fault>,
}

impl Runner for FakeRunner {
    fn head(
        &mut self,
        rung: usize,
        _: &[f32],
        _: usize,
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<bool, InferenceError> {
        self.begun = Some(rung).filter(|_| go_on());
        Ok(self.begun.is_some())
    }

    fn tail(&mut self, window: &[f32], logits: &mut [f32]) -> Result<(), InferenceError> {
        let rung = self.begun.take().ok_or(InferenceError::NoHead)?;
        self.infer(rung, window, logits)
    }

    fn infer(&mut self, rung: usize, window: &[f32], logits: &mut [f32]) -> Result<(), InferenceError> {
        self.begun = None;
        if self.fault.as_ref().is_some_and(|(faulty, fails)| *faulty == rung && fails.load(Ordering::Relaxed)) {
            return Err(InferenceError::NotFinite);
        }
        logits.fill(0.0);
        let recognised = window.first().and_then(|value| logits.get_mut(*value as usize));
        *recognised.ok_or_else(|| InferenceError::Failed("the window is of no activity".to_owned()))? = LOGIT;
        Ok(())
    }
}

/// Waits on `clock` until a stream of `task` has completed its window number `index`, and fills `window` with that: all
/// values are `activity`.
pub fn next_window(window: &mut Window, task: &Task, index: u64, activity: usize, clock: &dyn Clock) {
    window.index = index;
    window.first_sample = index * task.hop as u64;
    window.last_sample = window.first_sample + task.window as u64 - 1;
    let completed = (window.last_sample + 1) as f64 / task.sample_rate_hz;
    clock.wait_until(Duration::from_secs_f64(completed));
    (window.arrived, window.completed) = (clock.now(), clock.now());
    window.samples_mut().fill(activity as f32);
}
