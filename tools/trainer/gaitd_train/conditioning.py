"""From raw sensor samples to the channels of the network: the operations that a manifest lists, in NumPy.

The operations act on named channels. `from` names what an operation reads and `to` what it writes; without
`to` it works in place. Each channel has its own state. In the formulas x is a value of an input, and y what
becomes of it.

| op | meaning |
| --- | --- |
| `median` | over `length` samples, centred, so `(length - 1) / 2` samples late; zeros beyond both ends |
| `sos` | causal filter: cascaded second-order `sections` `[b0, b1, b2, a0, a1, a2]`, state from `start` |
| `copy` | a channel under another name |
| `subtract` | `from` less `minus` |
| `standardise` | y = (x - mean) / std, one `mean` and `std` for each channel; without a unit from there on |
| `scale` | y = x * `factor` + `offset` (0); in `unit` from there on, where it is named |
| `convert` | to `unit`: g, mg, m/s2, rad/s, mrad/s, deg/s, dps or mdps |
| `clip` | y = min(max(x, `low`), `high`), with one of the two or both |
| `magnitude` | y = sqrt(x1^2 + x2^2 + ...); `to` is one name |
| `difference` | y = x - (x one sample before); 0 for the first sample |

`start` is `zero` (no signal before the first sample, the default) or `steady` (the first sample held for ever
before).

`gaitd`, the runtime, executes the same list (`docs/conditioning.md`); both are tested against one reference.
"""

import math

import numpy as np
from scipy import signal

from gaitd_train.errors import UserError

SAMPLE_RATE_HZ = 50
ACC = ["acc_x", "acc_y", "acc_z"]
GYRO = ["gyro_x", "gyro_y", "gyro_z"]


def low_pass(order: int, cutoff_hz: float) -> list[list[float]]:
    """A Butterworth low-pass at 50 Hz as second-order sections."""
    return signal.butter(order, cutoff_hz, fs=SAMPLE_RATE_HZ, output="sos").tolist()


def _named(stem: str) -> list[str]:
    return [f"{stem}_{axis}" for axis in "xyz"]


# Found by matching the raw HAPT recordings to the published UCI-HAR windows: all 10,299 agree to 2.3e-7,
# those at the very beginning of a recording included, with filters that start from zero and a median that
# sees zeros beyond the ends.
UCI_HAR_CONDITIONING = (
    {"op": "median", "from": ACC + GYRO, "length": 3},
    {"op": "sos", "from": ACC + GYRO, "start": "zero", "sections": low_pass(10, 20.0)},
    {"op": "copy", "from": ACC, "to": _named("total_acc")},
    {
        "op": "sos",
        "from": ACC,
        "to": _named("gravity"),
        "start": "zero",
        "sections": low_pass(3, 0.3),
    },
    {"op": "subtract", "from": _named("total_acc"), "minus": _named("gravity"), "to": _named("body_acc")},
    {
        "op": "sos",
        "from": GYRO,
        "to": _named("gyro_drift"),
        "start": "zero",
        "sections": low_pass(2, 0.1),
    },
    {"op": "subtract", "from": GYRO, "minus": _named("gyro_drift"), "to": _named("body_gyro")},
)


# Of each unit the quantity, what it is without its prefix in the SI's unit, and the prefix. The runtime
# multiplies by the same quotients.
UNITS = {
    "m/s2": ("acceleration", 1.0, 1.0),
    "g": ("acceleration", 9.80665, 1.0),
    "mg": ("acceleration", 9.80665, 1e-3),
    "rad/s": ("angular rate", 1.0, 1.0),
    "mrad/s": ("angular rate", 1.0, 1e-3),
    "deg/s": ("angular rate", math.radians(1.0), 1.0),
    "dps": ("angular rate", math.radians(1.0), 1.0),
    "mdps": ("angular rate", math.radians(1.0), 1e-3),
}
# The unit of values that have none.
NO_UNIT = "1"


# The operations that the first schema of manifests has; the others came with schema 3.
FIRST_OPERATIONS = {"median", "sos", "copy", "subtract"}


def needed_schema(operations: tuple[dict, ...]) -> int:
    """The least schema of a manifest that has these operations."""
    return 1 if all(operation["op"] in FIRST_OPERATIONS for operation in operations) else 3


def unit_factor(found: str, expected: str) -> float | None:
    """What a value in `found` is multiplied by to be in `expected`; nothing where there is no conversion."""
    if found == expected:
        return 1.0
    if found not in UNITS or expected not in UNITS:
        return None
    (quantity, base, prefix), (other, other_base, other_prefix) = UNITS[found], UNITS[expected]
    return base / other_base * (prefix / other_prefix) if quantity == other else None


def condition(
    raw: dict[str, np.ndarray], operations: tuple[dict, ...], units: dict[str, str] | None = None
) -> dict[str, np.ndarray]:
    """Runs the operations over whole recordings: channel name -> `[time]`, raw in, all channels out (double).

    `units` names the unit of each raw channel, without which nothing can be converted. The centred median is
    not delayed here: sample `n` of every output belongs to sample `n` of the recording.
    """
    channels = {name: np.asarray(values, dtype=np.float64) for name, values in raw.items()}
    units = dict(units or {})
    for operation in operations:
        sources = operation["from"]
        if operation["op"] == "magnitude":
            target = operation["to"]
            channels[target] = np.sqrt(sum(channels[source] ** 2 for source in sources))
            units[target] = units.get(sources[0])
            continue
        for index, (source, target) in enumerate(zip(sources, operation.get("to", sources), strict=True)):
            values, unit = channels[source], units.get(source)
            match operation["op"]:
                case "median":
                    result = signal.medfilt(values, operation["length"])
                case "sos":
                    sections = np.asarray(operation["sections"], dtype=np.float64)
                    result = _sos(values, sections, operation.get("start", "zero"))
                case "copy":
                    result = values
                case "subtract":
                    result = values - channels[operation["minus"][index]]
                case "standardise":
                    result = (values - operation["mean"][index]) / operation["std"][index]
                    unit = NO_UNIT
                case "scale":
                    result = values * operation["factor"] + operation.get("offset", 0.0)
                    unit = operation.get("unit", unit)
                case "convert":
                    result = values * _conversion(source, unit, operation["unit"])
                    unit = operation["unit"]
                case "clip":
                    result = np.clip(values, operation.get("low"), operation.get("high"))
                case "difference":
                    result = np.diff(values, prepend=values[:1])
                case unknown:
                    raise ValueError(f"unknown conditioning operation '{unknown}'")
            channels[target], units[target] = result, unit
    return channels


def _conversion(channel: str, found: str | None, expected: str) -> float:
    factor = None if found is None else unit_factor(found, expected)
    if factor is None:
        of = "a unit that is not known" if found is None else found
        raise UserError(
            f"conditioning: channel '{channel}' is in {of}, which cannot be converted to {expected}; "
            f"units that can are {', '.join(UNITS)}"
        )
    return factor


def _sos(values: np.ndarray, sections: np.ndarray, start: str) -> np.ndarray:
    sections = sections / sections[:, 3:4]  # SciPy wants an a0 of 1
    if start == "steady":
        state = signal.sosfilt_zi(sections) * values[0]
        return signal.sosfilt(sections, values, zi=state)[0]
    return signal.sosfilt(sections, values)
