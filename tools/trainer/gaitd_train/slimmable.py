"""Layers of which a subnetwork uses the first share of the channels.

After US-Net (Yu and Huang, "Universally Slimmable Networks and Improved Training Techniques", ICCV 2019).
Features are `[batch, channels, time, axes]`. A layer takes the number of its input channels from its input
and is told how many to put out by the configuration's width.
"""

from functools import reduce

import torch
from torch import nn
from torch.nn import functional

from gaitd_train.errors import UserError
from gaitd_train.grid import Configuration, Grid

# Slimmed channel counts are multiples of this, so that every rung fills SIMD lanes of four.
DIVISOR = 4


def slim(channels: int, width: float) -> int:
    """`channels * width`, rounded to the nearest multiple of four, at least four."""
    return min(channels, max(DIVISOR, int(channels * width + DIVISOR / 2) // DIVISOR * DIVISOR))


class ConfigurationNorm(nn.Module):
    """Batch normalisation with one scale and shift for all and statistics per configuration.

    In training mode a batch is normalised by its own statistics and none are kept, because those of a
    configuration only mean something once the weights stand still. While `collecting`, each batch enters a
    cumulative mean (`gaitd_train.calibrate`). In evaluation mode a configuration without collected statistics
    is refused.
    """

    def __init__(self, channels: int, grid: Grid) -> None:
        super().__init__()
        self.grid = grid
        self.collecting = False
        self.eps = 1e-5
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        count = len(grid.widths) * len(grid.resolutions)
        self.register_buffer("mean", torch.zeros(count, channels))
        self.register_buffer("var", torch.ones(count, channels))
        self.register_buffer("batches", torch.zeros(count, dtype=torch.long))

    def forward(self, x: torch.Tensor, configuration: Configuration) -> torch.Tensor:
        channels = x.shape[1]
        weight, bias = self.weight[:channels], self.bias[:channels]
        if self.training:
            return functional.batch_norm(x, None, None, weight, bias, training=True, eps=self.eps)
        at = self.grid.index(configuration)
        mean, var = self.mean[at, :channels], self.var[at, :channels]
        if self.collecting:
            self.batches[at] += 1
            momentum = 1.0 / float(self.batches[at])
            return functional.batch_norm(
                x, mean, var, weight, bias, training=True, momentum=momentum, eps=self.eps
            )
        self._require_statistics(configuration)
        return functional.batch_norm(x, mean, var, weight, bias, training=False, eps=self.eps)

    def forget(self, configuration: Configuration) -> None:
        """Drops the statistics of one configuration."""
        at = self.grid.index(configuration)
        self.mean[at] = 0.0
        self.var[at] = 1.0
        self.batches[at] = 0

    def affine(self, configuration: Configuration, channels: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Scale and shift, `[channels]` each, that equal this normalisation in evaluation mode (double)."""
        self._require_statistics(configuration)
        at = self.grid.index(configuration)
        scale = self.weight[:channels].double() / (self.var[at, :channels].double() + self.eps).sqrt()
        return scale, self.bias[:channels].double() - self.mean[at, :channels].double() * scale

    def _require_statistics(self, configuration: Configuration) -> None:
        if int(self.batches[self.grid.index(configuration)]) == 0:
            raise UserError(
                f"{configuration.id}: its batch-norm statistics were never calibrated; calibrate first"
            )


class ConvBlock(nn.Module):
    """Convolution over (time, axes), batch normalisation, ReLU. Only output channels are slimmed by width."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        padding: tuple[int, int],
        grid: Grid,
    ) -> None:
        super().__init__()
        self.outputs, self.stride, self.padding = outputs, stride, padding
        self.weight = nn.Parameter(torch.empty(outputs, inputs, *kernel))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        self.norm = ConfigurationNorm(outputs, grid)

    def forward(self, x: torch.Tensor, configuration: Configuration) -> torch.Tensor:
        weight = self.weight[: slim(self.outputs, configuration.width), : x.shape[1]]
        x = functional.conv2d(x, weight, stride=self.stride, padding=self.padding)
        return functional.relu(self.norm(x, configuration), inplace=True)

    def folded(self, inputs: int, configuration: Configuration) -> tuple[torch.Tensor, torch.Tensor]:
        """The convolution's weight and bias with the normalisation folded in, for `inputs` channels."""
        channels = slim(self.outputs, configuration.width)
        scale, shift = self.norm.affine(configuration, channels)
        weight = self.weight[:channels, :inputs].double() * scale[:, None, None, None]
        return weight.float().detach(), shift.float().detach()


class Classifier(nn.Module):
    """Adaptive max-pool of the time axis to `pool` steps, then a linear layer whose outputs are not slimmed.

    The pool gives every resolution the same number of features, so one weight `[classes, channels, pool,
    axes]` serves all of them.
    """

    def __init__(self, channels: int, pool: int, axes: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.pool, self.dropout = pool, dropout
        self.weight = nn.Parameter(torch.empty(classes, channels, pool, axes))
        self.bias = nn.Parameter(torch.zeros(classes))
        nn.init.kaiming_uniform_(self.weight.view(classes, -1), a=5**0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # The logits and what they are compared with stay in float32 when the convolutions run in bfloat16.
        with torch.autocast("cpu", enabled=False):
            windows, weight = self.folded(x.shape[1], x.shape[2])
            # Features stay in memory order time, axes, channels; turning the small weight instead costs less.
            features = x.float().permute(0, 2, 3, 1)
            if any(end - start > 1 for start, end in windows):
                steps = features.unbind(1)  # one gradient for all steps, where slices would cost one each
                pooled = [reduce(torch.maximum, steps[start:end]) for start, end in windows]
                features = torch.stack(pooled, dim=1)
            features = features.flatten(1)
            features = functional.dropout(features, self.dropout, self.training)
            return functional.linear(features, weight.permute(0, 2, 3, 1).flatten(1), self.bias)

    def folded(self, channels: int, length: int) -> tuple[list[tuple[int, int]], torch.Tensor]:
        """Pool windows without repeats and the weight that reads them, `[classes, channels, windows, axes]`.

        A pool to more steps than there are features repeats some of them. Adding up the weights of the
        repeats gives the same logits for less work.
        """
        repeated = pool_windows(length, self.pool)
        windows = sorted(set(repeated))
        weight = self.weight[:, :channels]
        if len(windows) < len(repeated):
            at = torch.tensor([windows.index(window) for window in repeated])
            shape = (*weight.shape[:2], len(windows), weight.shape[3])
            weight = weight.new_zeros(shape).index_add(2, at, weight)
        return windows, weight


def pool_windows(length: int, pool: int) -> list[tuple[int, int]]:
    """For each of `pool` outputs of an adaptive pool over `length` steps, its half-open range of inputs."""
    return [(i * length // pool, -(-(i + 1) * length // pool)) for i in range(pool)]
