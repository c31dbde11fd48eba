"""Collaborative learning: the widths and resolutions of one network teach each other.

After Qin, Zhang et al., "Towards Better Accuracy-Efficiency Trade-Offs: Dynamic Activity Inference via
Collaborative Learning from Various Width-Resolution Configurations" (IEEE TKDE 2024). In each step the full
configuration learns from the labels and the others learn from both the labels and its logits; their gradients
add up to one update.
"""

import copy
import json
import math
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from gaitd_train import __version__, checkpoint, distributed
from gaitd_train import method as methods
from gaitd_train import recipe as recipes
from gaitd_train.augment import augment
from gaitd_train.checkpoint import Checkpoint
from gaitd_train.data import Dataset
from gaitd_train.distributed import World
from gaitd_train.errors import UserError
from gaitd_train.grid import Configuration
from gaitd_train.method import Method
from gaitd_train.recipe import Recipe

CHECKPOINT_FILE = "checkpoint.pt"
LOG_FILE = "losses.jsonl"


def train(
    recipe_name: str,
    recipe: Recipe,
    dataset: Dataset,
    out: Path,
    seed: int,
    held_out: list[int],
    method: Method = methods.DEFAULT,
    world: World = distributed.SINGLE,
    resume: bool = False,
    stop_after: int | None = None,
) -> Path:
    """Trains and returns the checkpoint's path.

    Writes `checkpoint.pt` after every epoch and one line per epoch to `losses.jsonl` in `out`. With `resume`
    it goes on from the checkpoint there and ends with the same weights as an uninterrupted run. `stop_after`
    ends the run early, after that many epochs of its schedule. Of several processes, the first writes.
    """
    path = out / CHECKPOINT_FILE
    saved = None
    if path.exists():
        if not resume:
            raise UserError(f"{path} exists; go on with --resume, or choose another --out to keep both")
        saved = checkpoint.load(path)
    run = _Run(recipe_name, recipe, dataset, seed, held_out, method, world)
    if saved is not None:
        run.restore(saved, path)
    last = min(stop_after or recipe.epochs, recipe.epochs)
    log = out / LOG_FILE
    if world.leads:
        out.mkdir(parents=True, exist_ok=True)
        _truncate_log(log, run.epoch)
    with tqdm(
        total=last,
        initial=run.epoch,
        unit="epoch",
        desc=f"{method.name}, seed {seed}",
        disable=not world.leads,
    ) as bar:
        while run.epoch < last:
            facts = run.one_epoch()
            if world.leads:
                with log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(facts) + "\n")
                checkpoint.save(run.state(), path)
            bar.set_postfix(full=f"{facts['loss_full']:.4f}", sub=f"{facts['loss_sub']:.4f}")
            bar.update()
    return path


