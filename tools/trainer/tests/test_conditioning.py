"""Conditioning: the operations by themselves, and on the real recordings where they are."""

import numpy as np
from scipy import signal

from gaitd_train.check import TOLERANCE, conditioning_errors
from gaitd_train.cli import main
from gaitd_train.conditioning import UCI_HAR_CONDITIONING, condition, low_pass
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


def test_conditioned_recordings_are_the_prepared_windows(shared_data, capsys):
    command = ["check-conditioning", str(shared_data / "hapt_raw_stream.npz")]
    assert main([*command, "--data", str(shared_data / "uci_har.npz")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [channel.name for channel in UCI_HAR.channels]
    assert max(float(line.split()[1]) for line in lines) < 1e-6 < TOLERANCE


def test_wrong_conditioning_is_noticed(shared_data):
    from dataclasses import replace

    wrong = replace(UCI_HAR, conditioning=(*UCI_HAR_CONDITIONING[:1], *UCI_HAR_CONDITIONING[2:]))
    errors = conditioning_errors(shared_data / "hapt_raw_stream.npz", shared_data / "uci_har.npz", wrong)
    assert max(errors.values()) > 0.01
