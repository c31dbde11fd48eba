"""Draws figures from plain values; each function gives their units."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

WIDE = (7.6, 4.6)


@dataclass(frozen=True)
class Line:
    """Points of one kind: million multiply-accumulates and accuracy in percent, or confidence and accuracy.

    `style` is Matplotlib's short form. `spread`, in the unit of `y`, is drawn as bars where it is given.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    style: str
    color: str | None = None
    spread: Sequence[float] = ()


def save(drawn: Figure, path: Path) -> Path:
    """Writes a figure as PNG and closes it."""
    drawn.savefig(path, dpi=130)
    plt.close(drawn)
    return path


def accuracy_over_cost(title: str, accuracy: str, lines: list[Line]) -> Figure:
    """Accuracy in percent (`accuracy` labels its axis) over multiply-accumulates on a logarithmic axis."""
    drawn, axes = plt.subplots(figsize=WIDE, layout="constrained")
    _cost_axes(axes, title, accuracy, lines, size=4, text=8)
    return drawn


def front(
    title: str, widths: list[float], macs: list[float], accuracy: list[float], best: Line, lines: list[Line]
) -> Figure:
    """All configurations by width, the steps of their front `best`, and the `lines` of others."""
    drawn, axes = plt.subplots(figsize=WIDE, layout="constrained")
    points = axes.scatter(macs, accuracy, s=14, c=widths, cmap="viridis", alpha=0.75, linewidths=0, zorder=2)
    drawn.colorbar(points, ax=axes, label="width", pad=0.015)
    axes.step(best.x, best.y, where="post", color=best.color, linewidth=1.1, label=best.label, zorder=3)
    _cost_axes(axes, title, "accuracy (%)", lines, size=5, text=10)
    return drawn


def _cost_axes(axes: Axes, title: str, accuracy: str, lines: list[Line], size: float, text: float) -> None:
    """Draws the axes and lines of plots over cost; marker `size` and legend `text` in points."""
    for line in lines:
        marks = {"color": line.color, "markersize": size, "label": line.label, "zorder": 4}
        if len(line.spread):
            axes.errorbar(line.x, line.y, line.spread, fmt=line.style, linewidth=1.2, capsize=2, **marks)
        else:
            axes.plot(line.x, line.y, line.style, linewidth=1, **marks)
    axes.set_xscale("log")
    axes.set_xlabel("million multiply-accumulates per window")
    axes.set_ylabel(accuracy)
    axes.set_title(title, fontsize=10)
    axes.grid(True, which="major", color="#dddddd", linewidth=0.6)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.legend(loc="lower right", frameon=False, fontsize=text)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def heatmap(title: str, widths: list[float], resolutions: list[int], accuracy: np.ndarray) -> Figure:
    """Accuracy `[width, resolution]` in percent; NaN where nothing was measured."""
    drawn, axes = plt.subplots(
        figsize=(1.8 + 0.62 * len(resolutions), 1.4 + 0.31 * len(widths)), layout="constrained"
    )
    image = axes.imshow(accuracy, origin="lower", aspect="auto", cmap="viridis")
    dark_below = np.nanmin(accuracy) + 0.6 * (np.nanmax(accuracy) - np.nanmin(accuracy))
    for (y, x), value in np.ndenumerate(accuracy):
        if np.isfinite(value):
            color = "white" if value < dark_below else "black"
            axes.text(x, y, f"{value:.1f}", ha="center", va="center", fontsize=7, color=color)
    axes.set_xticks(range(len(resolutions)), resolutions)
    axes.set_yticks(range(len(widths)), [f"{width:.2f}" for width in widths])
    axes.set_xlabel("resolution (time steps)")
    axes.set_ylabel("width")
    axes.set_title(title, fontsize=10)
    drawn.colorbar(image, ax=axes, label="accuracy (%)", pad=0.02)
    return drawn


def confusion(title: str, labels: list[str], panels: list[tuple[str, np.ndarray]]) -> Figure:
    """Truth against answer, in percent of each truth; a panel has a title and counts `[true, answer]`."""
    side = (22 + 4 * len(labels)) / 10
    drawn, all_axes = plt.subplots(
        1, len(panels), figsize=(2 * side + 0.8, side), layout="constrained", sharey=True, squeeze=False
    )
    small = len(labels) > 8
    for axes, (name, counts) in zip(all_axes[0], panels, strict=True):
        share = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=100)
        for (y, x), value in np.ndenumerate(share):
            if value > 0:
                color = "white" if value > 55 else "black"
                text = f"{value:.0f}" if small else f"{value:.1f}"
                axes.text(x, y, text, ha="center", va="center", fontsize=6 if small else 8, color=color)
        axes.set_xticks(range(len(labels)), labels, rotation=35, ha="right")
        axes.set_yticks(range(len(labels)), labels)
        axes.set_xlabel("answer")
        axes.set_title(name, fontsize=10)
    all_axes[0, 0].set_ylabel("truth")
    drawn.suptitle(title, fontsize=10)
    return drawn


def confidence(title: str, panels: list[tuple[str, list[Line]]]) -> Figure:
    """Accuracy over confidence, both as shares; a panel has its own title and lines."""
    drawn, all_axes = plt.subplots(
        1, len(panels), figsize=(8.4, 3.9), layout="constrained", sharey=True, squeeze=False
    )
    for axes, (name, lines) in zip(all_axes[0], panels, strict=True):
        axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=1)
        for line in lines:
            axes.plot(line.x, line.y, line.style, markersize=3.5, linewidth=1.1, label=line.label)
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("confidence")
    all_axes[0, 0].set_ylabel("accuracy")
    all_axes[0, 0].legend(frameon=False, fontsize=8)
    drawn.suptitle(title, fontsize=10)
    return drawn
