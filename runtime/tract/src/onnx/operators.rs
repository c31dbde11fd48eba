//! Which operators gaitd runs, and what it refuses of them.
//!
//! tract (0.23) takes an attribute that it does not know for none at all, and then answers wrongly without a word. So the
//! tables name each operator with the attributes that tract reads, or that change no answer; every other one is refused,
//! and [`READ_OVER`] has the values and combinations that tract reads over or computes wrongly.

use tract_onnx::pb::{AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto};
use tract_onnx::tract_core::internal::*;

use super::names;

/// Versions of the operators whose definitions these tables were held against; of the oldest, what PyTorch wrote in 2017
/// runs, and forms that came to an end with it have attributes that are not in the tables.
const OPSETS: std::ops::RangeInclusive<i64> = 6..=28;

/// Operators, and attributes; `axes<13` is none from opset 13 on.
type Known = [(&'static str, &'static str)];

const CONVOLUTION: &str = "auto_pad dilations group kernel_shape pads strides";
const RANDOM: &str = "dtype high low mean scale seed";
const RECURRENT: &str = "activation_alpha activation_beta activations clip direction hidden_size layout";

/// The operators of ONNX itself. GlobalLpPool is left out, because tract takes its mean for its sum.
const ONNX: &Known = &[
    ("Abs Acos Acosh Add And Asin Asinh Atan Atanh BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Ceil Cos Cosh Div", ""),
    ("DynamicQuantizeLinear Equal Erf Exp Expand Floor GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual", ""),
    ("HardSwish Identity IsNaN Less LessOrEqual Log MatMul MatMulInteger Max Mean Min Mish Mul Neg NonZero Not Or", ""),
    ("PRelu Pow QLinearMatMul Reciprocal Relu Round Rsqrt Sigmoid Sign Sin Sinh Size Softplus Softsign Sqrt Sub", ""),
    ("Sum Tan Tanh Tile Where Xor", ""),
    ("ArgMax ArgMin", "axis keepdims select_last_index"),
    ("Attention", "is_causal kv_num_heads left_window_size q_num_heads qk_matmul_output_mode right_window_size scale"),
    ("Attention", "softcap softmax_precision"),
    ("AveragePool", "auto_pad ceil_mode count_include_pad dilations kernel_shape pads strides"),
    ("BatchNormalization", "epsilon momentum spatial training_mode"),
    ("BitShift", "direction"),
    ("BlackmanWindow HammingWindow HannWindow", "output_datatype periodic"),
    ("Cast CastLike", "round_mode saturate to"),
    ("Celu Elu LeakyRelu Swish ThresholdedRelu", "alpha"),
    ("Clip", "max<11 min<11"),
    ("Compress Concat Flatten Gather GatherElements Hardmax LogSoftmax OneHot Scatter Softmax", "axis"),
    ("Constant", "value value_float value_floats value_int value_ints value_string value_strings"),
    ("ConstantOfShape", "value"),
    ("Conv ConvInteger QLinearConv", CONVOLUTION),
    ("ConvTranspose", CONVOLUTION),
    ("ConvTranspose", "output_padding output_shape"),
    ("CumSum", "exclusive reverse"),
    ("DFT", "axis<20 inverse onesided"),
    ("DepthToSpace SpaceToDepth", "blocksize mode"),
    ("DequantizeLinear QuantizeLinear", "axis block_size output_dtype precision saturate"),
    ("Dropout", "ratio<12 seed"),
    ("Einsum", "equation"),
    ("EyeLike", "dtype k"),
    ("GRU", "linear_before_reset"),
    ("GRU LSTM RNN", RECURRENT),
    ("GatherND", "batch_dims"),
    ("Gelu", "approximate"),
    ("Gemm", "alpha beta transA transB"),
    ("GridSample", "align_corners mode padding_mode"),
    ("GroupNormalization", "epsilon num_groups stash_type"),
    ("HardSigmoid ParametricSoftplus ScaledTanh", "alpha beta"),
    ("If", "else_branch then_branch"),
    ("InstanceNormalization", "epsilon"),
    ("IsInf", "detect_negative detect_positive"),
    ("LRN", "alpha beta bias size"),
    ("LSTM", "input_forget"),
    ("LayerNormalization RMSNormalization SimplifiedLayerNormalization", "axis epsilon stash_type"),
    ("LpNormalization", "axis p"),
    ("MaxPool", "auto_pad ceil_mode dilations kernel_shape pads storage_order strides"),
    ("MeanVarianceNormalization", "axes"),
    ("MelWeightMatrix", "output_datatype"),
    ("Mod", "fmod"),
    ("Multinomial", "dtype sample_size seed"),
    ("NonMaxSuppression", "center_point_box"),
    ("Pad", "mode pads<11 value<11"),
    ("RandomNormal RandomNormalLike RandomUniform RandomUniformLike", RANDOM),
    ("RandomNormal RandomUniform", "shape"),
    ("Range", "stash_type"),
    (
        "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare",
        "axes<18",
    ),
    (
        "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare",
        "keepdims",
    ),
    ("ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin", "noop_with_empty_axes"),
    ("ReduceProd ReduceSumSquare", "noop_with_empty_axes"),
    ("ReduceSum", "axes<13 keepdims noop_with_empty_axes"),
    ("Reshape", "allowzero"),
    ("Resize", "antialias axes coordinate_transformation_mode cubic_coeff_a exclude_outside extrapolation_value"),
    ("Resize", "keep_aspect_ratio_policy mode nearest_mode"),
    ("RotaryEmbedding", "interleaved num_heads rotary_embedding_dim"),
    ("STFT", "onesided"),
    ("Scan", "body num_scan_inputs scan_input_axes scan_input_directions scan_output_axes scan_output_directions"),
    ("ScatterElements", "axis"),
    ("ScatterElements ScatterND", "reduction"),
    ("Selu", "alpha gamma"),
    ("Shape", "end start"),
    ("Shrink", "bias lambd"),
    ("Slice", "axes<10 ends<10 starts<10"),
    ("Split", "axis num_outputs split<13"),
    ("Squeeze Unsqueeze", "axes<13"),
    ("TopK", "axis largest sorted"),
    ("Transpose", "perm"),
    ("Trilu", "upper"),
];

