"""Evaluations on disk: the figures as JSON, and the answers that they were computed from.

`evaluation.json` holds a list of runs as `gaitd_train.evaluate` gives them. `answers.npz` beside it holds,
for run `i` of the list, `i/y`, `i/subject` and the logits `i/<configuration>`: what calibration and paired
tests need.
"""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gaitd_train.answers import Answers
from gaitd_train.errors import UserError
from gaitd_train.files import replaced

EVALUATION_FILE = "evaluation.json"
ANSWERS_FILE = "answers.npz"
SCHEMA = 2


@dataclass(frozen=True)
class Run:
    """One checkpoint measured on one split: its figures and its answers."""

    figures: dict
    answers: Answers


def save(runs: list[Run], folder: Path) -> list[Path]:
    """Writes both files to `folder` and returns them, the answers before the figures that need them."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for index, run in enumerate(runs):
        arrays |= {f"{index}/y": run.answers.y, f"{index}/subject": run.answers.subject}
        arrays |= {f"{index}/{name}": logits for name, logits in run.answers.logits.items()}
    with replaced(folder / ANSWERS_FILE) as file:
        np.savez_compressed(file, **arrays)
    content = json.dumps({"schema": SCHEMA, "runs": [run.figures for run in runs]}, indent=1) + "\n"
    with replaced(folder / EVALUATION_FILE) as file:
        file.write(content.encode())
    return [folder / EVALUATION_FILE, folder / ANSWERS_FILE]


def load(folder: Path) -> list[Run]:
    """The runs in a folder that `save` wrote."""
    path = folder / EVALUATION_FILE
    try:
        values = json.loads(path.read_text("utf-8"))
        runs = values["runs"]
        if values["schema"] != SCHEMA or not runs or any("configurations" not in run for run in runs):
            raise KeyError("runs")
        with np.load(folder / ANSWERS_FILE, allow_pickle=False) as archive:
            return [Run(run, _answers(archive, index, run)) for index, run in enumerate(runs)]
    except FileNotFoundError as error:
        raise UserError(f"{error.filename}: no such evaluation; `gaitd-train evaluate` writes one") from None
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not an evaluation of gaitd-train {error!r}; evaluate again") from error


def _answers(archive, index: int, run: dict) -> Answers:
    logits = {name: archive[f"{index}/{name}"] for name in run["configurations"]}
    return Answers(logits, archive[f"{index}/y"], archive[f"{index}/subject"])
