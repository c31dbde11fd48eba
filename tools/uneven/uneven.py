"""Makes uneven recordings of HAPT's even ones: what docs/timing.md says of the accuracy on uneven samples.

    target/venv/bin/python tools/uneven/uneven.py ../shared/data target/uneven
    for file in target/uneven/*.csv; do gaitd replay "$file" --rung 1.00x-128; done
    gaitd replay target/uneven/two-files/*.csv --rung 1.00x-128

The first folder holds `hapt_raw_stream.npz` and `uci_har.npz`. Each file has the raw recordings of UCI-HAR's test
people, one after the other with gaps between them, disturbed in one way. Values at other times than the recording's
come from cubic splines. In `two-files` each sensor has a file, and the gyroscope's clock starts 12 ms later. The files
are derived from the data and are not to be passed on.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

RATE_HZ = 50
# seconds between two recordings
GAP_S = 100
NAMES = ["", "walking", "upstairs", "downstairs", "sitting", "standing", "lying"]
# Hz, in every channel, where they would fold back if nothing kept them out
TONES_HZ = (37.0, 61.0, 88.0)

# Times, values and labels of a recording become stamps, values and labels.
Recording = tuple[np.ndarray, np.ndarray, np.ndarray]
Disturbance = Callable[[np.ndarray, np.ndarray, np.ndarray], Recording]


def sampled(times: np.ndarray, values: np.ndarray, labels: np.ndarray, at: np.ndarray) -> Recording:
    """The recording as it would be with samples taken `at` other times."""
    inside = np.clip(at, times[0], times[-1])
    nearest = np.clip(np.round(at * RATE_HZ).astype(int), 0, len(labels) - 1)
    return at, CubicSpline(times, values)(inside), labels[nearest]


def at_rate(rate_hz: float, since: float = 0) -> Disturbance:
    """Samples at `rate_hz` from `since` seconds on."""

    def disturb(times, values, labels):
        at = np.concatenate([times[times < since], np.arange(since, times[-1], 1 / rate_hz)])
        return sampled(times, values, labels, at)

    return disturb


def with_tones(times, values, labels):
    """200 Hz, with 0.2 g and 0.1 rad/s of each tone."""
    at, values, labels = at_rate(200)(times, values, labels)
    tones = sum(0.2 * np.sin(2 * np.pi * hz * at + hz) for hz in TONES_HZ)
    return at, values + tones[:, None] * ([1] * 3 + [0.5] * 3), labels


def scattered(times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The times with a Gaussian jitter of 6 ms."""
    return np.abs(times + rng.normal(0, 0.006, len(times)))


def in_turn(times: np.ndarray) -> np.ndarray:
    """Intervals of 31 and 9 ms in turn."""
    return times + np.where(np.arange(len(times)) % 2, 0.011, 0)


def stamped(stamp: Callable[[np.ndarray], np.ndarray]) -> Disturbance:
    """Samples taken evenly, whose stamps say something else."""
    return lambda times, values, labels: (stamp(times), values, labels)


