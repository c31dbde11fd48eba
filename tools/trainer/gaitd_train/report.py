"""One page: the paper's tables and plots, side by side with what the runs of plans gave.

Markdown with PNG figures. Tables that no run stands behind stay in it and say so.
"""

import json
import statistics
from dataclasses import dataclass
from pathlib import Path

from gaitd_train import data, figures
from gaitd_train import plan as plans
from gaitd_train.answers import Answers, pooled
from gaitd_train.confidence import calibration_error, fit_temperature, reliability
from gaitd_train.errors import UserError
from gaitd_train.evidence import Measured, compare, measured, speedup
from gaitd_train.figures import Figure, Line
from gaitd_train.method import ALONE, COLLABORATIVE, WIDTH_ONLY
from gaitd_train.paper import PUBLISHED, Point, Published, published
from gaitd_train.plan import TEST, VALIDATION, Job, Plan
from gaitd_train.recipe import Recipe
from gaitd_train.results import Run
from gaitd_train.task import TASKS
from gaitd_train.training import LOG_FILE

NAMES = {"cnn": "CNN", "resnet": "ResNet"}
PAGE = "README.md"


@dataclass(frozen=True)
class Section:
    """One plan with all of its runs that are whole."""

    name: str
    plan: Plan
    recipe: Recipe
    folder: Path
    runs: dict[Job, Run]

    def of(self, kind: str, split: str = TEST) -> list[Run]:
        """The runs of one kind of method on one split."""
        return [run for job, run in self.runs.items() if job.method.kind == kind and job.split == split]

    def answers(self, split: str) -> list[Answers]:
        """What the collaborative runs answered on one split."""
        return [run.answers for run in self.of(COLLABORATIVE, split)]

    @property
    def network(self) -> str:
        return self.recipe.network.source.kind

    @property
    def paper(self) -> Published | None:
        return published(self.network, self.recipe.dataset)

    def macs(self) -> dict[str, int]:
        """Multiply-accumulates of everything that some run measured."""
        return {
            name: entry["macs"]
            for run in self.runs.values()
            for name, entry in run.figures["configurations"].items()
        }


def write(runs: Path, out: Path, names: list[str]) -> list[Path]:
    """Reads what `gaitd-train reproduce` made of some plans; writes the page and its figures to `out`."""
    sections = _sections(runs, names)
    out.mkdir(parents=True, exist_ok=True)
    files = []
    lines = [*_introduction(sections)]
    for section in sections:
        lines += _section(section)
        for what, drawn in (("front", _plot_front(section)), ("confidence", _plot_confidence(section))):
            if drawn is not None:
                files.append(figures.save(drawn, out / f"{section.name}-{what}.png"))
    made = {(section.network, section.recipe.dataset) for section in sections}
    for paper in PUBLISHED:
        if (paper.network, paper.dataset) not in made:
            lines += _not_reproduced(paper)
    page = out / PAGE
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [page, *files]


def _sections(runs: Path, names: list[str]) -> list[Section]:
    sections = []
    for name_or_path in names:
        name, plan, recipe = plans.load(name_or_path)
        finished = plans.finished(runs / name, plan, recipe)
        if finished:
            sections.append(Section(name, plan, recipe, runs / name, finished))
    if not sections:
        raise UserError(
            f"{runs}: holds no finished run of a plan ({', '.join(names)}); "
            "make some with `gaitd-train reproduce`"
        )
    return sections


def _introduction(sections: list[Section]) -> list[str]:
    return [
        "# The paper's tables, and ours",
        "",
        "Written by `gaitd-train report`; do not edit. From the checkpoints, or from nothing at all:",
        "",
        *(f"    gaitd-train reproduce {section.name} --out RUNS" for section in sections),
        "    gaitd-train report RUNS --out docs/training",
        "",
        "The paper: Qin, Zhang et al., IEEE TKDE 2024 (`gaitd_train/paper.py` has its figures). It picked",
        "its best configurations on its test windows. Here, nothing was chosen on test subjects: recipes,",
        "rungs and temperatures come from held-out training subjects.",
        "",
        "Accuracy in percent, mean ± standard deviation over seeds, their number in brackets. MMACs: million",
        "multiply-accumulates per window. *alone*: that configuration trained by itself, by the same recipe.",
        "*width only*: widths teach each other, all read the whole window. *resolution only*: the full",
        "network trained alone, fed shorter windows, its batch-norm statistics taken anew for each.",
        "",
    ]


