"""The figure of accuracy over mean work: each window alone, with context, and cascades, beside the paper."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from gaitd_train import figures
from gaitd_train.figures import Line
from gaitd_train.paper import Published


def draw(plans: Sequence[dict], published: Sequence[Published]) -> Figure:
    """Draws `plans` (each with `plan`, `mmacs`, and the percentages `alone` and `context`; one with a `+` in
    its name is a cascade) beside the collaborative points of what was published."""
    singles = [one for one in plans if "+" not in one["plan"]]
    cascades = sorted((one for one in plans if "+" in one["plan"]), key=lambda one: one["mmacs"])
    lines = [
        _line("each window alone", singles, "alone", "o-", "tab:blue"),
        _line("with context", singles, "context", "o-", "tab:green"),
        _line("cascades, with context", cascades, "context", "D", "tab:red"),
    ]
    for one, style in zip(published, ("s:", "^:"), strict=False):
        points = sorted(one.collaborative, key=lambda point: point.mmacs)
        label = f"the paper's {one.network}, on windows that are cut already"
        x, y = [point.mmacs for point in points], [point.accuracy for point in points]
        lines.append(Line(label, x, y, style, "tab:gray"))
    return figures.accuracy_over_cost("UCI-HAR, its nine test people", "windows recognised (%)", lines)


def _line(label: str, plans: Sequence[dict], key: str, style: str, color: str) -> Line:
    return Line(label, [one["mmacs"] for one in plans], [one[key] for one in plans], style, color)
