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
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from gaitd_train import __version__, checkpoint
from gaitd_train import recipe as recipes
from gaitd_train.augment import augment
from gaitd_train.checkpoint import Checkpoint
from gaitd_train.data import Dataset
from gaitd_train.errors import UserError
from gaitd_train.grid import Configuration
from gaitd_train.recipe import Recipe
from gaitd_train.task import task_named

CHECKPOINT_FILE = "checkpoint.pt"
LOG_FILE = "losses.jsonl"


def train(
    recipe_name: str,
    recipe: Recipe,
    dataset: Dataset,
    out: Path,
    seed: int,
    held_out: list[int],
    resume: bool = False,
    stop_after: int | None = None,
) -> Path:
    """Trains and returns the checkpoint's path.

    Writes `checkpoint.pt` after every epoch and one line per epoch to `losses.jsonl` in `out`. With `resume`
    it goes on from the checkpoint there and ends with the same weights as an uninterrupted run. `stop_after`
    ends the run early, after that many epochs of its schedule.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / CHECKPOINT_FILE
    run = _Run(recipe, seed, dataset.without(held_out))
    if path.exists():
        if not resume:
            raise UserError(f"{path} exists; go on with --resume, or choose another --out to keep both")
        run.restore(_matching(path, recipe, seed, held_out))
    log = out / LOG_FILE
    _truncate_log(log, run.epoch)
    last = min(stop_after or recipe.epochs, recipe.epochs)
    with tqdm(total=last, initial=run.epoch, unit="epoch", desc=f"seed {seed}") as bar:
        while run.epoch < last:
            facts = run.one_epoch()
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(facts) + "\n")
            checkpoint.save(run.state(recipe_name, held_out, dataset.source), path)
            bar.set_postfix(full=f"{facts['loss_full']:.4f}", sub=f"{facts['loss_sub']:.4f}")
            bar.update()
    return path


class _Run:
    """The moving parts of one training run."""

    def __init__(self, recipe: Recipe, seed: int, windows) -> None:
        self.recipe, self.seed, self.windows = recipe, seed, windows
        self.task = task_named(recipe.dataset)
        torch.manual_seed(seed)  # weights and dropout
        self.generator = torch.Generator().manual_seed(seed)  # order, augmentation, configurations
        self.network = checkpoint.build_network(recipe).train()
        self.average = copy.deepcopy(self.network) if recipe.average else None
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=recipe.optimizer.rate, weight_decay=recipe.optimizer.weight_decay
        )
        self.epoch = 0

    @property
    def steps_per_epoch(self) -> int:
        # A last batch of one window would have no statistics to normalise by.
        whole, rest = divmod(len(self.windows), self.recipe.batch)
        return whole + (rest > 1)

    def one_epoch(self) -> dict:
        began = time.monotonic()
        order = torch.randperm(len(self.windows), generator=self.generator)
        loss_full = loss_sub = correct = seen = 0.0
        for at in range(self.steps_per_epoch):
            step = self.epoch * self.steps_per_epoch + at
            batch = order[at * self.recipe.batch : (at + 1) * self.recipe.batch]
            x = augment(self.windows.x[batch], self.recipe.augmentation, self.task, self.generator)
            y = self.windows.y[batch]
            rate = learning_rate(self.recipe, step, self.steps_per_epoch)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
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
        how = self.recipe.collaboration
        self.optimizer.zero_grad(set_to_none=True)
        logits = self.network(x, self.network.grid.full)
        loss = functional.cross_entropy(logits, y, label_smoothing=how.label_smoothing)
        loss.backward()
        teacher = logits.detach().softmax(1)
        total = 0.0
        chosen = self._subnetworks()
        for configuration in chosen:
            student = self.network(x, configuration)
            sub = how.distillation * functional.kl_div(student.log_softmax(1), teacher, reduction="batchmean")
            sub = sub + (1 - how.distillation) * functional.cross_entropy(
                student, y, label_smoothing=how.label_smoothing
            )
            sub.backward()
            total += sub.item()
        return loss.item(), total / max(1, len(chosen)), logits.detach()

    def _subnetworks(self) -> list[Configuration]:
        """The configurations that learn beside the full one in this step."""
        grid, how = self.network.grid, self.recipe.collaboration

        def draw(values):
            return values[int(torch.randint(len(values), (1,), generator=self.generator))]

        widths = [grid.widths[0]] * how.smallest + [grid.widths[-1]] * how.full_again
        widths += [draw(grid.widths) for _ in range(how.random_widths)]
        chosen = [Configuration(width, draw(grid.resolutions)) for width in widths]
        return chosen + [grid.smallest] * how.smallest_lowest

    def state(self, recipe_name: str, held_out: list[int], source: str) -> Checkpoint:
        return Checkpoint(
            recipe_name=recipe_name,
            recipe=self.recipe,
            seed=self.seed,
            held_out=held_out,
            version=__version__,
            source=source,
            epoch=self.epoch,
            network=self.network.state_dict(),
            average=self.average.state_dict() if self.average is not None else None,
            optimizer=self.optimizer.state_dict(),
            generator=self.generator.get_state(),
            torch_generator=torch.get_rng_state(),
        )

    def restore(self, saved: Checkpoint) -> None:
        self.network.load_state_dict(saved.network)
        if self.average is not None:
            self.average.load_state_dict(saved.average)
        self.optimizer.load_state_dict(saved.optimizer)
        self.generator.set_state(saved.generator)
        torch.set_rng_state(saved.torch_generator)
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


def _matching(path: Path, recipe: Recipe, seed: int, held_out: list[int]) -> Checkpoint:
    saved = checkpoint.load(path)
    for what, there, here in (
        ("recipe", recipes.to_dict(saved.recipe), recipes.to_dict(recipe)),
        ("seed", saved.seed, seed),
        ("held-out subjects", saved.held_out, held_out),
    ):
        if there != here:
            raise UserError(
                f"{path} was trained with another {what} ({there}, not {here}); choose another --out"
            )
    return saved


def _truncate_log(log: Path, epochs: int) -> None:
    """Keeps the lines of the epochs that the checkpoint holds; a crash may have left one more."""
    if log.exists():
        lines = log.read_text("utf-8").splitlines(keepends=True)
        log.write_text("".join(lines[:epochs]), encoding="utf-8")
