"""A PyTorch module as a configuration of a ladder: what it reads, what it answers, and its ONNX file."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from gaitd_train.errors import UserError
from gaitd_train.golden import AGREEMENT, require_agreement
from gaitd_train.layout import DEFAULT, arrange, of_example, parse
from gaitd_train.resample import resample
from gaitd_train.task import Task
from gaitd_train.torch_onnx import export_module

# What a module's answers may be.
HOLDS = ("logits", "probabilities", "log-probabilities")
# What stands for the logarithm of a probability below this, in the runtime too.
SMALLEST_PROBABILITY = 1e-12
# By how much probabilities may fail to add up to 1.
ROUNDING = 1e-2
# How far the logits of a network in half precision may be off.
HALF_AGREEMENT = 1e-2
ANSWER = "answers"


@dataclass(frozen=True)
class Input:
    """One input of a module.

    `channels` are those that it reads, in its order; all where none is named. `layout` names its axes, the
    slowest first, such as `1,C,T` or `1,T,C`; where it is not given, the example input tells it.
    """

    channels: Sequence[str] = ()
    layout: str | None = None


@dataclass(frozen=True)
class Configuration:
    """One network of a ladder.

    `id` is its name: letters, digits, `.`, `_` and `-`. `module` takes one window and answers with one number
    for each label, which `holds` tells: `logits`, `probabilities` or `log-probabilities`. Of a module that
    answers with several tensors, `output` is the index or the key of the one that counts.

    `example_inputs` is a tensor as the module takes it, or a tuple of one for each of its inputs; only their
    shapes matter, of which the layouts are read. `inputs` says what cannot be read of them: which channels go
    where. Without both, the module reads all channels as `1,C,T`.

    `resolution` is the number of time steps that the module reads, if each window is to be resampled
    (nearest-exact). `accuracy`, from 0 to 1, is for those who measured it themselves, on people whom the
    training never saw. `tolerance` is how far a logit may be off, as a share of the largest: 1e-4, or 1e-2
    of half precision, where it is not given.
    """

    id: str
    module: nn.Module
    example_inputs: torch.Tensor | Sequence[torch.Tensor] | None = None
    inputs: Sequence[Input] = ()
    holds: str = "logits"
    output: int | str | None = None
    resolution: int | None = None
    accuracy: float | None = None
    tolerance: float | None = None


class ConfiguredModule(nn.Module):
    """The module of a configuration, as the ladder runs it: a window in, the tensor that counts out."""

    def __init__(self, configuration: Configuration, task: Task) -> None:
        super().__init__()
        self.module, self.configuration, self.task = configuration.module, configuration, task
        self.time = configuration.resolution or task.window
        if not 1 <= self.time <= task.window:
            raise UserError(f"resolution is {self.time}, and must be from 1 to the window's {task.window}")
        self.inputs = self._inputs()
        names = [channel.name for channel in task.channels]
        self.places = [[names.index(name) for name in entry.channels or names] for entry in self.inputs]
        self.names = ["window"] if len(self.inputs) == 1 else [f"input{i}" for i in range(len(self.inputs))]
        first = next((p for p in self.module.parameters() if p.is_floating_point()), torch.empty(0))
        self.dtype, self.device = first.dtype, first.device
        half = AGREEMENT if self.dtype in (torch.float32, torch.float64) else HALF_AGREEMENT
        self.tolerance = half if configuration.tolerance is None else configuration.tolerance
        self.eval()  # the exporter brings back the mode that it finds here

    def _inputs(self) -> list[Input]:
        """The inputs with their layouts."""
        examples, given = self.configuration.example_inputs, list(self.configuration.inputs)
        if isinstance(examples, torch.Tensor):
            examples = (examples,)
        if examples is None:
            examples = [None] * max(1, len(given))
        if not given and len(examples) == 1:
            given = [Input()]
        if len(given) != len(examples):
            raise UserError(
                f"example_inputs has {len(examples)} tensors and inputs {len(given)} entries; give an "
                "Input(channels=[...]) for each"
            )
        known = [channel.name for channel in self.task.channels]
        for entry in given:
            if unknown := [name for name in entry.channels if name not in known]:
                raise UserError(f"inputs: there is no channel {unknown[0]!r}; those are {', '.join(known)}")
        return [
            replace(entry, layout=self._layout(entry, example))
            for entry, example in zip(given, examples, strict=True)
        ]

    def _layout(self, entry: Input, example: torch.Tensor | None) -> str:
        if entry.layout is not None:
            return ",".join(parse(entry.layout))
        if example is None:
            return DEFAULT
        return of_example(example.shape, len(entry.channels or self.task.channels), self.time)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        answer, output = self.module(*inputs), self.configuration.output
        if output is not None:
            answer = answer[output]
        if not isinstance(answer, torch.Tensor):
            raise UserError(
                f"the module answers with a {type(answer).__name__}, not a tensor; say which of it counts by "
                "output=0 or output='logits'"
            )
        return answer

    def arranged(self, window: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """`window [channels, time]` as the module takes it."""
        window = resample(window, self.time).to(self.device, self.dtype)
        return tuple(
            arrange(window[places], entry.layout)
            for places, entry in zip(self.places, self.inputs, strict=True)
        )

    @torch.no_grad()
    def answers(self, windows: torch.Tensor) -> np.ndarray:
        """The logits of `windows [n, channels, window]`, `[n, labels]`; each window goes in by itself."""
        found = [self._answer(window) for window in windows]
        self._require(np.stack(found))
        return np.stack([self._logits(answer) for answer in found])

    def _answer(self, window: torch.Tensor) -> np.ndarray:
        inputs = self.arranged(window)
        try:
            answer = self(*inputs)
        except UserError:
            raise
        except Exception as error:  # whatever the module raises
            shapes = ", ".join(str(tuple(entry.shape)) for entry in inputs)
            raise UserError(
                f"its module does not take {shapes}, which is {len(self.task.channels)} channels and "
                f"{self.time} time steps by example_inputs, inputs and window: {error}"
            ) from error
        answer = answer.float().cpu().reshape(-1).numpy()
        if len(answer) != len(self.task.labels):
            raise UserError(
                f"its module answers with {len(answer)} numbers, and there are {len(self.task.labels)} "
                "labels; mend labels, or say which output counts"
            )
        return answer

    def _logits(self, answers: np.ndarray) -> np.ndarray:
        if self.configuration.holds == "probabilities":
            return np.log(np.maximum(answers, np.float32(SMALLEST_PROBABILITY)))
        return answers

    def _require(self, answers: np.ndarray) -> None:
        """A `UserError` where the module's answers `[n, labels]` are not what `holds` says."""
        holds = self.configuration.holds
        if not np.isfinite(answers).all():
            raise UserError(
                "its module answers with values that are not numbers; look for NaN among its weights"
            )
        shares = np.exp(answers) if holds == "log-probabilities" else answers
        probabilities = (shares >= 0).all() and (np.abs(shares.sum(1) - 1) < ROUNDING).all()
        if holds == "logits" and probabilities:
            raise UserError(
                'holds is "logits", and its module answers with probabilities: holds="probabilities"'
            )
        if holds != "logits" and not probabilities:
            raise UserError(
                f'holds is "{holds}", and those of its module do not add up to 1: holds="logits"?'
            )

    def exported(self, windows: torch.Tensor, expected: np.ndarray) -> bytes:
        """The ONNX file, after its answers to `windows` were found to be `expected`."""
        if not np.allclose(self.answers(windows.flip(0))[::-1], expected, rtol=1e-4, atol=1e-4):
            raise UserError(
                "its module answers the same window differently a second time: it draws numbers at random, "
                "or keeps a state from call to call, which gaitd does not"
            )
        content = export_module(self, self.arranged(windows[0]), self.names, ANSWER)
        feeds = [
            dict(zip(self.names, (entry.cpu().numpy() for entry in self.arranged(window)), strict=True))
            for window in windows
        ]
        require_agreement("the ONNX file", content, feeds, expected, self.tolerance, self._logits)
        return content

    def entry(self) -> dict:
        """What the manifest says of the configuration beside its file."""
        configuration, entry = self.configuration, {}
        if configuration.resolution is not None:
            entry["resolution"] = int(configuration.resolution)
        if self.inputs != [Input(layout=DEFAULT)]:
            several = len(self.inputs) > 1
            entry["inputs"] = [
                ({"name": name} if several else {})
                | ({"channels": list(given.channels)} if given.channels else {})
                | {"layout": given.layout}
                for name, given in zip(self.names, self.inputs, strict=True)
            ]
        if configuration.holds != "logits":
            entry["output"] = {"holds": configuration.holds}
        if configuration.accuracy is not None:
            entry["accuracy"] = {"validation": float(configuration.accuracy)}
        return entry


@contextlib.contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
