"""Accuracy of every configuration, on held-out training subjects or on the test subjects."""

import numpy as np
import torch
from tqdm import tqdm

from gaitd_train import __version__
from gaitd_train.calibrate import calibrate
from gaitd_train.checkpoint import Checkpoint
from gaitd_train.cnn import Cnn
from gaitd_train.data import Dataset, Windows
from gaitd_train.errors import UserError
from gaitd_train.grid import Configuration
from gaitd_train.macs import count_macs, count_parameters

SPLITS = ("validation", "test")
BATCH = 512


def evaluate(
    trained: Checkpoint, dataset: Dataset, split: str, configurations: list[Configuration] | None = None
) -> dict:
    """Calibrates on the checkpoint's own training subjects and measures; returns plain values for JSON.

    `validation` measures on the subjects that were held out of this training, `test` on the official test
    subjects. Per configuration: `macs`, `parameters`, `accuracy`, `recall` per class (None for a class
    without windows) and `confusion[true][predicted]`.
    """
    network, task = trained.build(), trained.task
    configurations = configurations or network.grid.configurations()
    windows = _windows_of(trained, dataset, split)
    calibrate(network, dataset.without(trained.held_out), configurations)
    results = {}
    for configuration in tqdm(configurations, unit="configuration", desc=f"evaluate on {split}"):
        confusion = confusion_matrix(network, windows, configuration, len(task.labels))
        totals = confusion.sum(1)
        recall = [float(confusion[i, i] / totals[i]) if totals[i] else None for i in range(len(task.labels))]
        results[configuration.id] = {
            "width": configuration.width,
            "resolution": configuration.resolution,
            "macs": count_macs(network, configuration),
            "parameters": count_parameters(network, configuration),
            "accuracy": float(np.trace(confusion) / confusion.sum()),
            "recall": recall,
            "confusion": confusion.tolist(),
        }
    return {
        "seed": trained.seed,
        "epochs": trained.epoch,
        "recipe": trained.recipe_name,
        "held_out": trained.held_out,
        "split": split,
        "subjects": sorted({int(s) for s in windows.subject}),
        "windows": len(windows),
        "data": dataset.source,
        "labels": list(task.labels),
        "gaitd_train": __version__,
        "configurations": results,
    }


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
def confusion_matrix(
    network: Cnn, windows: Windows, configuration: Configuration, classes: int
) -> np.ndarray:
    """`[true, predicted]` counts of a calibrated configuration."""
    predicted = torch.cat([network(x, configuration).argmax(1) for x in windows.x.split(BATCH)])
    pairs = windows.y * classes + predicted
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes).numpy()
