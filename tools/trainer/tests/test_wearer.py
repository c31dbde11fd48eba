"""The wearer's fit: parameters that are known come back, and only the training subjects are looked at."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import signal

from gaitd_train import wearer
from gaitd_train.cli import main
from gaitd_train.task import UCI_HAR

SHIPPED = Path(__file__).resolve().parents[3] / "runtime" / "sense" / "src" / "wearer.json"

STRIDE_HZ = {"walking": 0.92, "upstairs": 0.78, "downstairs": 1.04}
AR = np.array([0.6, -0.3])
NOISE_SD = 0.03
SERIES = {
    "walking": [0.05, 0.3, 0.08],
    "upstairs": [0.1, 0.2, 0.03, 0.05],
    "downstairs": [0.08, 0.35, 0.1, 0.06],
}
POSTURES = {"sitting": [0.8, 0.1, 0.5], "standing": [1.0, -0.1, 0.1], "lying": [0.1, 0.9, 0.3]}


def coloured(rng, length: int) -> np.ndarray:
    return signal.lfilter([1.0], [1.0, *-AR], NOISE_SD * rng.normal(size=(length + 100, 6)), axis=0)[100:]


def bout(rng, name: str, length: int) -> np.ndarray:
    """A bout whose every parameter is known; a gait moves all axes, each in another phase."""
    noise = coloured(rng, length)
    if name in POSTURES:
        return noise + np.array([*POSTURES[name], 0, 0, 0])
    phase = STRIDE_HZ[name] * np.arange(length)[:, None] / 50 + rng.uniform() + 0.1 * np.arange(6)
    cycle = sum(a * np.cos(2 * np.pi * k * phase) for k, a in enumerate(SERIES[name], start=1))
    return noise + cycle + np.array([1, 0, 0, 0, 0, 0])


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """Two subjects who do everything three times; subject 2, all noise, is not a training subject."""
    rng = np.random.default_rng(3)
    samples, recordings, bouts = [], [], []
    for subject in (1, 2):
        row = 0
        for label, name in [*enumerate(UCI_HAR.labels, start=1)] * 3:
            piece = bout(rng, name, 1500) if subject == 1 else rng.normal(size=(1500, 6))
            samples.append(piece)
            bouts.append((subject * 10, subject, label, row + 1, row + 1500))
            row += 1500
        recordings += [subject * 10] * row
    folder = tmp_path_factory.mktemp("wearer")
    np.savez(folder / "har.npz", subject_train=np.array([1, 1]), subject_test=np.array([2]))
    np.savez(
        folder / "raw.npz",
        acc_gyro=np.concatenate(samples).astype(np.float32),
        exp=np.array(recordings),
        labels_txt=np.array(bouts),
    )
    return folder


def fit(folder, out, raw="raw.npz") -> int:
    return main(
        ["fit-wearer", "--har", str(folder / "har.npz"), "--raw", str(folder / raw), "--out", str(out)]
    )


@pytest.fixture(scope="module")
def fitted(made_up) -> Path:
    """The parameters of the made-up subject."""
    assert fit(made_up, made_up / "wearer.json") == 0
    return made_up / "wearer.json"


def test_known_parameters_come_back(fitted):
    parameters = json.loads(fitted.read_text())
    assert parameters["fitted_on"]["subjects"] == [1]
    (persona,) = parameters["personas"]
    assert (persona["subject"], persona["recording"]) == (1, 10)
    for name, rate in STRIDE_HZ.items():
        gait = persona[name]
        assert gait["stride_hz"] == pytest.approx(rate, rel=0.003)
        assert gait["mean"] == pytest.approx([1, 0, 0, 0, 0, 0], abs=0.01)
        amplitude = np.linalg.norm(np.array(gait["series"]), axis=2)
        expected = np.zeros_like(amplitude)
        expected[: len(SERIES[name])] = np.array(SERIES[name])[:, None]
        np.testing.assert_allclose(amplitude, expected, atol=0.01)
        np.testing.assert_allclose(np.array(gait["noise"]["ar"])[:, :2], np.tile(AR, (6, 1)), atol=0.06)
        np.testing.assert_allclose(np.array(gait["noise"]["ar"])[:, 2:], 0, atol=0.08)
        np.testing.assert_allclose(np.diag(gait["noise"]["mix"]), NOISE_SD, rtol=0.06)
        np.testing.assert_allclose(gait["envelope"], 1, atol=0.15)
        assert gait["stride"]["sd"] < 0.02 and gait["gain"]["sd"] < 0.08
    for name, direction in POSTURES.items():
        means = np.array(persona[name]["means"])
        np.testing.assert_allclose(means[:, :3], [direction] * len(means), atol=0.015)
        np.testing.assert_allclose(np.diag(persona[name]["noise"]["mix"]), NOISE_SD, rtol=0.1)


def test_the_fit_is_deterministic(made_up, fitted, tmp_path):
    assert fit(made_up, tmp_path / "again.json") == 0
    assert (tmp_path / "again.json").read_bytes() == fitted.read_bytes()


def test_an_autoregression_equals_solving_the_normal_equations():
    rng = np.random.default_rng(1)
    piece = coloured(rng, 20_000)
    found, mix = wearer.autoregression([piece], order=2)
    past = np.stack([piece[1:-1], piece[:-2]], axis=-1)
    for axis in range(6):
        expected, *_ = np.linalg.lstsq(past[:, axis], piece[2:, axis], rcond=None)
        np.testing.assert_allclose(found[axis], expected, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(mix, axis=1), NOISE_SD, rtol=0.02)


def test_faults_of_the_recordings_are_named(made_up, tmp_path, capsys):
    with np.load(made_up / "raw.npz") as archive:
        good = dict(archive)
    elsewhere = good["labels_txt"].copy()
    elsewhere[elsewhere[:, 2] == 3, 2] = 7
    bad = {
        "lacks the array 'labels_txt'": {"labels_txt": None},
        "not [n, 6]": {"acc_gyro": good["acc_gyro"][:, :3]},
        "not finite": {"acc_gyro": np.full_like(good["acc_gyro"], np.nan)},
        "no bout of a training subject": {"labels_txt": good["labels_txt"] + [0, 1, 0, 0, 0]},
        "outside its recording": {"labels_txt": good["labels_txt"] + [0, 0, 0, 0, 10**6]},
        "all six activities": {"labels_txt": elsewhere},
    }
    for message, change in bad.items():
        np.savez(made_up / "bad.npz", **{k: v for k, v in (good | change).items() if v is not None})
        assert fit(made_up, tmp_path / "wearer.json", "bad.npz") == 1
        assert message in capsys.readouterr().err
    assert not (tmp_path / "wearer.json").exists()


def test_the_shipped_parameters_are_what_the_command_writes(shared_data, tmp_path):
    raw = shared_data / "hapt_raw_stream.npz"
    if not raw.is_file():
        pytest.skip(f"SKIPPED: no {raw}")
    out = tmp_path / "wearer.json"
    command = ["fit-wearer", "--har", str(shared_data / "uci_har.npz"), "--raw", str(raw)]
    assert main([*command, "--out", str(out)]) == 0
    assert out.stat().st_size <= 200_000
    shipped = json.loads(SHIPPED.read_text())
    _assert_alike(json.loads(out.read_text()), shipped, "")


def _assert_alike(found, shipped, where: str) -> None:
    """Equal but for the last digits, in which mathematical libraries differ."""
    if isinstance(found, dict):
        assert found.keys() == shipped.keys(), where
        for key in found:
            _assert_alike(found[key], shipped[key], f"{where}.{key}")
    elif isinstance(found, list):
        assert len(found) == len(shipped), where
        for i, pair in enumerate(zip(found, shipped, strict=True)):
            _assert_alike(*pair, f"{where}[{i}]")
    else:
        same = shipped if isinstance(found, str) else pytest.approx(shipped, rel=1e-2, abs=1e-4)
        assert found == same, where
