"""The calibration error of probabilities, and the temperature that lowers it."""

import warnings

import numpy as np
from scipy import optimize, special

# Of the answers' confidence, as in Guo et al.
BINS = 15
# The runtime accepts these and no others.
TEMPERATURES = (0.05, 20.0)
# Where the temperature ends there, confidence that is farther from the share of right answers is told.
MISFIT = 0.05


def calibration_error(logits: np.ndarray, y: np.ndarray, temperature: float = 1.0) -> float:
    """Expected calibration error of `softmax(logits / temperature)`, as a fraction.

    `logits [windows, classes]`, `y [windows]` 0-based. The mean over windows of the distance between
    confidence and accuracy, each averaged over one of 15 equal bins of confidence (Guo et al., "On
    Calibration of Modern Neural Networks", ICML 2017).
    """
    count, confidence, right = _binned(logits, y, temperature)
    return float(np.abs(confidence - right).sum() / count.sum())


def reliability(logits: np.ndarray, y: np.ndarray, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean confidence and accuracy of every bin that is not empty."""
    count, confidence, right = _binned(logits, y, temperature)
    full = count > 0
    return confidence[full] / count[full], right[full] / count[full]


def _binned(logits: np.ndarray, y: np.ndarray, temperature: float) -> np.ndarray:
    """Per bin, how many windows it holds, their confidence added up, how many were right, `[3, bins]`."""
    probabilities = special.softmax(logits.astype(np.float64) / temperature, axis=1)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == y
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return np.stack(
        [np.bincount(bins, weights=w, minlength=BINS) for w in (np.ones(len(y)), confidence, right)]
    )


def brier(logits: np.ndarray, y: np.ndarray, temperature: float = 1.0) -> float:
    """Mean squared distance of the probabilities from the truth, 0 to 2 (Brier, "Verification of Forecasts
    Expressed in Terms of Probability", Monthly Weather Review 78, 1950)."""
    return _distance(logits, np.eye(logits.shape[1])[y], temperature)


def _distance(logits: np.ndarray, truth: np.ndarray, temperature: float) -> float:
    """Mean squared distance of the probabilities from `truth [windows, classes]`."""
    probabilities = special.softmax(logits.astype(np.float64) / temperature, axis=1)
    return float(np.square(probabilities - truth).sum(1).mean())


def fit_temperature(logits: np.ndarray, y: np.ndarray) -> float:
    """The temperature with the least Brier score; it changes the confidence of answers, not the answers.

    Guo et al. minimise the negative log-likelihood. It depends on the few people whom a network gets wrong
    with high confidence, and here made the calibration of others worse (docs/training-log.md); the Brier
    score is bounded. Of n windows the truth is taken to be only 1 - 1 / (n + 2) certain (Platt,
    "Probabilistic Outputs for Support Vector Machines", 1999): a few windows that are all right are no reason
    to be certain of the next one.
    """
    doubt = 1 / (len(y) + 2)
    classes = logits.shape[1]
    truth = np.full(logits.shape, doubt / (classes - 1))
    truth[np.arange(len(y)), y] = 1 - doubt

    def score(log: float) -> float:
        return _distance(logits, truth, float(np.exp(log)))

    # It may have several minima: the best of a grid, then the least between its neighbours.
    grid = np.linspace(*np.log(TEMPERATURES), 61)
    best = int(np.argmin([score(log) for log in grid]))
    found = optimize.minimize_scalar(
        score,
        bounds=(grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]),
        method="bounded",
    )
    return float(np.exp(found.x))


def misfit(logits: np.ndarray, y: np.ndarray, temperature: float) -> str | None:
    """What is wrong with the confidence of answers at a fitted temperature that lies at the end of what the
    runtime accepts, where a better one would lie beyond."""
    low, high = TEMPERATURES
    if 1.01 * low < temperature < high / 1.01:
        return None
    confidence = special.softmax(logits.astype(np.float64) / temperature, axis=1).max(1).mean()
    right = (logits.argmax(1) == y).mean()
    if abs(confidence - right) <= MISFIT:
        return None
    end, size = ("least", "small") if temperature < 1 else ("most", "large")
    return (
        f"the temperature ends at {temperature:.3g}, the {end} that gaitd takes: {100 * right:.1f} % of the "
        f"answers are right, and they say {100 * confidence:.1f} %. The logits are too {size} for their "
        "accuracy; train longer, or with another weight decay"
    )


def calibrated(name: str, measured: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict:
    """The `temperature` and `calibration` of the configuration `name`, as a manifest has it; tells a misfit.

    `measured` has logits `[windows, classes]` and truth by split; the temperature is fitted on `validation`.
    """
    temperature = fit_temperature(*measured["validation"])
    if wrong := misfit(*measured["validation"], temperature):
        warnings.warn(f"{name}: {wrong}", stacklevel=3)
    errors = {
        split: {"before": calibration_error(*both), "after": calibration_error(*both, temperature)}
        for split, both in measured.items()
    }
    return {"temperature": temperature, "calibration": errors}
