"""A training run on disk: everything to continue it exactly, and the origin of its weights."""

import pickle
from dataclasses import dataclass
from pathlib import Path

import torch

from gaitd_train import method as methods
from gaitd_train import recipe as recipes
from gaitd_train.errors import UserError
from gaitd_train.files import replaced
from gaitd_train.method import Method
from gaitd_train.networks.slimmable import Network
from gaitd_train.recipe import Recipe
from gaitd_train.task import Task

SCHEMA = 2


@dataclass
class Checkpoint:
    """A run after `epoch` whole epochs, its fields as in the file.

    `recipe_name` to `held_out` are those of `gaitd_train.training.RunConfig`, `epoch` to `generator` those of
    `TrainingState`. `average` holds averaged weights where the recipe asks for them. `source` is the name of
    the data in reports, `data` the file that it was read from, `version` that of gaitd-train.
    """

    recipe_name: str
    recipe: Recipe
    task: Task
    method: Method
    seed: int
    held_out: list[int]
    version: str
    source: str
    epoch: int
    network: dict
    average: dict | None
    optimizer: dict
    generator: torch.Tensor
    data: str | None = None

    def build(self) -> Network:
        """The trained network, uncalibrated, in evaluation mode."""
        network = self.recipe.build(self.task)
        network.load_state_dict(self.average if self.average is not None else self.network)
        return network.eval()


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Writes a checkpoint; a crash leaves the old file or the new one."""
    values = vars(checkpoint) | {
        "schema": SCHEMA,
        "recipe": recipes.to_dict(checkpoint.recipe),
        "task": checkpoint.task.to_dict(),
        "method": checkpoint.method.name,
    }
    with replaced(path) as file:
        torch.save(values, file)


def load(path: Path) -> Checkpoint:
    """Reads a checkpoint; only plain values and tensors are accepted, so a foreign file cannot run code.

    A user's network is named by its file and the SHA-256 of its text; that file is run, if it is the same.
    """
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(values, dict) or values.pop("schema", None) != SCHEMA:
            raise UserError(f"{path}: not a gaitd-train checkpoint of schema {SCHEMA}")
        plain = {
            "recipe": recipes.from_dict(values["recipe"]),
            "task": Task.from_dict(values["task"]),
            "method": methods.parse(values["method"]),
        }
        return Checkpoint(**values | plain)
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
