"""A ladder of any PyTorch networks: `write_ladder` writes a model directory that gaitd verifies and runs.

    from gaitd_train.export import Configuration, write_ladder

    write_ladder(
        "mine",
        [Configuration("small", small), Configuration("large", large)],
        labels=["walking", "sitting"],
        channels={"acc_x": "m/s2", "acc_y": "m/s2", "acc_z": "m/s2"},
        rate_hz=50, window=128, hop=64,
        mean=mean, std=std,
        held_out=(x, y),
    )

Then `gaitd check mine`, and `gaitd run --models mine`. What each argument becomes in `manifest.json`, all of
whose keys are in `docs/manifest.md`:

| argument | key |
| --- | --- |
| `labels`, `rate_hz`, `window`, `hop` | `task.labels`, `.sample_rate_hz`, `.window`, `.hop` |
| `channels` | `task.input.channels`: what the sensor gives |
| `conditioning`, `mean`, `std` | `task.input.conditioning`; mean and std are its last operation |
| `network_channels` | `task.channels`: what the networks read |
| `normalisation` | `task.normalisation`: each window by its own values |
| `training_windows` | `task.input.statistics`: what samples are like, against which a stream is held |
| `held_out` | `accuracy.validation`, `recall`, `temperature`, `calibration` of each configuration |
| `training` | `training`: whatever people should know |
| `Configuration` | an entry of `configurations`; `inputs`, `holds` are its `inputs`, `output.holds` |

`golden.json` holds synthetic windows and what PyTorch answers to them: gaitd serves only where its answers
agree. MACs and parameters are left to gaitd, which counts them in the graph.
"""

import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from gaitd_train import __version__
from gaitd_train.conditioning import NO_UNIT, condition
from gaitd_train.confidence import calibrated
from gaitd_train.errors import UserError
from gaitd_train.evaluate import confusion_matrix, recalls
from gaitd_train.golden import AGREEMENT, golden, golden_windows
from gaitd_train.model_directory import keep_known_recalls, network_entry, task_entry, write_model
from gaitd_train.module import HOLDS, Configuration, ConfiguredModule, Input, evaluating
from gaitd_train.normalisation import normalise
from gaitd_train.statistics import sensor_statistics
from gaitd_train.task import Channel, Task

__all__ = ["Configuration", "Input", "write_ladder"]

SCHEMA = 3


def write_ladder(
    out: str | Path,
    configurations: Configuration | Sequence[Configuration],
    *,
    labels: Sequence[str],
    channels: Mapping[str, str],
    rate_hz: float,
    window: int,
    hop: int,
    name: str | None = None,
    conditioning: Sequence[dict] = (),
    network_channels: Mapping[str, str] | None = None,
    mean: ArrayLike | None = None,
    std: ArrayLike | None = None,
    normalisation: dict | None = None,
    held_out: tuple[ArrayLike, ArrayLike] | None = None,
    training_windows: ArrayLike | None = None,
    training: Mapping | None = None,
) -> dict:
    """Writes a model directory to `out` and returns its manifest.

    `configurations` stand in the order of their cost, the cheapest first; where no accuracies are known, a
    later one counts as better. `labels` are in the order of the modules' answers. `channels` are the
    sensor's, with their units, in the order in which the modules read them. `window` and `hop` are in
    samples.

    `conditioning` is a list of operations (`docs/conditioning.md`) from them to `network_channels`, which are
    the same where they are not given. `mean` and `std`, one number for each of those, standardise them
    thereafter. `normalisation` normalises each window by its own values, as `{"method": "standardise"}`.

    `held_out` are windows `x [n, channels, window]` and labels `y [n]`, names or places among `labels`, of
    people whom the training never saw; `training_windows` are windows of the training. Both hold the
    network's channels before `mean`, `std` and `normalisation`, which are applied to them.

    Every graph is run by ONNX Runtime and compared with PyTorch before anything is written. A `UserError`
    names the argument that is wrong.
    """
    chosen = [configurations] if isinstance(configurations, Configuration) else list(configurations)
    _require_configurations(chosen, held_out is not None)
    sensed = _task(
        name or Path(out).resolve().name,
        labels,
        channels,
        rate_hz,
        window,
        hop,
        conditioning,
        network_channels,
    )
    task, standardise = _standardised(sensed, mean, std)
    training = {"torch": torch.__version__, "gaitd_train": __version__, **_plain(training or {}, "training")}
    if normalisation is not None:
        normalisation = _plain(normalisation, "normalisation")
        normalise(np.zeros((1, 1)), normalisation)

    def read(windows: np.ndarray) -> torch.Tensor:
        """Windows as sensed, as the networks read them."""
        windows = standardise(windows)
        return torch.from_numpy(
            windows if normalisation is None else normalise(windows, normalisation).astype(np.float32)
        )

    synthetic = golden_windows(sensed).numpy()
    measured = None if held_out is None else _labelled(held_out, task)
    networks, logits, tolerances, entries = {}, {}, {}, []
    for configuration in chosen:
        with _named(f"configuration {configuration.id}"), evaluating(configuration.module):
            network = ConfiguredModule(configuration, task)
            windows = read(synthetic)
            answers = network.answers(windows)
            content = network.exported(windows, answers)
            entry = {**network_entry(configuration.id, content), **network.entry()}
            if measured is not None:
                x, y = measured
                entry |= _figures(configuration.id, network.answers(read(x)), y)
        networks[configuration.id], logits[configuration.id] = content, answers
        if network.tolerance != AGREEMENT:
            tolerances[configuration.id] = network.tolerance
        entries.append(entry)
    keep_known_recalls(entries, task.labels)
    statistics = None
    if training_windows is not None:
        statistics = sensor_statistics(_windows(training_windows, "training_windows", task), sensed)
    manifest = {
        "schema": SCHEMA,
        "name": task.name,
        "task": task_entry(task, statistics, normalisation),
        "training": training,
        "configurations": entries,
    }
    reference = f"PyTorch {torch.__version__}"
    write_model(Path(out), networks, golden(standardise(synthetic), logits, reference, tolerances), manifest)
    return manifest


