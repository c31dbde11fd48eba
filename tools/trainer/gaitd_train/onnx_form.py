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

from gaitd_train.cnn import Cnn
from gaitd_train.errors import UserError
from gaitd_train.grid import Configuration

FORMS = ("conv2d", "conv1d")
OPSET = 17
# The file format that goes with opset 17; without it, the library would write its own newest.
IR_VERSION = 8


def to_onnx(network: Cnn, configuration: Configuration, form: str) -> onnx.ModelProto:
    """Builds and checks the graph of one configuration."""
    if form not in FORMS:
        raise UserError(f"unknown form '{form}'; known: {', '.join(FORMS)}")
    graph = _Graph(form, network.axes, configuration.resolution)
    for block in network.blocks:
        weight, bias = block.folded(graph.channels, configuration)
        graph.conv(weight.numpy(), bias.numpy(), block.stride, block.padding)
    classifier = network.classifier
    windows, weight = classifier.folded(graph.channels, graph.length)
    graph.classify(windows, weight.detach().numpy(), classifier.bias.detach().numpy())
    return graph.finish(configuration, network.axes)


class _Graph:
    """Appends nodes to a chain; features are `[axes, channels, length]` or `[1, channels, axes, length]`."""

    def __init__(self, form: str, axes: int, length: int) -> None:
        self.flat = form == "conv1d"
        self.axes, self.length, self.channels = axes, length, 1
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.at = "window"
        self._reshape([axes, 1, length] if self.flat else [1, 1, axes, length])

    def conv(
        self, weight: np.ndarray, bias: np.ndarray, stride: tuple[int, int], padding: tuple[int, int]
    ) -> None:
        """Convolution and ReLU; `weight [out, in, time, axes]`, pairs (time, axes)."""
        outputs, _, over_time, over_axes = weight.shape
        if self.flat and (over_axes, stride[1], padding[1]) != (1, 1, 0):
            raise UserError("this network's kernels mix the axes, which conv1d cannot; export --form conv2d")
        layer = sum(node.op_type == "Conv" for node in self.nodes)
        kernel = weight[:, :, :, 0] if self.flat else weight.transpose(0, 1, 3, 2)
        dims = slice(0, 1) if self.flat else slice(None, None, -1)
        names = [
            self._constant(f"conv{layer}_weight", kernel),
            self._constant(f"conv{layer}_bias", bias),
        ]
        self._node(
            "Conv",
            names,
            kernel_shape=list(kernel.shape[2:]),
            strides=list(stride[dims]),
            pads=2 * list(padding[dims]),
        )
        self._node("Relu", [])
        self.channels = outputs
        self.length = (self.length + 2 * padding[0] - over_time) // stride[0] + 1
        self.axes = (self.axes + 2 * padding[1] - over_axes) // stride[1] + 1

    def classify(self, windows: list[tuple[int, int]], weight: np.ndarray, bias: np.ndarray) -> None:
        """Max over each half-open window of steps, then `weight [classes, channels, windows, axes]`."""
        features, parts, order = self.at, [], []
        for run in _runs(windows):
            self.at = features
            parts.append(self._pool(run))
            order += [windows.index(window) for window in run]
        if len(parts) > 1:
            self.at = parts[0]
            self._node("Concat", parts[1:], axis=2 if self.flat else 3)
        weight = weight[:, :, order]  # [classes, channels, windows, axes] in the order of the parts
        weight = weight.transpose(0, 3, 1, 2) if self.flat else weight.transpose(0, 1, 3, 2)
        weight = weight.reshape(weight.shape[0], -1)
        self._reshape([1, weight.shape[1]])
        self._node(
            "Gemm",
            [self._constant("classifier_weight", weight), self._constant("classifier_bias", bias)],
            transB=1,
        )

    def finish(self, configuration: Configuration, channels: int) -> onnx.ModelProto:
        self.nodes[-1].output[0] = "logits"
        classes = len(numpy_helper.to_array(self.constants[-1]))
        graph = helper.make_graph(
            self.nodes,
            configuration.id,
            [
                helper.make_tensor_value_info(
                    "window", TensorProto.FLOAT, [1, channels, configuration.resolution]
                )
            ],
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

    def _pool(self, run: list[tuple[int, int]]) -> str:
        """Max over evenly spaced windows of one length; returns the name of the result."""
        (start, first_end), (_, end) = run[0], run[-1]
        kernel = first_end - start
        stride = run[1][0] - start if len(run) > 1 else 1
        if kernel == stride == 1 and len(run) == self.length:
            return self.at  # every step by itself
        if (start, end) != (0, self.length):
            bounds = [
                self._constant(f"{name}{len(self.nodes)}", np.array([value], dtype=np.int64))
                for name, value in (("start", start), ("end", end), ("axis", 2 if self.flat else 3))
            ]
            self._node("Slice", bounds)
        pair = [] if self.flat else [1]
        self._node("MaxPool", [], kernel_shape=[*pair, kernel], strides=[*pair, stride])
        return self.at

    def _reshape(self, shape: list[int]) -> None:
        self._node("Reshape", [self._constant(f"shape{len(self.nodes)}", np.array(shape, dtype=np.int64))])

    def _node(self, kind: str, others: list[str], **attributes) -> None:
        output = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, [self.at, *others], [output], name=output, **attributes))
        self.at = output

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
