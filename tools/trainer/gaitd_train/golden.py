"""Golden vectors: synthetic windows with the logits that PyTorch computes, for the runtime to agree with."""

import math
from collections.abc import Callable

import numpy as np
import onnxruntime
import torch

from gaitd_train.conditioning import unit_factor
from gaitd_train.errors import UserError
from gaitd_train.task import AXES, Channel, Task

COUNT = 4
# How far a logit may be off, as a share of the largest one of its window or of 1: sums are added up in
# another order. The runtime allows as much.
AGREEMENT = 1e-4


def golden_windows(task: Task) -> torch.Tensor:
    """`[4, channels, window]`: synthetic, so that they hold no sample of a data set.

    Each is a tilted gravity, where the channel carries it, a gait-like swing with its second harmonic, and
    noise, in the channel's unit.
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
            if (axis := _gravity_axis(channel)) is not None:
                window[index] += gravity[axis]
            window[index] *= unit_factor("g", channel.unit) or unit_factor("rad/s", channel.unit) or 1.0
    return windows


def _gravity_axis(channel: Channel) -> int | None:
    """The axis of gravity that a channel carries; an accelerometer's does, unless it is named `body_acc`."""
    stem, _, axis = channel.name.rpartition("_")
    carries = axis in AXES and stem.endswith("acc") and not stem.endswith("body_acc")
    return AXES.index(axis) if carries else None


def golden(
    windows: torch.Tensor | np.ndarray,
    logits: dict[str, np.ndarray],
    reference: str | None = None,
    tolerances: dict[str, float] | None = None,
) -> dict:
    """The content of `golden.json`: windows at full resolution, and the logits `[windows, classes]` by id.

    `reference` says what computed them, `tolerances` which configurations may be further off than
    `AGREEMENT`.
    """
    extras = {"reference": reference} if reference else {}
    if tolerances:
        extras["tolerances"] = tolerances
    return {
        "schema": 2 if extras else 1,
        **extras,
        "windows": windows.tolist(),
        "logits": {name: values.tolist() for name, values in logits.items()},
    }


def require_agreement(
    name: str,
    model: bytes,
    feeds: list[dict[str, np.ndarray]],
    expected: np.ndarray,
    share: float = AGREEMENT,
    to_logits: Callable[[np.ndarray], np.ndarray] = lambda answers: answers,
) -> None:
    """A `UserError` unless ONNX Runtime's answers to `feeds` are the logits `expected [feeds, classes]`.

    `to_logits` makes logits of what the network answers.
    """
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    for feed, logits in zip(feeds, expected, strict=True):
        found = to_logits(session.run(None, feed)[0].reshape(-1).astype(np.float32))
        difference = np.abs(found - logits).max()
        limit = share * max(1.0, np.abs(logits).max())
        if not difference <= limit:
            raise UserError(
                f"{name}: the exported graph differs from the network by {difference:g} (limit {limit:g}); "
                "this is a defect of the exporter, nothing was written"
            )
