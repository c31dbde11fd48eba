"""The residual network: each convolution of the CNN becomes a residual block."""

from torch import nn

from gaitd_train.grid import Configuration, Grid
from gaitd_train.networks.cnn import Cnn, Shape
from gaitd_train.networks.slimmable import ConvBlock, Features
from gaitd_train.networks.trace import Shape as FeatureShape

__all__ = ["ResidualBlock", "Shape", "build"]


class ResidualBlock(nn.Module):
    """The CNN's convolution, one over three time steps, and the CNN's again as their shortcut.

    After He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016); every block has a shortcut.
    """

    def __init__(self, inputs: int, outputs: int, shape: Shape, grid: Grid) -> None:
        super().__init__()
        first = (inputs, outputs, shape.kernel, shape.stride, shape.padding, grid)
        self.enter = ConvBlock(*first)
        self.refine = ConvBlock(outputs, outputs, (3, 1), (1, 1), (1, 0), grid, relu=False)
        self.shortcut = ConvBlock(*first, relu=False)

    def forward(self, x: Features, configuration: Configuration) -> Features:
        refined = self.refine(self.enter(x, configuration), configuration)
        return (refined + self.shortcut(x, configuration)).relu()

    def shape_after(self, before: FeatureShape, configuration: Configuration) -> FeatureShape:
        """What this block makes of features of a shape."""
        return self.shortcut.shape_after(before, configuration)


def build(shape: Shape, axes: int, classes: int, grid: Grid) -> Cnn:
    """The network with fresh weights for windows of `axes` channels."""
    return Cnn(
        shape, axes, classes, grid, lambda inputs, outputs: ResidualBlock(inputs, outputs, shape, grid)
    )
