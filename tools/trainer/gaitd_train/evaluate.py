"""Answers and accuracy of every configuration, on held-out training subjects or on the test subjects."""

import numpy as np
import torch

from gaitd_train import __version__
from gaitd_train.answers import Answers
from gaitd_train.calibrate import calibrate
from gaitd_train.checkpoint import Checkpoint
from gaitd_train.confidence import calibration_error
from gaitd_train.costs import costs
from gaitd_train.data import Dataset, Windows
from gaitd_train.distributed import CPU
from gaitd_train.errors import UserError
from gaitd_train.grid import Configuration
from gaitd_train.networks.slimmable import Network
from gaitd_train.progress import bar

SPLITS = ("validation", "test")
BATCH = 512


def evaluate(
    trained: Checkpoint,
    dataset: Dataset,
    split: str,
    configurations: list[Configuration] | None = None,
    device: torch.device = CPU,
) -> tuple[dict, Answers]:
    """Calibrates on the checkpoint's own training subjects and measures; plain values for JSON, and answers.

    `validation` measures on the subjects that were held out of this training, `test` on the official test
    subjects. Per configuration: `macs`, `parameters`, `accuracy`, `calibration_error`, `recall` per class
    (None for a class without windows) and `confusion[true][predicted]`.
    """
    network, task = trained.build().to(device), trained.task
    configurations = configurations or trained.method.measured(network.grid)
    windows = _windows_of(trained, dataset, split)
    calibrate(network, dataset.without(trained.held_out), configurations)
    y = windows.y.numpy()
    results, answers = {}, Answers({}, y, windows.subject)
    for configuration in bar(configurations, unit="configuration", desc=f"evaluate on {split}"):
        logits = answers.logits[configuration.id] = logits_of(network, windows.x, configuration)
        confusion = confusion_matrix(y, logits.argmax(1), len(task.labels))
        cost = costs(network, configuration)
        results[configuration.id] = {
            "width": configuration.width,
            "resolution": configuration.resolution,
            "macs": cost.macs,
            "parameters": cost.parameters,
            "accuracy": float(np.trace(confusion) / confusion.sum()),
            "calibration_error": calibration_error(logits, y),
            "recall": recalls(confusion),
            "confusion": confusion.tolist(),
        }
    return {
        "seed": trained.seed,
        "epochs": trained.epoch,
        "recipe": trained.recipe_name,
        "method": trained.method.name,
        "network": trained.recipe.network.source.kind,
        "held_out": trained.held_out,
        "split": split,
        "subjects": sorted({int(s) for s in windows.subject}),
        "windows": len(windows),
        "dataset": task.name,
        "data": dataset.source,
        "labels": list(task.labels),
        "gaitd_train": __version__,
        "configurations": results,
    }, answers


def _windows_of(trained: Checkpoint, dataset: Dataset, split: str) -> Windows:
    if split == "test":
        return dataset.test
    if not trained.held_out:
        raise UserError(
            "this checkpoint was trained on every training subject, so nothing is left to validate on; "
            "train one with --hold-out, or measure --split test"
        )
    return dataset.only(trained.held_out)


@torch.no_grad()
def logits_of(network: Network, windows: torch.Tensor, configuration: Configuration) -> np.ndarray:
    """The answers `[windows, classes]` of a calibrated network to `windows [windows, channels, time]`."""
    device = next(network.parameters()).device
    return torch.cat([network(x.to(device), configuration).cpu() for x in windows.split(BATCH)]).numpy()


def confusion_matrix(y: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """`[true, predicted]` counts of 0-based answers."""
    return np.bincount(y * classes + predicted, minlength=classes**2).reshape(classes, classes)


def recalls(confusion: np.ndarray) -> list[float | None]:
    """The recall of each class, None for one without windows, of `[true, predicted]` counts."""
    totals = confusion.sum(1)
    return [
        float(right / total) if total else None
        for right, total in zip(confusion.diagonal(), totals, strict=True)
    ]
