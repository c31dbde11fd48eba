//! A ladder as this engine executes it.

use std::sync::Arc;

use gaitd_core::ladder::{
    Answers, Backend, InferenceError, Layout, LoadError, Loaded, Manifest, Memory, Network, NetworkFiles, Runner,
    finite,
};
use gaitd_core::window::Resampler;

use crate::aligned::Aligned;
use crate::graph::Graph;
use crate::instruction_set;
use crate::kernels::Set;
use crate::pack::Packer;
use crate::plan::{Impossible, Plan};
use crate::reader;

/// What profiles are measured by; raised whenever an inference takes another time than before.
const VERSION: u32 = 1;

/// The backend: it takes every ladder of which it knows all networks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Supernet;

impl Backend for Supernet {
    fn name(&self) -> &'static str {
        "supernet"
    }

    fn load(&self, files: &NetworkFiles<'_>) -> Result<Loaded, LoadError> {
        let set = instruction_set::chosen().map_err(|message| LoadError::Backend { backend: self.name(), message })?;
        load(files, set)
    }
}

/// The same with kernels of one kind, whatever the environment says; its name is theirs.
#[derive(Clone, Copy)]
pub struct WithKernels(&'static Set);

impl WithKernels {
    /// All that this program has for this processor, the best first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        crate::kernels::available().into_iter().map(Self).collect()
    }
}

impl Backend for WithKernels {
    fn name(&self) -> &'static str {
        self.0.name
    }

    fn load(&self, files: &NetworkFiles<'_>) -> Result<Loaded, LoadError> {
        load(files, self.0)
    }
}

fn load(files: &NetworkFiles<'_>, set: &'static Set) -> Result<Loaded, LoadError> {
    let manifest = files.manifest();
    let mut packer = Packer::new(set);
    let mut rungs: Vec<Option<Rung>> = manifest.configurations.iter().map(|_| None).collect();
    for rung in widest_first(manifest) {
        let left = |reason: String| {
            let path = files.path(rung);
            Ok(Loaded::Left(format!("{}: {reason}", path.file_name().unwrap_or(path.as_os_str()).display())))
        };
        if let Some(reason) = other_form(manifest, rung) {
            return left(reason.to_owned());
        }
        // one file after the other, so that no more than one is in memory
        let onnx = files.read(rung)?;
        let task = &manifest.task;
        let configuration = &manifest.configurations[rung];
        let (channels, time) = (task.channels.len(), configuration.time_steps(task.window));
        let output = configuration.output.name.as_deref();
        let graph = match reader::read(&onnx, channels, time, task.labels.len(), output) {
            Ok(graph) => graph,
            Err(error) => return left(error.to_string()),
        };
        drop(onnx);
        let plan = match Plan::new(&graph, set, &mut packer) {
            Ok(plan) => plan,
            Err(Impossible::TooLarge) => return left("it is too large".to_owned()),
            Err(Impossible::OutOfBounds) => return left("its plan is wrong, which is a mistake of gaitd's".to_owned()),
        };
        let Ok(resampler) = Resampler::new(task.window, time) else {
            return left("it reads no time step".to_owned());
        };
        rungs[rung] = Some(Rung::new(plan, resampler, configuration.output.holds, &graph, set));
    }
    let rungs: Vec<Rung> = rungs.into_iter().flatten().collect();
    let shared = Shared { weights: packer.finish(), rungs, window: manifest.task.window, set };
    Ok(Loaded::Network(Arc::new(Supernetwork(Arc::new(shared)))))
}

/// The places of the configurations, the widest first as far as the manifest knows widths, since its weights are those of
/// the others.
fn widest_first(manifest: &Manifest) -> Vec<usize> {
    let mut rungs: Vec<usize> = (0..manifest.configurations.len()).rev().collect();
    let width = |rung: &usize| manifest.configurations[*rung].width.unwrap_or_default();
    rungs.sort_by(|one, other| width(other).total_cmp(&width(one)));
    rungs
}

