"""Writes a zoo of small activity-recognition networks, as people export them: `python networks.py OUT`.

Each folder of OUT holds `model.onnx` (some with `model.onnx.data`), what ONNX Runtime answers to some windows, and a
description; see `cases.py`.
"""

import argparse
import logging
import shutil
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cases
import formats
import keras_networks
import numpy as np
import onnxruntime
import pytorch_networks as pytorch
import torch
import windows
from layouts import arrange
from torch import nn

INT8 = ["qdq", "qoperator", "qoperator-microsoft", "dynamic"]


@dataclass
class Case:
    """A network and how it is exported.

    `layout` begins with 1 for a batch of one, with N for a symbolic one.
    """

    name: str
    network: type | Callable | str
    layout: str
    opset: int | None = None
    output: str = "logits"
    exporter: str = "torchscript"
    # "half" | "float16" | "float16-io" | "external" | "weights-beside" or one of INT8
    formats: list[str] = field(default_factory=list)
    outputs: list[str] | None = None

    @property
    def int8(self):
        return any(kind in INT8 for kind in self.formats)

    @property
    def float16(self):
        return any(kind in self.formats for kind in ("half", "float16", "float16-io"))

    @property
    def sensors(self):
        """The channels of each input."""
        return windows.SENSORS if self.network is pytorch.TwoSensors else {"window": windows.CHANNELS}

    @property
    def seed(self):
        return zlib.crc32(self.name.encode())

    def feeds(self, samples):
        """Windows [N, 6, 128] as an array for each input, by its channels."""
        return [
            arrange(samples[:, [windows.CHANNELS.index(channel) for channel in channels]], self.layout)
            for channels in self.sensors.values()
        ]


