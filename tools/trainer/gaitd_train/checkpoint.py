"""A training run on disk: enough to go on exactly where it stopped, and to say how the weights came about."""

import contextlib
import os
import pickle
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

from gaitd_train import recipe as recipes
from gaitd_train.cnn import Cnn
from gaitd_train.errors import UserError
from gaitd_train.recipe import Recipe
from gaitd_train.task import Task, task_named

SCHEMA = 1


@dataclass
class Checkpoint:
    """The state after `epoch` whole epochs. `average`: averaged weights where the recipe asks."""

    recipe_name: str
    recipe: Recipe
    seed: int
    held_out: list[int]
    version: str
    source: str
    epoch: int
    network: dict
    average: dict | None
    optimizer: dict
    generator: torch.Tensor
    torch_generator: torch.Tensor

    @property
    def task(self) -> Task:
        return task_named(self.recipe.dataset)

    def build(self) -> Cnn:
        """The trained network, uncalibrated, in evaluation mode."""
        network = build_network(self.recipe)
        network.load_state_dict(self.average if self.average is not None else self.network)
        return network.eval()


def build_network(recipe: Recipe) -> Cnn:
    """A network with fresh weights for a recipe."""
    task = task_named(recipe.dataset)
    return Cnn(recipe.network, len(task.channels), len(task.labels), recipe.grid)


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Writes beside the target and renames, so that a crash leaves the old file or the new one."""
    values = vars(checkpoint) | {"schema": SCHEMA, "recipe": recipes.to_dict(checkpoint.recipe)}
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            torch.save(values, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(scratch)
        raise


def load(path: Path) -> Checkpoint:
    """Reads a checkpoint; only plain values and tensors are accepted, so a foreign file cannot run code."""
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(values, dict) or values.pop("schema", None) != SCHEMA:
            raise UserError(f"{path}: not a gaitd-train checkpoint of schema {SCHEMA}")
        return Checkpoint(**values | {"recipe": recipes.from_dict(values["recipe"])})
    except FileNotFoundError:
        raise UserError(f"{path}: no such checkpoint; `gaitd-train train` writes one") from None
    except (
        OSError,
        EOFError,
        RuntimeError,
        KeyError,
        TypeError,
        ValueError,
        pickle.UnpicklingError,
    ) as error:
        raise UserError(f"{path}: not a readable checkpoint ({error})") from error