def _figures(name: str, logits: np.ndarray, y: np.ndarray) -> dict:
    """What held-out windows say of the configuration `name`."""
    confusion = confusion_matrix(y, logits.argmax(1), logits.shape[1])
    return {
        "accuracy": {"validation": float(np.trace(confusion) / confusion.sum())},
        "recall": recalls(confusion),
        **calibrated(name, {"validation": (logits, y)}),
    }


def _task(
    name: str,
    labels: Sequence[str],
    channels: Mapping[str, str],
    rate_hz: float,
    window: int,
    hop: int,
    conditioning: Sequence[dict],
    network_channels: Mapping[str, str] | None,
) -> Task:
    """The task, whose channels are not yet standardised."""
    labels = [str(label) for label in labels]
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise UserError(
            f"labels: {labels} must be two or more, each once, in the order of the module's answers"
        )
    if not 0.1 <= rate_hz <= 10_000:
        raise UserError(f"rate_hz is {rate_hz}, and must be from 0.1 to 10000 samples per second")
    if not 1 <= window <= 60_000 or not 1 <= hop <= window:
        raise UserError(
            f"window is {window} and hop {hop}; in samples, window must be from 1 to 60000, and "
            "hop from 1 to window"
        )
    operations = _plain(list(conditioning), "conditioning")
    sensor, read = (
        _channels(channels, "channels"),
        _channels(network_channels or channels, "network_channels"),
    )
    task = Task(
        name, name, tuple(labels), read, float(rate_hz), int(window), int(hop), sensor, tuple(operations)
    )
    try:
        noise = np.random.default_rng(0).normal(size=(len(sensor), window))
        made = condition(
            dict(zip((channel.name for channel in sensor), noise, strict=True)),
            task.conditioning,
            task.input_units(),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"conditioning: {error!r}; docs/conditioning.md lists operations and their keys"
        ) from error
    if missing := [channel.name for channel in read if channel.name not in made]:
        raise UserError(
            f"network_channels: nothing makes {missing[0]!r}; channels and conditioning give "
            f"{', '.join(made)}"
        )
    return task


def _channels(channels: Mapping[str, str], argument: str) -> tuple[Channel, ...]:
    if not isinstance(channels, Mapping) or not channels:
        raise UserError(
            f'{argument}: give names with units, such as {{"acc_x": "m/s2"}}, in the order of the module'
        )
    return tuple(Channel(name, unit) for name, unit in channels.items())