/// What of the configuration `rung` is described in a way that this engine does not know.
fn other_form(manifest: &Manifest, rung: usize) -> Option<&'static str> {
    let configuration = &manifest.configurations[rung];
    let channels = manifest.task.channels.len();
    match configuration.inputs.as_slice() {
        [] => {}
        [input]
            if input.layout == Layout::default()
                && input.places(&manifest.task.channels).into_iter().eq(0..channels) => {}
        _ => return Some("its inputs are not all channels in their order, in the layout 1,C,T"),
    }
    (!configuration.weights.is_empty()).then_some("it has weights in other files")
}

/// What never changes of one configuration.
struct Rung {
    plan: Plan,
    resampler: Resampler,
    answers: Answers,
    macs: u64,
    parameters: u64,
    kernels: Vec<String>,
}

impl Rung {
    fn new(plan: Plan, resampler: Resampler, answers: Answers, graph: &Graph, set: &Set) -> Self {
        let name = |form: usize| {
            let (channels, positions) = (set.forms[form].channels(), plan.most_positions(form));
            match set.forms[form].taps {
                Some(taps) => format!("supernet_{}_{channels}_taps{taps}", set.name),
                None => format!("supernet_{}_{channels}x{positions}", set.name),
            }
        };
        let kernels = plan.forms().into_iter().map(name).collect();
        Self { plan, resampler, answers, macs: graph.macs(), parameters: graph.parameters(), kernels }
    }
}

/// What never changes of a ladder.
struct Shared {
    weights: Aligned,
    rungs: Vec<Rung>,
    /// Samples of a window.
    window: usize,
    set: &'static Set,
}

impl Shared {
    /// Numbers of an arena for all configurations.
    fn arena(&self) -> usize {
        self.rungs.iter().map(|rung| rung.plan.arena()).max().unwrap_or_default()
    }
}

struct Supernetwork(Arc<Shared>);

impl Network for Supernetwork {
    fn runner(&self) -> Result<Box<dyn Runner>, InferenceError> {
        let arena = Aligned::zeros(self.0.arena());
        Ok(Box::new(SupernetRunner { shared: Arc::clone(&self.0), arena, latest: None }))
    }

    fn identity(&self) -> String {
        format!("supernet-{VERSION}-{}", self.0.set.name)
    }

    fn memory(&self) -> Memory {
        let plans: u64 = self.0.rungs.iter().map(|rung| rung.plan.bytes()).sum();
        Memory { shared: self.0.weights.bytes() + plans, own: (self.0.arena() * size_of::<f32>()) as u64 }
    }

    fn rung_memory(&self, rung: usize) -> Memory {
        let plan = &self.0.rungs[rung].plan;
        let number = size_of::<f32>() as u64;
        Memory { shared: plan.weights_read() * number + plan.bytes(), own: plan.arena() as u64 * number }
    }

    fn macs(&self, rung: usize) -> Option<u64> {
        Some(self.0.rungs[rung].macs)
    }

    fn parameters(&self, rung: usize) -> Option<u64> {
        Some(self.0.rungs[rung].parameters)
    }

    fn kernels(&self, rung: usize) -> &[String] {
        &self.0.rungs[rung].kernels
    }
}

struct SupernetRunner {
    shared: Arc<Shared>,
    arena: Aligned,
    /// The configuration whose zeros stand in the arena.
    latest: Option<usize>,
}

impl Runner for SupernetRunner {
    fn infer(&mut self, rung: usize, window: &[f32], logits: &mut [f32]) -> Result<(), InferenceError> {
        let Shared { weights, rungs, window: samples, .. } = &*self.shared;
        let Rung { plan, resampler, answers, .. } = &rungs[rung];
        if self.latest != Some(rung) {
            plan.enter(&mut self.arena);
            self.latest = Some(rung);
        }
        plan.run(weights, &mut self.arena, logits, |channel, row| {
            resampler.apply(&window[channel * samples..(channel + 1) * samples], row);
        });
        answers.to_logits(logits);
        finite(logits)
    }
}
