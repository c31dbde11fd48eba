"""The networks that a recipe can name, and a user's own.

A network is one module with two names:

- `Shape`, a frozen dataclass of settings: the keys of the recipe's table `[network]`;
- `build(shape, axes, classes, grid)`, which returns a `gaitd_train.networks.slimmable.Network`.

Built from the layers of `slimmable`, a network needs nothing else: training, calibration, counting and export
follow its `layers`. A recipe names a shipped one by `kind`, one of its own by `file`.
"""

import hashlib
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from gaitd_train.errors import UserError
from gaitd_train.grid import Grid
from gaitd_train.networks import cnn, resnet
from gaitd_train.networks.slimmable import Network

SHIPPED = {"cnn": cnn, "resnet": resnet}
DEFAULT = "cnn"


@dataclass(frozen=True)
class Source:
    """Where a network comes from: the name of a shipped one, or a user's file and the SHA-256 of its text."""

    kind: str = DEFAULT
    file: str | None = None
    sha256: str | None = None

    def module(self) -> ModuleType:
        """The network's module. A file that has changed since `sha256` was taken is refused, not run."""
        return SHIPPED[self.kind] if self.file is None else _load(Path(self.file), self.sha256)

    def build(self, shape: object, axes: int, classes: int, grid: Grid) -> Network:
        """The network with fresh weights."""
        return self.module().build(shape, axes, classes, grid)


def named(kind: str | None, file: str | None, sha256: str | None, folder: Path) -> Source:
    """The source that a recipe in `folder` names; a relative `file` is looked for there."""
    if file is None:
        if sha256 is not None:
            raise UserError("network.sha256 belongs to network.file")
        kind = DEFAULT if kind is None else kind
        if kind not in SHIPPED:
            raise UserError(
                f"network.kind: '{kind}' is none of {', '.join(SHIPPED)}; name your own by `file`"
            )
        return Source(kind)
    if kind is not None:
        raise UserError("network: give `kind` or `file`, not both")
    path = (folder / file).resolve()
    return Source(path.stem, str(path), sha256 or _digest(path))


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"network.file: cannot read {path} ({error.strerror})") from error


def _load(path: Path, sha256: str | None) -> ModuleType:
    found = _digest(path)
    if sha256 is not None and found != sha256:
        raise UserError(
            f"network.file: {path} has changed since this network was trained (SHA-256 {found}, then "
            f"{sha256}); restore it, or train again"
        )
    name = f"gaitd_train_network_{found}"
    if name in sys.modules:
        return sys.modules[name]
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise UserError(f"network.file: {path} is not a Python file (its name must end in .py)")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module  # a dataclass looks its own module up while it is made
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UserError(f"network.file: {path} does not load: {type(error).__name__}: {error}") from error
    if missing := [needed for needed in ("Shape", "build") if not hasattr(module, needed)]:
        del sys.modules[name]
        raise UserError(f"network.file: {path} defines no {' and no '.join(missing)}")
    return module
