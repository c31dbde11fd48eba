"""The rungs of a ladder, as every engine gets them, and the work that each is."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference


class Rung:
    """One configuration of a ladder: its network, and the golden windows and logits."""

    def __init__(self, folder: Path, place: int, entry: dict, golden: dict) -> None:
        self.place, self.id, self.macs = place, entry["id"], entry["macs"]
        self.network = onnx.load(folder / entry["file"])
        self.windows = np.array(golden["windows"], np.float32)
        length = self.windows.shape[2]
        resolution = entry.get("resolution") or length
        # nearest-exact, as the trainer and gaitd resample
        steps = (2 * np.arange(resolution) + 1) * length // (2 * resolution)
        self.resampled = np.ascontiguousarray(self.windows[:, :, steps])
        self.logits = np.array(golden["logits"][self.id], np.float32)
        self.done = self.macs - padding_macs(self.network)


class Ladder:
    """A model directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            manifest = json.loads((folder / "manifest.json").read_text())
            golden = json.loads((folder / "golden.json").read_text())
            self.name, self.rate = manifest["name"], manifest["task"]["sample_rate_hz"]
            self.rungs = [Rung(folder, *entry, golden) for entry in enumerate(manifest["configurations"])]
        except (OSError, ValueError, KeyError) as error:
            sys.exit(f"{folder} is not a ladder: {error!r}; `gaitd check` names the fault")

    def missing(self, milliseconds: float) -> int:
        """How many samples come in the last so many milliseconds of a window, at least one."""
        return max(1, round(milliseconds / 1000 * self.rate))


def padding_macs(network: onnx.ModelProto) -> int:
    """The multiply-accumulates of the network's convolutions that only meet padding, whose result is known: nothing."""
    graph = shape_inference.infer_shapes(network).graph
    weights = {tensor.name: numpy_helper.to_array(tensor).shape for tensor in graph.initializer}
    values = [*graph.input, *graph.value_info, *graph.output]
    shapes = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in values}
    dropped = 0
    for node in graph.node:
        if node.op_type != "Conv":
            continue
        outputs, inputs, *kernel = weights[node.input[1]]
        given = {named.name: onnx.helper.get_attribute_value(named) for named in node.attribute}
        begins = given.get("pads", [0] * 2 * len(kernel))[: len(kernel)]
        strides = given.get("strides", [1] * len(kernel))
        lengths, positions = shapes[node.input[0]][2:], shapes[node.output[0]][2:]
        met = 1
        for axis in zip(lengths, positions, kernel, strides, begins, strict=True):
            met *= meetings(*axis)
        dropped += outputs * inputs * (int(np.prod(positions)) * int(np.prod(kernel)) - met)
    return dropped


def meetings(length: int, positions: int, kernel: int, stride: int, begin: int) -> int:
    """How many pairs of a position and a tap along an axis of `length` steps, with `begin` zeros before, meet data."""
    places = np.arange(positions)[:, None] * stride + np.arange(kernel) - begin
    return int(((places >= 0) & (places < length)).sum())
