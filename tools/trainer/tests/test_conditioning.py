"""Conditioning: the operations by themselves, and on the real recordings where they are."""

import json
from dataclasses import replace

import numpy as np
import pytest
from conftest import REPOSITORY
from scipy import signal

from gaitd_train.check import TOLERANCE, conditioning_errors
from gaitd_train.cli import main
from gaitd_train.conditioning import UCI_HAR_CONDITIONING, condition, low_pass, needed_schema, unit_factor
from gaitd_train.errors import UserError
from gaitd_train.task import UCI_HAR


def test_the_chain_equals_scipy_on_made_up_signals():
    rng = np.random.default_rng(0)
    raw = {channel.name: rng.normal(size=500) for channel in UCI_HAR.input_channels}
    found = condition(raw, UCI_HAR_CONDITIONING)
    steady = signal.sosfilt(signal.butter(10, 20, fs=50, output="sos"), signal.medfilt(raw["acc_y"], 3))
    gravity = signal.lfilter(*signal.butter(3, 0.3, fs=50), steady)
    np.testing.assert_allclose(found["total_acc_y"], steady, atol=1e-12)
    np.testing.assert_allclose(found["body_acc_y"], steady - gravity, atol=1e-9)
    turning = signal.sosfilt(signal.butter(10, 20, fs=50, output="sos"), signal.medfilt(raw["gyro_z"], 3))
    drift = signal.lfilter(*signal.butter(2, 0.1, fs=50), turning)
    np.testing.assert_allclose(found["body_gyro_z"], turning - drift, atol=1e-9)
    assert {channel.name for channel in UCI_HAR.channels} <= set(found)


def test_a_steady_start_leaves_a_constant_alone():
    operation = {"op": "sos", "from": ["a"], "start": "steady", "sections": low_pass(3, 0.3)}
    np.testing.assert_allclose(condition({"a": np.full(50, 2.5)}, (operation,))["a"], 2.5)


REFERENCE = REPOSITORY / "runtime/core/tests/fixtures/conditioning.json"


@pytest.mark.parametrize("case", json.loads(REFERENCE.read_text()), ids=lambda case: case["name"])
def test_operations_agree_with_the_reference_that_the_runtime_is_tested_with(case):
    raw = dict(zip(case["input"], np.array(case["raw"]).T, strict=True))
    units = case.get("units", [dict.fromkeys(case["input"], "g")])[0]
    made = condition(raw, case["ops"], units)
    for name, expected in zip(case["output"], np.array(case["expected"]).T, strict=True):
        np.testing.assert_allclose(made[name], expected, rtol=1e-10, atol=1e-8, err_msg=name)


def test_operations_without_filters_follow_their_formulas():
    raw = {"a": np.array([1.0, -2.0, 4.0]), "b": np.array([0.0, 2.0, 3.0])}

    def made(**operation):
        return condition(raw, ({"from": ["a"], **operation},), {"a": "g", "b": "g"})

    assert made(op="standardise", mean=[1.0], std=[2.0])["a"].tolist() == [0.0, -1.5, 1.5]
    assert made(op="scale", factor=-2)["a"].tolist() == [-2.0, 4.0, -8.0]
    assert made(op="scale", factor=2, offset=0.5, to=["c"])["c"].tolist() == [2.5, -3.5, 8.5]
    assert made(op="convert", unit="mg")["a"].tolist() == [1000.0, -2000.0, 4000.0]
    assert made(op="clip", low=0)["a"].tolist() == [1.0, 0.0, 4.0]
    assert made(op="clip", low=-1, high=3)["a"].tolist() == [1.0, -1.0, 3.0]
    assert made(op="difference")["a"].tolist() == [0.0, -3.0, 6.0]
    magnitude = made(**{"op": "magnitude", "from": ["a", "b"], "to": "m"})
    np.testing.assert_allclose(magnitude["m"], [1.0, 8**0.5, 5.0])
    assert magnitude["a"].tolist() == raw["a"].tolist()


def test_units_go_with_the_channels():
    operations = (
        {"op": "scale", "from": ["a"], "to": ["b"], "factor": 1000, "unit": "mg"},
        {"op": "magnitude", "from": ["b", "b"], "to": "c"},
        {"op": "convert", "from": ["a", "b"], "unit": "m/s2"},
        {"op": "convert", "from": ["c"], "unit": "g"},
    )
    made = condition({"a": np.ones(2)}, operations, {"a": "g"})
    np.testing.assert_allclose([made["a"], made["b"]], 9.80665)
    np.testing.assert_allclose(made["c"], 2**0.5)


def test_what_cannot_be_converted_is_refused_by_name():
    convert = {"op": "convert", "from": ["a"], "unit": "deg/s"}
    with pytest.raises(UserError, match="channel 'a' is in g, which cannot be converted to deg/s; units"):
        condition({"a": np.ones(2)}, (convert,), {"a": "g"})
    with pytest.raises(UserError, match="channel 'a' is in a unit that is not known, which"):
        condition({"a": np.ones(2)}, (convert,))
    standardise = {"op": "standardise", "from": ["a"], "mean": [0], "std": [1]}
    with pytest.raises(UserError, match="channel 'a' is in 1, which"):
        condition({"a": np.ones(2)}, (standardise, convert), {"a": "deg/s"})


def test_unit_factors():
    assert unit_factor("g", "m/s2") == 9.80665
    assert unit_factor("mg", "g") == 1e-3
    assert unit_factor("deg/s", "rad/s") == pytest.approx(np.pi / 180, rel=1e-15)
    assert unit_factor("dps", "deg/s") == 1.0
    assert unit_factor("apples", "apples") == 1.0
    assert unit_factor("g", "rad/s") is None and unit_factor("1", "g") is None


def test_the_newer_operations_need_schema_3():
    assert needed_schema(()) == needed_schema(UCI_HAR_CONDITIONING) == 1
    clip = {"op": "clip", "from": ["a"], "low": 0}
    assert needed_schema((*UCI_HAR_CONDITIONING, clip)) == 3


def test_conditioned_recordings_are_the_prepared_windows(shared_data, capsys):
    command = ["check-conditioning", str(shared_data / "hapt_raw_stream.npz")]
    assert main([*command, "--data", str(shared_data / "uci_har.npz")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [channel.name for channel in UCI_HAR.channels]
    assert max(float(line.split()[1]) for line in lines) < 1e-6 < TOLERANCE


def test_wrong_conditioning_is_noticed(shared_data):
    wrong = replace(UCI_HAR, conditioning=(*UCI_HAR_CONDITIONING[:1], *UCI_HAR_CONDITIONING[2:]))
    errors = conditioning_errors(shared_data / "hapt_raw_stream.npz", shared_data / "uci_har.npz", wrong)
    assert max(errors.values()) > 0.01
