"""The plots of the report."""

from gaitd_train import figures
from gaitd_train.answers import pooled
from gaitd_train.confidence import fit_temperature, reliability
from gaitd_train.figures import Figure, Line
from gaitd_train.method import ALONE, COLLABORATIVE, WIDTH_ONLY
from gaitd_train.plan import TEST, VALIDATION
from gaitd_train.report.section import Section

COLORS = {COLLABORATIVE: "#1f6f8b", WIDTH_ONLY: "#7a9e3f", ALONE: "#8a6fae"}


def front(section: Section) -> Figure:
    """Accuracy over cost of every method, the paper's and ours."""
    macs, lines = section.macs(), []
    names = sorted(filter(section.is_listed, macs), key=macs.__getitem__)
    for kind, color in COLORS.items():
        label = kind.replace("-", " ")
        shown = [(name, found) for name in names if (found := section.accuracy(kind, name))]
        if shown:
            lines.append(
                Line(
                    f"gaitd, {label}",
                    [macs[name] / 1e6 for name, _ in shown],
                    [100 * found.mean for _, found in shown],
                    "o-",
                    color,
                    [100 * (found.spread or 0.0) for _, found in shown],
                )
            )
        if section.paper:
            points = sorted(section.paper.points(kind), key=lambda point: point.mmacs)
            mmacs, accuracy = [p.mmacs for p in points], [p.accuracy for p in points]
            lines.append(Line(f"paper, {label}", mmacs, accuracy, "s:", color))
    return figures.accuracy_over_cost(section.title, "accuracy on test subjects (%)", lines)


def confidence(section: Section) -> Figure | None:
    """Accuracy over confidence on the test subjects at both ends of the ladder, before and after scaling."""
    names = section.rungs()
    if not names:
        return None
    panels = []
    for name in (names[0], names[-1]):
        logits, y = pooled(section.answers(TEST), name)
        temperature = fit_temperature(*pooled(section.answers(VALIDATION), name))
        before, after = (reliability(logits, y, t) for t in (1.0, temperature))
        panels.append((name, [Line("before", *before, "o:"), Line("after", *after, "o-")]))
    return figures.confidence(section.title, panels)
