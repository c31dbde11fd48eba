"""A user's own network, in a file of their own, all the way to a ladder."""

import json

import numpy as np
import onnxruntime
import pytest
import torch

from gaitd_train import checkpoint, recipe
from gaitd_train.cli import main
from gaitd_train.costs import costs
from gaitd_train.errors import UserError
from gaitd_train.resample import resample
from gaitd_train.task import UCI_HAR

NETWORK = '''
"""Two branches of different kernels, added up."""

from dataclasses import dataclass

from gaitd_train.networks.slimmable import Classifier, ConvBlock, Network


@dataclass(frozen=True)
class Shape:
    channels: int = 16
    kernels: tuple[int, ...] = (3, 5)


class Branches(Network):
    def __init__(self, shape, axes, classes, grid):
        super().__init__(axes, grid)
        self.stem = ConvBlock(1, shape.channels, (4, 1), (2, 1), (1, 0), grid)
        first, second = (
            ConvBlock(shape.channels, 2 * shape.channels, (k, 1), (2, 1), (k // 2, 0), grid, relu=False)
            for k in shape.kernels
        )
        self.first, self.second = first, second
        self.classifier = Classifier(2 * shape.channels, 4, axes, classes, dropout=0.1)

    def layers(self, x, configuration):
        x = self.stem(x, configuration)
        x = (self.first(x, configuration) + self.second(x, configuration)).relu()
        return self.classifier(x)


def build(shape, axes, classes, grid):
    return Branches(shape, axes, classes, grid)
'''


@pytest.fixture
def mine(tmp_path):
    """A recipe of one epoch beside a network."""
    (tmp_path / "branches.py").write_text(NETWORK)
    text = recipe.text_of("demo")[1].replace("epochs = 3", "epochs = 1")
    text = text.replace("channels = [16, 16, 32]", 'file = "branches.py"\nkernels = [3, 7]')
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_a_users_network_trains_evaluates_and_exports(mine, windows, tmp_path):
    data = ["--data", str(windows)]
    run, ladder = tmp_path / "run", tmp_path / "ladder"
    assert main(["train", "--recipe", str(mine), "--hold-out", "4", "--out", str(run), *data]) == 0
    path = str(run / "checkpoint.pt")
    for split in ("validation", "test"):
        assert main(["evaluate", path, "--split", split, "--out", str(tmp_path / split), *data]) == 0
    command = ["export", path, "--validation", str(tmp_path / "validation"), "--test", str(tmp_path / "test")]
    assert main([*command, "--out", str(ladder), *data]) == 0
    manifest = json.loads((ladder / "manifest.json").read_text())
    network = manifest["training"]["settings"]["network"]
    assert (network["file"], network["kernels"]) == ("branches.py", [3, 7])
    assert str(tmp_path) not in (ladder / "manifest.json").read_text(), "no path of this machine"
    golden = json.loads((ladder / "golden.json").read_text())
    for rung in manifest["configurations"]:
        session = onnxruntime.InferenceSession(ladder / rung["file"])
        for window, logits in zip(golden["windows"], golden["logits"][rung["id"]], strict=True):
            read = resample(torch.tensor([window]), rung["resolution"]).numpy()
            np.testing.assert_allclose(session.run(None, {"window": read})[0][0], logits, atol=1e-4)
        assert 0.05 <= rung["temperature"] <= 20
        assert set(rung["calibration"]) == {"validation", "test"}


def test_a_network_that_changed_since_is_refused(mine, windows, tmp_path):
    run = tmp_path / "run"
    assert main(["train", "--recipe", str(mine), "--out", str(run), "--data", str(windows)]) == 0
    (tmp_path / "branches.py").write_text(NETWORK + "\n# a thought\n")
    with pytest.raises(UserError, match=r"branches\.py has changed since this network was trained"):
        checkpoint.load(run / "checkpoint.pt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_of_this_name", "does not load: ModuleNotFoundError"),
        ("x = 1", "defines no Shape and no build"),
        ("def broken(:", "does not load: SyntaxError"),
    ],
)
def test_a_file_that_is_no_network_is_refused(mine, tmp_path, text, message):
    (tmp_path / "branches.py").write_text(text)
    with pytest.raises(UserError, match=message):
        recipe.load(str(mine))


def test_layers_that_do_not_fit_together_are_named(mine, tmp_path):
    wrong = NETWORK.replace("(k // 2, 0)", "(0, 0)")
    (tmp_path / "branches.py").write_text(wrong)
    _, loaded = recipe.load(str(mine))
    with pytest.raises(UserError, match="a sum of features of two shapes"):
        costs(loaded.build(UCI_HAR), loaded.grid.full)
