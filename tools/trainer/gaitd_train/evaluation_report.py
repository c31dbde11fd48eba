"""The tables and figures that `gaitd-train evaluate` writes: one page, one CSV, and plots."""

import csv
import io
from pathlib import Path

import numpy as np

from gaitd_train import figures
from gaitd_train.figures import Figure, Line
from gaitd_train.markdown import Page, Table
from gaitd_train.paper import Point, published
from gaitd_train.summary import Row, front, summarise


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
    text("accuracy.md", str(page(rows, runs)))
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


def page(rows: list[Row], runs: list[dict]) -> Page:
    """All configurations and their front, and the full one's confusion."""
    full = _full(rows)
    page = Page()
    page.heading(1, _title(runs))
    page.paragraph(
        f"Recipe {runs[0]['recipe']}, {runs[0]['method']}, {runs[0]['epochs']} epochs, "
        f"gaitd-train {runs[0]['gaitd_train']}. {'; '.join(_windows_of(run) for run in runs)}."
    )
    page.paragraph("Accuracy and recall in percent. Front: no cheaper configuration is as accurate.")
    page.table(_configurations(rows, runs))
    page.heading(2, f"Confusion at {full.id}")
    page.paragraph("Windows, added up over all runs; rows are the truth, columns the answer.")
    page.table(_confusion_table(runs, full))
    return page


def _configurations(rows: list[Row], runs: list[dict]) -> Table:
    labels = runs[0]["labels"]
    table = Table(
        ["configuration", "MMACs", "parameters", "accuracy", "sd", *labels, "front"], text=["front"]
    )
    best = {row.id for row in front(rows)}
    for row in rows:
        table.add(
            [
                row.id,
                f"{row.macs / 1e6:.2f}",
                f"{row.parameters:,}",
                f"{100 * row.accuracy:.2f}",
                "" if len(runs) == 1 else f"{100 * row.spread:.2f}",
                *("" if value is None else f"{100 * value:.1f}" for value in row.recall),
                "*" if row.id in best else "",
            ]
        )
    return table


def _confusion_table(runs: list[dict], row: Row) -> Table:
    labels = runs[0]["labels"]
    table = Table(["", *labels])
    for label, counts in zip(labels, _confusion(runs, row), strict=True):
        table.add([label, *map(str, counts)])
    return table


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
    subjects = "test subjects" if runs[0]["split"] == "test" else "held-out training subjects"
    if len(runs) == 1:
        averaged = f"seed {runs[0]['seed']}"
    else:
        seeds = {run["seed"] for run in runs}
        averaged = f"mean of {len(runs)} {'seeds' if len(seeds) == len(runs) else 'runs'}"
    return f"{runs[0]['data']}, {subjects}, {averaged}"


def _windows_of(run: dict) -> str:
    subjects = ", ".join(str(subject) for subject in run["subjects"])
    return f"Seed {run['seed']}: {run['windows']} windows of subjects {subjects}"
