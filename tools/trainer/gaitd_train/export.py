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
from gaitd_train.resample import resample

# Logits of a few units, computed in another order of additions.
AGREEMENT = 1e-4


def pick_rungs(
    validation: dict[Configuration, float],
    macs: dict[Configuration, int],
    full: Configuration,
    smallest: Configuration,
    most: int,
) -> list[Configuration]:
    """At most `most` configurations on the front of validation accuracy over MACs, from the cheapest to the dearest.

    The smallest and the full configuration always belong to it. Between them, of a longer front, those are kept whose
    MACs are spread most evenly on a logarithmic scale, because a budget shrinks by factors, not by steps.
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


def export_ladder(
    trained: Checkpoint,
    dataset: Dataset,
    rungs: list[Configuration],
    out: Path,
    name: str,
    validation: dict,
    test: dict | None,
    form: str,
    facts: dict,
) -> None:
    """Calibrates the rungs and writes `*.onnx`, `golden.json` and, last, `manifest.json` to `out`.

    `validation` and `test` are evaluations (see `gaitd_train.evaluate`): configuration id -> its figures. Every graph is
    run by ONNX Runtime and compared with PyTorch before anything is written. ONNX files of an older ladder in
    `out` are removed.
    """
    task, network = trained.task, trained.build()
    calibrate(network, dataset.without(trained.held_out), rungs)
    rungs = sorted(rungs, key=lambda rung: count_macs(network, rung))
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
        figures = validation[rung.id]
        entry = {
            "id": rung.id,
            "width": rung.width,
            "resolution": rung.resolution,
            "file": file,
            "sha256": hashlib.sha256(content).hexdigest(),
            "macs": count_macs(network, rung),
            "parameters": count_parameters(network, rung),
            "accuracy": {"validation": figures["accuracy"]},
            "recall": figures["recall"],
        }
        if test is not None:
            entry["accuracy"]["test"] = test[rung.id]["accuracy"]
            entry["recall_test"] = test[rung.id]["recall"]
        entries.append(entry)
    manifest = {
        "schema": 1,
        "name": name,
        "task": {
            "labels": list(task.labels),
            "channels": [vars(channel) for channel in task.channels],
            "sample_rate_hz": task.sample_rate_hz,
            "window": task.window,
            "hop": task.hop,
            "input": {
                "channels": [vars(channel) for channel in task.input_channels],
                "conditioning": list(task.conditioning),
            },
        },
        "training": {
            "dataset": task.name,
            "data": dataset.source,
            "method": "collaborative",
            "recipe": trained.recipe_name,
            "seed": trained.seed,
            "epochs": trained.epoch,
            "held_out_subjects": trained.held_out,
            "gaitd_train": __version__,
            "form": form,
            **facts,
            "settings": recipes.to_dict(trained.recipe) | {"grid": None},
        },
        "configurations": entries,
    }
    del manifest["training"]["settings"]["grid"]
    _write(out / "golden.json", (json.dumps(golden(network, task, rungs)) + "\n").encode())
    _write(out / "manifest.json", (json.dumps(manifest, indent=1) + "\n").encode())


@torch.no_grad()
def _agree(network, task, rung: Configuration, model: onnx.ModelProto) -> None:
    windows = golden_windows(task)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = [session.run(None, {"window": resample(w[None], rung.resolution).numpy()})[0][0] for w in windows]
    difference = np.abs(np.array(found) - network(windows, rung).numpy()).max()
    if not difference <= AGREEMENT:
        raise UserError(
            f"{rung.id}: the exported graph differs from the network by {difference:g} (limit {AGREEMENT:g}); "
            "this is a defect of the exporter, nothing was written"
        )


def _write(path: Path, content: bytes) -> None:
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.chmod(scratch, 0o644)
    os.replace(scratch, path)
