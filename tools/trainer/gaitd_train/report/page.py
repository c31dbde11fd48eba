"""The page: a section per plan, and the paper's figures of which no run was made.

Markdown with PNG figures. Tables of the paper without a run stay in it, marked as not reproduced.
"""

import json
import statistics
from collections.abc import Iterator
from pathlib import Path

from gaitd_train import data, figures
from gaitd_train import plan as plans
from gaitd_train.errors import UserError
from gaitd_train.evidence import speedup
from gaitd_train.markdown import Page
from gaitd_train.method import ALONE, COLLABORATIVE
from gaitd_train.paper import PUBLISHED, Published
from gaitd_train.plan import VALIDATION
from gaitd_train.report import plots, tables
from gaitd_train.report.section import NETWORK_TITLES, Section
from gaitd_train.task import TASKS
from gaitd_train.training import LOG_FILE

PAGE = "README.md"

COMPARISONS = (
    "Paired differences in points, positive where collaboration is better. p over seeds: paired t-test;",
    "p over subjects: Wilcoxon's signed-rank test on the accuracy of each test subject.",
)
CALIBRATION = (
    "Expected calibration error in percent (15 bins), before and after temperature scaling, mean over",
    "runs. Temperatures were fitted on the held-out training subjects. There, `after` is",
)
BY_OTHERS = "each group's error by the temperature of the others."
BY_OWN_TEMPERATURE = "by the group's own temperature, and therefore too good."


def write(runs: Path, out: Path, names: list[str]) -> list[Path]:
    """Reads the runs of some plans, as `gaitd-train reproduce` made them; writes the page and its figures."""
    sections = _sections(runs, names)
    out.mkdir(parents=True, exist_ok=True)
    files = [out / PAGE]
    page = Page()
    _add_introduction(page, sections)
    for section in sections:
        _add_section(page, section)
        for name, drawn in (("front", plots.front(section)), ("confidence", plots.confidence(section))):
            if drawn is not None:
                files.append(figures.save(drawn, out / f"{section.name}-{name}.png"))
    made = {(section.network, section.recipe.dataset) for section in sections}
    for paper in PUBLISHED:
        if (paper.network, paper.dataset) not in made:
            _add_not_reproduced(page, paper)
    files[0].write_text(f"{page}\n", encoding="utf-8")
    return files


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


def _add_introduction(page: Page, sections: list[Section]) -> None:
    page.heading(1, "The paper's tables, and ours")
    page.paragraph(
        "Written by `gaitd-train report`; do not edit. From the checkpoints, or from nothing at all:"
    )
    page.code(
        [
            *(f"gaitd-train reproduce {section.name} --out RUNS" for section in sections),
            "gaitd-train report RUNS --out docs/training",
        ]
    )
    page.paragraph(
        "The paper: Qin, Zhang et al., IEEE TKDE 2024 (`gaitd_train/paper.py` has its figures). It picked",
        "its best configurations on its test windows. Here, nothing was chosen on test subjects: recipes,",
        "rungs and temperatures come from held-out training subjects.",
    )
    page.paragraph(
        "Accuracy in percent, mean ± standard deviation over seeds, their number in brackets. MMACs: million",
        "multiply-accumulates per window. *alone*: that configuration trained by itself, by the same recipe.",
        "*width only*: widths teach each other, all read the whole window. *resolution only*: the full",
        "network trained alone, fed shorter windows, its batch-norm statistics taken anew for each.",
    )


def _add_section(page: Page, section: Section) -> None:
    page.heading(2, section.title)
    missing = [job.name for job in plans.jobs(section.plan) if job not in section.runs]
    page.paragraph(
        f"Plan `{section.name}`, recipe `{section.plan.recipe}` ({section.recipe.epochs} epochs)."
        + (f" Left out, as they are not made: {', '.join(missing)}." if missing else "")
    )
    if section.plan.note:
        page.paragraph(section.plan.note)
    page.bullets(_subjects(section))
    page.table(tables.by_method(section))
    if comparisons := tables.comparisons(section):
        page.paragraph(*COMPARISONS)
        page.table(comparisons)
    if sentences := [*_speedup(section), *_speedup_of_paper(section)]:
        page.paragraph(*sentences)
    if resolution_only := tables.resolution_only(section):
        page.table(resolution_only)
    calibration = tables.calibration(section)
    if calibration:
        single_group = len(section.answers(VALIDATION)) == 1
        page.paragraph(*CALIBRATION, BY_OWN_TEMPERATURE if single_group else BY_OTHERS)
        page.table(calibration)
    if seconds := _seconds_per_epoch(section):
        shown = "; ".join(f"{name} {statistics.median(values):.1f} s" for name, values in seconds.items())
        page.paragraph(f"Median time per epoch where these were trained: {shown}.")
    page.image("accuracy over cost", f"{section.name}-front.png")
    if calibration:
        page.image("confidence and accuracy", f"{section.name}-confidence.png")


