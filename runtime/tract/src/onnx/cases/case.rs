//! One of the backend tests: read, run, compared.

use std::collections::HashMap;
use std::fs::read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use prost::Message;
use serde_json::Value;
use tract_onnx::data_resolver::MmapDataResolver;
use tract_onnx::pb::{
    GraphProto, ModelProto, TensorProto, TensorShapeProto, ValueInfoProto, tensor_shape_proto as axes, type_proto,
};
use tract_onnx::tensor::load_tensor;
use tract_onnx::tract_core::internal::*;

use super::super::{open_inputs, read_with};

/// `TensorProto.DataType` of text.
const STRING: i32 = 8;

/// How a test ends.
#[derive(PartialEq)]
pub(super) enum Outcome {
    Passes,
    PassesWithConstants,
    /// In the words of the table.
    Fails(String),
}

/// Runs the test in `folder`.
///
/// A network that people export has its weights, axes and shapes as constants, and these tests hand most of them in. What
/// is refused as it stands is tried again with constants in place of them.
pub(super) fn outcome(folder: &Path) -> Outcome {
    let mut last = String::new();
    for constants in [Constants::None, Constants::WholeNumbers, Constants::AllButTheFirst] {
        let run = catch_unwind(AssertUnwindSafe(|| check(folder, constants)));
        match run {
            Ok(Ok(())) if constants == Constants::None => return Outcome::Passes,
            Ok(Ok(())) => return Outcome::PassesWithConstants,
            Ok(Err(Failure::Differs)) => return Outcome::Fails("differs".to_owned()),
            Ok(Err(Failure::Same)) => break,
            Ok(Err(Failure::Refused(reason))) => last = reason,
            Err(_) => "panics".clone_into(&mut last),
        }
    }
    Outcome::Fails(last)
}

/// Which inputs become constants.
#[derive(Clone, Copy, PartialEq)]
enum Constants {
    None,
    WholeNumbers,
    AllButTheFirst,
}

enum Failure {
    Differs,
    /// No input becomes a constant, so that it would end as before.
    Same,
    Refused(String),
}

fn refused(stage: &str) -> impl Fn(TractError) -> Failure {
    move |error| Failure::Refused(short(stage, &error))
}

/// The innermost cause of `error`, short.
fn short(stage: &str, error: &TractError) -> String {
    let cause = error.chain().last().map(ToString::to_string).unwrap_or_default();
    let line = cause.lines().next().unwrap_or_default();
    // the node's name says nothing
    let mut cause = line.split(" (node ").next().unwrap_or_default().to_owned();
    cause.truncate(cause.floor_char_boundary(72));
    format!("{stage}: {}", cause.trim_end())
}

fn check(folder: &Path, constants: Constants) -> Result<(), Failure> {
    let unreadable = refused("reading");
    let file = |path: PathBuf| read(path).map_err(|error| unreadable(error.into()));
    let model = ModelProto::decode(&*file(folder.join("model.onnx"))?).map_err(|error| unreadable(error.into()))?;
    let graph = model.graph.as_ref().ok_or_else(|| unreadable(anyhow!("no graph")))?;
    let open: Vec<_> = open_inputs(graph).collect();
    if !open.iter().copied().chain(&graph.output).all(holds_numbers) {
        return Err(Failure::Refused("not tensors of numbers".to_owned()));
    }
    let settings: Value = serde_json::from_slice(&file(folder.join("data.json"))?).unwrap();
    let tolerance = |name: &str| settings[name].as_f64().unwrap();
    // tract computes exponentials to about 1e-6
    let (relative, absolute) = (tolerance("rtol"), tolerance("atol").max(1e-5));
    for set in 0.. {
        let data = folder.join(format!("test_data_set_{set}"));
        if !data.is_dir() {
            break;
        }
        let inputs = messages(&data, "input")?;
        let expected = messages(&data, "output")?.iter().map(tensor).collect::<Result<Vec<_>, _>>()?;
        let names = open.iter().map(|value| value.name.as_str());
        let outputs = run(&model, names.zip(inputs).collect(), constants)?;
        let close = |(output, expected): (&Tensor, &Tensor)| agree(output, expected, relative, absolute);
        if outputs.len() != expected.len() || !outputs.iter().zip(&expected).all(close) {
            return Err(Failure::Differs);
        }
    }
    Ok(())
}

fn holds_numbers(value: &ValueInfoProto) -> bool {
    match value.r#type.as_ref().and_then(|kind| kind.value.as_ref()) {
        Some(type_proto::Value::TensorType(tensor)) => tensor.elem_type != STRING,
        None => false,
    }
}