/// The operators of classical machine learning, `ai.onnx.ml`.
const CLASSICAL: &Known = &[
    ("ArrayFeatureExtractor", ""),
    ("CategoryMapper", "cats_int64s cats_strings default_int64 default_string"),
    ("LinearClassifier", "classlabels_ints classlabels_strings coefficients intercepts multi_class post_transform"),
    ("LinearRegressor", "coefficients intercepts post_transform targets"),
    ("Normalizer", "norm"),
    ("TreeEnsembleClassifier", "base_values class_ids class_nodeids class_treeids class_weights classlabels_int64s"),
    ("TreeEnsembleClassifier", "classlabels_strings nodes_falsenodeids nodes_featureids nodes_hitrates nodes_modes"),
    ("TreeEnsembleClassifier", "nodes_missing_value_tracks_true nodes_nodeids nodes_treeids nodes_truenodeids"),
    ("TreeEnsembleClassifier", "nodes_values post_transform"),
];

/// The operators of ONNX Runtime, `com.microsoft`. Its Attention is another one than ONNX's.
const RUNTIME: &Known = &[
    ("BiasGelu FastGelu Gelu", ""),
    ("QuickGelu", "alpha"),
    ("DequantizeLinear QuantizeLinear", "axis"),
    ("GatherBlockQuantized", "bits block_size gather_axis quantize_axis"),
    ("GridSample", "align_corners mode padding_mode"),
    (
        "GroupQueryAttention",
        "causal do_rotary k_quant_type kv_cache_bit_width kv_num_heads local_window_size num_heads",
    ),
    (
        "GroupQueryAttention",
        "qk_output rotary_interleaved scale sliding_window_cache smooth_softmax softcap v_quant_type",
    ),
    ("MatMulNBits", "K N accuracy_level bits block_size"),
    ("MultiHeadAttention", "mask_filter_value num_heads scale unidirectional"),
    ("Pad", "mode"),
    ("RotaryEmbedding", "interleaved is_packed_batching num_heads rotary_embedding_dim scale"),
    ("SkipLayerNormalization SkipSimplifiedLayerNormalization", "epsilon"),
    ("Trilu", "upper"),
];

/// One node, and the version of its operator.
struct Node<'a> {
    node: &'a NodeProto,
    opset: i64,
    /// It stands in the body of a Scan.
    looped: bool,
}

impl<'a> Node<'a> {
    fn attribute(&self, name: &str) -> Option<&'a AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    /// The number `name`, where it is given.
    fn integer(&self, name: &str) -> Option<i64> {
        self.attribute(name).map(|attribute| attribute.i)
    }

    fn float(&self, name: &str) -> Option<f32> {
        self.attribute(name).map(|attribute| attribute.f)
    }

