"""Any PyTorch module as an ONNX file, by PyTorch's own exporters."""

import importlib.util
import io
import warnings

import onnx
import torch
from torch import nn

from gaitd_train.errors import UserError

# Layer normalisation is one operator from here on.
OPSET = 17


def export_module(
    module: nn.Module, inputs: tuple[torch.Tensor, ...], names: list[str], output: str
) -> bytes:
    """The ONNX file of `module`, which takes `inputs`, to be called `names`, and gives one tensor, `output`.

    The exporter that traces comes first, for it needs no other package; where it fails and `onnxscript` is
    installed, the one that `torch.export` is behind. The file holds all weights, and nothing of this machine.
    """
    try:
        return _cleaned(_traced(module, inputs, names, output))
    except Exception as error:  # whatever the exporter or the module raises
        first = error
    if importlib.util.find_spec("onnxscript") is None:
        raise UserError(
            f"PyTorch cannot export the module: {_line(first)}; with `pip install onnxscript` its other "
            "exporter is tried as well"
        ) from first
    try:
        return _cleaned(_captured(module, inputs, names, output))
    except Exception as error:
        raise UserError(
            f"neither of PyTorch's exporters can export the module: {_line(first)}; {_line(error)}"
        ) from error


def _traced(module: nn.Module, inputs: tuple[torch.Tensor, ...], names: list[str], output: str):
    file = io.BytesIO()
    with warnings.catch_warnings():
        # of its age, and of shapes that become constants, as they should
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            inputs,
            file,
            input_names=names,
            output_names=[output],
            opset_version=OPSET,
            dynamo=False,
        )
    return onnx.load_from_string(file.getvalue())


def _captured(module: nn.Module, inputs: tuple[torch.Tensor, ...], names: list[str], output: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module, inputs, input_names=names, output_names=[output], dynamo=True, verbose=False
        )
    return program.model_proto


def _cleaned(model: onnx.ModelProto) -> bytes:
    """The file without the stack traces that exporters leave, which hold paths."""
    graphs = [model.graph, *model.functions]
    while graphs:
        graph = graphs.pop()
        for node in graph.node:
            node.ClearField("doc_string")
            node.ClearField("metadata_props")
            graphs += [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    return model.SerializeToString(deterministic=True)


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
