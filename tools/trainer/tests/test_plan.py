"""Plans: every run of a table by one command that resumes, and the page of the report."""

import dataclasses
import json

import pytest

from gaitd_train import plan, recipe, results
from gaitd_train.cli import main
from gaitd_train.confidence import calibration_error, fit_temperature
from gaitd_train.errors import UserError

PLAN = """
note = "Of made-up people."
recipe = "demo"
seeds = 2
hold_out = [[4], [1, 2]]
width_only_seeds = 2
alone = ["1.00x-128", "0.10x-96"]
alone_seeds = 1
"""
RUNS = {
    "heldout0",
    "heldout1",
    "seed0",
    "seed1",
    "width-only-seed0",
    "width-only-seed1",
    "alone-1.00x-128-seed0",
    "alone-0.10x-96-seed0",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory, windows):
    """The plan's file, and the folder that `reproduce` filled.

    The runs are made in this process, which saves 16 starts of PyTorch. The tests that resume this plan and
    that meet a failed run start processes.
    """
    folder = tmp_path_factory.mktemp("plan")
    (folder / "mine.toml").write_text(PLAN)
    command = ["reproduce", str(folder / "mine.toml"), "--data", str(windows), "--device", "cpu"]
    command += ["--threads", "1"]

    def run_here(arguments, log):
        assert main(arguments) == 0, arguments

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "_run_command", run_here)
        assert main([*command, "--out", str(folder / "runs")]) == 0
    return folder


def test_every_run_is_made_once(made, windows, capsys):
    assert {path.name for path in (made / "runs/mine").iterdir()} == RUNS
    for name in RUNS:
        (run,) = results.load(made / "runs/mine" / name)
        assert run.figures["split"] == ("validation" if name.startswith("heldout") else "test")
    before = (made / "runs/mine/seed0/checkpoint.pt").stat().st_mtime_ns
    (made / "runs/mine/seed1/evaluation.json").unlink()
    command = ["reproduce", str(made / "mine.toml"), "--data", str(windows), "--out", str(made / "runs")]
    assert main(command) == 0
    assert "1 of 8 runs to make" in capsys.readouterr().out
    assert (made / "runs/mine/seed0/checkpoint.pt").stat().st_mtime_ns == before


def test_a_run_of_another_recipe_or_with_less_measured_is_not_finished(made):
    _, mine, loaded = plan.load(str(made / "mine.toml"))
    folder = made / "runs/mine"
    assert len(plan.finished(folder, mine, loaded)) == len(RUNS)
    assert plan.finished(folder, mine, dataclasses.replace(loaded, batch=16)) == {}
    unaffected = plan.finished(folder, dataclasses.replace(mine, configurations=("0.20x-96",)), loaded)
    assert {job.method.kind for job in unaffected} == {"width-only", "alone"}


def test_the_page_has_our_figures_beside_the_papers(made, tmp_path):
    command = ["report", str(made / "runs"), "--plans", str(made / "mine.toml"), "--out", str(tmp_path)]
    assert main(command) == 0
    page = (tmp_path / "README.md").read_text()
    accuracies = [
        100
        * results.load(made / f"runs/mine/seed{seed}")[0].figures["configurations"]["1.00x-128"]["accuracy"]
        for seed in (0, 1)
    ]
    assert f"| 1.00x-128 | 0.34 | 96.71 | {sum(accuracies) / 2:.2f} ± " in page
    assert "Of made-up people." in page
    assert "collaborative over alone, 1.00x-128" in page and "Speedup at the accuracy" in page
    assert "UniMiB-SHAR" in page and page.count("not reproduced") == 5
    assert (tmp_path / "mine-front.png").read_bytes()[:4] == b"\x89PNG"
    assert str(made) not in page, "no path of this machine"


def test_a_held_out_group_is_calibrated_by_the_temperature_of_the_others(made, tmp_path):
    command = ["report", str(made / "runs"), "--plans", str(made / "mine.toml"), "--out", str(tmp_path)]
    assert main(command) == 0
    page = (tmp_path / "README.md").read_text()
    one, other = (results.load(made / f"runs/mine/heldout{index}")[0].answers for index in (0, 1))
    name = "1.00x-128"
    errors = [
        calibration_error(group.logits[name], group.y, fit_temperature(rest.logits[name], rest.y))
        for group, rest in ((one, other), (other, one))
    ]
    (row,) = [line for line in page.splitlines() if line.startswith(f"| {name} | ") and line.count("|") == 7]
    assert row.split(" | ")[3] == f"{50 * sum(errors):.2f}"


def test_a_run_that_fails_is_named_and_the_others_are_made(tmp_path, windows, capsys):
    (tmp_path / "mine.toml").write_text('recipe = "demo"\nseeds = 1\nhold_out = [[99]]\n')
    runs = tmp_path / "runs"
    command = ["reproduce", str(tmp_path / "mine.toml"), "--data", str(windows), "--out", str(runs)]
    assert main([*command, "--jobs", "2"]) == 1
    error = capsys.readouterr().err
    assert "heldout0" in error and "no training subject is called 99" in error
    assert results.load(runs / "mine/seed0")


@pytest.mark.parametrize("name", plan.shipped())
def test_shipped_plans_name_what_their_grid_has(name):
    _, found, loaded = plan.load(name)
    assert len(plan.jobs(found)) >= 4
    assert found.recipe in recipe.shipped()
    assert json.dumps([loaded.grid.named(c) for c in (*found.alone, *found.configurations)])


def test_wrong_plans_are_refused(tmp_path):
    for text, message in (
        (PLAN + "seed = 3", "unknown key 'seed'"),
        (PLAN.replace("0.10x-96", "0.11x-96"), "no configuration '0.11x-96'"),
        ("seeds = [", "neither shipped"),
    ):
        (tmp_path / "mine.toml").write_text(text)
        with pytest.raises(UserError, match=message):
            plan.load(str(tmp_path / "mine.toml"))