    fn text(&self, name: &str) -> &'a [u8] {
        self.attribute(name).map_or(b"", |attribute| &attribute.s)
    }

    /// Whether the optional input `place` is there.
    fn has_input(&self, place: usize) -> bool {
        self.node.input.get(place).is_some_and(|name| !name.is_empty())
    }

    /// Whether its activations are others than `usual`, which are those of one direction.
    fn activates_otherwise(&self, usual: &[&str]) -> bool {
        let own = self.attribute("activations").map_or(&[][..], |attribute| &attribute.strings);
        own.iter().zip(usual.iter().cycle()).any(|(own, usual)| own != usual.as_bytes())
    }

    /// Whether tract takes the given padding where the automatic one counts.
    fn pads_twice(&self) -> bool {
        let pads = self.attribute("pads").map(|attribute| &attribute.ints);
        match self.text("auto_pad") {
            b"" | b"NOTSET" => false,
            b"VALID" => pads.is_some_and(|pads| pads.iter().any(|pad| *pad != 0)),
            _ => pads.is_some(),
        }
    }
}

/// What of some operators is refused: when, in which words, and what to do.
struct Refusal {
    operators: &'static str,
    when: fn(&Node<'_>) -> bool,
    what: &'static str,
    instead: &'static str,
}

const fn refuse(
    operators: &'static str,
    when: fn(&Node<'_>) -> bool,
    what: &'static str,
    instead: &'static str,
) -> Refusal {
    Refusal { operators, when, what, instead }
}

const WITHOUT: &str = "export the network without it";

const READ_OVER: &[Refusal] = &[
    // tract pulls the inner one out of the outer one, and loses steps
    refuse("GRU LSTM RNN Scan", |it| it.looped, "a Scan around it", "export the network without one of them"),
    refuse("GRU LSTM RNN", |it| it.text("direction") == b"reverse", "the direction reverse alone", {
        "export both directions, or reverse the input"
    }),
    refuse("GRU LSTM RNN", |it| it.attribute("clip").is_some(), "clip", WITHOUT),
    refuse("GRU", |it| it.activates_otherwise(&["Sigmoid", "Tanh"]), "other activations than the usual", WITHOUT),
    refuse(
        "LSTM",
        |it| it.activates_otherwise(&["Sigmoid", "Tanh", "Tanh"]),
        "other activations than the usual",
        WITHOUT,
    ),
    refuse("RNN", |it| it.activates_otherwise(&["Tanh"]), "another activation than Tanh", WITHOUT),
    refuse("LSTM", |it| it.integer("input_forget").is_some_and(|it| it != 0), "input_forget", WITHOUT),
    refuse("BatchNormalization", |it| it.integer("training_mode").is_some_and(|it| it != 0), "training_mode 1", {
        "export the network in evaluation mode"
    }),
    refuse(
        "Attention",
        |it| ["left_window_size", "right_window_size"].iter().any(|name| it.integer(name).is_some_and(|it| it != -1)),
        "a window (left_window_size, right_window_size)",
        "export the network with an attention mask in its place",
    ),
    refuse(
        "Attention",
        |it| it.integer("is_causal").is_some_and(|it| it != 0) && (it.has_input(4) || it.has_input(5)),
        "both is_causal and past keys",
        "export the network with an attention mask in place of is_causal",
    ),
    refuse(
        "MultiHeadAttention",
        |it| it.integer("unidirectional").is_some_and(|it| it != 0),
        "unidirectional 1",
        WITHOUT,
    ),
    refuse("Swish", |it| it.float("alpha").is_some_and(|it| it != 1.0), "another alpha than 1", {
        "export the network with Mul and Sigmoid in its place"
    }),
    refuse("Celu", |it| it.float("alpha").is_some_and(|it| it != 1.0), "another alpha than 1", WITHOUT),
    refuse("SpaceToDepth", |it| !matches!(it.text("mode"), b"" | b"DCR"), "another mode than DCR", {
        "export the network with Reshape and Transpose in its place"
    }),
    refuse(
        "QuantizeLinear",
        // 2 is that of 8 bits without a sign
        |it| it.integer("output_dtype").is_some_and(|it| it != 0 && it != 2) && !it.has_input(2),
        "output_dtype and no zero point",
        "export the network with a zero point",
    ),
    refuse("LRN", |it| it.integer("size").is_some_and(|it| it % 2 == 0), "an even size", "export it with an odd one"),
    refuse(
        "AveragePool Conv ConvInteger ConvTranspose MaxPool QLinearConv",
        |it| it.pads_twice(),
        "both pads and auto_pad",
        "export the network with one of them",
    ),
    refuse(
        "Resize",
        |it| it.opset < 11,
        "the operator's form before opset 11",
        "export the network with a later opset",
    ),
    refuse(
        "Resize",
        |it| it.text("mode") == b"cubic" && it.text("coordinate_transformation_mode") == b"half_pixel_symmetric",
        "both the mode cubic and half_pixel_symmetric",
        "export the network with half_pixel",
    ),
    refuse(
        "GridSample",
        |it| matches!(it.text("mode"), b"bicubic" | b"cubic") && it.text("padding_mode") == b"border",
        "both a cubic mode and the padding_mode border",
        "export the network with another padding_mode",
    ),
    refuse("Scan", |it| it.opset < 9, "the operator's form before opset 9", "export the network with a later opset"),
    refuse(
        "TreeEnsembleClassifier",
        |it| {
            let labels = |name: &str| it.attribute(name).map_or(0, |it| it.ints.len() + it.strings.len());
            let labels = labels("classlabels_int64s") + labels("classlabels_strings");
            it.text("post_transform") == b"SOFTMAX" && labels < 3
        },
        "the post_transform SOFTMAX for two labels",
        "export it with LOGISTIC",
    ),
];

/// Whether `operator` is one of the words of `operators`.
fn among(operators: &str, operator: &str) -> bool {
    operators.split(' ').any(|known| known == operator)
}

/// Refuses operators that gaitd does not run, and what it does not run of those that it does.
///
/// # Errors
/// Those name the operator, its node, and what to do.
pub(super) fn check(file: &ModelProto) -> TractResult<()> {
    let default = |import: &&OperatorSetIdProto| matches!(&*import.domain, "" | "ai.onnx");
    let opset = file.opset_import.iter().find(default).map_or(0, |import| import.version);
    file.graph.as_ref().map_or(Ok(()), |graph| check_graph(graph, opset, false))
}

/// Refuses a version of ONNX's own operators that the tables were not held against; 0 stands for none.
fn check_opset(opset: i64) -> TractResult<()> {
    if opset == 0 {
        bail!("it does not say of which opset its operators are: export it again");
    }
    if !OPSETS.contains(&opset) {
        let (first, last) = (OPSETS.start(), OPSETS.end());
        bail!("its operators are of opset {opset}, and gaitd knows {first} to {last}: export it with one of those");
    }
    Ok(())
}

fn check_graph(graph: &GraphProto, opset: i64, looped: bool) -> TractResult<()> {
    for node in &graph.node {
        check_node(&Node { node, opset, looped })?;
        let inner = node.attribute.iter().flat_map(|attribute| attribute.g.iter().chain(&attribute.graphs));
        let looped = looped || node.op_type == "Scan";
        inner.into_iter().try_for_each(|graph| check_graph(graph, opset, looped))?;
    }
    Ok(())
}

fn check_node(it: &Node<'_>) -> TractResult<()> {
    let Node { node, opset, .. } = it;
    let (operator, name) = (&node.op_type, names::of(node));
    let known = match &*node.domain {
        "" | "ai.onnx" => {
            check_opset(*opset)?;
            ONNX
        }
        "ai.onnx.ml" => CLASSICAL,
        "com.microsoft" => RUNTIME,
        _ => &[],
    };
    if !known.iter().any(|(operators, _)| among(operators, operator)) {
        let of = if node.domain.is_empty() { String::new() } else { format!(" of {}", node.domain) };
        bail!(
            "gaitd cannot run the operator {operator}{of} (node {name}); export the network without it, for example with \
             another opset, or simplify it"
        );
    }
    for attribute in &node.attribute {
        let read = |entry: &str| match entry.split_once('<') {
            Some((name, before)) => name == attribute.name && before.parse().is_ok_and(|before| *opset < before),
            None => entry == attribute.name,
        };
        let mut rows = known.iter().filter(|(operators, _)| among(operators, operator));
        if !rows.any(|(_, attributes)| attributes.split(' ').any(read)) {
            bail!(
                "gaitd knows no attribute {} of {operator} in opset {opset} (node {name}); export the network without it, for \
                 example with another opset",
                attribute.name
            );
        }
    }
    let refusal = READ_OVER.iter().find(|refusal| among(refusal.operators, operator) && (refusal.when)(it));
    if let Some(Refusal { what, instead, .. }) = refusal {
        bail!("gaitd runs no {operator} with {what} (node {name}); {instead}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_tables_have_the_operators_that_tract_has() {
        let words = |text: &'static str| text.split(' ').filter(|word| !word.is_empty());
        let rows = || [ONNX, CLASSICAL, RUNTIME].into_iter().flatten();
        let known: BTreeSet<&str> = rows().flat_map(|(operators, _)| words(operators)).collect();
        let registered = tract_onnx::onnx().op_register.0;
        let mut tract: BTreeSet<&str> = registered.keys().map(String::as_str).collect();
        for left_out in ["GlobalLpPool", "ConstantLike"] {
            assert!(tract.remove(left_out), "{left_out}");
        }
        assert_eq!(known, tract);
        for refusal in READ_OVER {
            assert!(words(refusal.operators).all(|operator| known.contains(operator)), "{}", refusal.operators);
        }
    }
}