/// The tensors in `folder` whose files begin with `name`.
fn messages(folder: &Path, name: &str) -> Result<Vec<TensorProto>, Failure> {
    let paths = (0..).map(|number| folder.join(format!("{name}_{number}.pb"))).take_while(|path| path.exists());
    let read = |path: PathBuf| Ok(TensorProto::decode(&*read(path)?)?);
    paths.map(read).collect::<TractResult<_>>().map_err(refused("reading"))
}

fn tensor(message: &TensorProto) -> Result<Tensor, Failure> {
    load_tensor(&MmapDataResolver, message, None).map_err(refused("reading"))
}

/// Runs `model` on `inputs`, of which some become constants.
fn run(model: &ModelProto, inputs: Vec<(&str, TensorProto)>, constants: Constants) -> Result<Vec<Tensor>, Failure> {
    let mut model = model.clone();
    let graph = model.graph.as_mut().unwrap();
    let (mut fed, count) = (Vec::new(), inputs.len());
    for (place, (name, mut message)) in inputs.into_iter().enumerate() {
        let value = tensor(&message)?;
        let constant = match constants {
            Constants::None => false,
            Constants::WholeNumbers => !value.datum_type().is_float(),
            Constants::AllButTheFirst => place > 0,
        };
        if constant {
            graph.input.retain(|input| input.name != name);
            name.clone_into(&mut message.name);
            graph.initializer.push(message);
        } else {
            shape(graph, name, value.shape());
            fed.push(value);
        }
    }
    if constants != Constants::None && fed.len() == count {
        return Err(Failure::Same);
    }
    backend(&model, fed)
}

/// Gives the input `name` the shape of what is handed in.
fn shape(graph: &mut GraphProto, name: &str, shape: &[usize]) {
    let input = graph.input.iter_mut().find(|input| input.name == name).unwrap();
    let axis = |length: &usize| axes::Dimension {
        value: Some(axes::dimension::Value::DimValue(*length as i64)),
        ..axes::Dimension::default()
    };
    if let Some(type_proto::Value::TensorType(tensor)) = input.r#type.as_mut().and_then(|kind| kind.value.as_mut()) {
        tensor.shape = Some(TensorShapeProto { dim: shape.iter().map(axis).collect() });
    }
}

/// Runs `model` as the backend does it, below what it asks of a classifier.
fn backend(model: &ModelProto, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, Failure> {
    let typed = read_with(&model.encode_to_vec(), &HashMap::new(), |_| Ok(())).map_err(refused("reading"))?;
    let plan = typed.into_decluttered().and_then(TypedModel::into_optimized).and_then(TypedModel::into_runnable);
    let plan = plan.map_err(refused("optimising"))?;
    let input = |(place, input): (usize, Tensor)| {
        let widened = input.datum_type() == f16::datum_type();
        let input =
            if widened { input.cast_to_dt(plan.model().input_fact(place)?.datum_type)?.into_owned() } else { input };
        Ok(input.into_tvalue())
    };
    let run = || plan.run(inputs.into_iter().enumerate().map(input).collect::<TractResult<_>>()?);
    Ok(run().map_err(refused("running"))?.into_iter().map(TValue::into_tensor).collect())
}

/// Whether `output` is what is expected: whole numbers to the last, others as NumPy's `allclose` has it.
///
/// The backend computes half precision in single, and tract has a type of its own for lengths of axes.
fn agree(output: &Tensor, expected: &Tensor, relative: f64, absolute: f64) -> bool {
    let (kind, wanted) = (output.datum_type(), expected.datum_type());
    let widened = kind == f32::datum_type() && wanted == f16::datum_type();
    if output.shape() != expected.shape() || !(kind == wanted || widened || kind == TDim::datum_type()) {
        return false;
    }
    if !wanted.is_float() {
        return output.cast_to_dt(wanted).is_ok_and(|output| output.as_bytes() == expected.as_bytes());
    }
    let numbers = |tensor: &Tensor| Ok(tensor.cast_to::<f64>()?.try_as_plain_ram()?.as_slice::<f64>()?.to_vec());
    // what is expected was itself rounded to eleven bits at each step
    let (relative, absolute) =
        if wanted == f16::datum_type() { (relative.max(1e-2), absolute.max(1e-3)) } else { (relative, absolute) };
    let both: TractResult<_> = numbers(output).and_then(|output| Ok((output, numbers(expected)?)));
    both.is_ok_and(|(output, expected)| {
        let close = |(x, y): (&f64, &f64)| {
            x == y || (x.is_nan() && y.is_nan()) || (x - y).abs() <= absolute + relative * y.abs() && y.is_finite()
        };
        output.iter().zip(&expected).all(close)
    })
}
