"""A training recipe: everything but the data and the seed that decides what a run does, as a TOML file.

Unknown keys are refused, because a misspelt key that is silently ignored has switched distillation off in
published configurations. `gaitd-train recipe NAME` prints a shipped recipe to start from.
"""

import dataclasses
import tomllib
import types
import typing
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from gaitd_train.cnn import CnnShape
from gaitd_train.errors import UserError
from gaitd_train.grid import Grid
from gaitd_train.task import task_named


@dataclass(frozen=True)
class Optimizer:
    """Adam (with `weight_decay` > 0: AdamW) and its learning rate over the run.

    `schedule`: `step` multiplies `rate` by `step_factor` every `step_epochs`; `one-cycle` climbs to `rate`
    over the first `warmup` share of the run, then falls to nothing along a cosine.
    """

    rate: float
    schedule: str
    weight_decay: float = 0.0
    step_epochs: int = 50
    step_factor: float = 0.1
    warmup: float = 0.3


@dataclass(frozen=True)
class Collaboration:
    """Which subnetworks learn in each step beside the full one, and from what.

    Each is trained on `distillation * KL(full || sub) + (1 - distillation) * cross-entropy`, at a random
    resolution. `random_widths` counts widths drawn uniformly; `smallest_lowest` adds the smallest
    configuration itself, so that the hard end of the ladder is trained in every step.
    """

    random_widths: int
    smallest: bool = True
    full_again: bool = True
    smallest_lowest: bool = False
    distillation: float = 0.5
    label_smoothing: float = 0.0


@dataclass(frozen=True)
class Augmentation:
    """Random changes that a window may meet in life; all off by default.

    `rotation_degrees`: standard deviation of a rotation of the device on the body, the same for all sensors.
    `scale`: standard deviation of a factor per sensor. `noise`: standard deviation of white noise, in the
    channel's own units. `warp`: largest relative change of speed, after which the window shows a part or is
    stretched.
    """

    rotation_degrees: float = 0.0
    scale: float = 0.0
    noise: float = 0.0
    warp: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """One way to train one network on one data set.

    `precision` is that of the convolutions during training only: `float32`, or `bfloat16`, which is faster
    where the processor has it. `average` is the decay per step of an exponential moving average of the
    weights; 0 keeps the last weights.
    """

    dataset: str
    epochs: int
    batch: int
    grid: Grid
    optimizer: Optimizer
    collaboration: Collaboration
    network: CnnShape = field(default_factory=CnnShape)
    augmentation: Augmentation = field(default_factory=Augmentation)
    precision: str = "float32"
    average: float = 0.0

    def __post_init__(self) -> None:
        task = task_named(self.dataset)
        checks = [
            (self.epochs >= 1, "epochs must be at least 1"),
            (self.batch >= 2, "batch must be at least 2, batch-norm needs more than one window"),
            (self.precision in ("float32", "bfloat16"), "precision must be 'float32' or 'bfloat16'"),
            (0 <= self.average < 1, "average must lie in [0, 1)"),
            (
                self.grid.resolutions[0] == task.window,
                f"grid.resolutions must start at the window's length, {task.window}",
            ),
            (self.optimizer.schedule in ("step", "one-cycle"), "optimizer.schedule: 'step' or 'one-cycle'"),
            (self.optimizer.rate > 0, "optimizer.rate must be positive"),
            (self.optimizer.weight_decay >= 0, "optimizer.weight_decay must not be negative"),
            (self.optimizer.step_epochs >= 1, "optimizer.step_epochs must be at least 1"),
            (0 < self.optimizer.step_factor <= 1, "optimizer.step_factor must lie in (0, 1]"),
            (0 <= self.optimizer.warmup < 1, "optimizer.warmup must lie in [0, 1)"),
            (self.collaboration.random_widths >= 0, "collaboration.random_widths must not be negative"),
            (0 <= self.collaboration.distillation <= 1, "collaboration.distillation must lie in [0, 1]"),
            (0 <= self.collaboration.label_smoothing < 1, "collaboration.label_smoothing must lie in [0, 1)"),
            (0 <= self.network.dropout < 1, "network.dropout must lie in [0, 1)"),
            (self.network.pool >= 1, "network.pool must be at least 1"),
            (len(self.network.channels) >= 1, "network.channels must not be empty"),
            (
                all(c >= 4 and c % 4 == 0 for c in self.network.channels),
                "network.channels: multiples of 4",
            ),
            (
                all(v >= 1 for v in (*self.network.kernel, *self.network.stride)),
                "network.kernel, network.stride: at least 1",
            ),
            (all(v >= 0 for v in self.network.padding), "network.padding must not be negative"),
            (all(v >= 0 for v in vars(self.augmentation).values()), "augmentation: nothing negative"),
            (self.augmentation.warp < 1, "augmentation.warp must be less than 1"),
        ]
        for good, message in checks:
            if not good:
                raise UserError(message)
        if min(self.network.features(self.grid.resolutions[-1], len(task.channels))) < 1:
            raise UserError(
                f"network: nothing is left of {self.grid.resolutions[-1]} time steps and "
                f"{len(task.channels)} axes after {len(self.network.channels)} convolutions; "
                "use fewer, or smaller kernels and strides"
            )


