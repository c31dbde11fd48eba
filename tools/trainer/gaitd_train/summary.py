"""Evaluations of one method as tables and figures, with mean and spread over seeds."""

import csv
import io
import json
import statistics
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from gaitd_train.errors import UserError
from gaitd_train.paper import published


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
        drawn.savefig(out / name, dpi=130)
        plt.close(drawn)
        files.append(out / name)

    text("accuracy.csv", table_csv(rows, runs[0]["labels"]))
    text("accuracy.md", table_markdown(rows, runs))
    figure("accuracy-macs.png", plot_front(rows, runs))
    figure("confusion.png", plot_confusion(runs, rows))
    if len({row.width for row in rows}) > 1 and len({row.resolution for row in rows}) > 1:
        figure("heatmap.png", plot_heatmap(rows, runs))
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


def plot_front(rows: list[Row], runs: list[dict]) -> Figure:
    """Accuracy over cost: all configurations, their front, and the paper's points where it has some."""
    drawn, axes = plt.subplots(figsize=(7.6, 4.6), layout="constrained")
    macs = np.array([row.macs for row in rows]) / 1e6
    accuracy = 100 * np.array([row.accuracy for row in rows])
    points = axes.scatter(
        macs,
        accuracy,
        s=14,
        c=[row.width for row in rows],
        cmap="viridis",
        alpha=0.75,
        linewidths=0,
        zorder=2,
    )
    drawn.colorbar(points, ax=axes, label="width", pad=0.015)
    best = front(rows)
    axes.step(
        [row.macs / 1e6 for row in best],
        [100 * row.accuracy for row in best],
        where="post",
        color="#333333",
        linewidth=1.1,
        label="gaitd, front",
        zorder=3,
    )
    if paper := published(runs[0]["network"], runs[0]["dataset"]):
        for points, style, label in (
            (paper.collaborative, "D-", "paper, collaborative"),
            (paper.alone, "s:", "paper, each trained alone"),
        ):
            axes.plot(
                [point.mmacs for point in points],
                [point.accuracy for point in points],
                style,
                color="#c8452d",
                markersize=5,
                linewidth=1,
                label=label,
                zorder=4,
            )
    axes.set_xscale("log")
    axes.set_xlabel("million multiply-accumulates per window")
    axes.set_ylabel("accuracy (%)")
    axes.set_title(_title(runs), fontsize=10)
    axes.grid(True, which="major", color="#dddddd", linewidth=0.6)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.legend(loc="lower right", frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return drawn


def plot_heatmap(rows: list[Row], runs: list[dict]) -> Figure:
    """Accuracy of every configuration, width by resolution."""
    widths = sorted({row.width for row in rows})
    resolutions = sorted({row.resolution for row in rows})
    grid = np.full((len(widths), len(resolutions)), np.nan)
    for row in rows:
        grid[widths.index(row.width), resolutions.index(row.resolution)] = 100 * row.accuracy
    drawn, axes = plt.subplots(
        figsize=(1.8 + 0.62 * len(resolutions), 1.4 + 0.31 * len(widths)), layout="constrained"
    )
    image = axes.imshow(grid, origin="lower", aspect="auto", cmap="viridis")
    dark_below = np.nanmin(grid) + 0.6 * (np.nanmax(grid) - np.nanmin(grid))
    for (y, x), value in np.ndenumerate(grid):
        if np.isfinite(value):
            color = "white" if value < dark_below else "black"
            axes.text(x, y, f"{value:.1f}", ha="center", va="center", fontsize=7, color=color)
    axes.set_xticks(range(len(resolutions)), resolutions)
    axes.set_yticks(range(len(widths)), [f"{width:.2f}" for width in widths])
    axes.set_xlabel("resolution (time steps)")
    axes.set_ylabel("width")
    axes.set_title(_title(runs), fontsize=10)
    drawn.colorbar(image, ax=axes, label="accuracy (%)", pad=0.02)
    return drawn


def plot_confusion(runs: list[dict], rows: list[Row]) -> Figure:
    """Truth against answer at the full and the smallest configuration, in percent of the truth."""
    labels = runs[0]["labels"]
    chosen = [_full(rows), rows[0]]
    drawn, both = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained", sharey=True)
    for axes, row in zip(both, chosen, strict=True):
        counts = _confusion(runs, row).astype(float)
        share = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=100)
        for (y, x), value in np.ndenumerate(share):
            if value > 0:
                axes.text(
                    x,
                    y,
                    f"{value:.1f}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="white" if value > 55 else "black",
                )
        axes.set_xticks(range(len(labels)), labels, rotation=35, ha="right")
        axes.set_yticks(range(len(labels)), labels)
        axes.set_xlabel("answer")
        axes.set_title(f"{row.id}: {100 * row.accuracy:.2f} %", fontsize=10)
    both[0].set_ylabel("truth")
    drawn.suptitle(f"{_title(runs)}; percent of each true activity", fontsize=10)
    return drawn


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
