"""A ladder: the rungs worth having, as a model directory that gaitd verifies and runs."""

import hashlib
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from gaitd_train import __version__
from gaitd_train import recipe as recipes
from gaitd_train.calibrate import calibrate
from gaitd_train.checkpoint import Checkpoint
from gaitd_train.data import Dataset
from gaitd_train.errors import UserError
from gaitd_train.golden import golden, golden_windows
from gaitd_train.grid import Configuration
from gaitd_train.macs import count_macs, count_parameters
from gaitd_train.onnx_form import to_onnx
from gaitd_train.report import Row, summarise
from gaitd_train.resample import resample
from gaitd_train.task import Task

# Logits of a few units, computed in another order of additions.
AGREEMENT = 1e-4
SCHEMA = 1
MANIFEST_FILE = "manifest.json"


def pick_rungs(
    validation: dict[Configuration, float],
    macs: dict[Configuration, int],
    full: Configuration,
    smallest: Configuration,
    most: int,
) -> list[Configuration]:
    """At most `most` configurations on the front of validation accuracy over MACs, from the cheapest to the
    dearest.

    The smallest and the full configuration always belong to it. Between them, of a longer front, those are
    kept whose MACs are spread most evenly on a logarithmic scale, because a budget shrinks by factors, not by
    steps.
    """
    front: list[Configuration] = []
    for configuration in sorted(validation, key=lambda c: (macs[c], -validation[c])):
        if not front or validation[configuration] > validation[front[-1]]:
            front.append(configuration)
    between = [c for c in front if macs[smallest] < macs[c] < macs[full]]
    while len(between) > most - 2:
        # Drops the rung whose neighbours lie closest together.
        chain = [smallest, *between, full]
        gaps = [macs[chain[i + 2]] / macs[chain[i]] for i in range(len(between))]
        del between[gaps.index(min(gaps))]
    return [smallest, *between, full]


def run_of(trained: Checkpoint, runs: list[dict], where: Path) -> dict:
    """The evaluation of this very checkpoint on the test subjects, among those of other seeds."""
    for run in runs:
        found = (run["split"], run["recipe"], run["seed"], run["epochs"], run["held_out"])
        if found == ("test", trained.recipe_name, trained.seed, trained.epoch, trained.held_out):
            return run
    raise UserError(
        f"{where}: holds no test evaluation of this checkpoint (recipe {trained.recipe_name}, "
        f"seed {trained.seed}, {trained.epoch} epochs, held out {trained.held_out}); "
        "run `gaitd-train evaluate --split test` on it"
    )


def export_ladder(
    trained: Checkpoint,
    dataset: Dataset,
    validation: list[dict],
    test: dict | None,
    out: Path,
    name: str,
    most: int,
    form: str,
) -> None:
    """Picks at most `most` rungs and writes `*.onnx`, `golden.json` and, last, `manifest.json` to `out`.

    `validation` are the evaluations that pick (their mean counts), `test` one that is only quoted; both as
    `gaitd_train.evaluate` gives them. Every graph is run by ONNX Runtime and compared with PyTorch before
    anything is written. ONNX files of an older ladder in `out` are removed.
    """
    task, network = trained.task, trained.build()
    rows = {row.id: row for row in _validated(validation)}
    grid = {c.id: c for c in network.grid.configurations()}
    if unknown := sorted(set(rows) - set(grid)):
        raise UserError(f"the validation measured {unknown[0]}, which this network does not have")
    rungs = pick_rungs(
        {grid[name]: row.accuracy for name, row in rows.items()},
        {grid[name]: row.macs for name, row in rows.items()},
        network.grid.full,
        network.grid.smallest,
        most,
    )
    calibrate(network, dataset.without(trained.held_out), rungs)
    models = {rung: to_onnx(network, rung, form) for rung in rungs}
    for rung, model in models.items():
        _agree(network, task, rung, model)
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.onnx"):
        old.unlink()
    entries = []
    for rung, model in models.items():
        content = model.SerializeToString(deterministic=True)
        file = f"{rung.id}.onnx"
        _write(out / file, content)
        entry = {
            "id": rung.id,
            "width": rung.width,
            "resolution": rung.resolution,
            "file": file,
            "sha256": hashlib.sha256(content).hexdigest(),
            "macs": count_macs(network, rung),
            "parameters": count_parameters(network, rung),
            "accuracy": {"validation": rows[rung.id].accuracy},
            "recall": rows[rung.id].recall,
        }
        if test is not None:
            figures = test["configurations"][rung.id]
            entry["accuracy"]["test"] = figures["accuracy"]
            entry["recall_test"] = figures["recall"]
        entries.append(entry)
    manifest = {
        "schema": SCHEMA,
        "name": name,
        "task": _task_entry(task),
        "training": _training_entry(trained, dataset, validation, test, form),
        "configurations": entries,
    }
    _write(out / "golden.json", (json.dumps(golden(network, task, rungs)) + "\n").encode())
    _write(out / MANIFEST_FILE, (json.dumps(manifest, indent=1) + "\n").encode())


def _validated(validation: list[dict]) -> list[Row]:
    if any(run["split"] != "validation" for run in validation):
        raise UserError(
            "--validation: this evaluation is on the test subjects, which must not choose anything"
        )
    return summarise(validation)


def _task_entry(task: Task) -> dict:
    return {
        "labels": list(task.labels),
        "channels": [vars(channel) for channel in task.channels],
        "sample_rate_hz": task.sample_rate_hz,
        "window": task.window,
        "hop": task.hop,
        "input": {
            "channels": [vars(channel) for channel in task.input_channels],
            "conditioning": list(task.conditioning),
        },
    }


def _training_entry(
    trained: Checkpoint, dataset: Dataset, validation: list[dict], test: dict | None, form: str
) -> dict:
    """How the weights and the figures came about; for readers, the runtime uses none of it."""
    settings = recipes.to_dict(trained.recipe)
    del settings["grid"]  # the configurations say what is left of it
    return {
        "dataset": trained.task.name,
        "data": dataset.source,
        "method": "collaborative",
        "recipe": trained.recipe_name,
        "seed": trained.seed,
        "epochs": trained.epoch,
        "subjects": sorted({int(s) for s in dataset.without(trained.held_out).subject}),
        "validation": {
            "what": "same recipe, trained without these training subjects, measured on them; ranks the rungs",
            "runs": [
                {key: run[key] for key in ("recipe", "seed", "epochs", "subjects", "windows")}
                for run in validation
            ],
        },
        "test": test
        and {"what": "these weights, for the report only"} | {k: test[k] for k in ("subjects", "windows")},
        "form": form,
        "gaitd_train": __version__,
        "settings": settings,
    }


@torch.no_grad()
def _agree(network, task, rung: Configuration, model: onnx.ModelProto) -> None:
    windows = golden_windows(task)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = [session.run(None, {"window": resample(w[None], rung.resolution).numpy()})[0][0] for w in windows]
    difference = np.abs(np.array(found) - network(windows, rung).numpy()).max()
    if not difference <= AGREEMENT:
        raise UserError(
            f"{rung.id}: the exported graph differs from the network by {difference:g} (limit "
            f"{AGREEMENT:g}); this is a defect of the exporter, nothing was written"
        )


def _write(path: Path, content: bytes) -> None:
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.chmod(scratch, 0o644)
    os.replace(scratch, path)