def catalogue():
    """All cases."""
    torchscript = [
        Case("cnn", pytorch.Cnn, "1,C,T", 17),
        Case("cnn-softmax", pytorch.Cnn, "N,C,T", 13, "probabilities"),
        Case("cnn2d", pytorch.Cnn2d, "N,1,C,T", 11),
        Case("resnet", pytorch.ResNet, "1,T,C", 13, "probabilities"),
        Case("deepconvlstm", pytorch.DeepConvLstm, "1,1,T,C", 13),
        Case("deepconvlstm-log-softmax", pytorch.DeepConvLstm, "N,1,T,C", 17, "log-probabilities"),
        Case("gru", partial(pytorch.Gru, patch=1), "1,T,C", 17),
        Case("bilstm", pytorch.BiLstm, "N,T,C", 20, "probabilities"),
        Case("inceptiontime", pytorch.InceptionTime, "1,C,T", 17),
        Case("mobilenet", pytorch.MobileNet, "1,C,T", 14),
        Case("tinyhar", pytorch.TinyHar, "1,1,T,C", 17),
        Case("transformer", pytorch.Transformer, "1,T,C", 17),
        Case("tcn", pytorch.Tcn, "1,C,T", 13),
        Case("mlp", pytorch.Mlp, "1,C*T", 20),
        Case("mlp-time-first", pytorch.Mlp, "N,T*C", 15, "log-probabilities"),
        Case("normalised", pytorch.Normalised, "1,C,T", 18),
        Case("two-sensors", pytorch.TwoSensors, "1,C,T", 17, "probabilities"),
        Case("two-outputs", pytorch.Cnn, "1,C,T", 16, outputs=["embedding", "logits"]),
        Case("cnn-half", pytorch.Cnn, "1,C,T", 17, formats=["half"]),
        Case("mobilenet-float16", pytorch.MobileNet, "N,C,T", 17, formats=["float16-io"]),
        Case("gru-float16", pytorch.Gru, "1,T,C", 17, "probabilities", formats=["float16-io"]),
        Case("tinyhar-float16", pytorch.TinyHar, "1,1,T,C", 17, formats=["float16"]),
        Case("cnn-qdq", pytorch.Cnn, "1,C,T", 13, formats=["qdq"]),
        Case("cnn-qoperator", pytorch.Cnn, "N,C,T", 13, formats=["qoperator"]),
        Case("resnet-qoperator", pytorch.ResNet, "1,T,C", 13, formats=["qoperator"]),
        Case(
            "cnn2d-qoperator-microsoft", pytorch.Cnn2d, "1,1,C,T", 17, "probabilities", formats=["qoperator-microsoft"]
        ),
        Case("mobilenet-qdq", pytorch.MobileNet, "1,C,T", 17, formats=["qdq"]),
        Case("mlp-dynamic", pytorch.Mlp, "1,C*T", 13, formats=["dynamic"]),
        Case("resnet-dynamic", pytorch.ResNet, "1,T,C", 13, formats=["dynamic"]),
        Case("inceptiontime-weights-beside", pytorch.InceptionTime, "N,C,T", 17, formats=["weights-beside"]),
    ]
    dynamo = [
        Case("cnn", pytorch.Cnn, "N,C,T", 18),
        Case("deepconvlstm", pytorch.DeepConvLstm, "1,1,T,C", 18, "probabilities"),
        Case("gru", partial(pytorch.Gru, patch=16), "N,T,C", 18),
        Case("inceptiontime", pytorch.InceptionTime, "1,C,T", 20, formats=["external"]),
        Case("mobilenet", pytorch.MobileNet, "N,C,T", 18, "probabilities"),
        Case("tinyhar", pytorch.TinyHar, "N,1,T,C", 18),
        Case("transformer-attention", pytorch.Transformer, "1,T,C", 23),
        Case("tcn", pytorch.Tcn, "N,C,T", 21),
        Case("mlp", pytorch.Mlp, "N,C*T", 18, "probabilities"),
        Case("two-sensors", pytorch.TwoSensors, "N,C,T", 18),
        Case("cnn2d-half", pytorch.Cnn2d, "1,1,C,T", 18, formats=["half"]),
        Case("inceptiontime-qdq", pytorch.InceptionTime, "1,C,T", 18, formats=["qdq"]),
    ]
    keras = [
        Case("cnn", "cnn", "N,T,C", output="probabilities"),
        Case("separable", "separable", "1,T,C", output="probabilities"),
        Case("cnn2d", "cnn2d", "N,T,C,1", output="probabilities"),
        Case("lstm", "lstm", "N,T,C", output="probabilities"),
        Case("gru", "gru", "1,T,C"),
        Case("attention", "attention", "1,T,C"),
        Case("mlp", "mlp", "N,T*C", output="probabilities"),
    ]
    for exporter, of_exporter in (("torchscript", torchscript), ("dynamo", dynamo), ("keras", keras)):
        for case in of_exporter:
            case.exporter = exporter
            case.name = f"{exporter}-{case.name}"
    return torchscript + dynamo + keras


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the folder to write to; folders of the same names are written anew")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these")
    arguments = parser.parse_args()
    write(arguments.out, [case for case in catalogue() if arguments.only is None or case.name in arguments.only])


def write(out, chosen):
    """Writes each chosen case into a folder of its name in `out`."""
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    samples, labels = windows.make(200, seed=1)
    for case in chosen:
        folder = out / case.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        path = folder / "model.onnx"
        (export_keras if case.exporter == "keras" else export_pytorch)(case, path, samples, labels)
        reshape(case, path, samples)
        check(case, path)


