"""Evaluations of one method, averaged: mean and spread over runs, and the front of accuracy over cost."""

import json
import statistics
from dataclasses import dataclass

from gaitd_train.errors import UserError


@dataclass(frozen=True)
class Row:
    """One configuration over all runs; accuracies as fractions, `spread` the standard deviation over runs."""

    id: str
    width: float
    resolution: int
    macs: int
    parameters: int
    accuracy: float
    spread: float
    recall: list[float | None]


def summarise(runs: list[dict]) -> list[Row]:
    """Mean and spread over evaluations of one split and the same configurations, cheapest first.

    Runs may differ in their seed and, on validation, in the subjects that they held out."""
    for key in ("split", "labels", "recipe", "method", "data"):
        if len({json.dumps(run[key]) for run in runs}) != 1:
            raise UserError(
                f"these evaluations differ in their {key}; only runs that share it can be averaged"
            )
    if len({tuple(run["configurations"]) for run in runs}) != 1:
        raise UserError("these evaluations hold different configurations; evaluate all of them alike")
    rows = []
    for name, first in runs[0]["configurations"].items():
        entries = [run["configurations"][name] for run in runs]
        accuracies = [entry["accuracy"] for entry in entries]
        recalls = zip(*(entry["recall"] for entry in entries), strict=True)
        rows.append(
            Row(
                id=name,
                width=first["width"],
                resolution=first["resolution"],
                macs=first["macs"],
                parameters=first["parameters"],
                accuracy=statistics.fmean(accuracies),
                spread=statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0,
                recall=[None if None in values else statistics.fmean(values) for values in recalls],
            )
        )
    return sorted(rows, key=lambda row: row.macs)


def front(rows: list[Row]) -> list[Row]:
    """The rows that no cheaper row equals or beats."""
    best: list[Row] = []
    for row in sorted(rows, key=lambda row: (row.macs, -row.accuracy)):
        if not best or row.accuracy > best[-1].accuracy:
            best.append(row)
    return best
