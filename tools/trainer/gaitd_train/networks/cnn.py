"""The reference network: convolutions along time, an adaptive max-pool, a linear classifier."""

from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from gaitd_train.errors import UserError
from gaitd_train.grid import Configuration, Grid
from gaitd_train.networks.slimmable import Classifier, ConvBlock, Features, Network
from gaitd_train.networks.trace import Shape as FeatureShape


@dataclass(frozen=True)
class Shape:
    """The settings of a network; pairs are (time, axes).

    On UCI-HAR the kernel covers one axis only, so all nine axes share one bank of filters and first meet in
    the classifier: mixing them earlier loses several points of accuracy.
    """

    channels: tuple[int, ...] = (64, 128, 256)
    kernel: tuple[int, int] = (6, 1)
    stride: tuple[int, int] = (3, 1)
    padding: tuple[int, int] = (1, 0)
    pool: int = 6
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for good, message in (
            (0 <= self.dropout < 1, "network.dropout must lie in [0, 1)"),
            (self.pool >= 1, "network.pool must be at least 1"),
            (len(self.channels) >= 1, "network.channels must not be empty"),
            (all(c >= 4 and c % 4 == 0 for c in self.channels), "network.channels: multiples of 4"),
            (
                all(v >= 1 for v in (*self.kernel, *self.stride)),
                "network.kernel, network.stride: at least 1",
            ),
            (all(v >= 0 for v in self.padding), "network.padding must not be negative"),
        ):
            if not good:
                raise UserError(message)


class Cnn(Network):
    """A chain of blocks and the classifier. `block(inputs, outputs)` makes one block of it."""

    def __init__(self, shape: Shape, axes: int, classes: int, grid: Grid, block) -> None:
        super().__init__(axes, grid)
        self.blocks = nn.ModuleList(block(*pair) for pair in pairwise((1, *shape.channels)))
        features = FeatureShape(1, grid.resolutions[-1], axes)
        for layer in self.blocks:
            features = layer.shape_after(features, grid.smallest)
        self.classifier = Classifier(shape.channels[-1], shape.pool, features.axes, classes, shape.dropout)

    def layers(self, x: Features, configuration: Configuration) -> Features:
        for block in self.blocks:
            x = block(x, configuration)
        return self.classifier(x)


def build(shape: Shape, axes: int, classes: int, grid: Grid) -> Cnn:
    """The network with fresh weights for windows of `axes` channels."""

    def block(inputs: int, outputs: int) -> ConvBlock:
        return ConvBlock(inputs, outputs, shape.kernel, shape.stride, shape.padding, grid)

    return Cnn(shape, axes, classes, grid, block)
