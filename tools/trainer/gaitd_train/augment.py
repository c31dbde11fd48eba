"""Random changes of training windows that leave their activity the same."""

import torch

from gaitd_train.recipe import Augmentation
from gaitd_train.task import Task


def augment(x: torch.Tensor, settings: Augmentation, task: Task, generator: torch.Generator) -> torch.Tensor:
    """Returns changed copies of the windows `x [batch, channels, time]`; `x` itself where all are off."""
    batch = x.shape[0]
    triads = task.triads()
    if settings.rotation_degrees and triads:
        # One rotation for all sensors of a window: they sit on the same board.
        turn = _rotations(batch, settings.rotation_degrees, generator)
        x = x.clone()
        for triad in triads:
            x[:, triad] = turn @ x[:, triad]
    if settings.scale:
        groups = triads or [(channel,) for channel in range(x.shape[1])]
        factors = torch.ones(batch, x.shape[1], 1)
        for group in groups:
            factors[:, group] = 1 + settings.scale * torch.randn(batch, 1, 1, generator=generator)
        x = x * factors
    if settings.warp:
        x = _warp(x, settings.warp, generator)
    if settings.noise:
        x = x + settings.noise * torch.randn(x.shape, generator=generator)
    return x


def _rotations(batch: int, degrees: float, generator: torch.Generator) -> torch.Tensor:
    """Random rotations `[batch, 3, 3]` with normally distributed rotation vectors."""
    vector = torch.randn(batch, 3, generator=generator) * torch.deg2rad(torch.tensor(degrees))
    zero = torch.zeros(batch)
    x, y, z = vector.unbind(1)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).view(batch, 3, 3)
    return torch.linalg.matrix_exp(skew)


def _warp(x: torch.Tensor, largest: float, generator: torch.Generator) -> torch.Tensor:
    """Plays each window at a random speed, interpolated linearly; faster ones run back from their end."""
    batch, channels, time = x.shape
    speed = 1 + largest * (2 * torch.rand(batch, 1, generator=generator) - 1)
    span = speed * (time - 1)
    # A slower window shows a random part of the original, a faster one all of it.
    start = (time - 1 - span).clamp(min=0) * torch.rand(batch, 1, generator=generator)
    position = start + speed * torch.arange(time)
    last = time - 1
    position = last - (last - position).abs()  # beyond the end, time runs back
    left = position.floor().clamp(0, last - 1).long()
    share = (position - left).unsqueeze(1)
    index = left.unsqueeze(1).expand(batch, channels, time)
    return x.gather(2, index) * (1 - share) + x.gather(2, index + 1) * share
