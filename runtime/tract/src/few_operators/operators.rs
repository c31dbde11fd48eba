//! The operators of a ladder's networks: what `gaitd-train` writes, and a sum for residual blocks.

use gaitd_onnx::{Attributes, Node};
use tract_core::internal::*;
use tract_core::ops::array::{Slice, TypedConcat};
use tract_core::ops::change_axes::{to_axis_ops_with_onnx_rules, wire_with_rank_broadcast};
use tract_core::ops::cnn::{Conv, KernelFormat, MaxPool, PaddingSpec, PoolSpec};
use tract_core::ops::einsum::EinSum;
use tract_core::ops::math::{add, max};
use tract_core::ops::nn::DataFormat;

/// Adds to `model` what `node` computes of `inputs`; where its result comes out.
pub(super) fn wire(model: &mut TypedModel, name: &str, node: &Node, inputs: &[OutletId]) -> TractResult<OutletId> {
    let mut attributes = Attributes::of(node);
    let outlets = match (&*node.operator, inputs) {
        ("Add", [_, _]) => wire_with_rank_broadcast(name, model, add(), inputs)?,
        ("Concat", [first, ..]) => {
            let axis = axis(attributes.integer("axis").context("it has no axis")?, model.outlet_fact(*first)?.rank())?;
            model.wire_node(name, TypedConcat::new(axis), inputs)?
        }
        ("Conv", [data, kernel, bias @ ..]) if bias.len() < 2 => {
            let conv = conv(model, *data, *kernel, &mut attributes)?;
            let bias = match bias {
                [bias] => *bias,
                _ => model.add_const(format!("{name}.bias"), tensor0(0_f32))?,
            };
            model.wire_node(name, conv, &[*data, *kernel, bias])?
        }
        ("Gemm", [a, b, bias @ ..]) if bias.len() < 2 => {
            attributes.only("alpha", |alpha| alpha.float == 1.0)?;
            attributes.only("beta", |beta| beta.float == 1.0)?;
            let axes = AxesMapping::for_numpy_matmul(2, attributes.flag("transA"), attributes.flag("transB"), false)?;
            let product =
                model.wire_node(format!("{name}.product"), EinSum::new(axes, f32::datum_type()), &[*a, *b])?;
            match bias {
                [bias] => wire_with_rank_broadcast(name, model, add(), &[product[0], *bias])?,
                _ => product,
            }
        }
        ("MaxPool", [data]) => {
            let pool = max_pool(model, *data, &mut attributes)?;
            model.wire_node(name, pool, inputs)?
        }
        ("Relu", [data]) => {
            let zero = tensor0(0_f32).broadcast_into_rank(model.outlet_fact(*data)?.rank())?;
            let zero = model.add_const(format!("{name}.zero"), zero)?;
            model.wire_node(name, max(), &[*data, zero])?
        }
        ("Reshape", [data, shape]) => {
            let from = model.outlet_fact(*data)?.shape.to_tvec();
            let to: TVec<TDim> = integers(model, *shape)?.into_iter().map(TDim::from).collect();
            let steps = to_axis_ops_with_onnx_rules(&from, &to, attributes.flag("allowzero"))?;
            chain(model, name, *data, steps)?
        }
        ("Slice", [data, starts, ends, axes]) => {
            let [starts, ends, axes] = [starts, ends, axes].map(|values| integers(model, *values));
            let slices = slices(&model.outlet_fact(*data)?.shape, &starts?, &ends?, &axes?)?;
            chain(model, name, *data, slices)?
        }
        (operator, inputs) => bail!(
            "gaitd built without the feature `onnx` has no {operator} of {} inputs; it has Add, Concat, Conv, Gemm, MaxPool, \
             Relu, Reshape and Slice",
            inputs.len()
        ),
    };
    attributes.end()?;
    Ok(outlets[0])
}

/// Wires `steps` one after the other.
fn chain<O: TypedOp>(
    model: &mut TypedModel,
    name: &str,
    data: OutletId,
    steps: impl IntoIterator<Item = O>,
) -> TractResult<TVec<OutletId>> {
    steps.into_iter().enumerate().try_fold(tvec!(data), |outlets, (step, operator)| {
        model.wire_node(format!("{name}.{step}"), operator, &outlets)
    })
}

