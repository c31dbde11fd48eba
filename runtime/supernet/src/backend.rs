//! A ladder as this engine executes it.

use std::sync::Arc;

use gaitd_core::ladder::{
    Answers, Backend, InferenceError, Layout, LoadError, Loaded, Manifest, Memory, Network, NetworkFiles, Runner,
};
use gaitd_core::window::Resampler;

use crate::aligned::Aligned;
use crate::graph::Graph;
use crate::instruction_set;
use crate::kernels::Set;
use crate::pack::Packer;
use crate::plan::{Impossible, Plan};
use crate::reader;
use crate::runner::SupernetRunner;
use crate::splits::{Splits, SplitsOfAll};

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
    let shared =
        Shared { weights: packer.finish(), rungs, window: manifest.task.window, set, splits: SplitsOfAll::default() };
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
pub(crate) struct Rung {
    pub(crate) plan: Arc<Plan>,
    pub(crate) resampler: Resampler,
    pub(crate) answers: Answers,
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
        Self { plan: Arc::new(plan), resampler, answers, macs: graph.macs(), parameters: graph.parameters(), kernels }
    }
}

impl Rung {
    /// What fills a row of a channel with its time steps in `window`, from one of them on.
    pub(crate) fn fill<'a>(&'a self, window: &'a [f32]) -> impl FnMut(usize, usize, &mut [f32]) + 'a {
        let samples = self.resampler.length();
        move |channel, first, row| self.resampler.pick(&window[channel * samples..][..samples], first, row)
    }
}

/// What all runners of a ladder share.
pub(crate) struct Shared {
    pub(crate) weights: Aligned,
    pub(crate) rungs: Vec<Rung>,
    /// Samples of a window.
    pub(crate) window: usize,
    set: &'static Set,
    splits: SplitsOfAll,
}

impl Shared {
    /// Numbers of an arena for all configurations.
    pub(crate) fn arena(&self) -> usize {
        self.rungs.iter().map(|rung| rung.plan.arena()).max().unwrap_or_default()
    }

    /// How inferences are split where a window's last `missing` samples are not there; `None` where none or all are missing.
    pub(crate) fn splits(&self, missing: usize) -> Option<Arc<Splits>> {
        let known = self.window.checked_sub(missing).filter(|known| missing > 0 && *known > 0)?;
        Some(self.splits.get(&self.rungs, missing, known))
    }
}

struct Supernetwork(Arc<Shared>);

impl Network for Supernetwork {
    fn runner(&self) -> Result<Box<dyn Runner>, InferenceError> {
        Ok(Box::new(SupernetRunner::new(Arc::clone(&self.0))))
    }

    fn identity(&self) -> String {
        format!("supernet-{VERSION}-{}", self.0.set.name)
    }

    fn memory(&self) -> Memory {
        let plans: u64 = self.0.rungs.iter().map(|rung| rung.plan.bytes()).sum();
        let (splits, arena) = self.0.splits.memory(None);
        let own = self.0.arena().max(arena) * size_of::<f32>();
        Memory { shared: self.0.weights.bytes() + plans + splits, own: own as u64 }
    }

    fn rung_memory(&self, rung: usize) -> Memory {
        let plan = &self.0.rungs[rung].plan;
        let number = size_of::<f32>() as u64;
        let (splits, arena) = self.0.splits.memory(Some(rung));
        let own = plan.arena().max(arena) as u64 * number;
        Memory { shared: plan.weights_read() * number + plan.bytes() + splits, own }
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

    fn head_macs(&self, rung: usize, missing: usize) -> Option<u64> {
        let splits = self.0.splits(missing)?;
        splits.of(rung).map(|split| self.0.rungs[rung].macs.saturating_sub(split.tail_macs()))
    }
}
