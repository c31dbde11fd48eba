"""A symbolic pass through a network: what it costs and which graph it is, read off its own `layers`.

The layers of `slimmable` accept a `Trace` in place of a tensor. A trace knows its shape and hands every
operation to a `Tape`, of which there is one per purpose (`gaitd_train.costs`, `gaitd_train.onnx_form`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from gaitd_train.errors import UserError
from gaitd_train.grid import Configuration

if TYPE_CHECKING:
    from gaitd_train.networks.slimmable import Classifier, ConvBlock


class Shape(NamedTuple):
    """Features of one window: channels, time steps, axes."""

    channels: int
    time: int
    axes: int


class Tape(Protocol):
    """What records the operations; each takes and gives the name of a value in the tape's own terms."""

    def conv(
        self, at: str, before: Shape, after: Shape, layer: ConvBlock, configuration: Configuration
    ) -> str:
        """Convolution with its normalisation, without activation."""

    def relu(self, at: str) -> str:
        """Rectification."""

    def add(self, at: str, other: str) -> str:
        """Elementwise sum of two values of one shape."""

    def classify(self, at: str, before: Shape, layer: Classifier) -> str:
        """Pool and linear layer; its value is the network's answer."""


@dataclass(frozen=True)
class Trace:
    """A value on a tape, in place of a tensor `[batch, channels, time, axes]`."""

    tape: Tape
    at: str
    shape: Shape

    def conv(self, layer: ConvBlock, configuration: Configuration) -> Trace:
        after = layer.shape_after(self.shape, configuration)
        return Trace(self.tape, self.tape.conv(self.at, self.shape, after, layer, configuration), after)

    def classify(self, layer: Classifier) -> Trace:
        at = self.tape.classify(self.at, self.shape, layer)
        return Trace(self.tape, at, Shape(len(layer.bias), 1, 1))

    def relu(self) -> Trace:
        return Trace(self.tape, self.tape.relu(self.at), self.shape)

    def __add__(self, other: Trace) -> Trace:
        if self.shape != other.shape:
            raise UserError(f"network: a sum of features of two shapes, {self.shape} and {other.shape}")
        return Trace(self.tape, self.tape.add(self.at, other.at), self.shape)
