"""What the training samples of each sensor were like: the runtime holds a stream against it."""

from pathlib import Path

import numpy as np

from gaitd_train.data import Dataset
from gaitd_train.errors import UserError
from gaitd_train.task import AXES, Task

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
    network's band.
    """
    names = [channel.name for channel in task.channels]
    raw = [channel.name for channel in task.input_channels]
    found = []
    for stem in (name[:-2] for name in raw if name.endswith("_x")):
        axes = [f"{stem}_{axis}" for axis in AXES]
        forms = ([f"{form}{axis}" for axis in axes] for form in FORMS)
        chosen = next((form for form in forms if all(name in names for name in form)), None)
        if chosen is None or not all(axis in raw for axis in axes):
            continue
        found.append({"channels": axes, **_of_sensor(x[:, [names.index(name) for name in chosen]], task)})
    return found


def _of_sensor(x: np.ndarray, task: Task) -> dict:
    length = min(round(task.sample_rate_hz), task.window) or 1
    count = task.window // length
    seconds = x[:, :, : count * length].astype(np.float64).reshape(len(x), 3, count, length)
    seconds = seconds.transpose(0, 2, 1, 3).reshape(-1, 3, length)
    magnitude = np.sqrt((seconds**2).sum(1).mean(1))
    noise = seconds.std(2).mean(1)
    quiet = noise <= np.quantile(noise, QUIETEST)
    return {
        "mean": _rounded(x.mean((0, 2), dtype=np.float64)),
        "spread": _rounded(x.std((0, 2), dtype=np.float64)),
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
