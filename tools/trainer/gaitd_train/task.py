"""The recognition task of a data set: classes, channels, sampling, and conditioning of raw samples."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

from gaitd_train.conditioning import UCI_HAR_CONDITIONING
from gaitd_train.errors import UserError

AXES = ("x", "y", "z")


@dataclass(frozen=True)
class Channel:
    """A named signal and its unit."""

    name: str
    unit: str


def triad(name: str, unit: str) -> tuple[Channel, ...]:
    """The x, y and z channels of one sensor."""
    return tuple(Channel(f"{name}_{axis}", unit) for axis in AXES)


def sensors_of(names: Iterable[str]) -> list[tuple[str, ...]]:
    """The x, y and z of each sensor among channels: names that differ in a last x, y, z alone, as the runtime
    finds them (`acc_x`, `accX`, `ax`)."""
    names = list(names)
    sensors = [
        tuple(name[:-1] + axis for axis in axes)
        for name in names
        for axes in ("xyz", "XYZ")
        if name.endswith(axes[0])
    ]
    return [sensor for sensor in sensors if set(sensor) <= set(names)]


@dataclass(frozen=True)
class Task:
    """A recognition task. Times are in samples.

    `channels` are what the network reads, `input_channels` what a sensor delivers, and `conditioning` the
    operations (see `gaitd_train.conditioning`) that turn the sensor's channels into the network's.
    """

    name: str
    title: str
    labels: tuple[str, ...]
    channels: tuple[Channel, ...]
    sample_rate_hz: int | float
    window: int
    hop: int
    input_channels: tuple[Channel, ...]
    conditioning: tuple[dict, ...]

    def triads(self) -> list[tuple[int, int, int]]:
        """Indices of the channels that form the x, y, z of one sensor and so turn together."""
        names = [channel.name for channel in self.channels]
        return [tuple(names.index(name) for name in sensor) for sensor in sensors_of(names)]

    def input_units(self) -> dict[str, str]:
        """The unit of each of the sensor's channels, by name."""
        return {channel.name: channel.unit for channel in self.input_channels}

    def to_dict(self) -> dict:
        """The task as plain JSON values; `from_dict` gives it back unchanged."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: dict) -> "Task":
        """The task that `to_dict` wrote, or a `UserError` that names what is missing or wrong."""
        known = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or set(values) != known:
            found = sorted(values) if isinstance(values, dict) else type(values).__name__
            raise UserError(f"a task has the fields {sorted(known)}, found {found}")
        try:
            return cls(
                **{
                    **values,
                    "labels": tuple(str(label) for label in values["labels"]),
                    "channels": tuple(Channel(**channel) for channel in values["channels"]),
                    "input_channels": tuple(Channel(**channel) for channel in values["input_channels"]),
                    "conditioning": tuple(dict(operation) for operation in values["conditioning"]),
                }
            )
        except (TypeError, ValueError) as error:
            raise UserError(f"the task '{values['name']}' is malformed: {error}") from error


def unconditioned(name: str, title: str, labels, channels, sample_rate_hz, window: int, hop: int) -> Task:
    """A task whose network reads the sensor's channels as they are."""
    channels = tuple(channels)
    return Task(name, title, tuple(labels), channels, sample_rate_hz, window, hop, channels, ())


UCI_HAR = Task(
    name="uci-har",
    title="UCI-HAR",
    labels=("walking", "upstairs", "downstairs", "sitting", "standing", "lying"),
    channels=(*triad("body_acc", "g"), *triad("body_gyro", "rad/s"), *triad("total_acc", "g")),
    sample_rate_hz=50,
    window=128,
    hop=64,
    input_channels=(*triad("acc", "g"), *triad("gyro", "rad/s")),
    conditioning=UCI_HAR_CONDITIONING,
)

# The same sensors, filters and windows as UCI-HAR; activities 1..12 in the publisher's order.
HAPT = Task(
    name="hapt",
    title="HAPT",
    labels=(
        *UCI_HAR.labels,
        "stand-to-sit",
        "sit-to-stand",
        "sit-to-lie",
        "lie-to-sit",
        "stand-to-lie",
        "lie-to-stand",
    ),
    channels=UCI_HAR.channels,
    sample_rate_hz=UCI_HAR.sample_rate_hz,
    window=UCI_HAR.window,
    hop=UCI_HAR.hop,
    input_channels=UCI_HAR.input_channels,
    conditioning=UCI_HAR.conditioning,
)

WISDM = unconditioned(
    name="wisdm",
    title="WISDM v1.1",
    labels=("walking", "jogging", "upstairs", "downstairs", "sitting", "standing"),
    channels=triad("acc", "m/s2"),
    sample_rate_hz=20,
    window=200,
    hop=100,
)

WISDM_WINDOWS128 = unconditioned(
    name="wisdm-windows128",
    title="WISDM v1.1, approximate windows of 128 samples",
    labels=WISDM.labels,
    channels=WISDM.channels,
    sample_rate_hz=WISDM.sample_rate_hz,
    window=128,
    hop=64,
)

WISDM_WATCH = unconditioned(
    name="wisdm-watch",
    title="WISDM 2019 watch",
    labels=(
        "walking",
        "jogging",
        "stairs",
        "sitting",
        "standing",
        "typing",
        "brushing-teeth",
        "eating-soup",
        "eating-chips",
        "eating-pasta",
        "drinking",
        "eating-sandwich",
        "kicking",
        "catching",
        "dribbling",
        "writing",
        "clapping",
        "folding-clothes",
    ),
    channels=triad("acc", "m/s2"),
    sample_rate_hz=20,
    window=200,
    hop=100,
)

UNIMIB_SHAR = unconditioned(
    name="unimib-shar",
    title="UniMiB-SHAR",
    labels=(
        "standing-up-from-sitting",
        "standing-up-from-laying",
        "walking",
        "running",
        "going-upstairs",
        "jumping",
        "going-downstairs",
        "lying-down-from-standing",
        "sitting-down",
        "generic-falling-forward",
        "falling-rightward",
        "generic-falling-backward",
        "hitting-an-obstacle-in-the-fall",
        "falling-with-protection-strategies",
        "falling-backward-sitting-chair",
        "syncope",
        "falling-leftward",
    ),
    channels=triad("acc", "m/s2"),
    sample_rate_hz=50,
    window=151,
    hop=75,
)

PAMAP2 = unconditioned(
    name="pamap2",
    title="PAMAP2",
    labels=(
        "lying",
        "sitting",
        "standing",
        "walking",
        "running",
        "cycling",
        "nordic-walking",
        "upstairs",
        "downstairs",
        "vacuum-cleaning",
        "ironing",
        "rope-jumping",
    ),
    channels=[
        channel
        for place in ("hand", "chest", "ankle")
        for channel in (*triad(f"{place}_acc", "m/s2"), *triad(f"{place}_gyro", "rad/s"))
    ],
    sample_rate_hz=100,
    window=512,
    hop=256,
)

TASKS = {
    task.name: task for task in (UCI_HAR, HAPT, WISDM, WISDM_WINDOWS128, WISDM_WATCH, UNIMIB_SHAR, PAMAP2)
}


def task_named(name: str) -> Task:
    """The task of a data set, or a `UserError` that lists the known ones."""
    try:
        return TASKS[name]
    except KeyError:
        raise UserError(f"unknown data set '{name}'; known: {', '.join(sorted(TASKS))}") from None
