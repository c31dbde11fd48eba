"""`write_ladder`: PyTorch modules of any form become ladders that gaitd verifies."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from conftest import REPOSITORY
from torch import nn

from gaitd_train import layout, torch_onnx
from gaitd_train.confidence import fit_temperature
from gaitd_train.errors import UserError
from gaitd_train.export import Configuration, Input, write_ladder
from gaitd_train.normalisation import normalise
from gaitd_train.resample import resample

LABELS = ["walking", "sitting", "lying"]
ACC = {f"acc_{axis}": "m/s2" for axis in "xyz"}
GYRO = {f"gyro_{axis}": "rad/s" for axis in "xyz"}
WINDOW = 64
TASK = {"labels": LABELS, "channels": ACC, "rate_hz": 50, "window": WINDOW, "hop": 32}


@pytest.fixture(scope="session")
def gaitd():
    """Runs gaitd with these arguments; returns what it prints."""
    binary = Path(os.environ.get("GAITD_BINARY") or REPOSITORY / "target" / "debug" / "gaitd").resolve()
    if not binary.is_file():
        pytest.skip(f"SKIPPED: no gaitd at {binary}; build it or set GAITD_BINARY")

    def run(*arguments: str | Path) -> str:
        found = subprocess.run([binary, *arguments], capture_output=True, text=True)
        assert found.returncode == 0, found.stdout + found.stderr
        return found.stdout

    return run


@pytest.fixture
def check(gaitd):
    """Runs `gaitd check` on a model directory."""
    return lambda folder: gaitd("check", folder)


class Cnn(nn.Module):
    """`[1, channels, time]` in."""

    def __init__(self, channels: int = 3, end: nn.Module | None = None) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(channels, 8, 5, stride=2), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5)
        )
        self.head = nn.Linear(8, len(LABELS))
        self.end = end or nn.Identity()

    def forward(self, x):
        return self.end(self.head(self.body(x).mean(-1)))


class Lstm(nn.Module):
    """`[1, time, channels]` in, and a dictionary out."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 8, batch_first=True, bidirectional=True)
        self.head = nn.Linear(16, len(LABELS))

    def forward(self, x):
        features = self.lstm(x)[0][:, -1]
        return {"features": features, "logits": self.head(features)}


