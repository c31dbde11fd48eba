"""Loaders: from the publishers' files to prepared windows.

One module per data set (`LOADER`), above shared ones:

    archive, arrays, text -> windows -> (one module per data set, recording) -> split, counts, prepared
"""

import sys
from pathlib import Path

from gaitd_train.datasets import (
    counts,
    hapt,
    pamap2,
    prepared,
    split,
    uci_har,
    unimib_shar,
    wisdm,
    wisdm_watch,
    wisdm_windows128,
)
from gaitd_train.datasets.loading import Loader
from gaitd_train.datasets.prepared import Prepared

# In the order of the help text.
LOADERS: dict[str, Loader] = {
    module.LOADER.task.name: module.LOADER
    for module in (uci_har, hapt, wisdm, wisdm_windows128, wisdm_watch, unimib_shar, pamap2)
}


def prepare(
    name: str, source: Path, target: Path, rule: str = split.SUBJECT_WISE, partial: bool = False
) -> Prepared:
    """Reads the data set `name` at `source`, checks its counts, splits it by `rule` and writes `target`.

    With `partial`, a copy that lacks something is accepted, with a warning on standard error.
    """
    loader = LOADERS[name]
    loaded = loader.read(source)
    note = counts.check(source, loader.task.title, loader.facts, loaded.counts, partial)
    if note:
        print(f"warning: {source}: {note}", file=sys.stderr)
    return prepared.write(loader.task, loaded, target, rule, note)
