"""What is done to an exported network: float16, int8, weights in a file beside it."""

import onnx
from onnxruntime import quantization
from onnxruntime.transformers.float16 import convert_float_to_float16


def float16(path, keep_io_types):
    """Turns a network to float16; with `keep_io_types` its inputs and outputs stay float32."""
    onnx.save(convert_float_to_float16(onnx.load(path), keep_io_types=keep_io_types), path)


class _Calibration(quantization.CalibrationDataReader):
    def __init__(self, batches):
        self.batches = iter(batches)

    def get_next(self):
        return next(self.batches, None)


def int8(path, batches, how):
    """Quantises a network by the ranges of `batches` (name: array).

    `how` is "qdq", "qoperator" with ONNX's own operators, "qoperator-microsoft" with all that ONNX Runtime has, or
    "dynamic". Weights have seven bits, so that no sum saturates on processors without instructions for int8, and the
    answers are the same on all.
    """
    model = onnx.load(path)
    if how == "dynamic":
        quantization.quantize_dynamic(model, path, reduce_range=True)
        return
    quantization.quantize_static(
        model,
        path,
        _Calibration(batches),
        quant_format=quantization.QuantFormat.QDQ if how == "qdq" else quantization.QuantFormat.QOperator,
        op_types_to_quantize=["Conv", "MatMul"] if how == "qoperator" else None,
        per_channel=how == "qdq",
        reduce_range=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )


def weights_beside(path):
    """Moves the weights of a network to the file `model.onnx.data` in its folder."""
    onnx.save(onnx.load(path), path, save_as_external_data=True, location=path.name + ".data", size_threshold=0)
