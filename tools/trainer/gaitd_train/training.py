"""Trains one network by any method: collaborative learning, and the baselines that it is compared with.

After Qin, Zhang et al., "Towards Better Accuracy-Efficiency Trade-Offs: Dynamic Activity Inference via
Collaborative Learning from Various Width-Resolution Configurations" (IEEE TKDE 2024). In each step the main
configuration learns from the labels; the others that the method trains learn from both the labels and the
main one's logits. The gradients add up to one update.

Three parts: `RunConfig` decides what a run does and never changes, `TrainingState` is what the steps change,
`Trainer` makes the steps. A `Checkpoint` holds the first two.
"""

import copy
import json
import math
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from gaitd_train import __version__, checkpoint, distributed, progress
from gaitd_train import method as methods
from gaitd_train import recipe as recipes
from gaitd_train.augment import augment
from gaitd_train.checkpoint import Checkpoint
from gaitd_train.data import Dataset
from gaitd_train.distributed import World
from gaitd_train.errors import UserError
from gaitd_train.grid import Configuration
from gaitd_train.method import Method
from gaitd_train.networks.slimmable import Network
from gaitd_train.recipe import Recipe
from gaitd_train.task import Task

CHECKPOINT_FILE = "checkpoint.pt"
LOG_FILE = "losses.jsonl"


@dataclass(frozen=True)
class RunConfig:
    """Everything but the data that decides the weights of a run.

    `held_out` are the training subjects that the run does not see. `recipe_name` is for reports only.
    """

    recipe_name: str
    recipe: Recipe
    seed: int
    held_out: list[int]
    method: Method = methods.DEFAULT


def train(
    config: RunConfig,
    dataset: Dataset,
    out: Path,
    world: World = distributed.SINGLE,
    resume: bool = False,
    stop_after: int | None = None,
) -> Path:
    """Trains and returns the checkpoint's path.

    Writes `checkpoint.pt` after every epoch and one line per epoch to `losses.jsonl` in `out`. With `resume`
    the run continues from the checkpoint there and ends with the same weights as an uninterrupted run.
    `stop_after` ends the run early, after that many epochs of its schedule. Of several processes, the first
    writes.
    """
    path = out / CHECKPOINT_FILE
    saved = None
    if path.exists():
        if not resume:
            raise UserError(f"{path} exists; continue it with --resume, or choose another --out to keep both")
        saved = checkpoint.load(path)
    trainer = Trainer(config, dataset, world)
    if saved is not None:
        trainer.restore(saved, path)
    last = min(stop_after or config.recipe.epochs, config.recipe.epochs)
    log = out / LOG_FILE
    if world.leads:
        out.mkdir(parents=True, exist_ok=True)
        _truncate_log(log, trainer.state.epoch)
    with progress.bar(
        shown=world.leads,
        total=last,
        initial=trainer.state.epoch,
        unit="epoch",
        desc=f"{config.method.name}, seed {config.seed}",
    ) as bar:
        while trainer.state.epoch < last:
            record = trainer.run_epoch()
            if world.leads:
                with log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(record) + "\n")
                checkpoint.save(trainer.checkpoint(), path)
            bar.set_postfix(full=f"{record['loss_full']:.4f}", sub=f"{record['loss_sub']:.4f}")
            bar.update()
    return path


