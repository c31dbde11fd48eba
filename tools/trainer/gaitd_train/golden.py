"""Golden vectors: synthetic windows with the logits that PyTorch computes, for the runtime to agree with."""

import math

import torch

from gaitd_train.grid import Configuration
from gaitd_train.networks.slimmable import Network
from gaitd_train.task import Task

COUNT = 4


def golden_windows(task: Task) -> torch.Tensor:
    """`[4, channels, window]`: synthetic, so that they hold no sample of a data set.

    Each is a tilted gravity, where the channel carries it, a gait-like swing with its second harmonic, and
    noise.
    """
    generator = torch.Generator().manual_seed(20260101)
    time = torch.arange(task.window) / task.sample_rate_hz
    windows = torch.empty(COUNT, len(task.channels), task.window)
    for window in windows:
        gravity = torch.randn(3, generator=generator)
        gravity = gravity / gravity.norm()
        cadence = 1 + 1.5 * torch.rand((), generator=generator)
        for index, channel in enumerate(task.channels):
            size, phase = 0.3 * torch.rand(2, generator=generator)
            angle = 2 * math.pi * (cadence * time + phase)
            window[index] = size * (angle.sin() + 0.5 * (2 * angle).sin())
            window[index] += 0.02 * torch.randn(task.window, generator=generator)
            if channel.name.startswith("total_acc"):
                window[index] += gravity["xyz".index(channel.name[-1])]
    return windows


@torch.no_grad()
def golden(network: Network, task: Task, configurations: list[Configuration]) -> dict:
    """The content of `golden.json`: full-resolution windows, and the logits by configuration."""
    windows = golden_windows(task)
    return {
        "schema": 1,
        "windows": windows.tolist(),
        "logits": {c.id: network(windows, c).tolist() for c in configurations},
    }
