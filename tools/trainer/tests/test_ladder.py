"""The way from a checkpoint to a ladder: reports, rungs, graphs, manifest, golden vectors."""

import csv
import dataclasses
import hashlib
import json
import shutil
import struct

import numpy as np
import onnxruntime
import pytest
import torch

from gaitd_train import checkpoint, data, evaluate, ladder, results, summary
from gaitd_train.calibrate import calibrate
from gaitd_train.cli import main
from gaitd_train.data import Windows
from gaitd_train.errors import UserError
from gaitd_train.grid import Configuration, Grid
from gaitd_train.networks import cnn, resnet
from gaitd_train.onnx_form import FORMS, to_onnx
from gaitd_train.resample import resample
from gaitd_train.task import UCI_HAR


def session(model: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def answers(model: bytes, windows: torch.Tensor, resolution: int) -> np.ndarray:
    run = session(model)
    return np.concatenate(
        [run.run(None, {"window": resample(w[None], resolution).numpy()})[0] for w in windows]
    )


def figures(folder) -> dict:
    """The one run in an evaluation."""
    (run,) = results.load(folder)
    return run.figures


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("kind", "pool"), [(cnn, 1), (cnn, 3), (cnn, 6), (cnn, 25), (resnet, 6)])
def test_graphs_equal_the_network_in_evaluation_mode(form, kind, pool):
    torch.manual_seed(0)
    grid = Grid((0.3, 1.0), (128, 120, 100, 97, 60))
    network = kind.build(kind.Shape(channels=(8, 12, 16), pool=pool), axes=9, classes=6, grid=grid)
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    windows = Windows(torch.randn(32, 9, 128), torch.zeros(32, dtype=torch.long), None)
    calibrate(network, windows, grid.configurations(), progress=False)
    for configuration in grid.configurations():
        model = to_onnx(network, configuration, form)
        found = answers(model.SerializeToString(), windows.x[:4], configuration.resolution)
        with torch.no_grad():
            np.testing.assert_allclose(found, network(windows.x[:4], configuration), rtol=1e-5, atol=1e-5)


def test_kernels_over_several_axes_need_the_two_dimensional_form():
    torch.manual_seed(0)
    grid = Grid((0.5, 1.0), (40, 30))
    shape = cnn.Shape(channels=(8, 8), kernel=(3, 3), stride=(2, 2), padding=(1, 1), pool=5)
    network = cnn.build(shape, axes=3, classes=4, grid=grid)
    windows = Windows(torch.randn(16, 3, 40), torch.zeros(16, dtype=torch.long), None)
    calibrate(network, windows, grid.configurations(), progress=False)
    found = answers(to_onnx(network, grid.smallest, "conv2d").SerializeToString(), windows.x, 30)
    with torch.no_grad():
        np.testing.assert_allclose(found, network(windows.x, grid.smallest), rtol=1e-5, atol=1e-5)
    with pytest.raises(UserError, match="--form conv2d"):
        to_onnx(network, grid.smallest, "conv1d")


def test_uncalibrated_configurations_are_not_exported():
    network = cnn.build(cnn.Shape(channels=(8,)), axes=9, classes=6, grid=Grid((1.0,), (128,)))
    with pytest.raises(UserError, match="never calibrated"):
        to_onnx(network, network.grid.full, "conv1d")