def shipped() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = resources.files("gaitd_train") / "recipes"
    return sorted(
        entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")
    )


def text_of(name_or_path: str) -> tuple[str, str]:
    """Name and TOML text of a shipped recipe, or of the file at a path."""
    if name_or_path in shipped():
        return name_or_path, (resources.files("gaitd_train") / "recipes" / f"{name_or_path}.toml").read_text(
            "utf-8"
        )
    path = Path(name_or_path)
    try:
        return path.stem, path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"recipe '{name_or_path}' is neither shipped ({', '.join(shipped())}) nor a readable "
            f"file: {error}"
        ) from error


def load(name_or_path: str) -> tuple[str, Recipe]:
    """Name and recipe, from a shipped name or a path."""
    name, text = text_of(name_or_path)
    return name, parse(text, name)


def parse(text: str, name: str) -> Recipe:
    """Reads a recipe, or says which key of recipe `name` is wrong."""
    try:
        return from_dict(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"recipe {name}: not valid TOML: {error}") from error
    except UserError as error:
        raise UserError(f"recipe {name}: {error}") from error


def from_dict(values: dict) -> Recipe:
    """A recipe from its plain form, as `to_dict` gives it."""
    return _build(Recipe, values, "")


def to_dict(recipe: Recipe) -> dict:
    """The plain form of a recipe: tables, lists, numbers, texts."""
    return _plain(dataclasses.asdict(recipe))


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value


def _build(kind: type, values: object, path: str):
    where = path.rstrip(".") or "top level"
    if not isinstance(values, dict):
        raise UserError(f"{where}: expected a table, got {values!r}")
    hints = typing.get_type_hints(kind)
    if unknown := sorted(set(values) - set(hints)):
        raise UserError(f"{where}: unknown key '{unknown[0]}'; known keys: {', '.join(sorted(hints))}")
    required = {
        f.name
        for f in dataclasses.fields(kind)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    if missing := sorted(required - set(values)):
        raise UserError(f"{where}: key '{missing[0]}' is missing")
    return kind(**{key: _coerce(hints[key], value, f"{path}{key}") for key, value in values.items()})


def _coerce(kind: type, value: object, path: str):
    if dataclasses.is_dataclass(kind):
        return _build(kind, value, f"{path}.")
    if isinstance(kind, types.GenericAlias) or typing.get_origin(kind) is tuple:
        items = typing.get_args(kind)
        if not isinstance(value, list | tuple):
            raise UserError(f"{path}: expected a list, got {value!r}")
        if items[-1] is not Ellipsis and len(value) != len(items):
            raise UserError(f"{path}: expected {len(items)} values, got {value!r}")
        return tuple(_coerce(items[0], item, path) for item in value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise UserError(f"{path}: expected {kind.__name__}, got {value!r}")
    return value
