"""What a data set asks of a network: classes, channels, sampling, and the way from raw samples."""

from dataclasses import dataclass

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


@dataclass(frozen=True)
class Task:
    """A recognition task. Times are in samples.

    `channels` are what the network reads, `input_channels` what a sensor delivers, and `conditioning` the
    operations (see `gaitd_train.conditioning`) that lead from these to those.
    """

    name: str
    title: str
    labels: tuple[str, ...]
    channels: tuple[Channel, ...]
    sample_rate_hz: int
    window: int
    hop: int
    input_channels: tuple[Channel, ...]
    conditioning: tuple[dict, ...]

    def triads(self) -> list[tuple[int, int, int]]:
        """Indices of the channels that form the x, y, z of one sensor and so turn together."""
        names = [channel.name for channel in self.channels]
        stems = [name[:-2] for name in names if name.endswith("_x")]
        return [
            tuple(names.index(f"{stem}_{axis}") for axis in AXES)
            for stem in stems
            if all(f"{stem}_{axis}" in names for axis in AXES)
        ]


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

TASKS = {task.name: task for task in (UCI_HAR,)}


def task_named(name: str) -> Task:
    """The task of a data set, or a `UserError` that lists the known ones."""
    try:
        return TASKS[name]
    except KeyError:
        raise UserError(f"unknown data set '{name}'; known: {', '.join(sorted(TASKS))}") from None