def export_pytorch(case, path, samples, labels):
    """Makes, fits and exports a network of PyTorch."""
    torch.manual_seed(case.seed)
    network = case.network(len(windows.CHANNELS), len(windows.LABELS))
    network = pytorch.fit(network, [torch.from_numpy(feed) for feed in case.feeds(samples)], labels)
    if case.outputs:
        network = Outputs(pytorch.WithEmbedding(network), case.outputs)
    if case.output != "logits":
        network = nn.Sequential(network) if len(case.sensors) == 1 else Pipe(network)
        network.append(nn.Softmax(dim=1) if case.output == "probabilities" else nn.LogSoftmax(dim=-1))
    example = tuple(torch.from_numpy(feed) for feed in case.feeds(samples[:1]))
    if "half" in case.formats:
        network, example = network.half(), tuple(tensor.half() for tensor in example)
    names = list(case.sensors)
    symbolic = case.layout.startswith("N")
    settings = {"dynamo": False}
    if case.exporter == "dynamo":
        settings = {"dynamo": True, "external_data": "external" in case.formats, "verbose": False}
        if symbolic:
            # an example of two, or the exporter takes the batch to be one for ever
            example = tuple(torch.from_numpy(feed) for feed in case.feeds(samples[:2]))
            settings["dynamic_shapes"] = tuple({0: torch.export.Dim.DYNAMIC} for _ in names)
    elif symbolic:
        settings["dynamic_axes"] = {name: {0: "batch"} for name in [*names, *(case.outputs or ["output"])]}
    torch.onnx.export(
        network.eval(),
        example,
        path,
        input_names=names,
        output_names=case.outputs or ["output"],
        opset_version=case.opset,
        **settings,
    )


class Pipe(nn.Sequential):
    """Modules in a row of which the first takes several inputs."""

    def forward(self, *inputs):
        first, *others = self
        x = first(*inputs)
        for module in others:
            x = module(x)
        return x


class Outputs(nn.Module):
    """A network with an embedding, its outputs in the order of `names`."""

    def __init__(self, network, names):
        super().__init__()
        self.network = network
        self.embedding_first = names[0] == "embedding"

    def forward(self, *inputs):
        embedding, logits = self.network(*inputs)
        return (embedding, logits) if self.embedding_first else (logits, embedding)


def export_keras(case, path, samples, labels):
    """Makes, fits and exports a network of Keras."""
    network = keras_networks.build(
        getattr(keras_networks, case.network),
        case.feeds(samples)[0],
        labels,
        len(windows.LABELS),
        static=case.layout.startswith("1"),
        seed=case.seed,
    )
    keras_networks.export(network, path, case.output)


def reshape(case, path, samples):
    """Brings an exported network into the formats of its case."""
    for kind in case.formats:
        if kind == "weights-beside":
            formats.weights_beside(path)
        elif kind in ("float16", "float16-io"):
            formats.float16(path, keep_io_types=kind == "float16-io")
        elif kind in INT8:
            feeds = [case.feeds(sample[None]) for sample in samples[:50]]
            formats.int8(path, [dict(zip(case.sensors, feed, strict=True)) for feed in feeds], kind)


def check(case, path):
    """Writes what ONNX Runtime answers, and what the network takes and gives."""
    samples, labels = windows.make(200 if case.int8 else 16, seed=2)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    inputs = session.get_inputs()
    output = "logits" if case.outputs else session.get_outputs()[0].name
    answers = []
    for sample in samples:
        feeds = {i.name: feed for i, feed in zip(inputs, case.feeds(sample[None]), strict=True)}
        if "float16" in inputs[0].type:
            feeds = {name: feed.astype(np.float16) for name, feed in feeds.items()}
        answers.append(session.run([output], feeds)[0][0])
    answers = np.stack(answers).astype(np.float32)
    right = np.mean(answers.argmax(axis=1) == labels)
    if not np.isfinite(answers).all() or right < 0.5:
        raise ValueError(f"{case.name}: {right:.0%} of its answers are right, so that little depends on the window")
    tolerance = cases.TOLERANCE
    if case.int8:
        tolerance = cases.INT8_TOLERANCE
    elif case.float16:
        tolerance = cases.FLOAT16_TOLERANCE
    taken = {entry.name: channels for entry, channels in zip(inputs, case.sensors.values(), strict=True)}
    cases.write(path.parent, samples, answers, taken, case.layout, case.output, output, tolerance)


if __name__ == "__main__":
    main()
