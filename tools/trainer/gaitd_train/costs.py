"""Counts the operations and weights of a configuration."""

from typing import NamedTuple

from gaitd_train.grid import Configuration
from gaitd_train.networks.slimmable import Network
from gaitd_train.networks.trace import Convolution, Output, Shape


class Costs(NamedTuple):
    """Multiply-accumulates per window, and weights: convolutions, normalisation, classifier."""

    macs: int
    parameters: int


def costs(network: Network, configuration: Configuration) -> Costs:
    """The costs of one configuration; its statistics are not needed.

    The classifier counts each of its pooled features, as the paper does, although repeated ones are folded
    before it runs.
    """
    counter = _Counter()
    network.trace(counter, "", configuration)
    return Costs(counter.macs, counter.parameters)


class _Counter:
    """A tape (`gaitd_train.networks.trace.Tape`) that only adds up."""

    def __init__(self) -> None:
        self.macs = self.parameters = 0

    def conv(
        self, value: str, before: Shape, after: Shape, layer: Convolution, configuration: Configuration
    ) -> str:
        weights = after.channels * before.channels * layer.kernel[0] * layer.kernel[1]
        self.macs += after.time * after.axes * weights
        self.parameters += weights + 2 * after.channels
        return value

    def relu(self, value: str) -> str:
        return value

    def add(self, value: str, other: str) -> str:
        return value

    def classify(self, value: str, before: Shape, layer: Output) -> str:
        weights = layer.weight[:, : before.channels].numel()
        self.macs += weights
        self.parameters += weights + layer.bias.numel()
        return value