def _section(section: Section) -> list[str]:
    missing = len(plans.jobs(section.plan)) - len(section.runs)
    lines = [
        f"## {_title(section)}",
        "",
        f"Plan `{section.name}`, recipe `{section.plan.recipe}` ({section.recipe.epochs} epochs)."
        + (
            f" {missing} of the plan's {len(plans.jobs(section.plan))} runs are not made yet."
            if missing
            else ""
        ),
        "",
    ]
    lines += [section.plan.note, ""] if section.plan.note else []
    lines += _subjects(section)
    lines += _methods(section)
    lines += _against_alone(section)
    lines += _speedups(section)
    lines += _resolution_only(section)
    lines += _calibration(section)
    lines += _time(section)
    lines += [f"![accuracy over cost]({section.name}-front.png)", ""]
    if _rungs(section):
        lines += [f"![confidence and accuracy]({section.name}-confidence.png)", ""]
    return lines


def _subjects(section: Section) -> list[str]:
    lines = []
    for job, run in section.runs.items():
        who = f"{run.figures['windows']:,} windows of subjects {', '.join(map(str, run.figures['subjects']))}"
        if job.split == VALIDATION:
            lines.append(f"- validation, {job.name}: {who}")
        elif not any(line.startswith("- test") for line in lines):
            lines.append(f"- test: {who}")
    return [*lines, ""]


def _methods(section: Section) -> list[str]:
    """The paper's main table: configurations by method, the paper's beside ours."""
    macs, paper = section.macs(), section.paper
    columns = [(COLLABORATIVE, "collaborative"), (WIDTH_ONLY, "width_only"), (ALONE, "alone")]
    published_ids = [point.id for _, key in columns for point in getattr(paper, key)] if paper else []
    names = sorted(
        {*(name for name in macs if _interesting(section, name)), *published_ids},
        key=lambda name: -(macs.get(name) or _mmacs(paper, name) * 1e6),
    )
    head = ["configuration", "MMACs"]
    for kind, _ in columns:
        head += [f"paper: {kind.replace('-', ' ')}"] if paper else []
        head += [kind.replace("-", " ")]
    lines = [_row(head), _row(["---", *["---:"] * (len(head) - 1)])]
    for name in names:
        cells = [name, f"{macs[name] / 1e6:.2f}" if name in macs else f"{_mmacs(paper, name):.2f}"]
        for kind, key in columns:
            if paper:
                cells.append(next((f"{p.accuracy:.2f}" for p in getattr(paper, key) if p.id == name), ""))
            cells.append(_shown(measured(_trained(section, kind, name), name)))
        lines.append(_row(cells))
    return [*lines, ""]


def _trained(section: Section, kind: str, name: str) -> list[Run]:
    """Runs of a method that were trained for a configuration; the alone ones answer for theirs only."""
    if kind != ALONE:
        return section.of(kind)
    return [run for job, run in section.runs.items() if job.method.alone == name]


def _interesting(section: Section, name: str) -> bool:
    listed = {*section.plan.configurations, *section.plan.alone}
    if listed:
        return name in listed
    return name in {c.id for c in (section.recipe.grid.full, section.recipe.grid.smallest)}


def _mmacs(paper: Published | None, name: str) -> float:
    points = (*paper.collaborative, *paper.width_only, *paper.alone) if paper else ()
    return next(point.mmacs for point in points if point.id == name)


def _shown(value: Measured | None) -> str:
    if value is None:
        return ""
    spread = "" if value.spread is None else f" ± {100 * value.spread:.2f}"
    return f"{100 * value.mean:.2f}{spread} ({value.seeds})"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _against_alone(section: Section) -> list[str]:
    collaborative, width_only = section.of(COLLABORATIVE), section.of(WIDTH_ONLY)
    rows = []
    for name in section.plan.alone:
        if found := compare(collaborative, name, _trained(section, ALONE, name), name):
            rows.append((f"collaborative over alone, {name}", found))
    if width_only:
        for name in sorted(section.macs(), key=section.macs().__getitem__):
            if _interesting(section, name) and (found := compare(collaborative, name, width_only, name)):
                rows.append((f"collaborative over width only, {name}", found))
    if not rows:
        return []
    lines = [
        "Paired differences in points, positive where collaboration is better. p over seeds: paired t-test;",
        "p over subjects: Wilcoxon's signed-rank test on the accuracy of each test subject.",
        "",
        _row(["comparison", "points", "p over seeds", "p over subjects"]),
        _row(["---", "---:", "---:", "---:"]),
    ]
    for what, found in rows:
        lines.append(_row([what, f"{100 * found.gain:+.2f}", _p(found.p_seeds), _p(found.p_subjects)]))
    return [*lines, ""]


