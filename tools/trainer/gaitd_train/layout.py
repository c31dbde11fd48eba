"""In which order a network's input holds channels and time steps.

A layout names the axes, the slowest first: `1` (or `N`) is the batch, `C` channels, `T` time steps, `C*T` and
`T*C` one axis that holds both, the first one slower.
"""

from collections.abc import Sequence

import torch

from gaitd_train.errors import UserError

DEFAULT = "1,C,T"
# What the shape of an example can tell.
USUAL = (DEFAULT, "1,T,C", "1,1,C,T", "1,1,T,C", "1,C,1,T", "1,T,1,C", "1,C,T,1", "1,T,C,1", "C,T", "T,C")
FLAT = ("1,C*T", "1,T*C", "C*T", "T*C")


def parse(text: str) -> tuple[str, ...]:
    """The axes of a layout, `1` for the batch; a `UserError` where it is none."""
    axes = tuple("1" if axis.strip() == "N" else axis.strip() for axis in text.split(","))
    letters = "".join(axes).replace("*", "").replace("1", "")
    known = {"1", "C", "T", "C*T", "T*C"}
    if not known.issuperset(axes) or sorted(letters) != ["C", "T"] or len(axes) > 6:
        raise UserError(
            f"layout: {text!r} is none; axes are 1, C (channels), T (time steps), C*T or T*C, with commas, "
            f"C and T once each, such as {DEFAULT!r} or '1,T,C'"
        )
    return axes


def shape(layout: str, channels: int, time: int) -> tuple[int, ...]:
    """The lengths of the axes for so many channels and time steps."""
    lengths = {"1": 1, "C": channels, "T": time, "C*T": channels * time, "T*C": channels * time}
    return tuple(lengths[axis] for axis in parse(layout))


def arrange(window: torch.Tensor, layout: str) -> torch.Tensor:
    """`window [channels, time]` as the network reads it."""
    values = window.T if _time_first(layout) else window
    return values.reshape(shape(layout, *window.shape))


def of_example(found: Sequence[int], channels: int, time: int) -> str:
    """The layout of an example input of this shape; a batch of several counts as one."""
    found = tuple(found)
    fitting = [
        layout
        for layout in (*USUAL, *FLAT)
        if found == (expected := shape(layout, channels, time))
        or (expected[0] == 1 and found[1:] == expected[1:])
    ]
    if not fitting:
        usual = shape(DEFAULT, channels, time)
        raise UserError(
            f"example_inputs: shape {found} does not hold {channels} channels and {time} time steps, as "
            f"{usual} would; name the layout, or mend channels or window"
        )
    # Of a single channel, or a single time step, every order is the same.
    if 1 not in (channels, time) and len({_time_first(layout) for layout in fitting}) > 1:
        raise UserError(
            f"example_inputs: shape {found} may be {' or '.join(fitting)}; say which by Input(layout=...)"
        )
    return fitting[0]


def _time_first(layout: str) -> bool:
    return next(axis for axis in parse(layout) if axis != "1").startswith("T")
