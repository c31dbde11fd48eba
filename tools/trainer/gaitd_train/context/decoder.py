"""The decoder of a stream: a causal filter over the activities (a forward pass with uniform change).

From a window to the next, which ends `elapsed` seconds later, over `L` activities:

    stay = exp(-elapsed / bout_s), and at most `change.stay` where the detector of changes has fired since
    q    = stay * b + (1 - stay) / L
    b    is proportional to q * ((1 - doubt) * p + doubt / L) ^ (evidence * min(1, elapsed / hop_s))

`p` is what the window says by itself, softmax(logits / temperature). There is no table of which activity
follows which: recordings for training follow a script, and a table would learn the script.
"""

from dataclasses import asdict, dataclass

import numpy as np

from gaitd_train.errors import UserError

# No more of an answer is disbelieved than this, as in the runtime.
MOST_DOUBT = 0.9
# The least probability that an answer leaves to an activity, as in the runtime.
LEAST = 1e-6

ROTATION, GRAVITY = QUANTITIES = ("rotation", "gravity")


@dataclass(frozen=True)
class Change:
    """A detector: `quantity` (`gaitd_train.context.changes`) over `over_s` seconds passes `above`.

    Thereafter the wearer still does the same with a chance of at most `stay`.
    """

    quantity: str
    over_s: float
    above: float
    stay: float

    def __post_init__(self) -> None:
        _require(self.quantity in QUANTITIES, "change.quantity", self.quantity, " or ".join(QUANTITIES))
        _require(0 < self.over_s < np.inf, "change.over_s", self.over_s, "seconds above 0")
        _require(0 < self.above < np.inf, "change.above", self.above, "above 0")
        _require(0 <= self.stay <= 1, "change.stay", self.stay, "from 0 to 1")


@dataclass(frozen=True)
class Context:
    """The decoder's parameters, as a manifest has them.

    `bout_s` is the mean duration of an activity in seconds, `evidence` the weight of a window that ends
    `hop_s` after the one before, `doubt` the share of the most accurate configuration's answers that is not
    believed.
    """

    bout_s: float
    hop_s: float
    evidence: float
    doubt: float
    change: Change | None = None

    def __post_init__(self) -> None:
        _require(0 < self.bout_s < np.inf, "bout_s", self.bout_s, "seconds above 0")
        _require(0 < self.hop_s < np.inf, "hop_s", self.hop_s, "seconds above 0")
        _require(0 < self.evidence <= 1, "evidence", self.evidence, "above 0 and at most 1")
        _require(0 <= self.doubt < 1, "doubt", self.doubt, "at least 0 and below 1")

    def to_dict(self) -> dict:
        """The block of a manifest."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: dict) -> "Context":
        """The parameters of a block, or a `UserError` that names what is wrong."""
        try:
            change = values.get("change")
            return cls(**{**values, "change": None if change is None else Change(**change)})
        except (AttributeError, TypeError) as error:
            raise UserError(f"context: {error}") from error


def _require(good: bool, key: str, value: object, needed: str) -> None:
    if not good:
        raise UserError(f"context.{key} is {value}, and must be {needed}")


def doubts(doubt: float, accuracies: np.ndarray) -> np.ndarray:
    """The share of each configuration's answers that is not believed, from their accuracies on people held
    out: `doubt` for the most accurate one, and of the others as much more as they err more."""
    errors = np.maximum(1 - np.asarray(accuracies, dtype=np.float64), np.finfo(float).eps)
    return np.minimum(doubt * errors / errors.min(), max(MOST_DOUBT, doubt))


def stays(context: Context, elapsed: np.ndarray, fired: np.ndarray) -> np.ndarray:
    """The chance that the wearer still does what they did a window before.

    `elapsed` are seconds since then, infinite for the first window of a stretch; `fired` tells where the
    detector has fired since.
    """
    stay = np.exp(-elapsed / context.bout_s)
    return stay if context.change is None else np.where(fired, np.minimum(stay, context.change.stay), stay)


def evidences(context: Context, said: np.ndarray, doubt: np.ndarray, elapsed: np.ndarray) -> np.ndarray:
    """What windows say, `said [..., labels]`, as far as it is believed: factors of the belief.

    `doubt` and `elapsed` have the shape of `said` without its last axis, or one that broadcasts to it.
    """
    labels = said.shape[-1]
    said = np.where(np.isfinite(said), np.clip(said, 0, 1), 1 / labels)
    doubt = np.asarray(doubt)[..., None]
    believed = np.maximum((1 - doubt) * said + doubt / labels, LEAST)
    weight = context.evidence * np.minimum(1, np.asarray(elapsed) / context.hop_s)
    return np.exp(weight[..., None] * np.log(believed))  # half the time of a power


def expect(belief: np.ndarray, stay: np.ndarray) -> np.ndarray:
    """What to expect of the next window: `belief [..., labels]` spread by the chance `stay [...]`."""
    stay = stay[..., None]
    return stay * belief + (1 - stay) / belief.shape[-1]


def learn(expected: np.ndarray, evidence: np.ndarray) -> np.ndarray:
    """The belief after a window."""
    belief = expected * evidence
    return belief / belief.sum(-1, keepdims=True)


def decode(
    context: Context, said: np.ndarray, doubt: np.ndarray, elapsed: np.ndarray, fired: np.ndarray
) -> np.ndarray:
    """The belief after every window, `[time, ..., labels]`, of as many streams as there are axes between.

    `said [time, ..., labels]` is what each window says by itself. `doubt` broadcasts to `[...]`; `elapsed`
    and `fired` broadcast to `[time, ...]` (see `stays`).
    """
    stay = np.broadcast_to(stays(context, elapsed, fired), said.shape[:-1])
    evidence = evidences(context, said, doubt, elapsed)
    belief = np.full(said.shape[1:], 1 / said.shape[-1])
    beliefs = np.empty(said.shape)
    for time in range(len(said)):
        belief = beliefs[time] = learn(expect(belief, stay[time]), evidence[time])
    return beliefs
