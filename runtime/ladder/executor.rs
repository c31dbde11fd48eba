//! How a configuration is executed. The rest of gaitd knows only the trait.

use std::sync::Arc;

use tract_core::internal::*;
use tract_core::ops::matmul::optimized::OptMatMul;

use super::onnx;

/// An inference that failed.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// The network could not be read, shaped or optimised.
    #[error("not a network that gaitd can run: {0}")]
    Unusable(String),
    /// The network ran and failed.
    #[error("inference failed: {0}")]
    Failed(String),
    /// The network answered with values that are not numbers.
    #[error("the network's logits are not finite")]
    NotFinite,
}

/// Executes one configuration: a window of `[channels, resolution]` (row-major) in, logits out, buffers reused.
pub trait Executor: Send {
    /// Runs one inference.
    ///
    /// # Errors
    /// When the execution fails or `logits` are not finite. `window` and `logits` have the lengths the executor was
    /// made for.
    fn infer(&mut self, window: &[f32], logits: &mut [f32]) -> Result<(), InferenceError>;

    /// Bytes of the weights and of all intermediate values of one inference.
    fn memory(&self) -> u64;
}

/// A tract plan with one state kept alive and its input tensor reused.
pub(super) struct TractExecutor {
    state: TypedSimpleState,
    input: Arc<Tensor>,
    memory: u64,
    kernels: Vec<String>,
}

impl TractExecutor {
    /// Reads, shapes and optimises the ONNX file `network`, whose input must be `[1, channels, resolution]` and whose
    /// output `[1, classes]`.
    pub(super) fn new(
        network: &[u8],
        channels: usize,
        resolution: usize,
        classes: usize,
    ) -> Result<Self, InferenceError> {
        let unusable = |error: TractError| InferenceError::Unusable(format!("{error:#}"));
        let shape = [1, channels, resolution];
        let model = onnx::read(network, &shape).and_then(TypedModel::into_optimized).map_err(unusable)?;
        let output = model.output_fact(0).map_err(unusable)?;
        if output.shape.as_concrete() != Some([1, classes].as_slice()) || output.datum_type != f32::datum_type() {
            return Err(InferenceError::Unusable(format!(
                "its output is {output:?}, and the manifest's labels need 1,{classes},F32"
            )));
        }
        let values = model.nodes.iter().flat_map(|node| &node.outputs);
        let memory = values.filter_map(|value| value.fact.mem_size().to_i64().ok()).map(i64::unsigned_abs).sum();
        let kernels = kernels(&model);
        let state = model.into_runnable().map_err(unusable)?.spawn().map_err(unusable)?;
        let input = Tensor::zero::<f32>(&shape).map_err(unusable)?;
        Ok(Self { state, input: Arc::new(input), memory, kernels })
    }

    /// tract's names of the routines that multiply matrices here, in the order in which they first run.
    pub(super) fn kernels(&self) -> &[String] {
        &self.kernels
    }

    fn run(&mut self, window: &[f32], logits: &mut [f32]) -> TractResult<()> {
        // the state has dropped its share of the input after the last run, so this copies nothing but the window
        let input = Arc::make_mut(&mut self.input);
        input.try_as_plain_ram_mut()?.as_slice_mut::<f32>()?.copy_from_slice(window);
        let outputs = self.state.run(tvec!(TValue::from_const(Arc::clone(&self.input))))?;
        logits.copy_from_slice(outputs[0].try_as_plain_ram()?.as_slice::<f32>()?);
        Ok(())
    }
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

impl Executor for TractExecutor {
    fn infer(&mut self, window: &[f32], logits: &mut [f32]) -> Result<(), InferenceError> {
        self.run(window, logits).map_err(|error| InferenceError::Failed(format!("{error:#}")))?;
        if logits.iter().all(|logit| logit.is_finite()) { Ok(()) } else { Err(InferenceError::NotFinite) }
    }

    fn memory(&self) -> u64 {
        self.memory
    }
}
