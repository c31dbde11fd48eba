"""Training: it learns, resumes exactly, and refuses what would mix two runs."""

import dataclasses
import json

import pytest
import torch

from gaitd_train import checkpoint, data, recipe, training
from gaitd_train.augment import augment
from gaitd_train.cli import main
from gaitd_train.errors import UserError
from gaitd_train.grid import Configuration
from gaitd_train.method import ALONE, COLLABORATIVE, DEFAULT, WIDTH_ONLY, Method
from gaitd_train.networks.slimmable import slim
from gaitd_train.recipe import Augmentation
from gaitd_train.task import UCI_HAR


@pytest.fixture(scope="module")
def dataset(windows):
    return data.load(windows, UCI_HAR)


@pytest.fixture(scope="module")
def everything_on():
    """A recipe that exercises every source of randomness and state."""
    _, loaded = recipe.load("demo")
    shape = dataclasses.replace(loaded.network.shape, dropout=0.2)
    return dataclasses.replace(
        loaded,
        average=0.9,
        network=dataclasses.replace(loaded.network, shape=shape),
        augmentation=Augmentation(rotation_degrees=5.0, scale=0.05, noise=0.01, warp=0.1),
        optimizer=dataclasses.replace(loaded.optimizer, weight_decay=0.01),
        collaboration=dataclasses.replace(loaded.collaboration, label_smoothing=0.05, smallest_lowest=True),
    )


def run(loaded, dataset, out, method=DEFAULT, **more):
    config = training.RunConfig("mine", loaded, 3, [2], method)
    return checkpoint.load(training.train(config, dataset, out, **more))


def test_an_activity_without_windows_to_train_on_is_named(dataset, everything_on):
    sitting = UCI_HAR.labels.index("sitting")
    mine = dataset.train.subject == 2
    kept = torch.from_numpy(mine) | (dataset.train.y != sitting)
    train = data.Windows(dataset.train.x[kept], dataset.train.y[kept], dataset.train.subject[kept.numpy()])
    without = dataclasses.replace(dataset, train=train)
    told = r"no window of sitting to train on without the people who are held out \(2\)"
    with pytest.raises(UserError, match=told):
        training.Trainer(training.RunConfig("mine", everything_on, 3, [2]), without)
    training.Trainer(training.RunConfig("mine", everything_on, 3, []), without)


@pytest.mark.parametrize("names", [("acc_x", "acc_y", "acc_z"), ("accX", "accY", "accZ"), ("ax", "ay", "az")])
def test_axes_that_turn_together_are_found_by_their_last_letter(names):
    # out of order, and beside what is no sensor with three axes
    channels = [dataclasses.replace(UCI_HAR.channels[0], name=name) for name in (names[2], "box", *names[:2])]
    assert dataclasses.replace(UCI_HAR, channels=tuple(channels)).triads() == [(2, 3, 0)]


def test_a_rotation_without_axes_is_no_silent_loss(dataset, everything_on):
    channels = tuple(
        dataclasses.replace(channel, name=f"sensor{place}") for place, channel in enumerate(UCI_HAR.channels)
    )
    other = dataclasses.replace(dataset, task=dataclasses.replace(UCI_HAR, channels=channels))
    with pytest.raises(UserError, match="no three differ in a last x, y, z alone"):
        training.Trainer(training.RunConfig("mine", everything_on, 3, []), other)


def test_a_resumed_run_ends_with_the_same_weights(tmp_path, dataset, everything_on):
    whole = run(everything_on, dataset, tmp_path / "whole")
    run(everything_on, dataset, tmp_path / "parts", stop_after=1)
    # What a crash between writing the log and the checkpoint leaves behind.
    with (tmp_path / "parts" / training.LOG_FILE).open("a") as file:
        file.write('{"epoch": 2}\n')
    torch.manual_seed(99)
    parts = run(everything_on, dataset, tmp_path / "parts", resume=True)
    assert (whole.epoch, parts.epoch) == (3, 3)
    for kind in ("network", "average"):
        for name, value in getattr(whole, kind).items():
            assert torch.equal(value, getattr(parts, kind)[name]), f"{kind} {name}"
    lines = (tmp_path / "parts" / training.LOG_FILE).read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]


def test_losses_fall(tmp_path, dataset):
    run(recipe.load("demo")[1], dataset, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / training.LOG_FILE).read_text().splitlines()]
    assert lines[-1]["loss_full"] < 0.7 * lines[0]["loss_full"]
    assert lines[-1]["loss_sub"] < 0.7 * lines[0]["loss_sub"]


def test_bfloat16_gives_gradients_close_to_float32(dataset):
    _, loaded = recipe.load("demo")
    x, y = dataset.train.x[:32], dataset.train.y[:32]
    gradients = []
    for precision in ("float32", "bfloat16"):
        torch.manual_seed(0)
        network = loaded.build(UCI_HAR).train()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            logits = network(x, network.grid.full)
            torch.nn.functional.cross_entropy(logits, y).backward()
        assert logits.dtype == torch.float32
        gradients.append(network.classifier.weight.grad.flatten())
    assert torch.cosine_similarity(*gradients, dim=0) > 0.999