def _add_not_reproduced(page: Page, paper: Published) -> None:
    plan = f"{paper.dataset}-{paper.network}"
    has_data = data.default_path(TASKS[paper.dataset]).is_file()
    reason = "none of its runs is made yet" if has_data else "data not at hand"
    page.heading(2, f"{NETWORK_TITLES[paper.network]}, {paper.windows}")
    page.paragraph(
        f"**not reproduced: {reason}.** `gaitd-train fetch {paper.dataset}` and "
        f"`gaitd-train prepare {paper.dataset}` get the data; then `gaitd-train reproduce {plan} --out RUNS` "
        "makes every run, and the page its table."
    )
    page.table(tables.published_only(paper))


def _subjects(section: Section) -> Iterator[str]:
    """The windows and subjects of every held-out group, and of the test once."""
    test_shown = False
    for job, run in section.runs.items():
        subjects = ", ".join(map(str, run.figures["subjects"]))
        windows = f"{run.figures['windows']:,} windows of subjects {subjects}"
        if job.split == VALIDATION:
            yield f"validation, {job.name}: {windows}"
        elif not test_shown:
            test_shown = True
            yield f"test: {windows}"


def _speedup(section: Section) -> Iterator[str]:
    """The cheapest configuration as good as the full one alone, and the best of all."""
    macs, full = section.macs(), section.recipe.grid.full.id
    alone, accuracy = section.accuracy(ALONE, full), _accuracies(section)
    if not alone or not accuracy:
        return
    found = speedup(macs, accuracy, macs[full], alone.mean)
    reached = f"{found[1]:.1f} times, by {found[0]}" if found else "none, no configuration reaches it"
    yield f"Speedup at the accuracy of {full} alone ({100 * alone.mean:.2f} %): {reached}."
    best = max(accuracy, key=accuracy.__getitem__)
    yield f"Best configuration: {best}, {100 * accuracy[best]:.2f} %."


def _speedup_of_paper(section: Section) -> Iterator[str]:
    """The paper's speedup, and what its best accuracy costs here."""
    paper = section.paper
    if not paper:
        return
    points = {point.id: point for point in paper.points(COLLABORATIVE)}
    found = speedup(
        {name: point.mmacs for name, point in points.items()},
        {name: point.accuracy for name, point in points.items()},
        points[section.recipe.grid.full.id].mmacs,
        paper.boosted[0],
    )
    if found:
        yield (
            f"The paper, by the configurations that it lists: {found[1]:.1f} times, by {found[0]}; its "
            f"full configuration went from {paper.boosted[0]:.2f} to {paper.boosted[1]:.2f} %."
        )
    macs, accuracy = section.macs(), _accuracies(section)
    if not accuracy:
        return
    best, dearest = paper.boosted[1] / 100, max(point.mmacs for point in points.values())
    found = speedup(macs, accuracy, dearest * 1e6, best)
    yield (
        f"The paper's best, {100 * best:.2f} % at {dearest:.2f} MMACs, takes {macs[found[0]] / 1e6:.2f} here "
        f"({found[0]}), {found[1]:.1f} times less."
        if found
        else f"The paper's best, {100 * best:.2f} %, is reached by none of ours."
    )


def _accuracies(section: Section) -> dict[str, float]:
    """The mean accuracy of every configuration that the collaborative runs measured on the test subjects."""
    found = {name: section.accuracy(COLLABORATIVE, name) for name in section.macs()}
    return {name: value.mean for name, value in found.items() if value}


def _seconds_per_epoch(section: Section) -> dict[str, list[float]]:
    """By method, the seconds of every epoch of its runs."""
    seconds: dict[str, list[float]] = {}
    for job in section.runs:
        log = section.folder / job.name / LOG_FILE
        if log.is_file():
            for line in log.read_text("utf-8").splitlines():
                seconds.setdefault(job.method.name, []).append(json.loads(line)["seconds"])
    return seconds
