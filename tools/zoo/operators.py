"""Writes a network from window to logits around each operator of ONNX that takes floating-point numbers:
`python operators.py OUT`.

Each folder of OUT is a case, as `networks.py` writes them, of the name of its operator. The node and its constants are
those of one of the ONNX project's backend tests; what flows through it are that test's values, scaled by the window.
ONNX Runtime answers, or ONNX's reference implementation to what that lacks.
"""

import argparse
import shutil
import warnings
from pathlib import Path

import cases
import numpy as np
import onnx
import onnxruntime
import windows
from onnx import TensorProto, helper, numpy_helper
from onnx.backend.test import loader
from onnx.reference import ReferenceEvaluator

# what cannot answer to all windows, or to none alike
LEFT_OUT = {
    **dict.fromkeys(["Bernoulli", "Multinomial", "RandomNormalLike", "RandomUniformLike"], "answers by chance"),
    **dict.fromkeys(["IsInf", "IsNaN"], "its test is no numbers"),
    **dict.fromkeys(["NonMaxSuppression", "Unique"], "the values say how many come out"),
    "DequantizeLinear": "only the scale is a floating-point number",
    "OneHot": "its numbers are places",
}
# what exporters write, at least
OPSET = 18
OPTIONS = onnxruntime.SessionOptions()
OPTIONS.log_severity_level = 4
# more takes the reference, in Python, too long
MOST_VALUES = 10_000
# The features of a window, before the head. Names of the zoo are apart from those of a test.
FEATURES = "zoo/features"
# (a, b): a value of the test times a + b u, where u is a sample, cut off at -1 and 1. The first of them for which an
# operator has numbers everywhere, and different ones, is taken.
SCALES = [(0.0, 2.0), (0.7, 0.6), (1.1, 0.1), (0.9, 0.1)]


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the folder to write to; folders of the same names are written anew")
    out = parser.parse_args().out
    warnings.filterwarnings("ignore")
    samples, _ = windows.make(16, seed=3)
    for operator, tests in by_operator(loader.load_model_tests(kind="node")).items():
        found = next(filter(None, (network(test, samples) for test in tests)), None)
        if found is None:
            continue
        model, answers = found
        folder = out / operator
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        onnx.save(model, folder / "model.onnx")
        cases.write(folder, samples, answers, {"window": windows.CHANNELS}, "1,C,T")


def by_operator(tests):
    """The tests of one node each that takes floating-point numbers, by its operator; the shortest names come first."""
    chosen = {}
    for test in sorted(tests, key=lambda test: (len(test.name), test.name)):
        if test.model is None or len(test.model.graph.node) != 1:
            continue
        (node,) = test.model.graph.node
        # time run backwards alone is no ordinary form of a recurrent operator
        ordinary = node.op_type not in LEFT_OUT and not test.name.endswith("_reverse")
        if node.domain == "" and ordinary and floats(test):
            chosen.setdefault(node.op_type, []).append(test)
    return dict(sorted(chosen.items()))


def schema(test):
    """The definition of the node of `test`, or None where networks of today have another one."""
    (node,) = test.model.graph.node
    tested = min(test.model.opset_import[0].version, onnx.defs.onnx_opset_version())
    found = onnx.defs.get_schema(node.op_type, tested)
    today = onnx.defs.get_schema(node.op_type, max(OPSET, found.since_version))
    return found if found.since_version == today.since_version else None


def floats(test):
    """The names of the inputs that may be floating-point numbers and are numbers, as `test` has them, or none."""
    (node,) = test.model.graph.node
    definition = schema(test)
    if definition is None:
        return []
    constraints = definition.type_constraints
    allowed = {entry.type_param_str for entry in constraints if "tensor(float)" in entry.allowed_type_strs}
    # the last one of them may stand for any number of inputs
    last = len(definition.inputs) - 1
    kinds = [definition.inputs[min(place, last)].type_str for place in range(len(node.input))]
    values = given(test)
    return [
        name
        for name, kind in zip(node.input, kinds, strict=True)
        if kind in allowed | {"tensor(float)"} and name in values and values[name].dtype.kind in "fiu"
    ]


def given(test):
    """What `test` hands to the inputs that are tensors, by their names."""
    pairs = zip(test.model.graph.input, test.data_sets[0][0], strict=False)
    return {info.name: np.asarray(value) for info, value in pairs if info.type.HasField("tensor_type")}