class Attention(nn.Module):
    """`[1, time, channels]` in."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(3, 8)
        self.attend = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.head = nn.Linear(8, len(LABELS))

    def forward(self, x):
        return self.head(self.attend(self.embed(x)).mean(1))


class Sensors(nn.Module):
    """An accelerometer `[1, 3, time]`, and a gyroscope `[1, time, 3]`, whose axes are the other way round."""

    def __init__(self) -> None:
        super().__init__()
        self.acc, self.gyro = Cnn(), nn.GRU(3, 4, batch_first=True)
        self.head = nn.Linear(4, len(LABELS))

    def forward(self, acc, gyro):
        return self.acc(acc) + self.head(self.gyro(gyro)[0][:, -1])


def mlp(time: int = WINDOW, dtype: torch.dtype = torch.float32) -> nn.Module:
    """`[1, channels * time]` in."""
    return nn.Sequential(nn.Linear(3 * time, 8), nn.ReLU(), nn.Linear(8, len(LABELS))).to(dtype)


def read(folder: Path) -> tuple[dict, dict]:
    return tuple(json.loads((folder / name).read_text()) for name in ("manifest.json", "golden.json"))


def by_hand(module: nn.Module, folder: Path, form) -> np.ndarray:
    """What `module` answers to the golden windows, each brought into its form by `form`."""
    windows = torch.tensor(read(folder)[1]["windows"])
    module.eval()
    with torch.no_grad():
        return np.concatenate([module(form(window)).numpy() for window in windows])


def test_a_ladder_of_several_architectures(tmp_path, check):
    torch.manual_seed(0)
    cnn, lstm, flat = Cnn(), Lstm(), mlp()
    cnn.train()
    manifest = write_ladder(
        tmp_path / "mine",
        [
            Configuration("mlp", flat, inputs=[Input(layout="N,T*C")]),
            Configuration("cnn", cnn),
            Configuration("lstm", lstm, torch.zeros(16, WINDOW, 3), output="logits"),
            Configuration("attention", Attention(), torch.zeros(1, WINDOW, 3)),
            Configuration("half-the-time", Cnn(), torch.zeros(1, 3, 32), resolution=32),
        ],
        **TASK | {"rate_hz": np.float32(50), "window": np.int64(WINDOW)},
        training={"data": "made up", "mean": torch.zeros(3)},
    )
    assert "5 configurations" in check(tmp_path / "mine")
    assert cnn.training and cnn.body[3].training, "modules stay in their mode"
    stored, golden = read(tmp_path / "mine")
    assert stored == manifest
    assert (stored["schema"], stored["name"], stored["training"]["data"]) == (3, "mine", "made up")
    assert golden["reference"] == f"PyTorch {torch.__version__}"
    entries = {entry["id"]: entry for entry in stored["configurations"]}
    assert entries["mlp"]["inputs"] == [{"layout": "1,T*C"}]
    assert entries["lstm"]["inputs"] == entries["attention"]["inputs"] == [{"layout": "1,T,C"}]
    assert set(entries["cnn"]) == {"id", "file", "sha256"}, "nothing that is unknown, or as it usually is"
    assert entries["half-the-time"]["resolution"] == 32
    found = {name: np.array(logits, np.float32) for name, logits in golden["logits"].items()}
    np.testing.assert_allclose(found["cnn"], by_hand(cnn, tmp_path / "mine", lambda w: w[None]), rtol=1e-6)
    np.testing.assert_allclose(
        found["mlp"], by_hand(flat, tmp_path / "mine", lambda w: w.T.reshape(1, -1)), rtol=1e-6
    )
    gravity = np.array(golden["windows"]).mean(-1)
    assert (np.linalg.norm(gravity, axis=1) > 5).all(), "an accelerometer in m/s2"


def test_an_input_for_each_sensor(tmp_path, check):
    torch.manual_seed(1)
    module, gyro = Sensors(), list(reversed(GYRO))
    configuration = Configuration(
        "both",
        module,
        (torch.zeros(1, 3, WINDOW), torch.zeros(1, WINDOW, 3)),
        inputs=[Input(list(ACC)), Input(gyro)],
    )
    write_ladder(tmp_path / "m", configuration, **TASK | {"channels": ACC | GYRO})
    check(tmp_path / "m")
    manifest, golden = read(tmp_path / "m")
    assert manifest["configurations"][0]["inputs"] == [
        {"name": "input0", "channels": list(ACC), "layout": "1,C,T"},
        {"name": "input1", "channels": gyro, "layout": "1,T,C"},
    ]
    window = torch.tensor(golden["windows"][0])
    with torch.no_grad():
        expected = module.eval()(window[None, :3], window[3:].flip(0).T[None])[0].numpy()
    np.testing.assert_allclose(golden["logits"]["both"][0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("holds", "end"), [("probabilities", nn.Softmax(1)), ("log-probabilities", nn.LogSoftmax(1))]
)
def test_a_softmax_at_the_end_is_told_and_not_applied_twice(tmp_path, check, holds, end):
    torch.manual_seed(2)
    module = Cnn(end=end)
    if holds == "probabilities":
        with pytest.raises(UserError, match=r'configuration a: holds is "logits".*holds="probabilities"'):
            write_ladder(tmp_path / "m", Configuration("a", module), **TASK)
    write_ladder(tmp_path / "m", Configuration("a", module, holds=holds), **TASK)
    check(tmp_path / "m")
    manifest, golden = read(tmp_path / "m")
    assert manifest["configurations"][0]["output"] == {"holds": holds}
    np.testing.assert_allclose(np.exp(golden["logits"]["a"]).sum(1), 1, rtol=1e-5)
    with pytest.raises(UserError, match=f'holds is "{holds}", and those of its module do not add up'):
        write_ladder(tmp_path / "m", Configuration("a", Cnn(), holds=holds), **TASK)


def test_held_out_windows_are_measured_through_all_that_the_manifest_says(tmp_path, check):
    torch.manual_seed(3)
    random = np.random.default_rng(0)
    mean, std = random.normal(size=3) * 5, random.uniform(1, 3, size=3)
    normalisation = {"method": "range", "over": "window", "low": -1}
    y = random.integers(0, 3, 120)
    x = random.normal(size=(120, 3, WINDOW)) * std[:, None] + mean[:, None] + y[:, None, None]
    module = Cnn()
    names = np.array(LABELS)[y]
    arguments = TASK | {"mean": mean, "std": torch.tensor(std), "normalisation": normalisation}
    arguments |= {"held_out": (x.astype(np.float32), names), "training_windows": x}
    configuration = Configuration("cnn", module, resolution=48)
    (entry,) = write_ladder(tmp_path / "m", configuration, **arguments)["configurations"]
    check(tmp_path / "m")
    # what a reader of the manifest would do, by ONNX Runtime
    manifest, golden = read(tmp_path / "m")
    operation = manifest["task"]["input"]["conditioning"][-1]
    session = onnxruntime.InferenceSession(tmp_path / "m" / "cnn.onnx")

    def logits(conditioned):
        normalised = normalise(conditioned, manifest["task"]["normalisation"]).astype(np.float32)
        feeds = ({"window": resample(window[None], 48).numpy()} for window in torch.from_numpy(normalised))
        return np.concatenate([session.run(None, feed)[0] for feed in feeds])

    standard = (x - np.array(operation["mean"])[:, None]) / np.array(operation["std"])[:, None]
    found = logits(standard)
    right = found.argmax(1) == y
    assert entry["accuracy"] == {"validation": pytest.approx(right.mean())}
    assert entry["recall"] == pytest.approx([right[y == label].mean() for label in range(3)])
    assert entry["temperature"] == pytest.approx(fit_temperature(found, y), rel=1e-3)
    assert entry["calibration"].keys() == {"validation"} and entry["resolution"] == 48
    assert {channel["unit"] for channel in manifest["task"]["channels"]} == {"1"}
    assert {channel["unit"] for channel in manifest["task"]["input"]["channels"]} == {"m/s2"}
    assert manifest["task"]["input"]["statistics"][0]["mean"] == pytest.approx(x.mean((0, 2)), rel=1e-3)
    np.testing.assert_allclose(logits(np.array(golden["windows"])), golden["logits"]["cnn"], atol=1e-4)


def test_a_live_stream_is_answered_as_pytorch_answers_its_windows(tmp_path, gaitd):
    torch.manual_seed(5)
    random = np.random.default_rng(5)
    raw = random.normal([0.5, 9.8, -1.0], [1.0, 3.0, 2.0], (WINDOW + 3 * 32, 3)).round(4)
    mean, std = [0.4, 9.0, -1.1], [1.1, 2.9, 2.2]
    normalisation = {"method": "standardise", "over": "window"}
    module = nn.Sequential(nn.Flatten(), mlp())
    # the last channel first, and all of a sample together
    order = [2, 0, 1]
    flat = Input([list(ACC)[place] for place in order], "1,T,C")
    arguments = TASK | {"mean": mean, "std": std, "normalisation": normalisation}
    write_ladder(tmp_path / "m", Configuration("a", module, inputs=[flat]), **arguments)

    rows = (",".join(map(str, (place / 50, *values))) for place, values in enumerate(raw))
    header = ",".join(("t", *(f"{name} [{unit}]" for name, unit in ACC.items())))
    (tmp_path / "samples.csv").write_text("\n".join([header, *rows]) + "\n")
    run = ["run", "--pace", "fast", "--format", "ndjson", "--state", tmp_path / "state"]
    printed = gaitd(*run, "--models", tmp_path / "m", "--source", tmp_path / "samples.csv")
    lines = [json.loads(line) for line in printed.splitlines()]
    found = [list(line["instant"]["probabilities"].values()) for line in lines if line["class"] == "decision"]
    assert len(found) == 4
    for start, probabilities in zip(range(0, len(raw), 32), found, strict=False):
        window = (raw[start : start + WINDOW] - mean) / std
        window = (window - window.mean()) / window.std()
        with torch.no_grad():
            expected = module(torch.tensor(window[None][..., order], dtype=torch.float32))[0].softmax(0)
        np.testing.assert_allclose(probabilities, expected, atol=1e-5)


def test_an_activity_without_held_out_windows_leaves_no_recall(tmp_path, check):
    x = np.random.default_rng(0).normal(size=(8, 3, WINDOW))
    with pytest.warns(UserWarning, match="no held-out window of lying: the manifest gets no recall"):
        write_ladder(tmp_path / "m", Configuration("a", Cnn()), **TASK, held_out=(x, [0, 1] * 4))
    check(tmp_path / "m")
    (entry,) = read(tmp_path / "m")[0]["configurations"]
    assert "recall" not in entry and 0 <= entry["accuracy"]["validation"] <= 1


def test_conditioning_makes_other_channels(tmp_path, check):
    magnitude = {"op": "magnitude", "from": list(ACC), "to": "acc"}
    difference = {"op": "difference", "from": ["acc"], "to": ["jerk"]}
    arguments = TASK | {"conditioning": [magnitude, difference]}
    read_channels = {"acc": "m/s2", "jerk": "m/s2"}
    configuration = Configuration("a", Cnn(2), accuracy=0.9)
    write_ladder(tmp_path / "m", configuration, **arguments, network_channels=read_channels)
    check(tmp_path / "m")
    with pytest.raises(UserError, match="network_channels: nothing makes 'speed'"):
        write_ladder(tmp_path / "m", configuration, **arguments, network_channels={"speed": "m/s"})
    with pytest.raises(UserError, match="conditioning: KeyError"):
        write_ladder(tmp_path / "m", configuration, **TASK, conditioning=[{"op": "clip"}])


def test_half_precision_gets_its_tolerance(tmp_path, check):
    torch.manual_seed(4)
    half = Configuration("half", mlp(dtype=torch.float16), inputs=[Input(layout="1,C*T")])
    write_ladder(tmp_path / "m", half, **TASK, mean=[0, 0, 0], std=[10, 10, 10])
    check(tmp_path / "m")
    assert read(tmp_path / "m")[1]["tolerances"] == {"half": 0.01}


class Remembers(nn.Module):
    """Carries its state from call to call."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.last = Cnn(), torch.zeros(1, len(LABELS))

    def forward(self, x):
        self.last = self.last + self.body(x)
        return self.last


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"labels": ["walking"]}, r"labels: \['walking'\] must be two or more"),
        ({"labels": [*LABELS, "more"]}, "configuration a: its module answers with 3 numbers.*4 labels"),
        ({"channels": list(ACC)}, r'channels: give names with units, such as \{"acc_x"'),
        ({"channels": ACC | GYRO}, r"a: its module does not take \(1, 6, 64\), which is 6 channels"),
        ({"rate_hz": 0}, "rate_hz is 0"),
        ({"hop": 65}, "window is 64 and hop 65"),
        ({"mean": [0, 0, 0]}, "mean and std belong together"),
        ({"mean": [0, 0], "std": [1, 1, 1]}, "mean has 2 numbers, and there are 3 channels"),
        ({"mean": [0, 0, 0], "std": [1, 0, 1]}, "std above 0"),
        ({"training": {"at": Path("x")}}, "training: .* cannot stand in a manifest"),
        ({"conditioning": [{"op": "copy", "from": {"acc_x"}}]}, "conditioning: .* cannot stand"),
        ({"normalisation": {"method": "guess"}}, "normalisation: method is 'guess'; known: standardise"),
        ({"normalisation": {"method": "centre", "low": 1}}, "normalisation: centre has no key 'low'"),
        ({"held_out": (np.zeros((2, WINDOW, 3)), [0, 1])}, r"held_out: windows of shape \(2, 64, 3\)"),
        ({"held_out": (np.zeros((2, 3, WINDOW)), [0, 3])}, "held_out: y goes from 0 to 3"),
        ({"held_out": (np.zeros((2, 3, WINDOW)), ["lying", "no"])}, "held_out: 'no' is not among the labels"),
        ({"held_out": (np.full((1, 3, WINDOW), np.nan), [0])}, "held_out: the windows hold values"),
        ({"configurations": []}, "configurations: a ladder needs one at least"),
        ({"configurations": [Configuration("a", Cnn())] * 2}, "must differ in their ids"),
        ({"configurations": Configuration("a b", Cnn())}, "its id must be"),
        ({"configurations": Configuration("a", Cnn)}, "module must be a torch.nn.Module"),
        ({"configurations": Configuration("a", Cnn(), holds="odds")}, "known: logits, probabilities"),
        ({"configurations": Configuration("a", Cnn(), resolution=65)}, "resolution is 65"),
        ({"configurations": Configuration("a", Cnn(), inputs=[Input(layout="C,C")])}, "'C,C' is none"),
        ({"configurations": Configuration("a", Cnn(), inputs=[Input(["up"])])}, "there is no channel 'up'"),
        ({"configurations": Configuration("a", Lstm(), torch.zeros(1, 64, 3))}, "with a dict.*output="),
        ({"configurations": Configuration("a", Cnn(), torch.zeros(1, 3, 60))}, r"\(1, 3, 60\) does not hold"),
        ({"configurations": Configuration("a", mlp(), torch.zeros(1, 192))}, r"may be 1,C\*T or 1,T\*C"),
        ({"configurations": Configuration("a", Sensors(), (torch.zeros(1, 3, 64),) * 2)}, "give an Input"),
        ({"configurations": Configuration("a", Remembers())}, "keeps a state"),
        (
            {"configurations": [Configuration("a", Cnn(), accuracy=0.5), Configuration("b", Cnn())]},
            "accuracy is given for some configurations only",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_by_its_argument(tmp_path, changed, says):
    arguments = {"configurations": Configuration("a", Cnn())} | TASK | changed
    with pytest.raises(UserError, match=says):
        write_ladder(tmp_path / "m", **arguments)
    assert not (tmp_path / "m").exists()


def test_a_module_that_answers_nan_is_refused(tmp_path):
    module = Cnn()
    module.head.weight.data[0, 0] = torch.nan
    with pytest.raises(
        UserError, match="configuration a: its module answers with values that are not numbers"
    ):
        write_ladder(tmp_path / "m", Configuration("a", module), **TASK)


def test_what_cannot_be_traced_goes_to_the_other_exporter(tmp_path, check, monkeypatch):
    def fails(*_):
        raise ValueError("Exporting the operator 'aten::mine' is not supported")

    monkeypatch.setattr(torch_onnx, "_traced", fails)
    examples = (torch.zeros(1, 3, WINDOW), torch.zeros(1, WINDOW, 3))
    sensors = Configuration("a", Sensors(), examples, [Input(list(ACC)), Input(list(GYRO))])
    arguments = TASK | {"channels": ACC | GYRO}
    if importlib.util.find_spec("onnxscript") is None:
        with pytest.raises(UserError, match=r"a: PyTorch cannot export.*'aten::mine'.*install onnxscript"):
            write_ladder(tmp_path / "m", sensors, **arguments)
    else:
        write_ladder(tmp_path / "m", sensors, **arguments)
        check(tmp_path / "m")


def test_the_documented_example_makes_a_ladder(tmp_path, check):
    text = (REPOSITORY / "docs" / "own-network.md").read_text()
    (training, writing) = (part.split("```")[0] for part in text.split("```python")[1:])
    script = training.split("# what gaitd needs")[0] + writing
    run = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    found = {name: float(accuracy) for name, accuracy, _ in map(str.split, run.stdout.splitlines())}
    assert list(found) == ["small", "large"] and min(found.values()) > 0.8
    check(tmp_path / "mine")


def test_nothing_of_this_machine_stands_in_the_files(tmp_path):
    write_ladder(tmp_path / "m", Configuration("a", Cnn()), **TASK)
    for path in (tmp_path / "m").iterdir():
        content = path.read_bytes()
        assert b"test_export" not in content and str(REPOSITORY).encode() not in content, path


def test_layouts_are_read_of_shapes():
    for text in layout.USUAL:
        assert layout.of_example(layout.shape(text, 3, 50), 3, 50) == text
        window = torch.arange(150).reshape(3, 50)
        values = layout.arrange(window, text).reshape(-1)
        assert torch.equal(values, (window.T if text.index("T") < text.index("C") else window).reshape(-1))
    assert layout.of_example((7, 50, 3), 3, 50) == "1,T,C"
    assert layout.of_example((1, 1, 50), 1, 50) == "1,C,T"
    assert layout.of_example((1, 50), 1, 50) == "C,T"
    with pytest.raises(UserError, match="may be 1,C,T or 1,T,C"):
        layout.of_example((1, 4, 4), 4, 4)


REFERENCE = REPOSITORY / "runtime/core/tests/fixtures/normalisation.json"


def test_normalisations_agree_with_the_reference_that_the_runtime_is_tested_with():
    for case in json.loads(REFERENCE.read_text()):
        window = np.array(case["window"])
        still = window.max(1) == window.min(1)
        if case["normalisation"].get("over") != "window" and still.any():
            # the reference divides by what rounding leaves of no spread
            window, case["expected"] = window[~still], np.array(case["expected"])[~still]
            if not window.size:
                continue
        found = normalise(window, case["normalisation"])
        np.testing.assert_allclose(found, case["expected"], rtol=1e-9, atol=1e-9, err_msg=case["name"])


def test_a_window_that_stands_still_is_no_division_by_zero():
    still = np.full((2, 8), 0.1)
    for normalisation, expected in [
        ({"method": "standardise", "epsilon": 0}, 0),
        ({"method": "centre"}, 0),
        ({"method": "range", "epsilon": 0, "low": 5, "high": 6}, 5),
    ]:
        assert (normalise(still, normalisation) == expected).all()
