"""The answers of a network beside the truth."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Answers:
    """The answers of a run: by configuration id `logits [windows, classes]`, beside the truth.

    `y [windows]` is 0-based; `subject [windows]` is who wore the sensor.
    """

    logits: dict[str, np.ndarray]
    y: np.ndarray
    subject: np.ndarray

    def right(self, configuration: str) -> np.ndarray:
        """Whether each window was answered rightly, `[windows]`."""
        return self.logits[configuration].argmax(1) == self.y


def pooled(answers: list[Answers], configuration: str) -> tuple[np.ndarray, np.ndarray]:
    """Logits and truth of one configuration over several runs, one after the other."""
    return np.concatenate([a.logits[configuration] for a in answers]), np.concatenate([a.y for a in answers])
