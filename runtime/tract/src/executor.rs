//! One network as tract executes it.

use std::sync::Arc;

use gaitd_core::ladder::{InferenceError, Memory, Task};
use tract_core::internal::*;
use tract_core::ops::cnn::{Conv, Deconv};
use tract_core::ops::einsum::EinSum;
use tract_core::ops::gru_seq::GruSeq;
use tract_core::ops::konst::Const;
use tract_core::ops::matmul::optimized::OptMatMul;
use tract_core::ops::scan::{Scan, iteration_count};

use crate::feed::Feed;
use crate::onnx;
use crate::wanted::{Input, Wanted};

/// The most characters of an error of tract's, some of which hold a whole network.
const LONGEST_ERROR: usize = 600;

pub(crate) fn unusable(error: TractError) -> InferenceError {
    let text = format!("{error:#}");
    let end = text.char_indices().nth(LONGEST_ERROR).map(|(end, _)| end);
    InferenceError::Unusable(end.map_or_else(|| text.clone(), |end| format!("{} ...", &text[..end])))
}

/// What is executed of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// What tract makes of it for this processor.
    Optimised,
    /// The operators of its file.
    AsRead,
}

/// A network, shaped and, in that form, optimised.
pub(crate) struct Plan {
    plan: Arc<TypedSimplePlan>,
    feeds: Vec<Feed>,
    window: usize,
    classes: usize,
    memory: Memory,
    macs: Option<u64>,
    parameters: u64,
    kernels: Vec<String>,
}

impl Plan {
    /// Reads and shapes the ONNX file `network`, of which `wanted` is wanted, and whose output must hold a number for each
    /// of the labels of `task`, and makes its `form` of it.
    pub(crate) fn new(network: &[u8], wanted: &Wanted<'_>, task: &Task, form: Form) -> Result<Self, InferenceError> {
        let mut model = onnx::read(network, wanted).map_err(unusable)?;
        let (shared, parameters) = weights(&model);
        if form == Form::Optimised {
            model = model.into_decluttered().map_err(unusable)?;
        }
        let macs = Some(macs(&model).map_err(unusable)?).filter(|&macs| macs > 0);
        let classes = task.labels.len();
        let output = model.output_fact(0).map_err(unusable)?;
        let length = output.shape.as_concrete().map(|shape| shape.iter().product::<usize>());
        let number = output.datum_type.is_float();
        if length != Some(classes) || !number {
            return Err(InferenceError::Unusable(format!(
                "its output is {output:?}, and the manifest's {classes} labels need a floating-point number each"
            )));
        }
        let (channels, window) = (task.channels.len(), task.window);
        let feed = |(place, input): (usize, &Input<'_>)| {
            let datum_type = model.input_fact(place).map_err(unusable)?.datum_type;
            let resolution = input.shape.iter().product::<usize>() / input.channels.len();
            Feed::new(input, datum_type, channels, window, resolution)
        };
        let feeds = wanted.inputs.iter().enumerate().map(feed).collect::<Result<_, _>>()?;
        if form == Form::Optimised {
            model = model.into_optimized().map_err(unusable)?;
        }
        let (memory, kernels) = (Memory { shared, own: intermediate_values(&model) }, kernels(&model));
        let plan = model.into_runnable().map_err(unusable)?;
        Ok(Self { plan, feeds, window: channels * window, classes, memory, macs, parameters, kernels })
    }

    /// A state in which it runs, warmed up: the first inference allocates what later ones use again.
    pub(crate) fn state(&self) -> Result<State, InferenceError> {
        let state = self.plan.spawn().map_err(unusable)?;
        let mut state = State { state, feeds: self.feeds.clone() };
        state.infer(&vec![0.0; self.window], &mut vec![0.0; self.classes])?;
        Ok(state)
    }

    /// Bytes of its weights and of all intermediate values of one inference.
    pub(crate) fn memory(&self) -> Memory {
        self.memory
    }

    /// Multiply-accumulates of one inference, where its graph has any.
    pub(crate) fn macs(&self) -> Option<u64> {
        self.macs
    }

    /// How many weights it has.
    pub(crate) fn parameters(&self) -> u64 {
        self.parameters
    }

    /// tract's names of the routines that multiply matrices here, in the order in which they first run.
    pub(crate) fn kernels(&self) -> &[String] {
        &self.kernels
    }
}

