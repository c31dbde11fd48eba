"""The engines, each called from Python by its own binding, with its buffers bound once."""

import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import NamedTuple, Protocol

import gaitd_engine
import numpy as np
import onnxruntime
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ladder import Ladder, Rung
from tflite import convert

TOLERANCE = 1e-4


class Session(NamedTuple):
    """One rung loaded into an engine: set one of the golden windows, run, read the logits."""

    load: Callable[[int], object]
    run: Callable[[], object]
    logits: Callable[[], np.ndarray]


class Engine(Protocol):
    """What runs a ladder."""

    name: str
    about: str

    def prepare(self, rung: Rung) -> Session: ...


class OnnxRuntime:
    """ONNX Runtime's CPU provider, all graph optimisations, buffers bound once."""

    name = "ONNX Runtime"
    about = f"ONNX Runtime {version('onnxruntime')}: the ladder's files, all graph optimisations"

    def prepare(self, rung: Rung) -> Session:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            rung.network.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        window = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros_like(rung.resampled[:1]))
        logits = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros_like(rung.logits[:1]))
        binding = session.io_binding()
        binding.bind_ortvalue_input(session.get_inputs()[0].name, window)
        binding.bind_ortvalue_output(session.get_outputs()[0].name, logits)
        return Session(
            lambda index: window.update_inplace(rung.resampled[index : index + 1]),
            lambda: session.run_with_iobinding(binding),
            lambda: logits.numpy()[0],
        )


class LiteRt:
    """LiteRT's interpreter with XNNPACK, on the network as `tflite.py` rewrites it."""

    name = "LiteRT"
    about = f"LiteRT {version('ai-edge-litert')} with XNNPACK: channels last, bias and ReLU inside the convolutions"

    def prepare(self, rung: Rung) -> Session:
        interpreter = Interpreter(
            model_content=convert(rung.network),
            num_threads=1,
            experimental_op_resolver_type=OpResolverType.BUILTIN,  # brings XNNPACK
        )
        interpreter.allocate_tensors()
        window = interpreter.get_input_details()[0]["index"]
        logits = interpreter.get_output_details()[0]["index"]
        return Session(
            lambda index: interpreter.set_tensor(window, rung.resampled[index : index + 1]),
            interpreter.invoke,
            lambda: interpreter.get_tensor(logits)[0],
        )


class Gaitd:
    """gaitd by a backend, or by kernels of its own that are forced; resampling is part of its inference."""

    def __init__(self, ladder: Ladder, backend: str, name: str) -> None:
        try:
            self.ladder = gaitd_engine.Ladder(ladder.folder, backend)
        except (RuntimeError, ValueError) as error:
            sys.exit(f"gaitd, {ladder.folder}: {error}")
        self.name, self.identity = name, self.ladder.identity()
        self.about = f"{name} {gaitd_engine.VERSION} ({self.identity}): the window at full resolution"

    def prepare(self, rung: Rung) -> Session:
        windows = [window.ravel().tolist() for window in rung.windows]
        return Session(
            lambda index: self.ladder.load(rung.place, windows[index]),
            self.ladder.run,
            lambda: np.array(self.ladder.logits(), np.float32),
        )


def verified(engine: Engine, rung: Rung) -> Session:
    """The rung in the engine, whose answers are the golden ones."""
    session = engine.prepare(rung)
    for index, expected in enumerate(rung.logits):
        session.load(index)
        session.run()
        difference = float(np.abs(session.logits() - expected).max())
        if not difference <= TOLERANCE:
            sys.exit(f"{engine.name}, {rung.id}, golden window {index}: logits differ by {difference:.1e}")
    return session