def test_an_existing_run_is_not_overwritten(tmp_path, dataset):
    _, loaded = recipe.load("demo")
    run(loaded, dataset, tmp_path, stop_after=1)
    with pytest.raises(UserError, match="--resume"):
        run(loaded, dataset, tmp_path)
    with pytest.raises(UserError, match="another recipe"):
        run(dataclasses.replace(loaded, epochs=9), dataset, tmp_path, resume=True)


def test_unknown_subjects_cannot_be_held_out(dataset):
    with pytest.raises(UserError, match=r"\[77\] are not among the training subjects; those are 1, 2, 3, 4"):
        dataset.without([77])
    with pytest.raises(UserError, match="every training subject is held out"):
        dataset.without([1, 2, 3, 4])


def test_a_checkpoint_holds_plain_values_by_name(tmp_path, dataset):
    _, loaded = recipe.load("demo")
    path = training.train(training.RunConfig("mine", loaded, 3, [2]), dataset, tmp_path, stop_after=1)
    values = torch.load(path, weights_only=True)
    names = (
        "schema recipe_name recipe task method seed held_out version source epoch network average optimizer"
    )
    assert values.keys() == {*names.split(), "generator", "data"}
    assert (values["schema"], values["method"], values["seed"], values["epoch"]) == (2, "collaborative", 3, 1)


def test_a_foreign_file_is_no_checkpoint(tmp_path):
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match="not a readable checkpoint"):
        checkpoint.load(path)
    torch.save({"schema": 99}, path)
    with pytest.raises(UserError, match="schema"):
        checkpoint.load(path)


def test_alone_trains_one_configuration_and_no_other(tmp_path, dataset, everything_on):
    loaded = everything_on
    trained = run(loaded, dataset, tmp_path, method=Method(ALONE, "0.55x-104"))
    assert trained.method.name == "alone 0.55x-104"
    torch.manual_seed(3)
    fresh, after = loaded.build(UCI_HAR).state_dict(), trained.network
    used = slim(loaded.network.shape.channels[1], 0.55)
    weight = "blocks.1.weight"
    assert not torch.allclose(after[weight][:used], fresh[weight][:used])
    # Weight decay is all that the rest has felt.
    ratio = after[weight][used:] / fresh[weight][used:]
    torch.testing.assert_close(ratio, torch.full_like(ratio, ratio.mean().item()), rtol=1e-4, atol=1e-4)
    assert trained.method.measured(loaded.grid) == [Configuration(0.55, 104)]


def test_the_full_network_alone_is_measured_at_every_resolution():
    grid = recipe.load("demo")[1].grid
    assert [c.id for c in Method(ALONE, "1.00x-128").measured(grid)] == ["1.00x-128", "1.00x-104", "1.00x-96"]


def test_width_only_reads_whole_windows(dataset, everything_on):
    for kind, resolutions in ((WIDTH_ONLY, {128}), (COLLABORATIVE, {128, 104, 96})):
        trainer = training.Trainer(training.RunConfig("mine", everything_on, 0, [], Method(kind)), dataset)
        drawn = {c for _ in range(50) for c in trainer.subnetworks()}
        assert {c.resolution for c in drawn} == resolutions
        assert {c.width for c in drawn} == set(everything_on.grid.widths)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--method", "alone"], "a configuration belongs to the method 'alone'"),
        (["--configuration", "1.00x-128"], "a configuration belongs to the method 'alone'"),
        (["--method", "alone", "--configuration", "0.33x-128"], "no configuration '0.33x-128'"),
        (["--device", "tpu9"], "--device: 'tpu9'"),
    ],
)
def test_wrong_methods_and_devices_are_refused(windows, tmp_path, capsys, flags, message):
    command = ["train", "--recipe", "demo", "--data", str(windows), "--out", str(tmp_path / "run"), *flags]
    assert main(command) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_resumed_by_another_method(tmp_path, dataset):
    _, loaded = recipe.load("demo")
    run(loaded, dataset, tmp_path, stop_after=1)
    with pytest.raises(UserError, match="another method"):
        run(loaded, dataset, tmp_path, resume=True, method=Method(WIDTH_ONLY))


def test_rotation_turns_all_sensors_alike_and_keeps_lengths():
    x = torch.randn(4, 9, 128)
    turned = augment(x, Augmentation(rotation_degrees=10.0), UCI_HAR, torch.Generator().manual_seed(0))
    # Scalar products between the sensors of one board survive a turn of the board.
    body, total = x[:, 0:3], x[:, 6:9]
    torch.testing.assert_close(
        (turned[:, 0:3] * turned[:, 6:9]).sum(1), (body * total).sum(1), rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(turned[:, 3:6].norm(dim=1), x[:, 3:6].norm(dim=1))
    assert (turned - x).abs().max() > 0.01


def test_warping_keeps_slow_signals_in_place():
    x = torch.linspace(0, 1, 128).repeat(3, 9, 1)
    warped = augment(x, Augmentation(warp=0.2), UCI_HAR, torch.Generator().manual_seed(0))
    assert warped.shape == x.shape
    assert warped.min() >= 0 and warped.max() <= 1
    assert (warped - x).abs().max() < 0.25


def test_no_augmentation_changes_nothing():
    x = torch.randn(4, 9, 128)
    assert augment(x, Augmentation(), UCI_HAR, torch.Generator()) is x
