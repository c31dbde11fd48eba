"""A training recipe, as a TOML file: all that decides what a run does, but for the data and the seed.

Unknown keys are refused, because a misspelt key that is silently ignored has switched distillation off in
published configurations. `gaitd-train recipe NAME` prints a shipped recipe to start from. A recipe may begin
with `extends = "NAME"`, a shipped recipe or a file beside it, and then holds only the differences; its lists
replace those of the other.
"""

import dataclasses
import tomllib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

from gaitd_train import networks
from gaitd_train.errors import UserError
from gaitd_train.grid import Grid
from gaitd_train.networks.slimmable import Network
from gaitd_train.task import Task
from gaitd_train.typed import build, coerce


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
    """The subnetworks that learn in each step beside the full one, and their losses.

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
class NetworkChoice:
    """Which network, and the settings of its `Shape` (see `gaitd_train.networks`)."""

    source: networks.Source = field(default_factory=networks.Source)
    shape: object = field(default_factory=networks.SHIPPED[networks.DEFAULT].Shape)


@dataclass(frozen=True)
class Augmentation:
    """Random changes of training windows, as they occur in life; all off by default.

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
    network: NetworkChoice = field(default_factory=NetworkChoice)
    augmentation: Augmentation = field(default_factory=Augmentation)
    precision: str = "float32"
    average: float = 0.0

    def __post_init__(self) -> None:
        checks = [
            (self.epochs >= 1, "epochs must be at least 1"),
            (self.batch >= 2, "batch must be at least 2, batch-norm needs more than one window"),
            (self.precision in ("float32", "bfloat16"), "precision must be 'float32' or 'bfloat16'"),
            (0 <= self.average < 1, "average must lie in [0, 1)"),
            (self.optimizer.schedule in ("step", "one-cycle"), "optimizer.schedule: 'step' or 'one-cycle'"),
            (self.optimizer.rate > 0, "optimizer.rate must be positive"),
            (self.optimizer.weight_decay >= 0, "optimizer.weight_decay must not be negative"),
            (self.optimizer.step_epochs >= 1, "optimizer.step_epochs must be at least 1"),
            (0 < self.optimizer.step_factor <= 1, "optimizer.step_factor must lie in (0, 1]"),
            (0 <= self.optimizer.warmup < 1, "optimizer.warmup must lie in [0, 1)"),
            (self.collaboration.random_widths >= 0, "collaboration.random_widths must not be negative"),
            (0 <= self.collaboration.distillation <= 1, "collaboration.distillation must lie in [0, 1]"),
            (0 <= self.collaboration.label_smoothing < 1, "collaboration.label_smoothing must lie in [0, 1)"),
            (all(v >= 0 for v in vars(self.augmentation).values()), "augmentation: nothing negative"),
            (self.augmentation.warp < 1, "augmentation.warp must be less than 1"),
        ]
        for good, message in checks:
            if not good:
                raise UserError(message)

    def build(self, task: Task) -> Network:
        """The network with fresh weights, or a `UserError` where it does not fit the task."""
        if self.grid.resolutions[0] != task.window:
            raise UserError(
                f"grid.resolutions must start at the window's length, {task.window} in {task.name}; it "
                f"starts at {self.grid.resolutions[0]}"
            )
        source, shape = self.network.source, self.network.shape
        return source.build(shape, len(task.channels), len(task.labels), self.grid)


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
    return name, parse(text, name, _folder(name_or_path))


def parse(text: str, name: str, folder: Path = Path()) -> Recipe:
    """Reads a recipe that lies in `folder`; a `UserError` names the wrong key of recipe `name`."""
    try:
        return from_dict(_extended(text, folder, (name,)), folder)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"recipe {name}: not valid TOML: {error}") from error
    except UserError as error:
        raise UserError(f"recipe {name}: {error}") from error


def from_dict(values: dict, folder: Path = Path()) -> Recipe:
    """A recipe from its plain form, as `to_dict` gives it; a network's own file is looked for in `folder`."""
    table = values.get("network", {}) if isinstance(values, dict) else {}
    if not isinstance(table, dict):
        raise UserError(f"network: expected a table, got {table!r}")
    names = ("kind", "file", "sha256")
    kind, file, sha256 = (coerce(str, table[n], f"network.{n}") if n in table else None for n in names)
    source = networks.named(kind, file, sha256, folder)
    settings = {key: value for key, value in table.items() if key not in names}
    choice = NetworkChoice(source, build(source.module().Shape, settings, "network."))
    return build(Recipe, {**values, "network": choice})


def to_dict(recipe: Recipe) -> dict:
    """The plain form of a recipe: tables, lists, numbers, texts."""
    values = _plain(dataclasses.asdict(recipe))
    source = values["network"]["source"]
    where = {"kind": source["kind"]} if source["file"] is None else {k: source[k] for k in ("file", "sha256")}
    return values | {"network": where | values["network"]["shape"]}


def _folder(name_or_path: str) -> Path:
    return Path() if name_or_path in shipped() else Path(name_or_path).parent


def _extended(text: str, folder: Path, seen: tuple[str, ...]) -> dict:
    values = tomllib.loads(text)
    if "extends" not in values:
        return values
    parent = coerce(str, values.pop("extends"), "extends")
    if parent not in shipped():
        parent = str(folder / parent)
    name, text = text_of(parent)
    if name in seen:
        raise UserError(f"extends: {' -> '.join((*seen, name))} goes round in a circle")
    return _merged(_extended(text, _folder(parent), (*seen, name)), values)


def _merged(below: dict, above: dict) -> dict:
    merged = dict(below)
    for key, value in above.items():
        tables = isinstance(value, dict) and isinstance(below.get(key), dict)
        merged[key] = _merged(below[key], value) if tables else value
    return merged


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
