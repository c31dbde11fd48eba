"""The tables of the report, one function each; None where no run stands behind a table."""

import statistics

from gaitd_train.answers import pooled
from gaitd_train.confidence import calibration_error, fit_temperature
from gaitd_train.evidence import Measured, compare, measured
from gaitd_train.markdown import Table
from gaitd_train.method import ALONE, COLLABORATIVE, KINDS, WIDTH_ONLY
from gaitd_train.paper import Published
from gaitd_train.plan import TEST, VALIDATION
from gaitd_train.report.section import Section


def by_method(section: Section) -> Table:
    """Configurations by method, the paper's accuracy beside ours."""
    macs, paper = section.macs(), section.paper
    table = Table(
        [
            "configuration",
            "MMACs",
            *(f"{prefix}{_label(kind)}" for kind in KINDS for prefix in (["paper: ", ""] if paper else [""])),
        ]
    )
    mmacs = {name: count / 1e6 for name, count in macs.items() if section.is_listed(name)}
    if paper:
        mmacs |= {p.id: macs[p.id] / 1e6 if p.id in macs else p.mmacs for p in paper.configurations()}
    for name in sorted(mmacs, key=lambda name: (-mmacs[name], name)):
        cells = [name, f"{mmacs[name]:.2f}"]
        for kind in KINDS:
            cells += [_published(paper, kind, name)] if paper else []
            cells.append(_accuracy(section.accuracy(kind, name)))
        table.add(cells)
    return table


def comparisons(section: Section) -> Table | None:
    """Paired differences of the collaborative runs from the baselines."""
    table = Table(["comparison", "points", "p over seeds", "p over subjects"])
    macs = section.macs()
    for kind, names in (
        (ALONE, section.plan.alone),
        (WIDTH_ONLY, [name for name in sorted(macs, key=macs.__getitem__) if section.is_listed(name)]),
    ):
        for name in names:
            baseline = section.runs_trained_for(kind, name)
            if found := compare(section.runs_of(COLLABORATIVE), name, baseline, name):
                gain = f"{100 * found.gain:+.2f}"
                label = f"collaborative over {_label(kind)}, {name}"
                table.add([label, gain, _p_value(found.p_seeds), _p_value(found.p_subjects)])
    return table if table.rows else None


def resolution_only(section: Section) -> Table | None:
    """The full network trained alone, fed shorter windows, beside the collaborative runs."""
    full = section.recipe.grid.full
    alone = section.runs_trained_for(ALONE, full.id)
    table = Table(["resolution only", "full network alone", "collaborative"])
    for configuration in section.recipe.grid.configurations():
        name = configuration.id
        if configuration.width == full.width and (own := measured(alone, name)):
            table.add([name, _accuracy(own), _accuracy(section.accuracy(COLLABORATIVE, name))])
    return table if table.rows else None


def calibration(section: Section) -> Table | None:
    """Calibration errors before and after temperature scaling, on held-out subjects and on the test's.

    A held-out group is scaled by the temperature of the other groups, the only one by its own.
    """
    table = Table(["configuration", "temperature", "held-out before", "after", "test before", "after"])
    groups, seeds = section.answers(VALIDATION), section.answers(TEST)
    for name in section.rungs():
        temperature = fit_temperature(*pooled(groups, name))
        others = [[other for other in groups if other is not group] or groups for group in groups]
        of_others = [fit_temperature(*pooled(rest, name)) for rest in others]
        errors = [
            statistics.fmean(
                calibration_error(answers.logits[name], answers.y, t)
                for answers, t in zip(split, temperatures, strict=True)
            )
            for split, temperatures in (
                (groups, [1.0] * len(groups)),
                (groups, of_others),
                (seeds, [1.0] * len(seeds)),
                (seeds, [temperature] * len(seeds)),
            )
        ]
        table.add([name, f"{temperature:.2f}", *(f"{100 * error:.2f}" for error in errors)])
    return table if table.rows else None


def published_only(paper: Published) -> Table:
    """The paper's figures where there are none of ours."""
    table = Table(["configuration", "MMACs", *(f"paper: {_label(kind)}" for kind in KINDS)])
    for point in sorted(paper.configurations(), key=lambda point: -point.mmacs):
        table.add([point.id, f"{point.mmacs:.2f}", *(_published(paper, kind, point.id) for kind in KINDS)])
    return table


def _label(kind: str) -> str:
    return kind.replace("-", " ")


def _published(paper: Published, kind: str, configuration: str) -> str:
    return next((f"{p.accuracy:.2f}" for p in paper.points(kind) if p.id == configuration), "")


def _accuracy(value: Measured | None) -> str:
    if value is None:
        return ""
    spread = "" if value.spread is None else f" ± {100 * value.spread:.2f}"
    return f"{100 * value.mean:.2f}{spread} ({value.seeds})"


def _p_value(value: float | None) -> str:
    return "" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"
