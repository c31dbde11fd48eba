"""A plan: all runs behind one table of the report, as a TOML file, and the program that makes them.

Every run is a folder with its checkpoint and its evaluation. Finished runs are kept, so an interrupted plan
continues, and the report can be written again from the checkpoints alone.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import torch

from gaitd_train import checkpoint, results
from gaitd_train import recipe as recipes
from gaitd_train.errors import UserError
from gaitd_train.evaluate import SPLITS
from gaitd_train.method import ALONE, COLLABORATIVE, WIDTH_ONLY, Method
from gaitd_train.recipe import Recipe
from gaitd_train.training import CHECKPOINT_FILE
from gaitd_train.typed import build

VALIDATION, TEST = SPLITS


@dataclass(frozen=True)
class Plan:
    """What to train and to measure for one network on one data set.

    `seeds` collaborative runs on all training subjects, and one run without each group of `hold_out`; with
    these `validation` is measured, everything else on the test subjects. `width_only_seeds` and `alone_seeds`
    count the runs of the baselines, `alone` lists the configurations that are trained by themselves.
    `configurations` are measured of the collaborative runs; without it, all of the grid. `note` is printed
    in the report, for its readers.
    """

    recipe: str
    seeds: int
    hold_out: tuple[tuple[int, ...], ...]
    width_only_seeds: int = 0
    alone: tuple[str, ...] = ()
    alone_seeds: int = 0
    configurations: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Job:
    """One run of a plan: its folder's name and what it does."""

    name: str
    method: Method
    seed: int
    held_out: tuple[int, ...] = ()

    @property
    def split(self) -> str:
        return VALIDATION if self.held_out else TEST


def shipped() -> list[str]:
    """Names of the plans that come with the package."""
    folder = resources.files("gaitd_train") / "plans"
    return sorted(e.name.removesuffix(".toml") for e in folder.iterdir() if e.name.endswith(".toml"))


def load(name_or_path: str) -> tuple[str, Plan, Recipe]:
    """Name, plan and recipe of a shipped plan or of a file, to which its recipe's path is relative."""
    is_shipped = name_or_path in shipped()
    source = (
        resources.files("gaitd_train") / "plans" / f"{name_or_path}.toml"
        if is_shipped
        else Path(name_or_path)
    )
    name = name_or_path if is_shipped else source.stem
    try:
        plan = build(Plan, tomllib.loads(source.read_text("utf-8")))
        recipe = recipes.load(_recipe(name_or_path, plan))[1]
        for configuration in (*plan.alone, *plan.configurations):
            recipe.grid.named(configuration)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(
            f"plan '{name_or_path}' is neither shipped ({', '.join(shipped())}) nor a readable file: {error}"
        ) from error
    except UserError as error:
        raise UserError(f"plan {name}: {error}") from error
    return name, plan, recipe


def jobs(plan: Plan) -> list[Job]:
    """All runs of a plan, those that a ladder needs first."""
    alone = range(plan.alone_seeds)
    return [
        *(
            Job(f"heldout{index}", Method(COLLABORATIVE), 0, group)
            for index, group in enumerate(plan.hold_out)
        ),
        *(Job(f"seed{seed}", Method(COLLABORATIVE), seed) for seed in range(plan.seeds)),
        *(Job(f"{WIDTH_ONLY}-seed{seed}", Method(WIDTH_ONLY), seed) for seed in range(plan.width_only_seeds)),
        *(Job(f"{ALONE}-{id}-seed{seed}", Method(ALONE, id), seed) for seed in alone for id in plan.alone),
    ]


def make(
    name_or_path: str,
    out: Path,
    data: Path | None,
    device: str,
    parallel: int,
    log: Callable[[str], None],
) -> Path:
    """Makes every run of a plan that `out` does not hold, `parallel` at a time; returns the plan's folder.

    Each run is a process of its own. The error names every run that failed and the last line that it printed;
    it is raised after the runs that had begun have ended. `log` takes a line per run.
    """
    name, plan, recipe = load(name_or_path)
    folder = out / name
    done = finished(folder, plan, recipe)
    remaining = [job for job in jobs(plan) if job not in done]
    log(f"{name}: {len(remaining)} of {len(jobs(plan))} runs to make in {folder}")
    threads = max(1, torch.get_num_threads() // parallel)
    common = ["--device", device, "--threads", str(threads), *(["--data", str(data)] if data else [])]

    def run(job: Job) -> None:
        target = folder / job.name
        target.mkdir(parents=True, exist_ok=True)
        train = ["train", "--recipe", _recipe(name_or_path, plan), "--seed", str(job.seed), "--resume"]
        train += ["--method", job.method.kind]
        train += ["--configuration", job.method.alone] if job.method.alone else []
        train += ["--hold-out", ",".join(map(str, job.held_out))] if job.held_out else []
        measure = ["evaluate", str(target / CHECKPOINT_FILE), "--split", job.split]
        if job.method.kind == COLLABORATIVE and plan.configurations:
            measure += ["--only", ",".join(plan.configurations)]
        for command in (train, measure):
            _run_command([*command, *common, "--out", str(target)], target / "log.txt")
        log(f"{name}: {job.name} done")

    with ThreadPoolExecutor(parallel) as pool:
        failures = [error for error in pool.map(_caught(run), remaining) if error]
    if failures:
        raise UserError("; ".join(failures))
    return folder


def finished(folder: Path, plan: Plan, recipe: Recipe) -> dict[Job, results.Run]:
    """The runs of a plan that are finished in its folder."""
    found = {job: _finished_run(folder / job.name, job, plan, recipe) for job in jobs(plan)}
    return {job: run for job, run in found.items() if run is not None}


def _recipe(name_or_path: str, plan: Plan) -> str:
    return plan.recipe if plan.recipe in recipes.shipped() else str(Path(name_or_path).parent / plan.recipe)


def _finished_run(folder: Path, job: Job, plan: Plan, recipe: Recipe) -> results.Run | None:
    """The run of a job, if this recipe trained it to the end and all that the plan asks for was measured."""
    try:
        trained, run = checkpoint.load(folder / CHECKPOINT_FILE), results.load(folder)[0]
    except UserError:
        return None
    asked = plan.configurations if job.method.kind == COLLABORATIVE else ()
    good = (
        trained.recipe == recipe and trained.epoch == recipe.epochs and {*asked} <= run.answers.logits.keys()
    )
    return run if good else None


def _caught(run: Callable[[Job], None]) -> Callable[[Job], str | None]:
    def caught(job: Job) -> str | None:
        try:
            run(job)
        except UserError as error:
            return f"{job.name}: {error}"
        return None

    return caught


def _run_command(arguments: list[str], log: Path) -> None:
    with log.open("ab") as file:
        file.write((json.dumps(arguments) + "\n").encode())
        file.flush()
        done = subprocess.run([sys.executable, "-m", "gaitd_train", *arguments], stdout=file, stderr=file)
    if done.returncode:
        last = log.read_text("utf-8", errors="replace").strip().splitlines()[-1]
        raise UserError(f"{last.rsplit(chr(13), 1)[-1]} (see {log})")
