"""Progress bars, where there is a terminal to draw them on: in a log they would be a line for each step."""

from collections.abc import Iterable

from tqdm import tqdm


def bar(steps: Iterable | None = None, shown: bool = True, **settings: object) -> tqdm:
    """A bar over `steps` on standard error; none where that is no terminal, or where it is not `shown`."""
    return tqdm(steps, disable=None if shown else True, **settings)