def _standardised(sensed: Task, mean: ArrayLike | None, std: ArrayLike | None):
    """The task of the networks, and what makes its windows of those of `sensed`: float32 of any shape
    `[..., channels, time]`.
    """
    if mean is None and std is None:
        return sensed, lambda windows: windows.astype(np.float32)
    if mean is None or std is None:
        raise UserError("mean and std belong together; give both, or none")
    names = [channel.name for channel in sensed.channels]
    numbers = {"mean": mean, "std": std}
    for argument, values in numbers.items():
        values = numbers[argument] = _array(values).astype(np.float64).reshape(-1)
        if len(values) != len(names):
            raise UserError(f"{argument} has {len(values)} numbers, and there are {len(names)} channels")
        if not np.isfinite(values).all() or (argument == "std" and (values <= 0).any()):
            raise UserError(f"{argument} is {values.tolist()}, and must be finite, std above 0")
    operation = {"op": "standardise", "from": names} | {
        key: values.tolist() for key, values in numbers.items()
    }

    def standardise(windows: np.ndarray) -> np.ndarray:
        made = condition(dict(zip(names, np.moveaxis(windows, -2, 0), strict=True)), (operation,))
        return np.stack([made[name] for name in names], axis=-2).astype(np.float32)

    task = replace(
        sensed,
        channels=tuple(Channel(name, NO_UNIT) for name in names),
        conditioning=(*sensed.conditioning, operation),
    )
    return task, standardise


def _labelled(held_out: tuple[ArrayLike, ArrayLike], task: Task) -> tuple[np.ndarray, np.ndarray]:
    """Held-out windows and their 0-based labels."""
    if not isinstance(held_out, tuple | list) or len(held_out) != 2:
        raise UserError("held_out: give windows and labels, as (x, y)")
    x, y = _windows(held_out[0], "held_out", task), _array(held_out[1])
    if y.dtype.kind in "UO":
        if unknown := sorted({str(label) for label in y} - set(task.labels)):
            raise UserError(f"held_out: {unknown[0]!r} is not among the labels {', '.join(task.labels)}")
        y = np.array([task.labels.index(str(label)) for label in y])
    if y.shape != (len(x),) or y.dtype.kind not in "iu":
        raise UserError(f"held_out: y must hold one whole number or name for each of the {len(x)} windows")
    if y.min() < 0 or y.max() >= len(task.labels):
        raise UserError(
            f"held_out: y goes from {y.min()} to {y.max()}, and must lie in 0 to {len(task.labels) - 1}, the "
            "places of the labels"
        )
    return x, y.astype(np.int64)


def _windows(values: ArrayLike, argument: str, task: Task) -> np.ndarray:
    x = _array(values)
    shape = (len(x) if x.ndim else 0, len(task.channels), task.window)
    if x.shape != shape or not len(x):
        raise UserError(
            f"{argument}: windows of shape {x.shape}; [n, {shape[1]}, {shape[2]}] are [n, channels, window]"
        )
    if x.dtype.kind not in "fiu" or not np.isfinite(x).all():
        raise UserError(f"{argument}: the windows hold values that are not finite numbers")
    return x


def _plain(value, argument: str):
    """`value` as JSON has it; numbers and arrays of NumPy and PyTorch become plain ones."""
    try:
        return json.loads(json.dumps(value, allow_nan=False, default=lambda part: part.tolist()))
    except (AttributeError, TypeError, ValueError) as error:
        raise UserError(f"{argument}: {value!r} cannot stand in a manifest: {error}") from error


def _array(values: ArrayLike) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def _require_configurations(configurations: list[Configuration], measured: bool) -> None:
    if not configurations:
        raise UserError("configurations: a ladder needs one at least")
    for configuration in configurations:
        name = f"configuration {configuration.id}"
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", str(configuration.id)):
            raise UserError(f"{name}: its id must be 1 to 64 letters, digits, `.`, `_` and `-`")
        if not isinstance(configuration.module, nn.Module):
            raise UserError(f"{name}: module must be a torch.nn.Module")
        if configuration.holds not in HOLDS:
            raise UserError(f"{name}: holds is {configuration.holds!r}; known: {', '.join(HOLDS)}")
        if configuration.accuracy is not None and not 0 <= configuration.accuracy <= 1:
            raise UserError(f"{name}: accuracy is {configuration.accuracy}, and must be a share from 0 to 1")
        if configuration.tolerance is not None and not 0 <= configuration.tolerance <= 0.1:
            raise UserError(f"{name}: tolerance is {configuration.tolerance}, and must be from 0 to 0.1")
    ids = [configuration.id for configuration in configurations]
    if len({name.lower() for name in ids}) < len(ids):
        raise UserError(f"configurations: {', '.join(ids)} must differ in their ids")
    known = [configuration.accuracy is not None for configuration in configurations]
    if measured and any(known):
        raise UserError("accuracy: held_out measures it; give one of the two")
    if any(known) and not all(known):
        raise UserError("accuracy is given for some configurations only; give it for all or for none")


@contextlib.contextmanager
def _named(what: str) -> Iterator[None]:
    """Puts `what` before the message of a `UserError`."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{what}: {error}") from error
