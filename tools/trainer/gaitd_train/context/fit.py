"""The search for a decoder's parameters, and the estimate of what they are worth to other people.

Of parameters counts the accuracy of the windows inside one activity, averaged over the rungs, less a penalty
where somebody loses by the context, changes are followed too late or beliefs are poor probabilities. Each
parameter in turn takes the best of a few values until none changes any more (coordinate search), from the
best of many random ones; at last pairs of them, which stand in for one another.

The estimate is nested: parameters, temperatures and accuracies come from all folds but one and are measured
on the people of that one, in turn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from gaitd_train.context.decoder import Change, Context, decode, doubts
from gaitd_train.context.score import Score, Scorer
from gaitd_train.context.streams import Batch, Folds, Stream, shuffled
from gaitd_train.errors import UserError

# What a window of delay too much weighs against a share of accuracy.
DELAY_WEIGHT = 0.01

VALUES: dict[str, tuple[float, ...]] = {
    "bout_s": (1, 2, 4, 8, 12, 18, 25, 35, 50, 80, 120, 200, 350, 600, 1200),
    "evidence": (0.07, 0.1, 0.15, 0.2, 0.25, 0.33, 0.4, 0.5, 0.65, 0.8, 1.0),
    "doubt": (0.0003, 0.001, 0.003, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3),
}
STAY = (0.1, 0.3, 0.5, 0.65, 0.8, 0.9, 0.95)
ABOVE: dict[str, tuple[float, ...]] = {
    "rotation": (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.3),
    "gravity": (0.05, 0.1, 0.15, 0.2, 0.3, 0.45, 0.6, 0.8, 1.0),
}
# Random parameters that are tried, and how many of the best of them are climbed from.
DRAWS, CLIMBS = 150, 3
# Parameters that stand in for one another: tried together, from the best that was found otherwise.
PAIRS = (("bout_s", "evidence"), ("evidence", "doubt"), ("above", "stay"))
NONE = "none"
SHUFFLES = 10


@dataclass(frozen=True)
class Allowed:
    """What context may cost: `loss` to anyone, a share of their windows, and `delay` in nine of ten changes,
    windows until the new activity is answered (or as many as without context)."""

    loss: float = 0.005
    delay: float = 2


@dataclass(frozen=True)
class Fitted:
    """Parameters, and what they are worth to the people that they were fitted on."""

    context: Context
    worth: float


class Objective:
    """What parameters are worth to the people of a batch."""

    def __init__(
        self,
        batch: Batch,
        temperatures: np.ndarray,
        accuracies: np.ndarray,
        allowed: Allowed = Allowed(),
    ) -> None:
        self.batch, self.accuracies, self.allowed = batch, accuracies, allowed
        self.said = batch.said(temperatures)
        self.scorer = Scorer(batch)
        self._known: dict[Context, float] = {}

    @cached_property
    def alone(self) -> Score:
        """Each window by itself."""
        return self.scorer.score(self.said)

    def fired(self, context: Context) -> np.ndarray:
        """Where the detector has fired since the window before, `[time, streams]`."""
        if context.change is None:
            return np.zeros(self.batch.truth.shape, bool)
        return self.batch.peaks(context.change.quantity, context.change.over_s) > context.change.above

    def score(self, context: Context) -> Score:
        """The figures of the beliefs."""
        return self.scorer.score(self.beliefs(context))

    def beliefs(self, context: Context) -> np.ndarray:
        """The belief after every window, `[time, streams, rungs, labels]`."""
        elapsed, fired = self.batch.elapsed[:, :, None], self.fired(context)[:, :, None]
        doubt = doubts(context.doubt, self.accuracies)
        return decode(context, self.said, doubt, elapsed, fired)

    def worth(self, context: Context) -> float:
        """The mean accuracy over the rungs, less the penalties."""
        if context not in self._known:
            score = self.score(context)
            self._known[context] = score.accuracy.mean() - penalty(score, self.alone, self.allowed)
        return self._known[context]


def penalty(score: Score, alone: Score, allowed: Allowed) -> float:
    """What is taken from the accuracy for people who lose by the context, for changes followed late, and for
    beliefs that are worse probabilities than those of each window by itself.

    Without the last, little evidence and short bouts answer well by beliefs that hardly differ from one
    another: of no use to whoever reads them, and to a threshold.
    """
    lost = alone.by_person.mean(1) - score.by_person.mean(1) - allowed.loss
    late = np.maximum(0, score.delay(0.5) - alone.delay(0.5))
    latest = np.maximum(0, score.delay(0.9) - np.maximum(allowed.delay, alone.delay(0.9)))
    vague = np.maximum(0, score.brier - alone.brier)
    return float(np.maximum(0, lost).sum() + (DELAY_WEIGHT * (late + latest) + vague).mean())


def fit(objective: Objective, quantities: Sequence[str]) -> Fitted:
    """The best parameters with a detector of any of `quantities`, `none` for without one.

    Of parameters that are worth the same those count that were found first: the simpler ones come first.
    """
    best: tuple[float, Point, Grid] | None = None
    for quantity in sorted(quantities, key=lambda name: name != NONE):
        grid = _grid(objective.batch, quantity)
        for start in _starts(objective, grid):
            worth, point = _climb(objective, start, grid, [(name,) for name in grid])
            if best is None or worth > best[0] + 1e-9:
                best = worth, point, grid
    if best is None:
        raise UserError("context: no quantity to look for changes in")
    _, point, grid = best
    pairs = [pair for pair in PAIRS if set(pair) <= set(grid)]
    worth, point = _climb(objective, point, grid, [*((name,) for name in grid), *pairs])
    return Fitted(_context(objective.batch, point), worth)


Point = dict[str, float | str]
Grid = dict[str, Sequence]


def _grid(batch: Batch, quantity: str) -> Grid:
    """The values of each parameter that are tried."""
    if quantity == NONE:
        return dict(VALUES)
    if not (overs := batch.quantities.get(quantity)):
        raise UserError(f"context: these recordings have no sensor for '{quantity}'")
    return {**VALUES, "quantity": (quantity,), "over_s": overs, "above": ABOVE[quantity], "stay": STAY}


def _context(batch: Batch, point: Point) -> Context:
    change = {name: value for name, value in point.items() if name not in VALUES}
    own = {name: point[name] for name in VALUES}
    return Context(hop_s=batch.hop_s, change=Change(**change) if change else None, **own)


def _starts(objective: Objective, grid: Grid) -> list[Point]:
    rng = np.random.default_rng(0)
    points = [
        {name: values[rng.integers(len(values))] for name, values in grid.items()} for _ in range(DRAWS)
    ]
    points.sort(key=lambda point: -objective.worth(_context(objective.batch, point)))
    return points[:CLIMBS]


def _climb(
    objective: Objective, point: Point, grid: Grid, moves: Sequence[tuple[str, ...]]
) -> tuple[float, Point]:
    """Tries all values of the parameters of each move together, until none is better."""
    best = objective.worth(_context(objective.batch, point))
    while True:
        before = point
        for names in moves:
            for values in product(*(grid[name] for name in names)):
                other = {**point, **dict(zip(names, values, strict=True))}
                if (worth := objective.worth(_context(objective.batch, other))) > best + 1e-9:
                    point, best = other, worth
        if point == before:
            return best, point


@dataclass(frozen=True)
class Estimate:
    """What fitting is worth to people who were not fitted on.

    `contexts` are those of each fold, fitted on all others; `alone` is each window by itself, `score` with
    context, `reordered` the mean accuracies with all bouts in random orders, without and with context.
    """

    contexts: list[Fitted]
    alone: Score
    score: Score
    reordered: tuple[np.ndarray, np.ndarray]


def objective_of(
    folds: Folds,
    fitted_on: Sequence[int],
    measured_on: Sequence[int],
    allowed: Allowed = Allowed(),
) -> Objective:
    """The objective over the people of some folds, by the temperatures and accuracies of others."""
    streams = [stream for stream in folds.streams if stream.fold in measured_on]
    return _objective(folds, fitted_on, streams, allowed)


def _objective(
    folds: Folds, fitted_on: Sequence[int], streams: list[Stream], allowed: Allowed = Allowed()
) -> Objective:
    batch = Batch(streams, folds.task.hop / folds.task.sample_rate_hz)
    return Objective(batch, folds.temperatures(fitted_on), folds.accuracies(fitted_on), allowed)


def fit_all(
    folds: Folds,
    quantities: Sequence[str],
    allowed: Allowed = Allowed(),
    given: Context | None = None,
) -> Fitted:
    """The best parameters for the people of all folds, or `given` ones and what they are worth to them."""
    everyone = range(len(folds.prepared))
    return _fitted(objective_of(folds, everyone, everyone, allowed), quantities, given)


def _fitted(objective: Objective, quantities: Sequence[str], given: Context | None) -> Fitted:
    return Fitted(given, objective.worth(given)) if given else fit(objective, quantities)


def estimate(
    folds: Folds,
    quantities: Sequence[str],
    allowed: Allowed = Allowed(),
    given: Context | None = None,
) -> Estimate:
    """Fits on all folds but one and measures on that one, in turn; with `given` parameters only measures."""
    everyone = objective_of(folds, range(len(folds.prepared)), range(len(folds.prepared)))
    beliefs = np.zeros(everyone.said.shape)
    contexts, reordered = [], []
    for fold in range(len(folds.prepared)):
        others = [other for other in range(len(folds.prepared)) if other != fold]
        contexts.append(_fitted(objective_of(folds, others, others, allowed), quantities, given))
        measured = objective_of(folds, others, [fold])
        found = measured.beliefs(contexts[-1].context)
        columns = [place for place, stream in enumerate(everyone.batch.streams) if stream.fold == fold]
        beliefs[: len(found), columns] = found
        for seed in range(SHUFFLES):
            rng = np.random.default_rng(seed)
            mixed = _objective(folds, others, [shuffled(s, rng) for s in measured.batch.streams])
            reordered.append((mixed.alone, mixed.score(contexts[-1].context)))
    weights = [alone.windows for alone, _ in reordered]
    mean = [
        np.average([pair[place].accuracy for pair in reordered], axis=0, weights=weights) for place in (0, 1)
    ]
    return Estimate(contexts, everyone.alone, everyone.scorer.score(beliefs), (mean[0], mean[1]))