fn conv(model: &TypedModel, data: OutletId, kernel: OutletId, attributes: &mut Attributes<'_>) -> TractResult<Conv> {
    let kernel = model.outlet_fact(kernel)?.shape.as_concrete().context("its kernel has no fixed shape")?;
    let group = usize::try_from(attributes.integer("group").unwrap_or(1))?;
    let [outputs, inputs, lengths @ ..] = kernel else { bail!("its kernel has the shape {kernel:?}") };
    if attributes.lengths("kernel_shape")?.is_some_and(|given| *given != *lengths) {
        bail!("its kernel_shape is not that of its kernel {kernel:?}");
    }
    let spec = PoolSpec {
        input_channels: inputs * group,
        output_channels: *outputs,
        ..sliding(model, data, lengths.into(), attributes, PaddingSpec::Explicit)?
    };
    Ok(Conv::new(spec, KernelFormat::OIHW, group, None))
}

fn max_pool(model: &TypedModel, data: OutletId, attributes: &mut Attributes<'_>) -> TractResult<MaxPool> {
    let lengths = attributes.lengths("kernel_shape")?.context("it has no kernel_shape")?;
    let round_up = attributes.flag("ceil_mode");
    // the order of the indices, which are not computed
    attributes.integer("storage_order");
    let padding = |before, after| PaddingSpec::ExplicitOnnxPool(before, after, round_up);
    Ok(MaxPool::new(sliding(model, data, lengths.into(), attributes, padding)?, None))
}

/// What convolution and pooling have in common: a window of `lengths` that slides over all axes behind the first two.
fn sliding(
    model: &TypedModel,
    data: OutletId,
    lengths: TVec<usize>,
    attributes: &mut Attributes<'_>,
    padding: impl FnOnce(TVec<usize>, TVec<usize>) -> PaddingSpec,
) -> TractResult<PoolSpec> {
    attributes.only("auto_pad", |auto| auto.text == b"NOTSET")?;
    let axes = lengths.len();
    let data = &model.outlet_fact(data)?.shape;
    let channels = data.get(1).context("it has no channels")?.to_usize()?;
    let pads = attributes.lengths("pads")?.unwrap_or_else(|| vec![0; 2 * axes]);
    let mut lengths_of = |name| attributes.lengths(name).map(|lengths| lengths.map(TVec::from));
    let (strides, dilations) = (lengths_of("strides")?, lengths_of("dilations")?);
    let fits = |given: &Option<TVec<usize>>| given.as_ref().is_none_or(|g| g.len() == axes && !g.contains(&0));
    if data.rank() != axes + 2 || pads.len() != 2 * axes || lengths.contains(&0) || !fits(&strides) || !fits(&dilations)
    {
        bail!("its window has {axes} axes, and its data, pads, strides or dilations have others, or a length of 0");
    }
    let padding = padding(pads[..axes].into(), pads[axes..].into());
    Ok(PoolSpec::new(DataFormat::NCHW, lengths, padding, dilations, strides, channels, channels))
}

/// The cuts that leave of each of `axes` what lies from its start to before its end.
fn slices(shape: &ShapeFact, starts: &[i64], ends: &[i64], axes: &[i64]) -> TractResult<Vec<Slice>> {
    if starts.len() != axes.len() || ends.len() != axes.len() {
        bail!("its starts, ends and axes are not equally many");
    }
    let cut = |((&start, &end), &along): ((&i64, &i64), &i64)| {
        let axis = axis(along, shape.rank())?;
        let length = shape[axis].to_i64()?;
        // counted from the end where negative
        let [start, end] = [start, end].map(|at| if at < 0 { at.saturating_add(length) } else { at }.clamp(0, length));
        if start >= end {
            bail!("nothing is left of axis {axis}");
        }
        Ok(Slice::new(axis, start, end))
    };
    starts.iter().zip(ends).zip(axes).map(cut).collect()
}

/// `axis` of `rank` axes, counted from the end where negative.
fn axis(axis: i64, rank: usize) -> TractResult<usize> {
    let counted = if axis < 0 { axis.saturating_add(i64::try_from(rank)?) } else { axis };
    usize::try_from(counted).ok().filter(|&axis| axis < rank).with_context(|| format!("there is no axis {axis}"))
}

/// The values of a constant.
fn integers(model: &TypedModel, outlet: OutletId) -> TractResult<Vec<i64>> {
    let value = model.outlet_fact(outlet)?.konst.as_ref().context("a shape or bound is not a constant")?;
    Ok(value.try_as_plain_ram()?.as_slice::<i64>()?.to_vec())
}
