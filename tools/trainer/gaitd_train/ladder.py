"""From a checkpoint to a ladder: picks the rungs and writes them as a model directory."""

import json
from collections.abc import Collection, Sequence
from pathlib import Path

import torch

from gaitd_train import __version__
from gaitd_train import recipe as recipes
from gaitd_train.answers import pooled
from gaitd_train.calibrate import calibrate
from gaitd_train.checkpoint import Checkpoint
from gaitd_train.conditioning import needed_schema
from gaitd_train.confidence import calibrated
from gaitd_train.costs import costs
from gaitd_train.data import Dataset
from gaitd_train.errors import UserError
from gaitd_train.golden import golden, golden_windows, require_agreement
from gaitd_train.grid import Configuration, Grid
from gaitd_train.model_directory import (
    MANIFEST_FILE,
    keep_known_recalls,
    network_entry,
    task_entry,
    write_json,
    write_model,
)
from gaitd_train.onnx_form import to_onnx
from gaitd_train.resample import resample
from gaitd_train.results import Run
from gaitd_train.statistics import describe, sensor_statistics
from gaitd_train.summary import Row, summarise

SCHEMA = 2
# From this one on a manifest may have no recalls.
WITHOUT_RECALL = 3


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


def run_of(trained: Checkpoint, runs: list[Run], where: Path) -> Run:
    """The evaluation of this checkpoint on the test subjects, among those of other seeds."""
    keys = ("split", "recipe", "method", "seed", "epochs", "held_out")
    wanted = ("test", trained.recipe_name, trained.method.name, trained.seed, trained.epoch, trained.held_out)
    for run in runs:
        if tuple(run.figures[key] for key in keys) == wanted:
            return run
    raise UserError(
        f"{where}: holds no test evaluation of this checkpoint (recipe {trained.recipe_name}, "
        f"seed {trained.seed}, {trained.epoch} epochs, held out {trained.held_out}); "
        "run `gaitd-train evaluate --split test` on it"
    )


def export_ladder(
    trained: Checkpoint,
    dataset: Dataset,
    validation: list[Run],
    test: Run | None,
    out: Path,
    name: str,
    form: str,
    most: int = 10,
    only: list[str] | None = None,
) -> None:
    """Picks at most `most` rungs and writes `*.onnx`, `golden.json` and, last, `manifest.json` to `out`.

    `validation` are the evaluations that pick (their mean counts) and that fit each rung's temperature,
    `test` one that is only copied into the manifest. `only` names the rungs instead of a choice. Every graph
    is run by ONNX Runtime and compared with PyTorch before anything is written. ONNX files of an older ladder
    in `out` are removed.
    """
    task, network = trained.task, trained.build()
    rows = {row.id: row for row in _validated(validation)}
    rungs = _chosen(network.grid, rows, most, only)
    if test is not None:
        _require_measured(rungs, test.figures["configurations"], "--test")
    calibrate(network, dataset.without(trained.held_out), rungs)
    networks = {rung.id: to_onnx(network, rung, form).SerializeToString(deterministic=True) for rung in rungs}
    windows = golden_windows(task)
    with torch.no_grad():
        logits = {rung.id: network(windows, rung).numpy() for rung in rungs}
    for rung in rungs:
        feeds = [{"window": resample(window[None], rung.resolution).numpy()} for window in windows]
        require_agreement(rung.id, networks[rung.id], feeds, logits[rung.id])
    accuracies = {rung.id: _accuracy(rows[rung.id], test) for rung in rungs}
    keep_known_recalls(list(accuracies.values()), task.labels)
    knows_recall = all("recall" in entry for entry in accuracies.values())
    manifest = {
        "schema": max(SCHEMA if knows_recall else WITHOUT_RECALL, needed_schema(task.conditioning)),
        "name": name,
        "task": task_entry(task, sensor_statistics(dataset.train.x.numpy(), task)),
        "training": _training_entry(trained, dataset, validation, test, form),
        "configurations": [
            {
                **network_entry(rung.id, networks[rung.id]),
                "width": rung.width,
                "resolution": rung.resolution,
                **costs(network, rung)._asdict(),
                **accuracies[rung.id],
                **_confidence(rung.id, validation, test),
            }
            for rung in rungs
        ],
    }
    write_model(out, networks, golden(windows, logits), manifest)