/// What changes while a plan runs, kept from one inference to the next.
pub(crate) struct State {
    state: TypedSimpleState,
    feeds: Vec<Feed>,
}

impl State {
    /// One inference on `window`, `[channels, time]`; fills `answers`.
    pub(crate) fn infer(&mut self, window: &[f32], answers: &mut [f32]) -> Result<(), InferenceError> {
        self.run(window, answers).map_err(|error| InferenceError::Failed(format!("{error:#}")))
    }

    fn run(&mut self, window: &[f32], answers: &mut [f32]) -> TractResult<()> {
        let inputs = self.feeds.iter_mut().map(|feed| feed.fill(window)).collect::<TractResult<_>>()?;
        let outputs = self.state.run(inputs)?;
        let output = &outputs[0];
        if output.datum_type() == f32::datum_type() {
            answers.copy_from_slice(output.try_as_plain_ram()?.as_slice::<f32>()?);
        } else {
            let output = output.cast_to::<f32>()?;
            answers.copy_from_slice(output.try_as_plain_ram()?.as_slice::<f32>()?);
        }
        Ok(())
    }
}

/// Bytes of the constants of `model`, before tract folds some of them into its operators, and how many numbers they are
/// that can be weights.
fn weights(model: &TypedModel) -> (u64, u64) {
    let constants = model.nodes.iter().filter(|node| node.op_is::<Const>()).flat_map(|node| &node.outputs);
    let weights = constants.filter(|value| value.fact.datum_type.is_float() || value.fact.datum_type.size_of() == 1);
    let count = weights.filter_map(|value| value.fact.shape.volume().to_i64().ok()).map(i64::unsigned_abs).sum();
    (bytes(model, |node| node.op_is::<Const>()), count)
}

/// Multiply-accumulates of one run of `model`, those of loops each time; 0 where it has none.
pub(crate) fn macs(model: &TypedModel) -> TractResult<u64> {
    let number = |count: TDim| count.to_i64().unwrap_or_default().unsigned_abs();
    let mut all = 0_u64;
    for node in &model.nodes {
        let inputs = model.node_input_facts(node.id)?;
        // tract reckons a hyperbolic tangent, too, as so many of them
        let multiplies = node.op_is::<Conv>() || node.op_is::<Deconv>() || node.op_is::<EinSum>();
        for (cost, count) in node.op.cost(&inputs)? {
            if multiplies && matches!(cost, Cost::FMA(_)) {
                all = all.saturating_add(number(count));
            }
        }
        if let Some(scan) = node.op_as::<Scan>() {
            let runs = iteration_count(&scan.input_mapping, &inputs).map_or(0, number);
            all = all.saturating_add(runs.saturating_mul(macs(&scan.body)?));
        }
        if let Some(gru) = node.op_as::<GruSeq>() {
            // three gates see the hidden state, and the input too where that product does not stand before it
            let (x, hidden) = (&inputs[0].shape, gru.hidden as u64);
            let sees = hidden + if gru.projected { 0 } else { number(x[2].clone()) };
            all = all.saturating_add(number(x[0].clone() * &x[1]).saturating_mul(3 * hidden * sees));
        }
    }
    Ok(all)
}

/// Bytes of all values of `model`, optimised, but its constants.
fn intermediate_values(model: &TypedModel) -> u64 {
    bytes(model, |node| !node.op_is::<Const>())
}

fn bytes(model: &TypedModel, counts: impl Fn(&TypedNode) -> bool) -> u64 {
    let values = model.nodes.iter().filter(|node| counts(node)).flat_map(|node| &node.outputs);
    values.filter_map(|value| value.fact.mem_size().to_i64().ok()).map(i64::unsigned_abs).sum()
}

/// The routines with which `model`, optimised for this processor, multiplies matrices.
fn kernels(model: &TypedModel) -> Vec<String> {
    let products = model.nodes.iter().filter_map(|node| node.op_as::<OptMatMul>());
    let mut kernels: Vec<String> = Vec::new();
    for kernel in products.flat_map(|product| &product.mmm) {
        if !kernels.iter().any(|known| known == kernel.name()) {
            kernels.push(kernel.name().to_owned());
        }
    }
    kernels
}
