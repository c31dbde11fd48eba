"""Resampling a window along time, nearest-exact."""

import torch


def source_indices(window: int, resolution: int) -> list[int]:
    """For each of `resolution` outputs, the input sample it reads: floor((i + 0.5) * window / resolution).

    Computed in integers, so that the trainer and every runtime agree to the sample.
    """
    return [(2 * i + 1) * window // (2 * resolution) for i in range(resolution)]


def resample(windows: torch.Tensor, resolution: int) -> torch.Tensor:
    """`[..., time]` -> `[..., resolution]`."""
    if windows.shape[-1] == resolution:
        return windows
    return windows[..., source_indices(windows.shape[-1], resolution)]