def _p(value: float | None) -> str:
    return "" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def _speedups(section: Section) -> list[str]:
    macs, full = section.macs(), section.recipe.grid.full.id
    lines = []
    alone = measured(_trained(section, ALONE, full), full)
    runs = section.of(COLLABORATIVE)
    accuracy = {n: found.mean for n in macs if (found := measured(runs, n)) is not None}
    if alone and accuracy:
        found = speedup(macs, accuracy, macs[full], alone.mean)
        lines.append(
            f"Speedup at the accuracy of {full} alone ({100 * alone.mean:.2f} %): "
            + (f"{found[1]:.1f} times, by {found[0]}" if found else "none, no configuration reaches it")
            + "."
        )
        best = max(accuracy, key=accuracy.__getitem__)
        lines.append(f"Best configuration: {best}, {100 * accuracy[best]:.2f} %.")
    if paper := section.paper:
        points = {point.id: point for point in paper.collaborative}
        found = speedup(
            {name: point.mmacs for name, point in points.items()},
            {name: point.accuracy for name, point in points.items()},
            points[full].mmacs,
            paper.boosted[0],
        )
        if found:
            lines.append(
                f"The paper, by the configurations that it lists: {found[1]:.1f} times, by {found[0]}; its "
                f"full configuration went from {paper.boosted[0]:.2f} to {paper.boosted[1]:.2f} %."
            )
        if accuracy:
            lines.append(_at_best_of_paper(macs, accuracy, paper))
    return [*lines, ""] if lines else []


def _at_best_of_paper(macs: dict[str, int], accuracy: dict[str, float], paper: Published) -> str:
    best, full = paper.boosted[1] / 100, max(point.mmacs for point in paper.collaborative)
    found = speedup(macs, accuracy, full * 1e6, best)
    if found is None:
        return f"The paper's best, {100 * best:.2f} %, is reached by none of ours."
    return (
        f"The paper's best, {100 * best:.2f} % at {full:.2f} MMACs, takes {macs[found[0]] / 1e6:.2f} here "
        f"({found[0]}), {found[1]:.1f} times less."
    )


def _resolution_only(section: Section) -> list[str]:
    full, grid = section.recipe.grid.full, section.recipe.grid
    alone = _trained(section, ALONE, full.id)
    names = [c.id for c in grid.configurations() if c.width == full.width]
    shown = [(name, measured(alone, name), measured(section.of(COLLABORATIVE), name)) for name in names]
    shown = [row for row in shown if row[1]]
    if not shown:
        return []
    return [
        _row(["resolution only", "full network alone", "collaborative"]),
        _row(["---", "---:", "---:"]),
        *(_row([name, _shown(only), _shown(ours)]) for name, only, ours in shown),
        "",
    ]


def _rungs(section: Section) -> list[str]:
    """Configurations that both splits measured of collaborative runs, cheapest first."""
    validation, test = section.of(COLLABORATIVE, VALIDATION), section.of(COLLABORATIVE)
    if not validation or not test:
        return []
    macs = section.macs()
    names = [
        n for n in validation[0].answers.logits if n in test[0].answers.logits and _interesting(section, n)
    ]
    return sorted(names, key=macs.__getitem__)


def _calibration(section: Section) -> list[str]:
    names = _rungs(section)
    if not names:
        return []
    groups, seeds = section.answers(VALIDATION), section.answers(TEST)
    lines = [
        "Expected calibration error in percent (15 bins), before and after temperature scaling, mean over",
        "runs. Temperatures were fitted on the held-out training subjects. There, `after` is",
        (
            "each group's error by the temperature of the others."
            if len(groups) > 1
            else "by the group's own temperature, and therefore too good."
        ),
        "",
        _row(["configuration", "temperature", "held-out before", "after", "test before", "after"]),
        _row(["---", *["---:"] * 5]),
    ]
    for name in names:
        temperature = fit_temperature(*pooled(groups, name))
        others = [[other for other in groups if other is not group] or groups for group in groups]
        columns = (
            [(group, 1.0) for group in groups],
            [
                (group, fit_temperature(*pooled(rest, name)))
                for group, rest in zip(groups, others, strict=True)
            ],
            [(seed, 1.0) for seed in seeds],
            [(seed, temperature) for seed in seeds],
        )
        errors = [
            statistics.fmean(calibration_error(answers.logits[name], answers.y, t) for answers, t in column)
            for column in columns
        ]
        lines.append(_row([name, f"{temperature:.2f}", *(f"{100 * error:.2f}" for error in errors)]))
    return [*lines, ""]


