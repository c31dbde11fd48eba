"""A tiny ladder from made-up data, end to end in seconds, for tests of programs that load a ladder."""

import json
from pathlib import Path

import numpy as np

from gaitd_train import checkpoint, data, evaluate, evaluation_report, ladder, recipe, results, training
from gaitd_train.task import UCI_HAR, Task

RECIPE = "demo"
SEED = 0
TRAIN_SUBJECTS = (1, 2, 3, 4)
TEST_SUBJECTS = (5,)
HELD_OUT = (4,)
WINDOWS_PER_ACTIVITY = 16


def write_data(path: Path, task: Task = UCI_HAR) -> None:
    """Writes synthetic windows in the prepared layout: a posture per activity and, for half, a gait."""
    rng = np.random.default_rng(SEED)
    arrays = {
        "channels": np.array([channel.name for channel in task.channels]),
        "source": np.array("synthetic demo data"),
        "task": np.array(json.dumps(task.to_dict())),
    }
    for split, subjects in (("train", TRAIN_SUBJECTS), ("test", TEST_SUBJECTS)):
        count = len(subjects) * len(task.labels) * WINDOWS_PER_ACTIVITY
        y = np.tile(np.arange(1, len(task.labels) + 1), count // len(task.labels))
        arrays[f"X_{split}"] = np.stack([_window(activity, task, rng) for activity in y])
        arrays[f"y_{split}"] = y.astype(np.int8)
        arrays[f"subject_{split}"] = np.repeat(subjects, count // len(subjects)).astype(np.int16)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)


def _window(activity: int, task: Task, rng: np.random.Generator) -> np.ndarray:
    time = np.arange(task.window) / task.sample_rate_hz
    lean = activity + rng.normal(0, 0.35)
    gravity = {"x": np.cos(lean), "y": np.sin(lean), "z": 0.2}
    swing = 0.3 * (activity % 2) * np.sin(2 * np.pi * (1 + 0.3 * activity) * time + rng.uniform(0, 2 * np.pi))
    rows = []
    for channel in task.channels:
        still = gravity[channel.name[-1]] if channel.name.startswith("total_acc") else 0.0
        rows.append(still + swing + rng.normal(0, 0.05, task.window))
    return np.stack(rows).astype(np.float32)


def demo_ladder(out: Path, work: Path, form: str) -> None:
    """Makes data, trains, evaluates and exports: the ladder to `out`, everything else to `work`."""
    config = training.RunConfig(*recipe.load(RECIPE), SEED, list(HELD_OUT))
    write_data(work / "windows.npz")
    dataset = data.load(work / "windows.npz", UCI_HAR)
    path = training.train(config, dataset, work / "run", resume=True)
    trained = checkpoint.load(path)
    runs = [results.Run(*evaluate.evaluate(trained, dataset, split)) for split in evaluate.SPLITS]
    for split, run in zip(evaluate.SPLITS, runs, strict=True):
        results.save([run], work / split)
        evaluation_report.write([run.figures], work / split)
    validation, test = runs
    ladder.export_ladder(trained, dataset, [validation], test, out, "demo", form, most=4)
