"""A symbolic pass through a network, which gives its costs and its graph from its own `layers`.

The layers of `slimmable` accept a `Trace` in place of a tensor. A trace knows its shape and hands every
operation to a `Tape`, of which there is one per purpose (`gaitd_train.costs`, `gaitd_train.onnx_form`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch

from gaitd_train.errors import UserError
from gaitd_train.grid import Configuration


class Shape(NamedTuple):
    """Features of one window: channels, time steps, axes."""

    channels: int
    time: int
    axes: int


class Convolution(Protocol):
    """What a tape reads of a convolution (`slimmable.ConvBlock`); pairs are (time, axes)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]

    def shape_after(self, before: Shape, configuration: Configuration) -> Shape: ...

    def folded(self, inputs: int, configuration: Configuration) -> tuple[torch.Tensor, torch.Tensor]: ...


class Output(Protocol):
    """What a tape reads of the last layer (`slimmable.Classifier`)."""

    weight: torch.Tensor
    bias: torch.Tensor

    def folded(self, channels: int, length: int) -> tuple[list[tuple[int, int]], torch.Tensor]: ...


class Tape(Protocol):
    """Records the operations; each takes names of values and returns the name of its result."""

    def conv(
        self, value: str, before: Shape, after: Shape, layer: Convolution, configuration: Configuration
    ) -> str:
        """Convolution with its normalisation, without activation."""

    def relu(self, value: str) -> str:
        """Rectification."""

    def add(self, value: str, other: str) -> str:
        """Elementwise sum of two values of one shape."""

    def classify(self, value: str, before: Shape, layer: Output) -> str:
        """Pool and linear layer; its value is the network's answer."""


@dataclass(frozen=True)
class Trace:
    """A value on a tape, in place of a tensor `[batch, channels, time, axes]`."""

    tape: Tape
    value: str
    shape: Shape

    def conv(self, layer: Convolution, configuration: Configuration) -> Trace:
        after = layer.shape_after(self.shape, configuration)
        return Trace(self.tape, self.tape.conv(self.value, self.shape, after, layer, configuration), after)

    def classify(self, layer: Output) -> Trace:
        value = self.tape.classify(self.value, self.shape, layer)
        return Trace(self.tape, value, Shape(len(layer.bias), 1, 1))

    def relu(self) -> Trace:
        return Trace(self.tape, self.tape.relu(self.value), self.shape)

    def __add__(self, other: Trace) -> Trace:
        if self.shape != other.shape:
            raise UserError(f"network: a sum of features of two shapes, {self.shape} and {other.shape}")
        return Trace(self.tape, self.tape.add(self.value, other.value), self.shape)