def describe_ladder(folder: Path, dataset: Dataset) -> None:
    """Puts what the training samples of `dataset` were like into the manifest of an exported ladder."""
    path = folder / MANIFEST_FILE
    write_json(describe(json.loads(path.read_bytes()), dataset, path), path, 1)


def _require_measured(rungs: Sequence[Configuration], measured: Collection[str], flag: str) -> None:
    """A `UserError` where the evaluation given by `flag` lacks a rung."""
    if absent := [rung.id for rung in rungs if rung.id not in measured]:
        raise UserError(
            f"{flag}: {', '.join(absent)} not evaluated; run `gaitd-train evaluate` on all configurations, "
            "or name others with --only"
        )


def _chosen(grid: Grid, rows: dict[str, Row], most: int, only: list[str] | None) -> list[Configuration]:
    """The rungs of a ladder, cheapest first; `rows` are their accuracies on held-out subjects, by id."""
    known = {c.id: c for c in grid.configurations()}
    if unknown := sorted(set(rows) - set(known)):
        raise UserError(f"the validation measured {unknown[0]}, which this network does not have")
    macs = {known[name]: row.macs for name, row in rows.items()}
    if only:
        named = [grid.named(name) for name in only]
        _require_measured(named, rows, "--validation")
        return sorted(named, key=macs.__getitem__)
    # these two are rungs of every ladder
    _require_measured((grid.smallest, grid.full), rows, "--validation")
    accuracy = {known[name]: row.accuracy for name, row in rows.items()}
    return pick_rungs(accuracy, macs, grid.full, grid.smallest, most)


def _accuracy(row: Row, test: Run | None) -> dict:
    """One rung's accuracy and recalls, on the held-out subjects and on the test subjects."""
    if test is None:
        return {"accuracy": {"validation": row.accuracy}, "recall": row.recall}
    figures = test.figures["configurations"][row.id]
    return {
        "accuracy": {"validation": row.accuracy, "test": figures["accuracy"]},
        "recall": row.recall,
        "recall_test": figures["recall"],
    }


def _confidence(name: str, validation: list[Run], test: Run | None) -> dict:
    """One rung's temperature, fitted on all held-out subjects together, and its calibration errors."""
    measured = {"validation": pooled([run.answers for run in validation], name)}
    if test is not None:
        measured["test"] = (test.answers.logits[name], test.answers.y)
    return calibrated(name, measured)


def _validated(validation: list[Run]) -> list[Row]:
    if any(run.figures["split"] != "validation" for run in validation):
        raise UserError(
            "--validation: this evaluation is on the test subjects, which must not choose anything"
        )
    return summarise([run.figures for run in validation])


def _training_entry(
    trained: Checkpoint, dataset: Dataset, validation: list[Run], test: Run | None, form: str
) -> dict:
    """The origin of the weights and the figures, for readers; the runtime uses none of it."""
    settings = recipes.to_dict(trained.recipe)
    del settings["grid"]  # the manifest lists the configurations that were exported
    if "file" in settings["network"]:
        settings["network"]["file"] = Path(settings["network"]["file"]).name
    return {
        "dataset": trained.task.name,
        "data": dataset.source,
        "method": trained.method.name,
        "recipe": trained.recipe_name,
        "seed": trained.seed,
        "epochs": trained.epoch,
        "subjects": sorted({int(s) for s in dataset.without(trained.held_out).subject}),
        "validation": {
            "what": "same recipe, trained without these training subjects, measured on them; ranks rungs, "
            "fits their temperatures",
            "runs": [
                {key: run.figures[key] for key in ("recipe", "seed", "epochs", "subjects", "windows")}
                for run in validation
            ],
        },
        "test": test
        and {"what": "these weights, for the report only"}
        | {k: test.figures[k] for k in ("subjects", "windows")},
        "form": form,
        "gaitd_train": __version__,
        "settings": settings,
    }
