"""Layers of which a subnetwork uses the first share of the channels, and the base of every network.

After US-Net (Yu and Huang, "Universally Slimmable Networks and Improved Training Techniques", ICCV 2019).
Features are `[batch, channels, time, axes]`. A layer has as many input channels as its input, and as many
output channels as the configuration's width gives it. Layers read tensors and traces
(`gaitd_train.networks.trace`); between them, a network may use `a + b` and `x.relu()`.
"""

from abc import ABC, abstractmethod
from functools import reduce

import torch
from torch import nn
from torch.nn import functional

from gaitd_train.errors import UserError
from gaitd_train.grid import Configuration, Grid
from gaitd_train.networks.trace import Shape, Tape, Trace
from gaitd_train.resample import resample

Features = torch.Tensor | Trace

# Slimmed channel counts are multiples of this, so that every rung fills SIMD lanes of four.
DIVISOR = 4


def slim(channels: int, width: float) -> int:
    """`channels * width`, rounded to the nearest multiple of four, at least four."""
    return min(channels, max(DIVISOR, int(channels * width + DIVISOR / 2) // DIVISOR * DIVISOR))


class Network(nn.Module, ABC):
    """`[batch, axes, window]` windows -> `[batch, classes]` logits, at any configuration of `grid`."""

    def __init__(self, axes: int, grid: Grid) -> None:
        super().__init__()
        self.axes, self.grid = axes, grid

    @abstractmethod
    def layers(self, x: Features, configuration: Configuration) -> Features:
        """Features `[batch, 1, resolution, axes]` -> logits, by the layers of this module alone."""

    def forward(self, windows: torch.Tensor, configuration: Configuration) -> torch.Tensor:
        x = resample(windows, configuration.resolution)
        # In memory order time, axes, channels: by far the fastest on a CPU.
        x = x.transpose(1, 2).unsqueeze(1).contiguous(memory_format=torch.channels_last)
        return self.layers(x, configuration)

    def trace(self, tape: Tape, value: str, configuration: Configuration) -> Trace:
        """Runs one configuration on a tape (`gaitd_train.networks.trace`), from `value`, the window."""
        answer = self.layers(Trace(tape, value, Shape(1, configuration.resolution, self.axes)), configuration)
        if not isinstance(answer, Trace):
            raise UserError(f"network: its layers gave {type(answer).__name__}, not what a layer gave them")
        return answer


class ConfigurationNorm(nn.Module):
    """Batch normalisation with one scale and shift for all and statistics per configuration.

    In training mode a batch is normalised by its own statistics and none are kept, because the weights, and
    with them the statistics of a configuration, still change. While `collecting`, each batch enters a
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
        index = self.grid.index(configuration)
        mean, var = self.mean[index, :channels], self.var[index, :channels]
        if self.collecting:
            self.batches[index] += 1
            momentum = 1.0 / float(self.batches[index])
            return functional.batch_norm(
                x, mean, var, weight, bias, training=True, momentum=momentum, eps=self.eps
            )
        self._require_statistics(configuration)
        return functional.batch_norm(x, mean, var, weight, bias, training=False, eps=self.eps)

    def forget(self, configuration: Configuration) -> None:
        """Drops the statistics of one configuration."""
        index = self.grid.index(configuration)
        self.mean[index] = 0.0
        self.var[index] = 1.0
        self.batches[index] = 0

    def affine(self, configuration: Configuration, channels: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Scale and shift, `[channels]` each, that equal this normalisation in evaluation mode (double)."""
        self._require_statistics(configuration)
        index = self.grid.index(configuration)
        scale = self.weight[:channels].double() / (self.var[index, :channels].double() + self.eps).sqrt()
        return scale, self.bias[:channels].double() - self.mean[index, :channels].double() * scale

    def _require_statistics(self, configuration: Configuration) -> None:
        if int(self.batches[self.grid.index(configuration)]) == 0:
            raise UserError(
                f"{configuration.id}: its batch-norm statistics were never calibrated; calibrate first"
            )


class ConvBlock(nn.Module):
    """Convolution over (time, axes), batch normalisation and, unless `relu` is off, ReLU.

    Only output channels are slimmed by width. Pairs are (time, axes).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: tuple[int, int],
        stride: tuple[int, int],
        padding: tuple[int, int],
        grid: Grid,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.outputs, self.kernel, self.stride, self.padding = outputs, kernel, stride, padding
        self.relu = relu
        self.weight = nn.Parameter(torch.empty(outputs, inputs, *kernel))
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        self.norm = ConfigurationNorm(outputs, grid)

    def forward(self, x: Features, configuration: Configuration) -> Features:
        if isinstance(x, Trace):
            x = x.conv(self, configuration)
            return x.relu() if self.relu else x
        weight = self.weight[: slim(self.outputs, configuration.width), : x.shape[1]]
        x = functional.conv2d(x, weight, stride=self.stride, padding=self.padding)
        x = self.norm(x, configuration)
        return functional.relu(x, inplace=True) if self.relu else x

    def shape_after(self, before: Shape, configuration: Configuration) -> Shape:
        """What this layer makes of features of a shape."""
        time, axes = (
            (size + 2 * padding - kernel) // stride + 1
            for size, padding, kernel, stride in zip(
                before[1:], self.padding, self.kernel, self.stride, strict=True
            )
        )
        if min(time, axes) < 1:
            raise UserError(
                f"network: nothing is left of {before.time} time steps and {before.axes} axes after a kernel "
                f"of {self.kernel}; use fewer layers, or smaller kernels and strides"
            )
        return Shape(slim(self.outputs, configuration.width), time, axes)

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

    def forward(self, x: Features) -> Features:
        if isinstance(x, Trace):
            return x.classify(self)
        # Logits and losses stay in float32 when the convolutions run in bfloat16.
        with torch.autocast(x.device.type, enabled=False):
            windows, weight = self.folded(x.shape[1], x.shape[2])
            # Features stay in memory order time, axes, channels; turning the small weight instead costs less.
            features = x.float().permute(0, 2, 3, 1)
            if any(end - start > 1 for start, end in windows):
                steps = features.unbind(1)  # one gradient for all steps, where slices would cost one each
                pooled = [reduce(torch.maximum, steps[start:end]) for start, end in windows]
                features = torch.stack(pooled, dim=1)
            features = features.flatten(1)
            if self.training and self.dropout:
                features = features * keep_mask(features, 1 - self.dropout)
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
            indices = torch.tensor([windows.index(window) for window in repeated], device=weight.device)
            shape = (*weight.shape[:2], len(windows), weight.shape[3])
            weight = weight.new_zeros(shape).index_add(2, indices, weight)
        return windows, weight


def keep_mask(like: torch.Tensor, share: float) -> torch.Tensor:
    """A mask for dropout: of every element, 1 / `share` with probability `share`, else 0.

    One random byte decides, so `share` is rounded to a 256th. Drawn eight at a time, that takes a fifth of
    the time of PyTorch's own dropout on a CPU, which was a tenth of a training step.
    """
    kept = min(256, max(1, round(256 * share)))
    draws = torch.empty((like.numel() + 7) // 8, dtype=torch.int64, device=like.device)
    draws = draws.random_(-(2**63), None).view(torch.uint8)[: like.numel()].view(like.shape)
    return (draws < kept).to(like.dtype).mul_(256 / kept)


def pool_windows(length: int, pool: int) -> list[tuple[int, int]]:
    """For each of `pool` outputs of an adaptive pool over `length` steps, its half-open range of inputs."""
    return [(i * length // pool, -(-(i + 1) * length // pool)) for i in range(pool)]
