"""The order in which a network takes a window: axes such as `1,C,T`, of batch (1 or N), channels and time."""

import numpy as np


def arrange(windows, layout):
    """Brings `windows` [N, C, T] into `layout`; the batch stays the first axis."""
    count = len(windows)
    _, *axes = layout.split(",")
    if axes == ["C*T"]:
        return windows.reshape(count, -1)
    if axes == ["T*C"]:
        return np.ascontiguousarray(windows.swapaxes(1, 2)).reshape(count, -1)
    if axes.index("T") < axes.index("C"):
        windows = windows.swapaxes(1, 2)
    if "1" in axes:
        windows = np.expand_dims(windows, 1 + axes.index("1"))
    return np.ascontiguousarray(windows)