def network(test, samples):
    """Returns a network around the node of `test` and its answers to `samples`, or None where it has no use of them."""
    data, *_ = names = floats(test)
    values = given(test)
    values |= {name: values[name].astype(np.float32) for name in names}
    if not 0 < values[data].size <= MOST_VALUES:
        return None
    # gaitd warms up on zeros
    samples = np.concatenate([samples, 0 * samples[:1]])
    for scale in SCALES:
        nodes, constants = body(test, data, values, scale)
        try:
            features = run(model(test, nodes, constants, FEATURES), samples)
        except Exception:  # whatever the references lack
            return None
        spread = features.std(axis=0)
        if features.size and np.isfinite(features).all() and spread.max() > 1e-3 * np.abs(features).max():
            complete = model(test, *with_head(nodes, constants, features, spread), "logits")
            return complete, run(complete, samples)[:-1]
    return None


def body(test, data, values, scale):
    """Returns nodes from `window` to the features [1, N] around the node of `test`, and their constants by name.

    Of the `values` of its inputs those called `data` are scaled by the window.
    """
    (node,) = test.model.graph.node
    constants = {name: value for name, value in values.items() if name != data}
    data, flowing = values[data], data
    constants |= {
        "zoo/places": np.arange(data.size) % (len(windows.CHANNELS) * windows.WINDOW),
        "zoo/flat": np.array([-1]),
        "zoo/shape": np.array(data.shape, np.int64),
        "zoo/row": np.array([1, -1]),
        "zoo/low": np.float32(-1),
        "zoo/high": np.float32(1),
        "zoo/offset": (data * scale[0]).astype(np.float32),
        "zoo/slope": (data * scale[1]).astype(np.float32),
    }
    nodes = [
        helper.make_node("Reshape", ["window", "zoo/flat"], ["zoo/samples"]),
        helper.make_node("Gather", ["zoo/samples", "zoo/places"], ["zoo/picked"]),
        helper.make_node("Clip", ["zoo/picked", "zoo/low", "zoo/high"], ["zoo/cut"]),
        helper.make_node("Reshape", ["zoo/cut", "zoo/shape"], ["zoo/shaped"]),
        helper.make_node("Mul", ["zoo/shaped", "zoo/slope"], ["zoo/scaled"]),
        helper.make_node("Add", ["zoo/scaled", "zoo/offset"], [flowing]),
        node,
        helper.make_node("Cast", [next(filter(None, node.output))], ["zoo/numbers"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["zoo/numbers", "zoo/row"], [FEATURES]),
    ]
    return nodes, constants


def with_head(nodes, constants, features, spread):
    """Returns nodes and constants that end in logits which lie apart, whatever the size of the features."""
    weight = np.random.default_rng(0).normal(size=(len(spread), len(windows.LABELS))) * 3 / np.linalg.norm(spread)
    head = [
        helper.make_node("MatMul", [FEATURES, "zoo/weight"], ["zoo/product"]),
        helper.make_node("Add", ["zoo/product", "zoo/bias"], ["logits"]),
    ]
    bias = -features.mean(axis=0) @ weight
    return nodes + head, constants | {"zoo/weight": weight.astype(np.float32), "zoo/bias": bias.astype(np.float32)}


def model(test, nodes, constants, output):
    """Returns a model of `nodes` from `window` to `output`."""
    window = helper.make_tensor_value_info("window", TensorProto.FLOAT, [1, len(windows.CHANNELS), windows.WINDOW])
    graph = helper.make_graph(
        nodes,
        test.name,
        [window],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opset = helper.make_opsetid("", max(OPSET, schema(test).since_version))
    return helper.make_model(graph, opset_imports=[opset], ir_version=10)


def run(network, samples):
    """Returns what the reference answers to each of `samples`, [N, answers]."""
    try:
        session = onnxruntime.InferenceSession(network.SerializeToString(), OPTIONS, providers=["CPUExecutionProvider"])
    except Exception:  # one of several, for operators and for types that it lacks
        session = ReferenceEvaluator(network)
    return np.concatenate([session.run(None, {"window": sample[None]})[0].reshape(1, -1) for sample in samples])


if __name__ == "__main__":
    main()
