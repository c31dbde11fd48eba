"""Recipes: shipped ones load, wrong ones are refused with the key's name."""

import json

import numpy as np
import pytest

from gaitd_train import checkpoint, recipe
from gaitd_train.cli import main
from gaitd_train.costs import costs
from gaitd_train.errors import UserError
from gaitd_train.task import TASKS, UCI_HAR
from gaitd_train.training import learning_rate


@pytest.mark.parametrize("name", recipe.shipped())
def test_shipped_recipes_survive_a_round_trip(name):
    loaded_name, loaded = recipe.load(name)
    assert loaded_name == name
    assert recipe.from_dict(recipe.to_dict(loaded)) == loaded


def test_the_reference_recipe_is_the_papers():
    _, loaded = recipe.load("reference")
    assert (loaded.epochs, loaded.batch, loaded.optimizer.rate) == (150, 64, 1e-4)
    assert (loaded.collaboration.random_widths, loaded.collaboration.distillation) == (6, 0.5)
    assert loaded.collaboration.smallest and loaded.collaboration.full_again
    assert (len(loaded.grid.widths), len(loaded.grid.resolutions)) == (19, 9)
    rates = [learning_rate(loaded, epoch * 10, 10) for epoch in (0, 49, 50, 99, 100, 149)]
    assert rates == pytest.approx([1e-4, 1e-4, 1e-5, 1e-5, 1e-6, 1e-6])


def test_one_cycle_rises_to_the_peak_and_falls_to_nothing():
    _, loaded = recipe.load("demo")
    rates = [learning_rate(loaded, step, 100) for step in range(100 * loaded.epochs)]
    peak = rates.index(max(rates))
    assert max(rates) == pytest.approx(loaded.optimizer.rate, rel=1e-3)
    assert peak == pytest.approx(loaded.optimizer.warmup * len(rates), abs=1)
    assert rates[:peak] == sorted(rates[:peak]) and rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("[collaboration]", "[collaboration]\ndistilation = 0.5"),
            "collaboration: unknown key 'distilation'",
        ),
        (("epochs = 150", "epochs = 150\nepoch = 3"), "top level: unknown key 'epoch'"),
        (("batch = 64", ""), "key 'batch' is missing"),
        (("batch = 64", "batch = '64'"), "batch: expected int, got '64'"),
        (("epochs = 150", "epochs = true"), "epochs: expected int, got True"),
        (("epochs = 150", "epochs = 0"), "epochs must be at least 1"),
        (("rate = 1e-4", "rate = -1.0"), "optimizer.rate must be positive"),
        (('"step"', '"stpe"'), "optimizer.schedule"),
        (("0.10, 0.15", "0.15, 0.10"), "widths must ascend"),
        (("0.10, 0.15", "0.0, 0.15"), "widths must lie in"),
        (("0.10, 0.15", "0.101, 0.102"), "first two decimals"),
        (("kernel = [6, 1]", "kernel = [6]"), "network.kernel: expected 2 values"),
        (("[network]", "[[network]]"), "network: expected a table"),
        (("[grid]", "[grid"), "not valid TOML"),
        (("[network]", '[network]\nkind = "rnn"'), "network.kind: 'rnn' is none of cnn, resnet"),
        (("[network]", '[network]\nkind = "cnn"\nfile = "mine.py"'), "not both"),
        (("[network]", '[network]\nfile = "missing.py"'), "cannot read"),
        (("[network]", "[network]\ndepth = 3"), "network: unknown key 'depth'"),
        (('dataset = "uci-har"', 'extends = "nothing"'), "neither shipped"),
    ],
)
def test_wrong_recipes_are_refused(change, message):
    text = recipe.text_of("reference")[1]
    assert change[0] in text
    with pytest.raises(UserError) as error:
        recipe.parse(text.replace(*change, 1), "mine")
    assert message in str(error.value)
    assert "recipe mine" in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[128, 124", "[124"), "resolutions must start at the window's length, 128 in uci-har"),
        (("kernel = [6, 1]", "kernel = [60, 1]"), "nothing is left of 13 time steps"),
        (("kernel = [6, 1]", "kernel = [6, 12]"), "nothing is left of 96 time steps and 9 axes"),
    ],
)
def test_a_network_that_does_not_fit_its_task_is_refused(change, message):
    loaded = recipe.parse(recipe.text_of("reference")[1].replace(*change, 1), "mine")
    with pytest.raises(UserError) as error:
        loaded.build(UCI_HAR)
    assert message in str(error.value)


@pytest.mark.parametrize("name", [name for name in recipe.shipped() if name != "demo"])
def test_shipped_recipes_fit_their_data_sets(name):
    _, loaded = recipe.load(name)
    network = loaded.build(TASKS[loaded.dataset])
    assert costs(network, loaded.grid.smallest).macs < costs(network, loaded.grid.full).macs / 50


def test_a_recipe_extends_another(tmp_path):
    (tmp_path / "below.toml").write_text('extends = "reference"\nepochs = 7\n[network]\ndropout = 0.1\n')
    (tmp_path / "mine.toml").write_text('extends = "below.toml"\n[network]\npool = 3\n')
    _, loaded = recipe.load(str(tmp_path / "mine.toml"))
    assert (loaded.epochs, loaded.batch) == (7, 64)
    assert (loaded.network.shape.dropout, loaded.network.shape.pool) == (0.1, 3)
    (tmp_path / "below.toml").write_text('extends = "mine.toml"\n')
    with pytest.raises(UserError, match="goes round in a circle"):
        recipe.load(str(tmp_path / "mine.toml"))


def test_an_unknown_data_set_needs_a_file_of_its_own(tmp_path, windows, capsys):
    mine = tmp_path / "mine.toml"
    mine.write_text(recipe.text_of("demo")[1].replace("uci-har", "gestures"))
    command = ["train", "--recipe", str(mine), "--out", str(tmp_path / "run")]
    assert main(command) == 1
    assert "prepare recording" in capsys.readouterr().err
    assert main([*command, "--data", str(windows)]) == 1
    assert "gestures" in capsys.readouterr().err


def test_a_recipe_of_ours_trains_on_data_of_others(tmp_path, windows, capsys):
    with np.load(windows, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    task = json.loads(str(arrays["task"])) | {"name": "ward"}
    np.savez(tmp_path / "ward.npz", **(arrays | {"task": json.dumps(task)}))
    command = ["train", "--recipe", "demo", "--stop-after", "1", "--data", str(tmp_path / "ward.npz")]
    assert main([*command, "--out", str(tmp_path / "run")]) == 0
    assert "made for uci-har, on ward" in capsys.readouterr().err
    assert checkpoint.load(tmp_path / "run" / "checkpoint.pt").recipe.dataset == "ward"


def test_the_command_line_reports_a_wrong_recipe(tmp_path, windows, capsys):
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(recipe.text_of("demo")[1] + "\nlearning = 3\n")
    command = ["train", "--recipe", str(wrong), "--data", str(windows), "--out", str(tmp_path / "run")]
    assert main(command) == 1
    assert "unknown key 'learning'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