def packets(size: int) -> Disturbance:
    """All samples of a packet have the time of its first."""
    return stamped(lambda times: times[np.arange(len(times)) // size * size])


def disturbances() -> dict[str, Disturbance]:
    """All of them by the name of their file."""
    rng = np.random.default_rng(1)
    return {
        "undisturbed": stamped(lambda times: times),
        "100-hz": at_rate(100),
        "100-hz-from-60-s": at_rate(100, 60),
        "42-hz-from-60-s": at_rate(42, 60),
        "200-hz": at_rate(200),
        "200-hz-with-tones": with_tones,
        "31-and-9-ms-taken-then": lambda t, v, label: sampled(t, v, label, in_turn(t)),
        "31-and-9-ms-taken-evenly": stamped(in_turn),
        "jitter-taken-then": lambda t, v, label: sampled(t, v, label, np.sort(scattered(t, rng))),
        "jitter-taken-evenly": stamped(lambda times: scattered(times, rng)),
        "bursts-of-10": stamped(lambda t: np.arange(len(t)) // 10 * 0.2 + np.arange(len(t)) % 10 * 0.001 + 0.18),
        "packets-of-4": packets(4),
        "packets-of-10": packets(10),
        "whole-seconds": stamped(lambda times: np.floor(times + 1e-9)),
    }


def line(stamp: float, row: np.ndarray, label: int) -> str:
    """One sample, as gaitd's own form has it."""
    return f"{stamp:.4f},{','.join(f'{value:.6f}' for value in row)},{activity(label)}\n"


def in_other_units(stamp: float, row: np.ndarray, label: int) -> str:
    """The same in m/s2 and deg/s."""
    return line(stamp, np.concatenate([row[:3] * 9.80665, np.degrees(row[3:])]), label)


def of_each_sensor(stamp: float, row: np.ndarray, label: int) -> str:
    """A row for each sensor, which names it."""
    sensors = (("Accelerometer", row[:3]), ("Gyroscope", row[3:]))
    return "".join(
        f"{sensor},{stamp:.4f},{','.join(f'{value:.6f}' for value in axes)},{activity(label)}\n"
        for sensor, axes in sensors
    )


AXES = ("acc_x", "acc_y", "acc_z", "gyro_x", "gyro_y", "gyro_z")
BARE = f"t,{','.join(AXES)},label\n"
UNITS = (
    f"t,{','.join(f'{axis} [m/s2]' for axis in AXES[:3])},{','.join(f'{axis} [deg/s]' for axis in AXES[3:])},label\n"
)
# The undisturbed samples in other words: the header, and the text of a sample.
SPELLINGS = {
    "m-s2-and-deg-s": (UNITS, in_other_units),
    "m-s2-and-deg-s-undeclared": (BARE, in_other_units),
    "semicolons": (BARE.replace(",", ";"), lambda *sample: line(*sample).replace(",", ";").replace(".", ",")),
    "row-per-sensor": ("sensor,time,x,y,z,label\n", of_each_sensor),
}


def write_apart(recordings: list[Recording], folder: Path) -> None:
    """A file for each sensor; the gyroscope is read 12 ms after the accelerometer."""
    folder.mkdir(exist_ok=True)
    with (folder / "acc.csv").open("w") as acc, (folder / "gyro.csv").open("w") as gyro:
        acc.write("t,acc_x,acc_y,acc_z,label\n")
        gyro.write("t,gyro_x,gyro_y,gyro_z\n")
        start = 0.0
        for times, values, labels in recordings:
            for stamp, row, label in zip(times, values[:, :3], labels, strict=True):
                acc.write(f"{start + stamp:.4f},{','.join(f'{value:.6f}' for value in row)},{activity(label)}\n")
            at, rotation, _ = sampled(times, values[:, 3:], labels, times + 0.012)
            for stamp, row in zip(at, rotation, strict=True):
                gyro.write(f"{start + stamp:.4f},{','.join(f'{value:.6f}' for value in row)}\n")
            start += np.ceil(times[-1]) + GAP_S


def activity(label: int) -> str:
    """Its name; none for a transition."""
    return NAMES[label] if label < len(NAMES) else ""


def main() -> None:
    """Writes all files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    raw = np.load(arguments.data / "hapt_raw_stream.npz")
    people = np.unique(np.load(arguments.data / "uci_har.npz")["subject_test"])
    values, labels = raw["acc_gyro"].astype(float), raw["label"].ravel()
    experiments, users = raw["exp"].ravel(), raw["user"].ravel()
    chosen = [experiment for experiment in np.unique(experiments) if users[experiments == experiment][0] in people]
    arguments.out.mkdir(parents=True, exist_ok=True)
    recordings = [
        (np.arange(mine.sum()) / RATE_HZ, values[mine], labels[mine])
        for mine in (experiments == experiment for experiment in chosen)
    ]
    write_apart(recordings, arguments.out / "two-files")
    undisturbed = stamped(lambda times: times)
    files = {name: (disturb, BARE, line) for name, disturb in disturbances().items()}
    files |= {name: (undisturbed, *spelling) for name, spelling in SPELLINGS.items()}
    for name, (disturb, header, text) in files.items():
        with (arguments.out / f"{name}.csv").open("w") as file:
            file.write(header)
            start = 0.0
            for times, *rest in recordings:
                for stamp, row, label in zip(*disturb(times, *rest), strict=True):
                    file.write(text(start + stamp, row, label))
                start += np.ceil(times[-1]) + GAP_S


if __name__ == "__main__":
    main()