class _Run:
    """The moving parts of one training run."""

    def __init__(
        self,
        recipe_name: str,
        recipe: Recipe,
        dataset: Dataset,
        seed: int,
        held_out: list[int],
        method: Method,
        world: World,
    ) -> None:
        self.recipe_name, self.recipe, self.method, self.world = recipe_name, recipe, method, world
        self.seed, self.held_out = seed, held_out
        self.task, self.source = dataset.task, dataset.source
        self.windows = dataset.without(held_out)
        if self.steps_per_epoch < 1:
            raise UserError(f"{len(self.windows)} windows are too few to train on")
        torch.manual_seed(seed)  # weights
        self.generator = torch.Generator().manual_seed(seed)  # order, augmentation, configurations
        self.network = recipe.build(self.task).train().to(world.device)
        self.main = method.main(self.network.grid)
        self.learner = world.learner(self.network)
        self.average = copy.deepcopy(self.network) if recipe.average else None
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=recipe.optimizer.rate, weight_decay=recipe.optimizer.weight_decay
        )
        self.epoch = 0

    @property
    def steps_per_epoch(self) -> int:
        # Of one window, a process would have no statistics to normalise by.
        whole, rest = divmod(len(self.windows), self.recipe.batch)
        return whole + (rest >= 2 * self.world.size)

    def one_epoch(self) -> dict:
        began = time.monotonic()
        # Dropout differs between processes and is the same after a resume.
        torch.manual_seed((self.seed * 1009 + self.epoch) * 1009 + self.world.rank)
        order = torch.randperm(len(self.windows), generator=self.generator)
        loss_full = loss_sub = correct = seen = 0.0
        for at in range(self.steps_per_epoch):
            step = self.epoch * self.steps_per_epoch + at
            batch = order[at * self.recipe.batch : (at + 1) * self.recipe.batch]
            # Every process draws for the whole batch, so that all of them draw the same.
            x = augment(self.windows.x[batch], self.recipe.augmentation, self.task, self.generator)
            x, y = (self.world.share(part).to(self.world.device) for part in (x, self.windows.y[batch]))
            rate = learning_rate(self.recipe, step, self.steps_per_epoch)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            lower = self.recipe.precision == "bfloat16"
            with torch.autocast(self.world.device.type, torch.bfloat16, enabled=lower):
                full, sub, logits = self._gradients(x, y)
            if not math.isfinite(full + sub):
                raise UserError(
                    f"training diverged in epoch {self.epoch + 1}, at rate {rate:g}: lower optimizer.rate"
                )
            self.optimizer.step()
            if self.average is not None:
                # Early on the average must be able to forget the random start.
                _average(self.average, self.network, min(self.recipe.average, (1 + step) / (10 + step)))
            loss_full += full
            loss_sub += sub
            correct += int((logits.argmax(1) == y).sum())
            seen += len(y)
        self.epoch += 1
        return {
            "epoch": self.epoch,
            "loss_full": loss_full / self.steps_per_epoch,
            "loss_sub": loss_sub / self.steps_per_epoch,
            "accuracy_full": correct / seen,
            "rate": rate,
            "seconds": round(time.monotonic() - began, 3),
        }

    def _gradients(self, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float, torch.Tensor]:
        """Adds up the gradients of one step; losses of the main and the other configurations, main logits."""
        how = self.recipe.collaboration
        self.optimizer.zero_grad(set_to_none=True)
        others = self._subnetworks()
        with distributed.unshared(self.learner) if others else nullcontext():
            logits = self.learner(x, self.main)
            loss = functional.cross_entropy(logits, y, label_smoothing=how.label_smoothing)
            loss.backward()
        teacher = logits.detach().softmax(1)
        total = 0.0
        for left, configuration in zip(range(len(others) - 1, -1, -1), others, strict=True):
            with distributed.unshared(self.learner) if left else nullcontext():
                student = self.learner(x, configuration)
                divergence = functional.kl_div(student.log_softmax(1), teacher, reduction="batchmean")
                entropy = functional.cross_entropy(student, y, label_smoothing=how.label_smoothing)
                sub = how.distillation * divergence + (1 - how.distillation) * entropy
                sub.backward()
            total += sub.item()
        return loss.item(), total / max(1, len(others)), logits.detach()

    def _subnetworks(self) -> list[Configuration]:
        """The configurations that learn beside the main one in this step."""
        grid, how = self.network.grid, self.recipe.collaboration
        resolutions = self.method.resolutions(grid)
        if not resolutions:
            return []
        widths = [grid.widths[0]] * how.smallest + [grid.widths[-1]] * how.full_again
        widths += self._draw(grid.widths, how.random_widths)
        read = self._draw(resolutions, len(widths))
        chosen = [Configuration(*pair) for pair in zip(widths, read, strict=True)]
        return chosen + [Configuration(grid.widths[0], resolutions[-1])] * how.smallest_lowest

    def _draw(self, values: tuple, count: int) -> list:
        return [values[at] for at in torch.randint(len(values), (count,), generator=self.generator).tolist()]

    def state(self) -> Checkpoint:
        return Checkpoint(
            recipe_name=self.recipe_name,
            recipe=self.recipe,
            task=self.task,
            method=self.method,
            seed=self.seed,
            held_out=self.held_out,
            version=__version__,
            source=self.source,
            epoch=self.epoch,
            network=self.network.state_dict(),
            average=self.average.state_dict() if self.average is not None else None,
            optimizer=self.optimizer.state_dict(),
            generator=self.generator.get_state(),
        )

    def restore(self, saved: Checkpoint, path: Path) -> None:
        """Goes on where `saved`, read from `path`, stopped; refuses what another run left there."""
        for what, there, here in (
            ("recipe", recipes.to_dict(saved.recipe), recipes.to_dict(self.recipe)),
            ("task", saved.task.to_dict(), self.task.to_dict()),
            ("method", saved.method.name, self.method.name),
            ("seed", saved.seed, self.seed),
            ("held-out subjects", saved.held_out, self.held_out),
        ):
            if there != here:
                raise UserError(
                    f"{path} was trained with another {what} ({there}, not {here}); choose another --out"
                )
        self.network.load_state_dict(saved.network)
        if self.average is not None:
            self.average.load_state_dict(saved.average)
        self.optimizer.load_state_dict(saved.optimizer)
        self.generator.set_state(saved.generator)
        self.epoch = saved.epoch


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """The rate of one step of the run, counted from 0."""
    how = recipe.optimizer
    if how.schedule == "step":
        return how.rate * how.step_factor ** (step // steps_per_epoch // how.step_epochs)
    done = (step + 1) / (recipe.epochs * steps_per_epoch)
    if done < how.warmup:
        return how.rate * done / how.warmup
    return how.rate * 0.5 * (1 + math.cos(math.pi * (done - how.warmup) / (1 - how.warmup)))


@torch.no_grad()
def _average(average: nn.Module, network: nn.Module, decay: float) -> None:
    for mean, value in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(value, 1 - decay)


def _truncate_log(log: Path, epochs: int) -> None:
    """Keeps the lines of the epochs that the checkpoint holds; a crash may have left one more."""
    if log.exists():
        lines = log.read_text("utf-8").splitlines(keepends=True)
        log.write_text("".join(lines[:epochs]), encoding="utf-8")