@dataclass
class TrainingState:
    """What training changes, after `epoch` whole epochs.

    `generator` draws the order of the windows, their augmentation and the configurations of each step.
    `average` is the network of averaged weights, where the recipe asks for one.
    """

    network: Network
    average: Network | None
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    epoch: int = 0

    @classmethod
    def fresh(cls, recipe: Recipe, task: Task, seed: int, device: torch.device) -> "TrainingState":
        """The state before the first epoch; its weights depend on the seed alone."""
        torch.manual_seed(seed)
        network = recipe.build(task).train().to(device)
        settings = recipe.optimizer
        return cls(
            network=network,
            average=copy.deepcopy(network) if recipe.average else None,
            optimizer=torch.optim.AdamW(
                network.parameters(), lr=settings.rate, weight_decay=settings.weight_decay
            ),
            generator=torch.Generator().manual_seed(seed),
        )

    def to_dict(self) -> dict:
        """The state as plain values and tensors, by the names that `Checkpoint` gives them."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict() if self.average is not None else None,
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "epoch": self.epoch,
        }

    def load(self, saved: Checkpoint) -> None:
        """Takes over the state of a checkpoint of the same recipe."""
        self.network.load_state_dict(saved.network)
        if self.average is not None:
            self.average.load_state_dict(saved.average)
        self.optimizer.load_state_dict(saved.optimizer)
        self.generator.set_state(saved.generator)
        self.epoch = saved.epoch


class Trainer:
    """Trains the network of `config` on a data set, epoch by epoch."""

    def __init__(self, config: RunConfig, dataset: Dataset, world: World = distributed.SINGLE) -> None:
        self.config, self.dataset, self.world = config, dataset, world
        self.windows = dataset.without(config.held_out)
        if self.steps_per_epoch < 1:
            raise UserError(f"{len(self.windows)} windows are too few to train on")
        self._require_classes()
        if config.recipe.augmentation.rotation_degrees and not dataset.task.triads():
            raise UserError(
                "the recipe turns the sensors (augmentation.rotation_degrees), and of the channels "
                f"{', '.join(channel.name for channel in dataset.task.channels)} no three differ in a last "
                "x, y, z alone; name the axes so, or set it to 0"
            )
        self.state = TrainingState.fresh(config.recipe, dataset.task, config.seed, world.device)
        self.main = config.method.main(self.state.network.grid)
        self.learner = world.learner(self.state.network)

    def _require_classes(self) -> None:
        """A `UserError` where an activity has no window to train on: the network would never answer it."""
        labels, held_out = self.dataset.task.labels, self.config.held_out
        absent = [label for place, label in enumerate(labels) if place not in self.windows.y]
        if absent:
            without = (
                f" without the people who are held out ({', '.join(map(str, held_out))})" if held_out else ""
            )
            raise UserError(f"there is no window of {', '.join(absent)} to train on{without}")

    @property
    def steps_per_epoch(self) -> int:
        # A process that gets one window has no statistics to normalise by.
        full, rest = divmod(len(self.windows), self.config.recipe.batch)
        return full + (rest >= 2 * self.world.size)

    def run_epoch(self) -> dict:
        """Trains one epoch; returns its line of the log."""
        state, size = self.state, self.config.recipe.batch
        began = time.monotonic()
        # Dropout differs between processes and is the same after a resume.
        torch.manual_seed((self.config.seed * 1009 + state.epoch) * 1009 + self.world.rank)
        order = torch.randperm(len(self.windows), generator=state.generator)
        loss_full = loss_sub = correct = seen = 0.0
        for index in range(self.steps_per_epoch):
            step = state.epoch * self.steps_per_epoch + index
            rate = learning_rate(self.config.recipe, step, self.steps_per_epoch)
            x, y = self._batch(order[index * size : (index + 1) * size])
            full, sub, logits = self._step(x, y, step, rate)
            loss_full += full
            loss_sub += sub
            correct += int((logits.argmax(1) == y).sum())
            seen += len(y)
        state.epoch += 1
        return {
            "epoch": state.epoch,
            "loss_full": loss_full / self.steps_per_epoch,
            "loss_sub": loss_sub / self.steps_per_epoch,
            "accuracy_full": correct / seen,
            "rate": rate,
            "seconds": round(time.monotonic() - began, 3),
        }

    def _batch(self, chosen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """This process's share of the augmented windows at the indices `chosen`, and of their labels."""
        # Every process draws for the whole batch, so that all of them draw the same.
        x = augment(
            self.windows.x[chosen], self.config.recipe.augmentation, self.dataset.task, self.state.generator
        )
        x, y = (self.world.share(part).to(self.world.device) for part in (x, self.windows.y[chosen]))
        return x, y

    def _step(
        self, x: torch.Tensor, y: torch.Tensor, step: int, rate: float
    ) -> tuple[float, float, torch.Tensor]:
        """Makes one update; returns what `gradients` does."""
        state, recipe = self.state, self.config.recipe
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(self.world.device.type, torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            full, sub, logits = self.gradients(x, y)
        if not math.isfinite(full + sub):
            raise UserError(
                f"training diverged in epoch {state.epoch + 1}, at rate {rate:g}: lower optimizer.rate"
            )
        state.optimizer.step()
        if state.average is not None:
            # Early on the average follows quickly, away from the random start.
            _average(state.average, state.network, min(recipe.average, (1 + step) / (10 + step)))
        return full, sub, logits

    def gradients(self, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float, torch.Tensor]:
        """Adds up the gradients of one step.

        Returns the loss of the main configuration, the mean loss of the others, and the main one's logits.
        """
        settings = self.config.recipe.collaboration
        self.state.optimizer.zero_grad(set_to_none=True)
        others = self.subnetworks()
        with distributed.unshared(self.learner) if others else nullcontext():
            logits = self.learner(x, self.main)
            loss = functional.cross_entropy(logits, y, label_smoothing=settings.label_smoothing)
            loss.backward()
        teacher = logits.detach().softmax(1)
        total = 0.0
        for remaining, configuration in zip(range(len(others) - 1, -1, -1), others, strict=True):
            with distributed.unshared(self.learner) if remaining else nullcontext():
                student = self.learner(x, configuration)
                divergence = functional.kl_div(student.log_softmax(1), teacher, reduction="batchmean")
                entropy = functional.cross_entropy(student, y, label_smoothing=settings.label_smoothing)
                sub = settings.distillation * divergence + (1 - settings.distillation) * entropy
                sub.backward()
            total += sub.item()
        return loss.item(), total / max(1, len(others)), logits.detach()

    def subnetworks(self) -> list[Configuration]:
        """Draws the configurations that learn beside the main one in a step."""
        grid, settings = self.state.network.grid, self.config.recipe.collaboration
        resolutions = self.config.method.resolutions(grid)
        if not resolutions:
            return []
        widths = [grid.widths[0]] * settings.smallest + [grid.widths[-1]] * settings.full_again
        widths += self._draw(grid.widths, settings.random_widths)
        read = self._draw(resolutions, len(widths))
        chosen = [Configuration(*pair) for pair in zip(widths, read, strict=True)]
        return chosen + [Configuration(grid.widths[0], resolutions[-1])] * settings.smallest_lowest

    def _draw(self, values: tuple, count: int) -> list:
        chosen = torch.randint(len(values), (count,), generator=self.state.generator)
        return [values[index] for index in chosen.tolist()]

    def checkpoint(self) -> Checkpoint:
        """The run as it stands."""
        return Checkpoint(
            **vars(self.config),
            task=self.dataset.task,
            source=self.dataset.source,
            version=__version__,
            data=str(self.dataset.path.resolve()) if self.dataset.path else None,
            **self.state.to_dict(),
        )

    def restore(self, saved: Checkpoint, path: Path) -> None:
        """Continues from `saved`, read from `path`; refuses the checkpoint of another run."""
        config = self.config
        for name, theirs, ours in (
            ("recipe", recipes.to_dict(saved.recipe), recipes.to_dict(config.recipe)),
            ("task", saved.task.to_dict(), self.dataset.task.to_dict()),
            ("method", saved.method.name, config.method.name),
            ("seed", saved.seed, config.seed),
            ("held-out subjects", saved.held_out, config.held_out),
        ):
            if theirs != ours:
                raise UserError(
                    f"{path} was trained with another {name} ({theirs}, not {ours}); choose another --out"
                )
        self.state.load(saved)


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """The rate of one step of the run, counted from 0."""
    settings = recipe.optimizer
    if settings.schedule == "step":
        return settings.rate * settings.step_factor ** (step // steps_per_epoch // settings.step_epochs)
    done = (step + 1) / (recipe.epochs * steps_per_epoch)
    if done < settings.warmup:
        return settings.rate * done / settings.warmup
    return settings.rate * 0.5 * (1 + math.cos(math.pi * (done - settings.warmup) / (1 - settings.warmup)))


@torch.no_grad()
def _average(average: nn.Module, network: nn.Module, decay: float) -> None:
    for mean, value in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(value, 1 - decay)


def _truncate_log(log: Path, epochs: int) -> None:
    """Keeps the lines of the epochs that the checkpoint holds; a crash may have left one more."""
    if log.exists():
        lines = log.read_text("utf-8").splitlines(keepends=True)
        log.write_text("".join(lines[:epochs]), encoding="utf-8")