def _time(section: Section) -> list[str]:
    seconds: dict[str, list[float]] = {}
    for job in section.runs:
        log = section.folder / job.name / LOG_FILE
        if log.is_file():
            for line in log.read_text("utf-8").splitlines():
                seconds.setdefault(job.method.name, []).append(json.loads(line)["seconds"])
    if not seconds:
        return []
    shown = "; ".join(f"{name} {statistics.median(values):.1f} s" for name, values in seconds.items())
    return [f"Median time per epoch where these were trained: {shown}.", ""]


def _not_reproduced(paper: Published) -> list[str]:
    plan = f"{paper.dataset}-{paper.network}"
    at_hand = data.default_path(TASKS[paper.dataset]).is_file()
    why = "none of its runs is made yet" if at_hand else "data not at hand"
    columns = (paper.collaborative, paper.width_only, paper.alone)
    points = {point.id: point for column in columns for point in column}
    lines = [
        f"## {NAMES[paper.network]}, {paper.windows}",
        "",
        f"**not reproduced: {why}.** `gaitd-train fetch {paper.dataset}` and "
        f"`gaitd-train prepare {paper.dataset}` get the data; then `gaitd-train reproduce {plan} --out RUNS` "
        "makes every run, and the page its table.",
        "",
        _row(["configuration", "MMACs", "paper: collaborative", "paper: width only", "paper: alone"]),
        _row(["---", *["---:"] * 4]),
    ]
    for point in sorted(points.values(), key=lambda p: -p.mmacs):
        lines.append(_row([point.id, f"{point.mmacs:.2f}", *(_of(column, point) for column in columns)]))
    return [*lines, ""]


def _of(column: tuple[Point, ...], wanted: Point) -> str:
    return next((f"{point.accuracy:.2f}" for point in column if point.id == wanted.id), "")


def _plot_front(section: Section) -> Figure:
    """Accuracy over cost, of every method, the paper's and ours."""
    macs, lines = section.macs(), []
    for kind, key, color in (
        (COLLABORATIVE, "collaborative", "#1f6f8b"),
        (WIDTH_ONLY, "width_only", "#7a9e3f"),
        (ALONE, "alone", "#8a6fae"),
    ):
        method = kind.replace("-", " ")
        names = sorted((n for n in macs if _interesting(section, n)), key=macs.__getitem__)
        shown = [(n, m) for n in names if (m := measured(_trained(section, kind, n), n))]
        if shown:
            lines.append(
                Line(
                    f"gaitd, {method}",
                    [macs[n] / 1e6 for n, _ in shown],
                    [100 * m.mean for _, m in shown],
                    "o-",
                    color,
                    [100 * (m.spread or 0.0) for _, m in shown],
                )
            )
        if section.paper:
            points = sorted(getattr(section.paper, key), key=lambda point: point.mmacs)
            lines.append(
                Line(f"paper, {method}", [p.mmacs for p in points], [p.accuracy for p in points], "s:", color)
            )
    return figures.accuracy_over_cost(_title(section), "accuracy on test subjects (%)", lines)


def _plot_confidence(section: Section) -> Figure | None:
    """Accuracy over confidence on the test subjects at both ends of the ladder, before and after scaling."""
    names = _rungs(section)
    if not names:
        return None
    panels = []
    for name in (names[0], names[-1]):
        logits, y = pooled(section.answers(TEST), name)
        temperature = fit_temperature(*pooled(section.answers(VALIDATION), name))
        before, after = (reliability(logits, y, t) for t in (1.0, temperature))
        panels.append((name, [Line("before", *before, "o:"), Line("after", *after, "o-")]))
    return figures.confidence(_title(section), panels)


def _title(section: Section) -> str:
    data_set = next(iter(section.runs.values())).figures["data"]
    return f"{NAMES.get(section.network, section.network)}, {data_set}"
