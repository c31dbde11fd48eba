//! A ladder as tract executes it: one optimised plan for each configuration.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use gaitd_core::ladder::NetworkFacts;
use gaitd_core::ladder::{
    Answers, Backend, Configuration, InferenceError, LoadError, Loaded, Memory, Network, NetworkFiles, Runner, Task,
    finite,
};

use crate::executor::{Form, Plan, State};
use crate::onnx;
use crate::wanted::Wanted;

/// What profiles are measured by.
const VERSION: &str = "tract-0.23";

/// The backend; it takes every ladder.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tract;

impl Backend for Tract {
    fn name(&self) -> &'static str {
        "tract"
    }

    fn load(&self, files: &NetworkFiles<'_>) -> Result<Loaded, LoadError> {
        load(files, Form::Optimised).map(Loaded::Network)
    }
}

/// The same without tract's optimiser, which [`Tract`] can be held against: each operator as the file has it, whose
/// answers are right where those of the optimised network are, and slow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unoptimised;

impl Backend for Unoptimised {
    fn name(&self) -> &'static str {
        "tract without its optimiser"
    }

    fn load(&self, files: &NetworkFiles<'_>) -> Result<Loaded, LoadError> {
        load(files, Form::AsRead).map(Loaded::Network)
    }
}

/// What the network in `onnx`, an ONNX file, says of itself.
///
/// # Errors
/// When it is not ONNX, or has an operator that gaitd does not run.
pub fn inspect(onnx: &[u8]) -> Result<NetworkFacts, InferenceError> {
    onnx::facts(onnx).map_err(crate::executor::unusable)
}

fn load(files: &NetworkFiles<'_>, form: Form) -> Result<Arc<dyn Network>, LoadError> {
    let manifest = files.manifest();
    let rung = |(rung, configuration): (usize, &Configuration)| {
        // one file after the other, so that no more than one is in memory
        let (onnx, weights) = (files.read(rung)?, files.weights(rung)?);
        let wanted = Wanted::new(&manifest.task, configuration, &weights);
        let plan = plan(&onnx, &wanted, &manifest.task, form)
            .map_err(|reason| LoadError::Network { path: files.path(rung), reason })?;
        Ok(Rung { plan, answers: configuration.output.holds })
    };
    let rungs = manifest.configurations.iter().enumerate().map(rung).collect::<Result<Vec<_>, LoadError>>()?;
    Ok(Arc::new(TractNetwork(rungs)))
}

/// A plan for the network in `onnx`. Whatever its file makes tract do, it is this network alone that is refused.
fn plan(onnx: &[u8], wanted: &Wanted<'_>, task: &Task, form: Form) -> Result<Plan, InferenceError> {
    let read = || Plan::new(onnx, wanted, task, form);
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        let text = text.unwrap_or("for no reason that it gives");
        Err(InferenceError::Unusable(format!("tract gave up on it: {text}")))
    })
}

/// What never changes of one configuration.
struct Rung {
    plan: Plan,
    answers: Answers,
}

struct TractNetwork(Vec<Rung>);

impl Network for TractNetwork {
    fn runner(&self) -> Result<Box<dyn Runner>, InferenceError> {
        let state = |rung: &Rung| Ok((rung.plan.state()?, rung.answers));
        Ok(Box::new(TractRunner(self.0.iter().map(state).collect::<Result<_, InferenceError>>()?)))
    }

    fn identity(&self) -> String {
        VERSION.to_owned()
    }

    fn memory(&self) -> Memory {
        self.0.iter().map(|rung| rung.plan.memory()).sum()
    }

    fn rung_memory(&self, rung: usize) -> Memory {
        self.0[rung].plan.memory()
    }

    fn macs(&self, rung: usize) -> Option<u64> {
        self.0[rung].plan.macs()
    }

    fn parameters(&self, rung: usize) -> Option<u64> {
        Some(self.0[rung].plan.parameters())
    }

    fn kernels(&self, rung: usize) -> &[String] {
        self.0[rung].plan.kernels()
    }
}

struct TractRunner(Vec<(State, Answers)>);

impl Runner for TractRunner {
    fn infer(&mut self, rung: usize, window: &[f32], logits: &mut [f32]) -> Result<(), InferenceError> {
        let (state, answers) = &mut self.0[rung];
        state.infer(window, logits)?;
        answers.to_logits(logits);
        finite(logits)
    }
}
