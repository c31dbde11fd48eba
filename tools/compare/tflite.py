"""Rewrites an exported configuration (ONNX) as a TensorFlow Lite flatbuffer with the same weights.

TensorFlow's own converters need gigabytes; LiteRT ships the schema, and a ladder needs a dozen operators. The rewrite
gives LiteRT what it runs fastest: channels last, bias and ReLU inside the convolutions, and no transposition that a
permuted weight can replace. An unknown operator is an error, and `compare.py` checks the logits.
"""

from collections import defaultdict
from dataclasses import dataclass

import flatbuffers
import numpy as np
import onnx
from ai_edge_litert import schema_py_generated as schema
from onnx import numpy_helper

OPERATORS = schema.BuiltinOperator
RELU = schema.ActivationFunctionType.RELU


class UnsupportedError(Exception):
    """The network has an operator or a layout that cannot be rewritten."""


@dataclass
class Value:
    """An ONNX value that lives in a TFLite tensor.

    `index` has the ONNX shape and holds, for every element, its flat position in the tensor. Reshapes and
    transpositions therefore only change `index`; memory moves where an operator needs a layout.
    """

    tensor: int
    index: np.ndarray


def convert(model: onnx.ModelProto) -> bytes:
    """The flatbuffer of `model`, which has static shapes, one float input and one output."""
    return _Conversion(model.graph).run()


