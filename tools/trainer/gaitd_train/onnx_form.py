"""One calibrated configuration as a static-shape ONNX graph, batch-norm folded.

Two forms compute the same logits:

- `conv2d`, the default: a two-dimensional convolution over (axes, time). All axes share one matrix
  product, and tract runs the shipped ladder 1.3 to 2.1 times as fast in it, the small rungs gaining most
  (`gaitd profile --models DIR --dry-run` in turns on an export of each form; x86-64).
- `conv1d`: the axes become the batch of a one-dimensional convolution. Only for kernels that cover one axis.

Input `[1, channels, resolution]` float32, output `[1, classes]` logits.
"""

from itertools import pairwise

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from gaitd_train.errors import UserError
from gaitd_train.grid import Configuration
from gaitd_train.networks.slimmable import Network
from gaitd_train.networks.trace import Convolution, Output, Shape

FORMS = ("conv2d", "conv1d")
OPSET = 17
# The file format that goes with opset 17; without it, the library would write its own newest.
IR_VERSION = 8


def to_onnx(network: Network, configuration: Configuration, form: str) -> onnx.ModelProto:
    """Builds and checks the graph of one configuration."""
    if form not in FORMS:
        raise UserError(f"unknown form '{form}'; known: {', '.join(FORMS)}")
    graph = _Graph(form)
    window = graph.window(network.axes, configuration.resolution)
    answer = network.trace(graph, window, configuration)
    return graph.finish(answer.value, network.axes, answer.shape.channels, configuration)


class _Graph:
    """A tape (`gaitd_train.networks.trace.Tape`) of ONNX nodes; values are named by the nodes that give them.

    Features are `[axes, channels, time]` or `[1, channels, axes, time]`.
    """

    def __init__(self, form: str) -> None:
        self.flat = form == "conv1d"
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def window(self, axes: int, time: int) -> str:
        """The graph's input as features."""
        return self._reshape("window", [axes, 1, time] if self.flat else [1, 1, axes, time])

    def conv(
        self, value: str, before: Shape, after: Shape, layer: Convolution, configuration: Configuration
    ) -> str:
        weight, bias = layer.folded(before.channels, configuration)
        weight = weight.numpy()  # [out, in, time, axes]
        if self.flat and (weight.shape[3], layer.stride[1], layer.padding[1]) != (1, 1, 0):
            raise UserError("this network's kernels mix the axes, which conv1d cannot; export --form conv2d")
        number = sum(node.op_type == "Conv" for node in self.nodes)
        kernel = weight[:, :, :, 0] if self.flat else weight.transpose(0, 1, 3, 2)
        dims = slice(0, 1) if self.flat else slice(None, None, -1)
        return self._node(
            "Conv",
            value,
            self._constant(f"conv{number}_weight", kernel),
            self._constant(f"conv{number}_bias", bias.numpy()),
            kernel_shape=list(kernel.shape[2:]),
            strides=list(layer.stride[dims]),
            pads=2 * list(layer.padding[dims]),
        )

    def relu(self, value: str) -> str:
        return self._node("Relu", value)

    def add(self, value: str, other: str) -> str:
        return self._node("Add", value, other)

    def classify(self, value: str, before: Shape, layer: Output) -> str:
        """Max over each pool window of steps, then the weights of all of them."""
        windows, weight = layer.folded(before.channels, before.time)
        weight = weight.detach().numpy()  # [classes, channels, windows, axes]
        parts, order = [], []
        for run in _runs(windows):
            parts.append(self._pool(value, run, before.time))
            order += [windows.index(window) for window in run]
        pooled = parts[0]
        if len(parts) > 1:
            pooled = self._node("Concat", *parts, axis=2 if self.flat else 3)
        weight = weight[:, :, order]  # in the order of the parts
        weight = weight.transpose(0, 3, 1, 2) if self.flat else weight.transpose(0, 1, 3, 2)
        weight = weight.reshape(weight.shape[0], -1)
        return self._node(
            "Gemm",
            self._reshape(pooled, [1, weight.shape[1]]),
            self._constant("classifier_weight", weight),
            self._constant("classifier_bias", layer.bias.detach().numpy()),
            transB=1,
        )

    def finish(self, value: str, axes: int, classes: int, configuration: Configuration) -> onnx.ModelProto:
        """The model whose answer is `value`."""
        if not self.nodes or self.nodes[-1].output[0] != value:
            raise UserError("network: the last thing its layers do must be their answer")
        self.nodes[-1].output[0] = "logits"
        graph = helper.make_graph(
            self.nodes,
            configuration.id,
            [helper.make_tensor_value_info("window", TensorProto.FLOAT, [1, axes, configuration.resolution])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, classes])],
            self.constants,
        )
        model = helper.make_model(
            graph,
            producer_name="gaitd-train",
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
        onnx.checker.check_model(model, full_check=True)
        return model

    def _pool(self, value: str, run: list[tuple[int, int]], time: int) -> str:
        """Max over evenly spaced windows of one length; returns the name of the result."""
        (start, first_end), (_, end) = run[0], run[-1]
        kernel = first_end - start
        stride = run[1][0] - start if len(run) > 1 else 1
        if kernel == stride == 1 and len(run) == time:
            return value  # every step by itself
        if (start, end) != (0, time):
            bounds = [
                self._constant(f"{name}{len(self.nodes)}", np.array([bound], dtype=np.int64))
                for name, bound in (("start", start), ("end", end), ("axis", 2 if self.flat else 3))
            ]
            value = self._node("Slice", value, *bounds)
        pair = [] if self.flat else [1]
        return self._node("MaxPool", value, kernel_shape=[*pair, kernel], strides=[*pair, stride])

    def _reshape(self, value: str, shape: list[int]) -> str:
        values = np.array(shape, dtype=np.int64)
        return self._node("Reshape", value, self._constant(f"shape{len(self.nodes)}", values))

    def _node(self, kind: str, *inputs: str, **attributes) -> str:
        output = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def _constant(self, name: str, values: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name


def _runs(windows: list[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Splits windows into runs of one length and even spacing, each of which is one plain pool."""
    runs: list[list[tuple[int, int]]] = []
    for length in sorted({end - start for start, end in windows}):
        group = [window for window in windows if window[1] - window[0] == length]
        run = group[:1]
        for before, window in pairwise(group):
            if len(run) > 1 and window[0] - before[0] != run[1][0] - run[0][0]:
                runs.append(run)
                run = []
            run.append(window)
        runs.append(run)
    return runs
