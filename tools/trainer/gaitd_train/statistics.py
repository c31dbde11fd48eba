"""What the training samples of each sensor were like: the runtime holds a stream against it."""

from pathlib import Path

import numpy as np

from gaitd_train.conditioning import unit_factor
from gaitd_train.data import Dataset
from gaitd_train.errors import UserError
from gaitd_train.task import Task, sensors_of

# The share of all seconds that counts as rest.
QUIETEST = 0.05
# No more than one second in a thousand is more vigorous.
VIGOROUS = 0.999
# Prefixes of the network's channels that are a sensor's but for its filters, the nearest first.
FORMS = ("", "total_", "body_")


def sensor_statistics(x: np.ndarray, task: Task) -> list[dict]:
    """The statistics of each raw sensor with three axes, from windows `x [n, channels, time]`.

    Of a sensor whose raw channels the network does not read, the channels are taken that its conditioning
    makes of them by filters: `total_acc` for `acc`, `body_gyro` for `gyro`; their noise is that of the
    network's band. What came out in another unit is converted back; what has none any more, as after a
    standardisation, says nothing of the sensor.
    """
    names = [channel.name for channel in task.channels]
    units = {channel.name: channel.unit for channel in task.channels}
    raw = task.input_units()
    found = []
    for axes in sensors_of(raw):
        for form in FORMS:
            chosen = [f"{form}{axis}" for axis in axes]
            if not all(name in units for name in chosen):
                continue
            factors = [unit_factor(units[name], raw[axis]) for name, axis in zip(chosen, axes, strict=True)]
            if None not in factors:
                samples = x[:, [names.index(name) for name in chosen]]
                found.append({"channels": list(axes), **_of_sensor(samples, np.array(factors), task)})
                break
    return found


def _of_sensor(x: np.ndarray, factors: np.ndarray, task: Task) -> dict:
    x = x.astype(np.float64) * factors[:, None]
    length = min(round(task.sample_rate_hz), task.window) or 1
    count = task.window // length
    seconds = x[:, :, : count * length].reshape(len(x), 3, count, length)
    seconds = seconds.transpose(0, 2, 1, 3).reshape(-1, 3, length)
    magnitude = np.sqrt((seconds**2).sum(1).mean(1))
    noise = seconds.std(2).mean(1)
    quiet = noise <= np.quantile(noise, QUIETEST)
    return {
        "mean": _rounded(x.mean((0, 2))),
        "spread": _rounded(x.std((0, 2))),
        "at_rest": {
            "magnitude": _rounded(np.median(magnitude[quiet])),
            "noise": _rounded(np.median(noise[quiet])),
        },
        "vigorous": _rounded(np.quantile(magnitude, VIGOROUS)),
    }


def _rounded(values: np.ndarray | float):
    """Four digits: more would be of the people, not of the sensor."""
    rounded = [float(f"{value:.4g}") for value in np.atleast_1d(values)]
    return rounded if np.ndim(values) else rounded[0]


def describe(manifest: dict, dataset: Dataset, path: Path) -> dict:
    """The manifest of a ladder with the statistics of the training samples of `dataset`, its data set."""
    task = dataset.task
    named = [channel["name"] for channel in manifest["task"]["channels"]]
    if named != [channel.name for channel in task.channels]:
        raise UserError(f"{path}: reads {named}, which are not the channels of '{task.name}'")
    manifest["schema"] = max(2, manifest["schema"])
    manifest["task"]["input"]["statistics"] = sensor_statistics(dataset.train.x.numpy(), task)
    return manifest
