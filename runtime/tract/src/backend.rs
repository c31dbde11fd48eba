//! A ladder as tract executes it: one optimised plan for each configuration.

use std::sync::Arc;

use gaitd_core::ladder::{Backend, InferenceError, LoadError, Memory, Network, NetworkFiles, Runner, finite};
use gaitd_core::window::Resampler;

use crate::executor::{Plan, State};

/// The backend; it takes every ladder.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tract;

impl Backend for Tract {
    fn name(&self) -> &'static str {
        "tract"
    }

    fn load(&self, files: &NetworkFiles<'_>) -> Result<Option<Arc<dyn Network>>, LoadError> {
        let manifest = files.manifest();
        let task = &manifest.task;
        let rung = |(rung, resolution): (usize, usize)| {
            // one file after the other, so that no more than one is in memory
            let onnx = files.read(rung)?;
            Rung::new(&onnx, task.channels.len(), task.window, resolution, task.labels.len())
                .map_err(|reason| LoadError::Network { path: files.path(rung), reason })
        };
        let resolutions = manifest.configurations.iter().map(|configuration| configuration.resolution);
        let rungs = resolutions.enumerate().map(rung).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(Arc::new(TractNetwork(rungs))))
    }
}

/// What never changes of one configuration.
struct Rung {
    plan: Plan,
    resampler: Resampler,
}

impl Rung {
    fn new(
        onnx: &[u8],
        channels: usize,
        window: usize,
        resolution: usize,
        labels: usize,
    ) -> Result<Self, InferenceError> {
        let plan = Plan::new(onnx, channels, resolution, labels)?;
        let resampler =
            Resampler::new(window, resolution).map_err(|error| InferenceError::Unusable(error.to_string()))?;
        Ok(Self { plan, resampler })
    }
}

struct TractNetwork(Vec<Rung>);

impl Network for TractNetwork {
    fn runner(&self) -> Result<Box<dyn Runner>, InferenceError> {
        let state = |rung: &Rung| Ok((rung.resampler.clone(), rung.plan.state()?));
        Ok(Box::new(TractRunner(self.0.iter().map(state).collect::<Result<_, InferenceError>>()?)))
    }

    fn memory(&self) -> Memory {
        self.0.iter().map(|rung| rung.plan.memory()).sum()
    }

    fn rung_memory(&self, rung: usize) -> Memory {
        self.0[rung].plan.memory()
    }

    fn kernels(&self, rung: usize) -> &[String] {
        self.0[rung].plan.kernels()
    }
}

struct TractRunner(Vec<(Resampler, State)>);

impl Runner for TractRunner {
    fn infer(&mut self, rung: usize, window: &[f32], logits: &mut [f32]) -> Result<(), InferenceError> {
        let (resampler, state) = &mut self.0[rung];
        state.infer(|input| resampler.apply(window, input), logits)?;
        finite(logits)
    }
}