class _Writer:
    """Collects the tensors, buffers and operators of one flatbuffer."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.tensors: list[schema.TensorT] = []
        self.buffers = [schema.BufferT()]  # the format keeps buffer 0 empty: "no data"
        self.operators: list[schema.OperatorT] = []
        self.codes: list[int] = []

    def tensor(self, shape: tuple[int, ...]) -> int:
        """A tensor of floats that an operator will fill."""
        return self._add(shape, schema.TensorType.FLOAT32, 0)

    def constant(self, data: np.ndarray) -> int:
        kinds = {"float32": schema.TensorType.FLOAT32, "int32": schema.TensorType.INT32}
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
        self.buffers.append(buffer)
        return self._add(data.shape, kinds[data.dtype.name], len(self.buffers) - 1)

    def _add(self, shape: tuple[int, ...], kind: int, buffer: int) -> int:
        tensor = schema.TensorT()
        tensor.shape, tensor.type, tensor.buffer = np.array(shape, np.int32), kind, buffer
        tensor.name = f"t{len(self.tensors)}"
        self.tensors.append(tensor)
        self.shapes.append(tuple(int(size) for size in shape))
        return len(self.tensors) - 1

    def emit(self, name: str, inputs: list[int], shape: tuple[int, ...], kind: str = "", **options) -> int:
        """Adds an operator with one new output of `shape`; `kind` names its table of options in the schema."""
        code = getattr(OPERATORS, name)
        if code not in self.codes:
            self.codes.append(code)
        operator = schema.OperatorT()
        output = self.tensor(shape)
        operator.opcodeIndex, operator.inputs, operator.outputs = self.codes.index(code), inputs, [output]
        if kind:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = getattr(schema, kind + "T")()
            for key, value in options.items():
                setattr(operator.builtinOptions, key, value)
        self.operators.append(operator)
        return output

    def bytes(self, inputs: list[int], outputs: list[int]) -> bytes:
        graph = schema.SubGraphT()
        graph.tensors, graph.operators, graph.inputs, graph.outputs = (
            self.tensors,
            self.operators,
            inputs,
            outputs,
        )
        model = schema.ModelT()
        model.version, model.buffers, model.subgraphs, model.operatorCodes = 3, self.buffers, [graph], []
        for builtin in self.codes:
            code = schema.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode = builtin, min(builtin, 127)
            model.operatorCodes.append(code)
        builder = flatbuffers.Builder()
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


class _Conversion:
    """Walks the ONNX graph once, in its topological order."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.out = _Writer()
        self.constants = {array.name: numpy_helper.to_array(array) for array in graph.initializer}
        self.values: dict[str, Value] = {}
        self.readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self.readers[name].append(node)
        self.fused: set[str] = set()

    def run(self) -> bytes:
        (source,) = (entry for entry in self.graph.input if entry.name not in self.constants)
        (sink,) = self.graph.output
        entry = self.out.tensor(tuple(dim.dim_value for dim in source.type.tensor_type.shape.dim))
        self.values[source.name] = self.fresh(entry)
        for node in self.graph.node:
            if node.output[0] in self.fused:
                continue
            visit = getattr(self, "on_" + node.op_type.lower(), None)
            if visit is None:
                raise UnsupportedError(f"{node.op_type} (node {node.name!r}) has no rewrite in tflite.py")
            visit(node, {named.name: onnx.helper.get_attribute_value(named) for named in node.attribute})
        result = self.values[sink.name]
        return self.out.bytes([entry], [self.laid_out(result, result.index)])

    # --- values and layouts

    def fresh(self, tensor: int) -> Value:
        """A value with the shape and order of `tensor`."""
        shape = self.out.shapes[tensor]
        return Value(tensor, np.arange(np.prod(shape, dtype=int)).reshape(shape))

    def value(self, name: str) -> Value:
        if name in self.constants:
            raise UnsupportedError(f"{name!r} is a constant where a computed value is expected")
        return self.values[name]

    def constant(self, name: str) -> np.ndarray:
        if name not in self.constants:
            raise UnsupportedError(f"{name!r} must be a constant")
        return self.constants[name]

    def laid_out(self, value: Value, wanted: np.ndarray) -> int:
        """A tensor of the shape of `wanted` whose elements are those positions of the value's tensor, moving memory
        only where it must."""
        tensor, shape = value.tensor, wanted.shape
        if np.array_equal(wanted.ravel(), np.arange(wanted.size)):
            return self.reshaped(tensor, shape)
        # The axes in the order in which they lie in memory, from the farthest apart to the closest.
        strides = [int(wanted.take(1, axis).flat[0]) if size > 1 else wanted.size for axis, size in enumerate(shape)]
        memory = sorted(range(len(shape)), key=lambda axis: -strides[axis])
        in_memory = tuple(shape[axis] for axis in memory)
        back = np.argsort(memory)
        if not np.array_equal(np.arange(wanted.size).reshape(in_memory).transpose(back), wanted):
            raise UnsupportedError("a layout that one transposition cannot make")
        order = self.out.constant(back.astype(np.int32))
        return self.out.emit("TRANSPOSE", [self.reshaped(tensor, in_memory), order], shape, "TransposeOptions")

    def reshaped(self, tensor: int, shape: tuple[int, ...]) -> int:
        if self.out.shapes[tensor] == tuple(shape):
            return tensor
        target = np.array(shape, np.int32)
        return self.out.emit("RESHAPE", [tensor, self.out.constant(target)], shape, "ReshapeOptions", newShape=target)

    def activation(self, node: onnx.NodeProto) -> tuple[int, str]:
        """The activation to compute inside `node`, and the name of the result."""
        readers = self.readers[node.output[0]]
        if [reader.op_type for reader in readers] != ["Relu"]:
            return 0, node.output[0]
        self.fused.add(readers[0].output[0])
        return RELU, readers[0].output[0]

    def axis_in_tensor(self, value: Value, axis: int) -> int:
        """Which axis of the value's tensor is its ONNX axis `axis`."""
        shape = self.out.shapes[value.tensor]
        size = value.index.shape[axis]
        step = int(value.index.take(1, axis).flat[0] - value.index.flat[0]) if size > 1 else None
        for index, found in enumerate(shape):
            if found == size and step in (None, np.prod(shape[index + 1 :], dtype=int)):
                return index
        raise UnsupportedError("an axis that is spread over several axes in memory")

    # --- operators that only rename elements

    def on_reshape(self, node, attributes) -> None:
        value = self.value(node.input[0])
        self.values[node.output[0]] = Value(value.tensor, value.index.reshape(self.constant(node.input[1])))

    # --- parts of values

    def part(self, value: Value, axis: int, start: int, size: int) -> Value:
        """The elements `start..start + size` along ONNX axis `axis`."""
        shape = self.out.shapes[value.tensor]
        dim = self.axis_in_tensor(value, axis)
        begin, sizes = np.zeros(len(shape), np.int32), np.array(shape, np.int32)
        begin[dim], sizes[dim] = start, size
        inputs = [value.tensor, self.out.constant(begin), self.out.constant(sizes)]
        tensor = self.out.emit("SLICE", inputs, tuple(sizes), "SliceOptions")
        kept = np.arange(value.index.size).reshape(shape).take(range(start, start + size), dim)
        position = np.full(value.index.size, -1)
        position[kept.ravel()] = np.arange(kept.size)
        return Value(tensor, position[value.index.take(range(start, start + size), axis)])

    def on_slice(self, node, attributes) -> None:
        value = self.value(node.input[0])
        starts, ends, *rest = (list(self.constant(name)) for name in node.input[1:] if name)
        axes = rest[0] if rest else range(len(starts))
        if any(step != 1 for step in (rest[1] if len(rest) > 1 else [])):
            raise UnsupportedError("a slice with steps")
        for start, end, axis in zip(starts, ends, axes, strict=True):
            kept = range(value.index.shape[axis])[int(start) : int(end)]
            if len(kept) < value.index.shape[axis]:
                value = self.part(value, int(axis), kept.start, len(kept))
        self.values[node.output[0]] = value

    def on_concat(self, node, attributes) -> None:
        values = [self.value(name) for name in node.input]
        axis = attributes["axis"]
        dim = self.axis_in_tensor(max(values, key=lambda value: value.index.shape[axis]), axis)
        shapes = [self.out.shapes[value.tensor] for value in values]
        others = {shape[:dim] + shape[dim + 1 :] for shape in shapes}
        if len(others) != 1:
            raise UnsupportedError("a concatenation of values that lie differently in memory")
        ends = np.cumsum([shape[dim] for shape in shapes])
        whole = (*shapes[0][:dim], int(ends[-1]), *shapes[0][dim + 1 :])
        inputs = [value.tensor for value in values]
        tensor = self.out.emit("CONCATENATION", inputs, whole, "ConcatenationOptions", axis=dim)
        parts = np.split(np.arange(np.prod(whole, dtype=int)).reshape(whole), ends[:-1], dim)
        moved = [part.ravel()[value.index] for part, value in zip(parts, values, strict=True)]
        self.values[node.output[0]] = Value(tensor, np.concatenate(moved, axis))

    # --- operators that compute

    def channels_last(self, value: Value, pads: list[int]) -> int:
        """A tensor `[batch, height, width, channels]` of the value, its height and width padded with zeros."""
        tensor = self.laid_out(value, value.index.transpose(0, 2, 3, 1))
        if not any(pads):
            return tensor
        top, left, bottom, right = pads
        margins = np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
        batch, height, width, channels = self.out.shapes[tensor]
        shape = (batch, height + top + bottom, width + left + right, channels)
        return self.out.emit("PAD", [tensor, self.out.constant(margins)], shape, "PadOptions")

    def sliding(self, node, attributes, kernel: tuple[int, int]) -> tuple[int, dict[str, int], tuple[int, int]]:
        """The common part of a convolution and a pool: padded input, strides, the output's height and width."""
        value = self.value(node.input[0])
        if attributes.get("auto_pad", b"NOTSET") != b"NOTSET" or attributes.get("ceil_mode"):
            raise UnsupportedError(f"{node.op_type} with automatic padding or rounding up")
        if attributes.get("dilations", [1, 1]) != [1, 1]:
            raise UnsupportedError(f"{node.op_type} with dilation")
        pads, strides = attributes.get("pads", [0, 0, 0, 0]), attributes.get("strides", [1, 1])
        if any(pads) and node.op_type == "MaxPool":
            raise UnsupportedError("MaxPool with padding, which zeros would not stand for")
        tensor = self.channels_last(value, pads)
        _, height, width, _ = self.out.shapes[tensor]
        size = (height - kernel[0]) // strides[0] + 1, (width - kernel[1]) // strides[1] + 1
        return tensor, {"padding": schema.Padding.VALID, "strideH": strides[0], "strideW": strides[1]}, size

    def features(self, tensor: int) -> Value:
        """`[batch, height, width, channels]` under its ONNX name, `[batch, channels, height, width]`."""
        return Value(tensor, self.fresh(tensor).index.transpose(0, 3, 1, 2))

    def on_conv(self, node, attributes) -> None:
        weight = self.constant(node.input[1])
        if attributes.get("group", 1) != 1 or weight.ndim != 4:
            raise UnsupportedError("a convolution that is grouped or not two-dimensional")
        tensor, options, size = self.sliding(node, attributes, weight.shape[2:])
        bias = self.constant(node.input[2]) if len(node.input) > 2 else np.zeros(len(weight), np.float32)
        options["fusedActivationFunction"], name = self.activation(node)
        inputs = [tensor, self.out.constant(weight.transpose(0, 2, 3, 1)), self.out.constant(bias)]
        shape = (self.out.shapes[tensor][0], *size, len(weight))
        self.values[name] = self.features(self.out.emit("CONV_2D", inputs, shape, "Conv2DOptions", **options))

    def on_maxpool(self, node, attributes) -> None:
        kernel = attributes["kernel_shape"]
        tensor, options, size = self.sliding(node, attributes, kernel)
        options["filterHeight"], options["filterWidth"] = kernel
        batch, _, _, channels = self.out.shapes[tensor]
        pooled = self.out.emit("MAX_POOL_2D", [tensor], (batch, *size, channels), "Pool2DOptions", **options)
        self.values[node.output[0]] = self.features(pooled)

    def in_one_order(self, names: list[str]) -> tuple[Value, list[int]]:
        """Values of one ONNX shape as tensors that hold their elements in one order, that of the first value."""
        first, *others = (self.value(name) for name in names)
        shape = self.out.shapes[first.tensor]
        order = np.argsort(first.index.ravel())
        if any(other.index.shape != first.index.shape for other in others):
            raise UnsupportedError("elementwise operators that broadcast")
        return first, [
            first.tensor,
            *(self.laid_out(other, other.index.ravel()[order].reshape(shape)) for other in others),
        ]

    def on_add(self, node, attributes) -> None:
        first, tensors = self.in_one_order(list(node.input))
        activation, name = self.activation(node)
        shape = self.out.shapes[first.tensor]
        added = self.out.emit("ADD", tensors, shape, "AddOptions", fusedActivationFunction=activation)
        self.values[name] = Value(added, first.index)

    def on_gemm(self, node, attributes) -> None:
        value, weight = self.value(node.input[0]), self.constant(node.input[1])
        if attributes.get("transA") or {attributes.get("alpha", 1.0), attributes.get("beta", 1.0)} != {1.0}:
            raise UnsupportedError("Gemm with scaling or a transposed input")
        weight = weight if attributes.get("transB") else weight.T
        if value.index.shape[0] != 1:
            raise UnsupportedError("Gemm on more than one row")
        # The layer reads its input in memory order, so the weight's columns are put into that order instead.
        ordered = np.empty_like(weight)
        ordered[:, value.index.ravel()] = weight
        bias = self.constant(node.input[2]) if len(node.input) > 2 else np.zeros(len(weight), np.float32)
        activation, name = self.activation(node)
        inputs = [value.tensor, self.out.constant(ordered), self.out.constant(bias.reshape(-1))]
        options = {"fusedActivationFunction": activation}
        dense = self.out.emit("FULLY_CONNECTED", inputs, (1, len(weight)), "FullyConnectedOptions", **options)
        self.values[name] = self.fresh(dense)