def test_the_ladder_is_complete_and_consistent(demo_ladder):
    ladder = demo_ladder / "ladder"
    manifest = json.loads((ladder / "manifest.json").read_text())
    assert (manifest["schema"], manifest["name"]) == (2, "demo")
    assert manifest["task"]["labels"] == list(UCI_HAR.labels)
    assert manifest["task"]["input"]["channels"][0] == {"name": "acc_x", "unit": "g"}
    rungs = manifest["configurations"]
    assert len(rungs) >= 3
    assert {rungs[0]["id"], rungs[-1]["id"]} == {"0.10x-96", "1.00x-128"}
    assert [r["macs"] for r in rungs] == sorted(r["macs"] for r in rungs)
    validation = [r["accuracy"]["validation"] for r in rungs[:-1]]
    assert validation == sorted(validation), "between the ends, rungs lie on the validation front"
    assert {p.name for p in ladder.iterdir()} == {"manifest.json", "golden.json", *(r["file"] for r in rungs)}
    for rung in rungs:
        content = (ladder / rung["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == rung["sha256"]
        run = session(content)
        assert run.get_inputs()[0].shape == [1, 9, rung["resolution"]]
        assert run.get_outputs()[0].shape == [1, 6]
        assert len(rung["recall"]) == len(rung["recall_test"]) == 6


def test_golden_vectors_agree_with_onnx_runtime(demo_ladder):
    ladder = demo_ladder / "ladder"
    golden = json.loads((ladder / "golden.json").read_text())
    windows = torch.tensor(golden["windows"])
    assert windows.shape == (4, 9, 128)
    for name, logits in golden["logits"].items():
        found = answers((ladder / f"{name}.onnx").read_bytes(), windows, int(name.split("-")[1]))
        np.testing.assert_allclose(found, logits, atol=1e-4)


def test_the_test_accuracy_in_the_manifest_is_that_of_the_files(demo_ladder):
    ladder = demo_ladder / "ladder"
    test = data.load(demo_ladder / "work" / "windows.npz", UCI_HAR).test
    for rung in json.loads((ladder / "manifest.json").read_text())["configurations"]:
        found = answers((ladder / rung["file"]).read_bytes(), test.x, rung["resolution"]).argmax(1)
        assert (found == test.y.numpy()).mean() == pytest.approx(rung["accuracy"]["test"], abs=1e-9)


def test_reports_are_complete(demo_ladder):
    folder = demo_ladder / "work" / "test"
    with (folder / "accuracy.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9
    run = figures(folder)
    for row in rows:
        entry = run["configurations"][row["id"]]
        confusion = np.array(entry["confusion"])
        assert confusion.sum() == run["windows"]
        assert float(row["accuracy"]) == pytest.approx(np.trace(confusion) / confusion.sum(), abs=1e-6)
        assert float(row["recall_lying"]) == pytest.approx(confusion[5, 5] / confusion[5].sum(), abs=1e-6)
    table = (folder / "accuracy.md").read_text()
    assert all(row["id"] in table for row in rows) and "synthetic demo data" in table
    for name in ("heatmap.png", "accuracy-macs.png", "confusion.png"):
        head = (folder / name).read_bytes()[:24]
        assert head[:8] == b"\x89PNG\r\n\x1a\n"
        assert min(struct.unpack(">II", head[16:])) > 300


def test_several_seeds_give_mean_and_spread(demo_ladder):
    run = figures(demo_ladder / "work" / "test")
    other = json.loads(json.dumps(run)) | {"seed": 1}
    for entry in other["configurations"].values():
        entry["accuracy"] -= 0.02
    for row in summary.summarise([run, other]):
        assert row.accuracy == pytest.approx(run["configurations"][row.id]["accuracy"] - 0.01)
        assert row.spread == pytest.approx(0.02 / 2**0.5)
    with pytest.raises(UserError, match="differ in their split"):
        summary.summarise([run, other | {"split": "validation"}])


def test_rungs_lie_on_the_front_and_hold_both_ends():
    widths, resolutions = (0.1, 0.5, 0.9, 1.0), (128, 96)
    grid = Grid(widths, resolutions)
    macs = {c: int(1000 * c.width**2 * c.resolution) for c in grid.configurations()}
    accuracy = dict(zip(grid.configurations(), (0.80, 0.81, 0.93, 0.92, 0.97, 0.90, 0.95, 0.96), strict=True))
    assert [c.id for c in ladder.pick_rungs(accuracy, macs, grid.full, grid.smallest, 9)] == [
        "0.10x-96",
        "0.50x-96",
        "0.50x-128",
        "1.00x-96",
        "0.90x-128",
        "1.00x-128",
    ]
    fewer = ladder.pick_rungs(accuracy, macs, grid.full, grid.smallest, 4)
    assert len(fewer) == 4 and fewer[0] == grid.smallest and fewer[-1] == grid.full


def test_the_test_split_cannot_pick_rungs(demo_ladder, tmp_path, capsys):
    work = demo_ladder / "work"
    command = ["export", str(work / "run/checkpoint.pt"), "--data", str(work / "windows.npz")]
    command += ["--validation", str(work / "test"), "--out", str(tmp_path / "ladder")]
    assert main(command) == 1
    assert "must not choose anything" in capsys.readouterr().err
    assert not (tmp_path / "ladder").exists()


def test_figures_of_another_run_are_not_quoted(demo_ladder):
    trained = checkpoint.load(demo_ladder / "work" / "run" / "checkpoint.pt")
    (run,) = results.load(demo_ladder / "work" / "test")
    other = dataclasses.replace(run, figures=run.figures | {"seed": 8})
    assert ladder.run_of(trained, [other, run], demo_ladder) is run
    with pytest.raises(UserError, match="holds no test evaluation of this checkpoint"):
        ladder.run_of(trained, [other], demo_ladder)


def test_only_some_configurations_can_be_measured(demo_ladder, tmp_path, capsys):
    work = demo_ladder / "work"
    command = ["evaluate", str(work / "run/checkpoint.pt"), "--data", str(work / "windows.npz")]
    command += ["--split", "validation", "--out", str(tmp_path)]
    assert main([*command, "--only", "1.00x-128,0.10x-96"]) == 0
    assert set(figures(tmp_path)["configurations"]) == {"1.00x-128", "0.10x-96"}
    assert main([*command, "--only", "0.20x-96"]) == 1
    assert "no configuration '0.20x-96'" in capsys.readouterr().err


def export_of(work, out, validation, *more) -> list[str]:
    command = ["export", str(work / "run/checkpoint.pt"), "--data", str(work / "windows.npz")]
    return [*command, "--validation", str(validation), "--out", str(out), *more]


def test_rungs_that_were_not_evaluated_are_named_and_nothing_is_written(demo_ladder, tmp_path, capsys):
    work, out = demo_ladder / "work", tmp_path / "ladder"
    command = ["evaluate", str(work / "run/checkpoint.pt"), "--data", str(work / "windows.npz")]
    for split in ("validation", "test"):
        part = ["--split", split, "--out", str(tmp_path / split), "--only", "0.10x-96"]
        assert main([*command, *part]) == 0
    whole = work / "validation"
    for validation, more, told in (
        (tmp_path / "validation", [], "--validation: 1.00x-128 not evaluated"),
        (tmp_path / "validation", ["--only", "1.00x-128,0.10x-96"], "--validation: 1.00x-128 not evaluated"),
        (whole, ["--test", str(tmp_path / "test"), "--only", "1.00x-128,0.10x-96"], "--test: 1.00x-128 not"),
    ):
        assert main(export_of(work, out, validation, *more)) == 1
        assert told in capsys.readouterr().err
        assert not out.exists()


def test_recalls_that_nobody_knows_are_left_out(demo_ladder, tmp_path):
    # of the people who were held out nobody sat
    work, held_out = demo_ladder / "work", tmp_path / "validation"
    shutil.copytree(work / "validation", held_out)
    (path,) = held_out.glob("*.json")
    text = json.loads(path.read_bytes())
    for entry in each_configuration(text):
        entry["recall"][3] = None
    path.write_text(json.dumps(text))
    with pytest.warns(UserWarning, match="no held-out window of sitting: the manifest gets no recall"):
        assert main(export_of(work, tmp_path / "ladder", held_out)) == 0
    manifest = json.loads((tmp_path / "ladder/manifest.json").read_bytes())
    assert manifest["schema"] == 3
    assert all("recall" not in entry for entry in manifest["configurations"])


def each_configuration(value):
    """All configurations in what an evaluation wrote."""
    if isinstance(value, dict):
        yield from value.get("configurations", {}).values()
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from each_configuration(part)


def test_configuration_ids_have_two_decimals():
    assert Configuration(0.5, 96).id == "0.50x-96"


def test_validation_needs_held_out_subjects(demo_ladder):
    work = demo_ladder / "work"
    trained = checkpoint.load(work / "run" / "checkpoint.pt")
    dataset = data.load(work / "windows.npz", UCI_HAR)
    trained.held_out = []
    with pytest.raises(UserError, match="--hold-out"):
        evaluate.evaluate(trained, dataset, "validation")


def test_groups_of_held_out_subjects_are_averaged(demo_ladder):
    run = figures(demo_ladder / "work" / "validation")
    other = run | {"held_out": [1], "subjects": [1]}
    assert [row.accuracy for row in summary.summarise([run, other])] == [
        row.accuracy for row in summary.summarise([run])
    ]
