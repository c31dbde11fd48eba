//! One network as tract executes it.

use std::sync::Arc;

use gaitd_core::ladder::{InferenceError, Memory};
use tract_core::internal::*;
use tract_core::ops::konst::Const;
use tract_core::ops::matmul::optimized::OptMatMul;

use crate::onnx;

fn unusable(error: TractError) -> InferenceError {
    InferenceError::Unusable(format!("{error:#}"))
}

/// A network, shaped and optimised.
pub(crate) struct Plan {
    plan: Arc<TypedSimplePlan>,
    shape: [usize; 3],
    classes: usize,
    memory: Memory,
    kernels: Vec<String>,
}

impl Plan {
    /// Reads, shapes and optimises the ONNX file `network`, whose input must be `[1, channels, resolution]` and whose
    /// output `[1, classes]`.
    pub(crate) fn new(
        network: &[u8],
        channels: usize,
        resolution: usize,
        classes: usize,
    ) -> Result<Self, InferenceError> {
        let shape = [1, channels, resolution];
        let model = onnx::read(network, &shape).map_err(unusable)?;
        let shared = weights(&model);
        let model = model.into_optimized().map_err(unusable)?;
        let output = model.output_fact(0).map_err(unusable)?;
        if output.shape.as_concrete() != Some([1, classes].as_slice()) || output.datum_type != f32::datum_type() {
            return Err(InferenceError::Unusable(format!(
                "its output is {output:?}, and the manifest's labels need 1,{classes},F32"
            )));
        }
        let (memory, kernels) = (Memory { shared, own: intermediate_values(&model) }, kernels(&model));
        Ok(Self { plan: model.into_runnable().map_err(unusable)?, shape, classes, memory, kernels })
    }

    /// A state in which it runs, warmed up: the first inference allocates what later ones use again.
    pub(crate) fn state(&self) -> Result<State, InferenceError> {
        let state = self.plan.spawn().map_err(unusable)?;
        let input = Tensor::zero::<f32>(&self.shape).map_err(unusable)?;
        let mut state = State { state, input: Arc::new(input) };
        state.infer(|_| (), &mut vec![0.0; self.classes])?;
        Ok(state)
    }

    /// Bytes of its weights and of all intermediate values of one inference.
    pub(crate) fn memory(&self) -> Memory {
        self.memory
    }

    /// tract's names of the routines that multiply matrices here, in the order in which they first run.
    pub(crate) fn kernels(&self) -> &[String] {
        &self.kernels
    }
}

/// What changes while a plan runs, kept from one inference to the next.
pub(crate) struct State {
    state: TypedSimpleState,
    input: Arc<Tensor>,
}

impl State {
    /// One inference on the input that `fill` writes, `[channels, resolution]`.
    pub(crate) fn infer(&mut self, fill: impl FnOnce(&mut [f32]), logits: &mut [f32]) -> Result<(), InferenceError> {
        self.run(fill, logits).map_err(|error| InferenceError::Failed(format!("{error:#}")))
    }

    fn run(&mut self, fill: impl FnOnce(&mut [f32]), logits: &mut [f32]) -> TractResult<()> {
        // the state has dropped its share of the input after the last run, so the tensor is not copied
        fill(Arc::make_mut(&mut self.input).try_as_plain_ram_mut()?.as_slice_mut::<f32>()?);
        let outputs = self.state.run(tvec!(TValue::from_const(Arc::clone(&self.input))))?;
        logits.copy_from_slice(outputs[0].try_as_plain_ram()?.as_slice::<f32>()?);
        Ok(())
    }
}

/// Bytes of the constants of `model`, before tract folds some of them into its operators.
fn weights(model: &TypedModel) -> u64 {
    bytes(model, |node| node.op_is::<Const>())
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
