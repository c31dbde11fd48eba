"""Evaluations of one method as tables and figures, with mean and spread over seeds."""

import csv
import io
import json
import statistics
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gaitd_train import figures
from gaitd_train.errors import UserError
from gaitd_train.figures import Figure, Line
from gaitd_train.paper import Point, published


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


def write(runs: list[dict], out: Path) -> list[Path]:
    """Writes tables and figures of one or more runs to `out` and returns the files."""
    rows = summarise(runs)
    out.mkdir(parents=True, exist_ok=True)
    files = []

    def text(name: str, content: str) -> None:
        (out / name).write_text(content, encoding="utf-8")
        files.append(out / name)

    def figure(name: str, drawn: Figure) -> None:
        files.append(figures.save(drawn, out / name))

    text("accuracy.csv", table_csv(rows, runs[0]["labels"]))
    text("accuracy.md", table_markdown(rows, runs))
    figure("accuracy-macs.png", _plot_front(rows, runs))
    figure("confusion.png", _plot_confusion(runs, rows))
    if len({row.width for row in rows}) > 1 and len({row.resolution for row in rows}) > 1:
        figure("heatmap.png", _plot_heatmap(rows, runs))
    return files


def table_csv(rows: list[Row], labels: list[str]) -> str:
    """All configurations, one per line; accuracies and recalls as fractions."""
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(
        [
            "id",
            "width",
            "resolution",
            "macs",
            "parameters",
            "accuracy",
            "spread",
            *(f"recall_{x}" for x in labels),
        ]
    )
    for row in rows:
        numbers = [
            f"{row.accuracy:.6f}",
            f"{row.spread:.6f}",
            *("" if r is None else f"{r:.6f}" for r in row.recall),
        ]
        writer.writerow([row.id, f"{row.width:.2f}", row.resolution, row.macs, row.parameters, *numbers])
    return target.getvalue()


def table_markdown(rows: list[Row], runs: list[dict]) -> str:
    """What was measured, all configurations and their front, and the full one's confusion."""
    labels, full = runs[0]["labels"], _full(rows)
    lines = [
        f"# {_title(runs)}",
        "",
        f"Recipe {runs[0]['recipe']}, {runs[0]['method']}, {runs[0]['epochs']} epochs, "
        f"gaitd-train {runs[0]['gaitd_train']}. {'; '.join(_measured(run) for run in runs)}.",
        "",
        "Accuracy and recall in percent. Front: no cheaper configuration is as accurate.",
        "",
        f"| configuration | MMACs | parameters | accuracy | sd | {' | '.join(labels)} | front |",
        "| --- |" + " ---: |" * (4 + len(labels)) + " --- |",
    ]
    best = {row.id for row in front(rows)}
    for row in rows:
        spread = "" if len(runs) == 1 else f"{100 * row.spread:.2f}"
        recall = " | ".join("" if value is None else f"{100 * value:.1f}" for value in row.recall)
        lines.append(
            f"| {row.id} | {row.macs / 1e6:.2f} | {row.parameters:,} | {100 * row.accuracy:.2f} | {spread} "
            f"| {recall} | {'*' if row.id in best else ''} |"
        )
    lines += [
        "",
        f"## Confusion at {full.id}",
        "",
        "Windows, added up over all runs; rows are the truth, columns the answer.",
        "",
        f"| | {' | '.join(labels)} |",
        "| --- |" + " ---: |" * len(labels),
    ]
    for label, counts in zip(labels, _confusion(runs, full), strict=True):
        lines.append(f"| {label} | {' | '.join(str(count) for count in counts)} |")
    return "\n".join(lines) + "\n"


def _plot_front(rows: list[Row], runs: list[dict]) -> Figure:
    """All configurations, their front, and the paper's points where it has some."""
    paper = published(runs[0]["network"], runs[0]["dataset"])
    lines = (
        [
            _line("paper, collaborative", paper.collaborative, "D-"),
            _line("paper, each trained alone", paper.alone, "s:"),
        ]
        if paper
        else []
    )
    best = front(rows)
    return figures.front(
        _title(runs),
        [row.width for row in rows],
        [row.macs / 1e6 for row in rows],
        [100 * row.accuracy for row in rows],
        Line(
            "gaitd, front",
            [row.macs / 1e6 for row in best],
            [100 * row.accuracy for row in best],
            "-",
            "#333333",
        ),
        lines,
    )


def _line(label: str, points: tuple[Point, ...], style: str) -> Line:
    return Line(label, [p.mmacs for p in points], [p.accuracy for p in points], style, "#c8452d")


def _plot_heatmap(rows: list[Row], runs: list[dict]) -> Figure:
    widths = sorted({row.width for row in rows})
    resolutions = sorted({row.resolution for row in rows})
    grid = np.full((len(widths), len(resolutions)), np.nan)
    for row in rows:
        grid[widths.index(row.width), resolutions.index(row.resolution)] = 100 * row.accuracy
    return figures.heatmap(_title(runs), widths, resolutions, grid)


def _plot_confusion(runs: list[dict], rows: list[Row]) -> Figure:
    """The full and the smallest configuration."""
    return figures.confusion(
        f"{_title(runs)}; percent of each true activity",
        runs[0]["labels"],
        [(f"{row.id}: {100 * row.accuracy:.2f} %", _confusion(runs, row)) for row in (_full(rows), rows[0])],
    )


def _full(rows: list[Row]) -> Row:
    return max(rows, key=lambda row: row.macs)


def _confusion(runs: list[dict], row: Row) -> np.ndarray:
    return np.sum([run["configurations"][row.id]["confusion"] for run in runs], axis=0)


def _title(runs: list[dict]) -> str:
    where = "test subjects" if runs[0]["split"] == "test" else "held-out training subjects"
    seeds = {run["seed"] for run in runs}
    which = f"mean of {len(runs)} {'seeds' if len(seeds) == len(runs) else 'runs'}"
    which = which if len(runs) > 1 else f"seed {runs[0]['seed']}"
    return f"{runs[0]['data']}, {where}, {which}"


def _measured(run: dict) -> str:
    subjects = ", ".join(str(subject) for subject in run["subjects"])
    return f"Seed {run['seed']}: {run['windows']} windows of subjects {subjects}"
