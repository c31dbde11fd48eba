"""What the training samples were like, as the runtime is told."""

import json
from dataclasses import replace

import numpy as np
import pytest

from gaitd_train.statistics import sensor_statistics
from gaitd_train.task import UCI_HAR, triad, unconditioned

WALK = unconditioned("walk", "walk", ("still", "moving"), triad("acc", "m/s2"), 50, 100, 50)


def windows(count: int, noise: float, motion: float) -> np.ndarray:
    """Windows of a sensor with gravity along x: the first tenth at rest, the others moved."""
    rng = np.random.default_rng(7)
    x = rng.normal(0, noise, (count, 3, 100))
    x[:, 0] += 9.81
    time = np.arange(100) / 50
    x[count // 10 :] += motion * np.sin(2 * np.pi * 2 * time)
    return x.astype(np.float32)


def test_rest_noise_and_spread_are_those_of_the_samples() -> None:
    x = windows(200, 0.05, 3.0)
    (found,) = sensor_statistics(x, WALK)
    assert found["channels"] == ["acc_x", "acc_y", "acc_z"]
    assert found["at_rest"]["magnitude"] == pytest.approx(9.81, abs=0.01)
    assert found["at_rest"]["noise"] == pytest.approx(0.05, rel=0.15)
    assert found["mean"] == pytest.approx(x.mean((0, 2)), rel=1e-3, abs=1e-3)
    assert found["spread"] == pytest.approx(x.std((0, 2)), rel=1e-3)
    moved = np.sqrt((x[20:].astype(float) ** 2).sum(1).mean(1))
    assert found["vigorous"] == pytest.approx(moved.max(), rel=0.02)
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize("names", [("accX", "accY", "accZ"), ("ax", "ay", "az")])
def test_a_sensor_is_found_by_the_last_letters_of_its_channels(names: tuple[str, ...]) -> None:
    channels = tuple(replace(channel, name=name) for channel, name in zip(WALK.channels, names, strict=True))
    x = windows(50, 0.05, 3.0)
    (found,) = sensor_statistics(x, replace(WALK, channels=channels, input_channels=channels))
    (usual,) = sensor_statistics(x, WALK)
    assert found == usual | {"channels": list(names)}


def test_filtered_channels_stand_for_the_sensor_s_own() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(0, 1, (20, 9, 128)).astype(np.float32)
    x[:, 6:] += 5
    acc, gyro = sensor_statistics(x, UCI_HAR)
    assert (acc["channels"][0], gyro["channels"][0]) == ("acc_x", "gyro_x")
    # of total_acc, and not of body_acc
    assert acc["mean"] == pytest.approx([5, 5, 5], abs=0.2)
    assert gyro["mean"] == pytest.approx([0, 0, 0], abs=0.2)


def test_channels_in_another_unit_are_converted_back_and_those_without_one_left_out() -> None:
    x = windows(200, 0.05, 3.0)
    (expected,) = sensor_statistics(x, WALK)
    converted = replace(WALK, channels=triad("acc", "g"))
    (found,) = sensor_statistics(x / 9.80665, converted)
    assert found["mean"] == pytest.approx(expected["mean"], rel=1e-3)
    assert found["at_rest"]["noise"] == pytest.approx(expected["at_rest"]["noise"], rel=1e-3)
    standardised = replace(WALK, channels=triad("acc", "1"))
    assert sensor_statistics(x, standardised) == []


def test_what_is_no_sensor_with_three_axes_has_none() -> None:
    task = unconditioned("one", "one", ("a", "b"), triad("acc", "g")[:2], 50, 100, 50)
    assert sensor_statistics(np.zeros((4, 2, 100), np.float32), task) == []


def test_windows_shorter_than_a_second_are_taken_whole() -> None:
    task = unconditioned("short", "short", ("a", "b"), triad("acc", "g"), 100, 64, 32)
    (found,) = sensor_statistics(np.ones((4, 3, 64), np.float32), task)
    assert found["at_rest"]["magnitude"] == pytest.approx(3**0.5, rel=1e-3)
