"""Several processes: `torchrun` gives the mean of their gradients, and one checkpoint."""

import json
import subprocess
import sys

import pytest
import torch

from gaitd_train import checkpoint, data, distributed, recipe, training
from gaitd_train.distributed import World
from gaitd_train.errors import UserError
from gaitd_train.task import UCI_HAR


def torchrun(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=240)


def one_step(loaded, dataset, halves: bool) -> dict:
    """The weights after one step, of one process on the whole batch or of the mean of both its halves."""
    trainer = training.Trainer(training.RunConfig("mine", loaded, 0, []), dataset)
    x, y = dataset.train.x[:32], dataset.train.y[:32]
    network, generator = trainer.state.network, trainer.state.generator
    drawn = generator.get_state()
    worlds = [World(0, 2), World(1, 2)] if halves else [World()]
    total = [torch.zeros_like(p) for p in network.parameters()]
    for world in worlds:
        generator.set_state(drawn)
        trainer.gradients(world.share(x), world.share(y))
        for mean, parameter in zip(total, network.parameters(), strict=True):
            mean += parameter.grad / len(worlds)
    return {name: mean for (name, _), mean in zip(network.named_parameters(), total, strict=True)}


WORKER = """
import sys, torch
from pathlib import Path
from gaitd_train import data, distributed, recipe, training
from gaitd_train.task import UCI_HAR
torch.set_num_threads(1)
config = training.RunConfig(*recipe.load("demo"), 0, [])
dataset = data.load(Path(sys.argv[1]), UCI_HAR)
with distributed.world("cpu") as world:
    trainer = training.Trainer(config, dataset, world)
    x, y = (world.share(part) for part in (dataset.train.x[:32], dataset.train.y[:32]))
    trainer.gradients(x, y)
    gradients = {name: p.grad for name, p in trainer.state.network.named_parameters()}
    torch.save(gradients, f"{sys.argv[2]}/{world.rank}.pt")
"""


def test_two_processes_share_the_mean_of_their_gradients(tmp_path, windows):
    (tmp_path / "worker.py").write_text(WORKER)
    done = torchrun(str(tmp_path / "worker.py"), str(windows), str(tmp_path))
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    expected = one_step(recipe.load("demo")[1], data.load(windows, UCI_HAR), halves=True)
    for name, gradient in expected.items():
        assert torch.equal(first[name], second[name]), name
        torch.testing.assert_close(first[name], gradient, rtol=1e-4, atol=1e-6)


RUNS = """
import sys
from gaitd_train.cli import main
folder, *train = sys.argv[1:]
assert main([*train, "--out", f"{folder}/parts", "--stop-after", "1"]) == 0
assert main([*train, "--out", f"{folder}/parts"]) == 1, "an existing run is not overwritten"
assert main([*train, "--out", f"{folder}/whole"]) == 0
"""


def test_torchrun_trains_one_network_and_resumes_it(tmp_path, windows):
    (tmp_path / "runs.py").write_text(RUNS)
    train = ["train", "--recipe", "demo", "--data", str(windows), "--device", "cpu", "--threads", "1"]
    done = torchrun(str(tmp_path / "runs.py"), str(tmp_path), *train)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("checkpoint.pt") == 2, "the first process alone prints, once a run"
    assert "--resume" in done.stderr
    assert checkpoint.load(tmp_path / "parts/checkpoint.pt").epoch == 1
    done = torchrun("-m", "gaitd_train", *train, "--out", str(tmp_path / "parts"), "--resume")
    assert done.returncode == 0, done.stderr
    parts, whole = (checkpoint.load(tmp_path / name / "checkpoint.pt") for name in ("parts", "whole"))
    assert (parts.epoch, whole.epoch) == (3, 3)
    for name, value in whole.network.items():
        assert torch.equal(value, parts.network[name]), name
    losses = [json.loads(line) for line in (tmp_path / "parts" / training.LOG_FILE).read_text().splitlines()]
    assert [line["epoch"] for line in losses] == [1, 2, 3]
    assert losses[-1]["loss_full"] < losses[0]["loss_full"]


def test_a_single_process_takes_the_whole_batch():
    batch = torch.arange(10)
    assert torch.equal(World().share(batch), batch)
    parts = [World(rank, 3).share(batch) for rank in range(3)]
    assert sorted(torch.cat(parts).tolist()) == batch.tolist()


@pytest.mark.skipif(torch.cuda.is_available(), reason="SKIPPED: there is a GPU here")
def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(UserError, match="finds no GPU here"), distributed.world("cuda"):
        pass
    with distributed.world() as world:
        assert world.device.type == "cpu"
