"""The reference network: convolutions along time, an adaptive max-pool, a linear classifier."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import nn

from gaitd_train.grid import Configuration, Grid
from gaitd_train.resample import resample
from gaitd_train.slimmable import Classifier, ConvBlock


@dataclass(frozen=True)
class CnnShape:
    """What a CNN is made of; pairs are (time, axes).

    On UCI-HAR the kernel covers one axis only, so all nine axes share one bank of filters and first meet in
    the classifier: mixing them earlier loses several points of accuracy.
    """

    channels: tuple[int, ...] = (64, 128, 256)
    kernel: tuple[int, int] = (6, 1)
    stride: tuple[int, int] = (3, 1)
    padding: tuple[int, int] = (1, 0)
    pool: int = 6
    dropout: float = 0.0

    def features(self, time: int, axes: int) -> tuple[int, int]:
        """Time steps and axes that are left after the convolutions; below 1 where the input is too short."""
        for _ in self.channels:
            time, axes = (
                (size + 2 * padding - kernel) // stride + 1
                for size, padding, kernel, stride in zip(
                    (time, axes), self.padding, self.kernel, self.stride, strict=True
                )
            )
        return time, axes


class Cnn(nn.Module):
    """`[batch, axes, window]` windows -> `[batch, classes]` logits, at any configuration of `grid`."""

    def __init__(self, shape: CnnShape, axes: int, classes: int, grid: Grid) -> None:
        super().__init__()
        self.grid = grid
        self.axes = axes
        self.blocks = nn.ModuleList(
            ConvBlock(inputs, outputs, shape.kernel, shape.stride, shape.padding, grid)
            for inputs, outputs in pairwise((1, *shape.channels))
        )
        _, axes = shape.features(grid.resolutions[-1], axes)
        self.classifier = Classifier(shape.channels[-1], shape.pool, axes, classes, shape.dropout)

    def forward(self, windows: torch.Tensor, configuration: Configuration) -> torch.Tensor:
        x = resample(windows, configuration.resolution)
        # [batch, 1, time, axes] in memory order time, axes, channels: by far the fastest on a CPU.
        x = x.transpose(1, 2).unsqueeze(1).contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x = block(x, configuration)
        return self.classifier(x)
