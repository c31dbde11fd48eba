"""Calibration: the error and the temperature against formulas written out, and against PyTorch."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from gaitd_train.confidence import (
    TEMPERATURES,
    brier,
    calibration_error,
    fit_temperature,
    misfit,
    reliability,
)


def random_answers(seed: int, sharpness: float, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are `sharpness` times as sure as they may be, and truths drawn from the calibrated ones."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(count, 6)) * 2
    odds = np.exp(logits - logits.max(1, keepdims=True))
    truth = (rng.random((count, 1)) > np.cumsum(odds / odds.sum(1, keepdims=True), axis=1)).sum(1)
    return (sharpness * logits).astype(np.float32), np.minimum(truth, 5)


def test_calibration_error_is_the_published_formula():
    logits, y = random_answers(0, 1.7)
    for temperature in (0.5, 1.0, 3.0):
        probabilities = torch.softmax(torch.tensor(logits).double() / temperature, 1).numpy()
        total = 0.0
        for low in range(15):
            confidence = probabilities.max(1)
            inside = (confidence >= low / 15) & ((confidence < (low + 1) / 15) | (low == 14))
            if inside.any():
                accuracy = (probabilities.argmax(1) == y)[inside].mean()
                total += inside.mean() * abs(accuracy - confidence[inside].mean())
        assert calibration_error(logits, y, temperature) == pytest.approx(total, abs=1e-12)


def test_the_brier_score_is_the_published_formula():
    logits, y = random_answers(1, 2.0)
    probabilities = torch.softmax(torch.tensor(logits).double() / 1.3, 1)
    truth = functional.one_hot(torch.tensor(y), 6)
    expected = functional.mse_loss(probabilities, truth.double(), reduction="sum") / len(y)
    assert brier(logits, y, 1.3) == pytest.approx(expected.item(), rel=1e-9)


@pytest.mark.parametrize("sharpness", [0.4, 1.0, 1.8, 6.0])
def test_the_temperature_undoes_too_much_or_too_little_confidence(sharpness):
    logits, y = random_answers(2, sharpness)
    temperature = fit_temperature(logits, y)
    assert temperature == pytest.approx(sharpness, rel=0.06)
    assert calibration_error(logits, y, temperature) < 0.02
    least = min(brier(logits, y, t) for t in np.geomspace(*TEMPERATURES, 300))
    assert brier(logits, y, temperature) <= least + 1e-9


def test_a_few_confident_errors_do_not_spoil_the_confidence_of_others():
    """What the log-likelihood would do: a share of 3 % that no temperature mends."""
    logits, y = random_answers(3, 1.0)
    wrong = np.zeros((len(y) // 33, 6), np.float32)
    wrong[:, 0] = 25
    logits, y = np.concatenate([logits, wrong]), np.concatenate([y, np.ones(len(wrong), int)])
    assert fit_temperature(logits, y) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("windows", [10, 1000])
def test_answers_that_are_all_right_are_as_sure_as_their_number_allows(windows):
    logits = np.tile(np.array([1.0, 0.0], np.float32), (windows, 1))
    temperature = fit_temperature(logits, np.zeros(windows, int))
    sure = 1 / (1 + np.exp(-1 / temperature))
    assert sure == pytest.approx(1 - 1 / (windows + 2), abs=1e-3)


@pytest.mark.parametrize(("sharpness", "told"), [(0.001, "too small"), (1.0, None), (1000.0, "too large")])
def test_logits_that_no_temperature_makes_right_are_told(sharpness, told):
    logits, y = random_answers(7, sharpness)
    temperature = fit_temperature(logits, y)
    wrong = misfit(logits, y, temperature)
    if told is None:
        assert wrong is None
    else:
        right = 100 * (logits.argmax(1) == y).mean()
        assert told in wrong and f"{right:.1f} % of the answers are right" in wrong


def test_empty_bins_are_not_drawn():
    logits, y = np.array([[9.0, 0.0], [9.0, 0.0]]), np.array([0, 1])
    confidence, accuracy = reliability(logits, y, 1.0)
    assert accuracy.tolist() == [0.5]
    assert confidence == pytest.approx([1 / (1 + np.exp(-9))])
