//! tract's reader, whose operators make no value that is too large. What they make is known to tract before it computes it,
//! and much of it, what depends on constants alone, is computed while a network is read.

use std::sync::OnceLock;

use tract_onnx::Onnx;
use tract_onnx::model::{OnnxOpRegister, ParsingContext};
use tract_onnx::pb::NodeProto;
use tract_onnx::tract_core::internal::*;
use tract_onnx::tract_hir::infer::{
    Factoid, InferenceFact, InferenceModel, InferenceModelPatch, InferenceNode, InferenceOp,
};

use super::bounds::MOST_VALUES;

/// The most values that one operator looks at, of all that it makes.
const MOST_LOOKS: u64 = 1 << 32;

/// Operators that make as much as their inputs say.
const GROWING: [&str; 6] = ["Expand", "OneHot", "Pad", "Range", "Resize", "Tile"];

/// The reader.
pub(super) fn reader() -> Onnx {
    let mut reader = tract_onnx::onnx().with_ignore_value_info(true);
    // a constant is looked for by its type, and has been checked
    for (_, builder) in reader.op_register.0.iter_mut().filter(|(name, _)| *name != "Constant") {
        *builder = bounded;
    }
    reader
}

fn bounded(context: &ParsingContext<'_>, node: &NodeProto) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    static TRACT: OnceLock<OnnxOpRegister> = OnceLock::new();
    let register = TRACT.get_or_init(|| tract_onnx::onnx().op_register);
    let builder = register.0.get(&node.op_type).with_context(|| format!("tract has no {}", node.op_type))?;
    let (operator, closures) = builder(context, node)?;
    let kernel = node.attribute.iter().find(|attribute| attribute.name == "kernel_shape");
    let looks = kernel.map_or(1, |kernel| kernel.ints.iter().map(|it| it.unsigned_abs()).fold(1, u64::saturating_mul));
    Ok((Box::new(Bounded { operator, name: node.op_type.clone(), looks }), closures))
}

/// An operator that makes no value that is too large.
#[derive(Clone, Debug)]
struct Bounded {
    operator: Box<dyn InferenceOp>,
    /// Its name in ONNX.
    name: String,
    /// How many values it looks at for each that it makes, in one channel.
    looks: u64,
}

impl Bounded {
    /// Refuses a value with these lengths of its axes, where it is too large.
    fn check(&self, lengths: &[i64]) -> TractResult<()> {
        let values = lengths.iter().map(|length| length.unsigned_abs()).fold(1, u64::saturating_mul);
        if values > MOST_VALUES {
            bail!("it makes a value of the shape {lengths:?}, and {MOST_VALUES} numbers are allowed");
        }
        if values.saturating_mul(self.looks) > MOST_LOOKS {
            bail!("it looks at {} numbers for each of {values}, and {MOST_LOOKS} in all are allowed", self.looks);
        }
        Ok(())
    }
}

/// The number that `input` is, where it is known.
fn number(input: &&InferenceFact) -> Option<f64> {
    let value = input.value.concretize()?;
    value.cast_to_scalar().ok().or_else(|| Some(value.cast_to_scalar::<i64>().ok()? as f64))
}

impl PartialEq for Bounded {
    fn eq(&self, _: &Self) -> bool {
        false
    }
}

impl Eq for Bounded {}

impl Op for Bounded {
    fn name(&self) -> StaticName {
        self.operator.name()
    }

    fn info(&self) -> TractResult<Vec<String>> {
        self.operator.info()
    }

    fn validation(&self) -> Validation {
        self.operator.validation()
    }

    fn as_typed(&self) -> Option<&dyn TypedOp> {
        self.operator.as_typed()
    }
}

impl EvalOp for Bounded {
    fn eval(&self, context: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        self.operator.eval(context, inputs)
    }

    fn eval_out_of_plan(&self, inputs: TVec<TValue>) -> TractResult<Option<TVec<TValue>>> {
        self.operator.eval_out_of_plan(inputs)
    }

    fn state(&self, context: &EvalContext<'_>) -> TractResult<Option<Box<dyn OpState>>> {
        self.operator.state(context)
    }
}

impl InferenceOp for Bounded {
    fn infer_facts(
        &mut self,
        inputs: TVec<&InferenceFact>,
        outputs: TVec<&InferenceFact>,
        observed: TVec<&InferenceFact>,
    ) -> TractResult<(TVec<InferenceFact>, TVec<InferenceFact>, TVec<InferenceFact>)> {
        if self.name == "Range"
            && let [Some(start), Some(limit), Some(step)] = inputs.iter().map(number).collect::<Vec<_>>()[..]
        {
            self.check(&[((limit - start) / step) as i64])?;
        }
        let facts = self.operator.infer_facts(inputs, outputs, observed)?;
        for output in &facts.1 {
            if let Some(shape) = output.shape.concretize() {
                self.check(&shape.iter().filter_map(|length| length.to_i64().ok()).collect::<Vec<_>>())?;
            }
        }
        Ok(facts)
    }

    fn observe_outlets(&self, model: &InferenceModel, node: &InferenceNode) -> TractResult<Vec<OutletId>> {
        self.operator.observe_outlets(model, node)
    }

    fn incorporate(&self, model: &InferenceModel, node: &InferenceNode) -> TractResult<Option<InferenceModelPatch>> {
        self.operator.incorporate(model, node)
    }

    fn nboutputs(&self) -> TractResult<usize> {
        self.operator.nboutputs()
    }

    fn as_op(&self) -> &dyn Op {
        self
    }

    fn as_op_mut(&mut self) -> &mut dyn Op {
        self
    }

    fn to_typed(
        &self,
        source: &InferenceModel,
        node: &InferenceNode,
        target: &mut TypedModel,
        mapping: &HashMap<OutletId, OutletId>,
    ) -> TractResult<TVec<OutletId>> {
        let outputs = self.operator.to_typed(source, node, target, mapping)?;
        if GROWING.contains(&&*self.name) && target.outlet_fact(outputs[0])?.shape.as_concrete().is_none() {
            bail!(
                "{} {}: how much it makes depends on what a window holds; export the network without it",
                self.name,
                node.name
            );
        }
        Ok(outputs)
    }
}
