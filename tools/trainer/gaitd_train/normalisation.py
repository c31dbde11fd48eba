"""Normalisation of windows by their own values, as a manifest's `task.normalisation` says.

`gaitd`, the runtime, does the same (`docs/conditioning.md`); both are tested against one reference.
"""

import numpy as np

from gaitd_train.errors import UserError

EPSILON = 1e-8
# The keys that each method has besides `over`, with what they are where they are absent.
METHODS = {
    "standardise": {"epsilon": EPSILON},
    "centre": {},
    "range": {"epsilon": EPSILON, "low": 0.0, "high": 1.0},
}
AXES = {"channel": (-1,), "window": (-2, -1)}


def normalise(windows: np.ndarray, normalisation: dict) -> np.ndarray:
    """`windows [..., channels, time]`, float64, each by its own values; a `UserError` names a wrong key."""
    method, over = normalisation.get("method"), normalisation.get("over", "channel")
    if method not in METHODS:
        raise UserError(f"normalisation: method is {method!r}; known: {', '.join(METHODS)}")
    if over not in AXES:
        raise UserError(f"normalisation: over is {over!r}; known: {', '.join(AXES)}")
    if unknown := sorted(set(normalisation) - {"method", "over", *METHODS[method]}):
        known = ", ".join(("over", *METHODS[method]))
        raise UserError(f"normalisation: {method} has no key {unknown[0]!r}; it has {known}")
    keys = METHODS[method] | normalisation
    x, axes = np.asarray(windows, dtype=np.float64), AXES[over]
    least, most = x.min(axes, keepdims=True), x.max(axes, keepdims=True)
    # What is the same throughout has no spread, and rounding must give it none.
    same = least == most
    if method == "range":
        distance = np.where(same, 1.0, most - least + keys["epsilon"])
        return keys["low"] + (keys["high"] - keys["low"]) * (x - least) / distance
    centred = np.where(same, 0.0, x - x.mean(axes, keepdims=True))
    if method == "centre":
        return centred
    return centred / np.where(same, 1.0, x.std(axes, keepdims=True) + keys["epsilon"])
