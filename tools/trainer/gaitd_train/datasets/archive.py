"""Reads official archives as they come: a folder, a zip, a tar, or one of these wrapped in a zip.

A data set is recognised by its *marker*: the path of files that only it has, with wildcards, below the data
set's own folder. Where that folder lies, and how often it is wrapped, does not matter.
"""

import shutil
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Protocol

from gaitd_train.errors import UserError

WRAPPED = (".zip", ".tar.gz", ".tgz", ".tar")

# What damaged archives raise, beside OSError.
DAMAGED = (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, zipfile.zlib.error)


class Container(Protocol):
    """Files by name, the parts of their paths joined with `/`."""

    def names(self) -> list[str]: ...

    def open(self, name: str): ...


class _Folder:
    def __init__(self, path: Path):
        self.path = path

    def names(self) -> list[str]:
        return [file.relative_to(self.path).as_posix() for file in self.path.rglob("*") if file.is_file()]

    def open(self, name: str):
        return (self.path / name).open("rb")


class _Zip:
    def __init__(self, file):
        self.archive = zipfile.ZipFile(file)

    def names(self) -> list[str]:
        return [entry.filename for entry in self.archive.infolist() if not entry.is_dir()]

    def open(self, name: str):
        return self.archive.open(name)


class _Tar:
    def __init__(self, file):
        named = {"name": file} if isinstance(file, Path) else {"fileobj": file}
        self.archive = tarfile.open(**named)  # noqa: SIM115 - lives as long as the container

    def names(self) -> list[str]:
        return [member.name for member in self.archive.getmembers() if member.isfile()]

    def open(self, name: str):
        return self.archive.extractfile(name)


@dataclass(frozen=True)
class Tree:
    """The files of one data set. `where` names the archive in errors, `root` is the data set's own folder."""

    where: str
    container: Container
    root: str

    def names(self, pattern: str) -> list[str]:
        """The files below the root that match `pattern` (wildcards do not cross folders), sorted."""
        found = (
            name.removeprefix(self.root) for name in self.container.names() if name.startswith(self.root)
        )
        return sorted(name for name in found if _matches(name, pattern))

    def read(self, name: str) -> bytes:
        """The content of one file, or a `UserError` where it is missing or damaged."""
        try:
            with self.container.open(self.root + name) as file:
                return file.read()
        except (KeyError, FileNotFoundError):
            raise UserError(f"{self.where}: lacks {name}; fetch or unpack it again") from None
        except DAMAGED as error:
            raise UserError(f"{self.where}: {name} is damaged ({error}); fetch it again") from error

    def path(self, name: str) -> str:
        """How errors call a file of the tree."""
        return f"{self.where}: {name}"


def open_tree(source: Path, marker: str, dataset: str) -> Tree:
    """Finds the data set in a folder, an archive, or an archive in an archive.

    A file that itself matches the marker stands for the folder around it. Anything but exactly one data set
    is a `UserError`.
    """
    if not source.exists():
        raise UserError(
            f"{source}: no such file or folder; `gaitd-train fetch {dataset}` downloads the official archive"
        )
    depth = len(PurePosixPath(marker).parts)
    if source.is_dir():
        trees = _trees(str(source), _Folder(source), marker)
    elif _matches("/".join(source.absolute().parts[-depth:]), marker):
        return Tree(str(source), _Folder(source.absolute().parents[depth - 1]), "")
    else:
        trees = _trees(str(source), _archive(str(source), source), marker)
    if len(trees) != 1:
        raise UserError(
            f"{source}: expected one `{marker}` below it, found {len(trees)}; is this all of {dataset}?"
        )
    return trees[0]


def _trees(where: str, container: Container, marker: str) -> list[Tree]:
    names = _names(where, container)
    depth = len(PurePosixPath(marker).parts)
    roots = set()
    for name in names:
        parts = PurePosixPath(name).parts
        if _matches("/".join(parts[-depth:]), marker):
            roots.add("".join(f"{part}/" for part in parts[:-depth]))
    if roots:
        return [Tree(where, container, root) for root in sorted(roots)]
    # A folder is not searched for archives: it may hold many that have nothing to do with the data set.
    if isinstance(container, _Folder):
        return []
    inner = [name for name in names if name.lower().endswith(WRAPPED)]
    return [
        tree for name in inner for tree in _trees(f"{where}/{name}", _inner(where, container, name), marker)
    ]


def _names(where: str, container: Container) -> list[str]:
    try:
        # Archives packed on macOS hold a second, empty tree of resource forks.
        return [name for name in container.names() if not name.startswith("__MACOSX")]
    except DAMAGED as error:
        raise _unreadable(where, error) from error


def _inner(where: str, container: Container, name: str) -> Container:
    # On disk: the largest inner archive is 650 MB.
    file = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the container that reads it
    try:
        with container.open(name) as packed:
            shutil.copyfileobj(packed, file)
    except DAMAGED as error:
        raise UserError(f"{where}: {name} is damaged ({error}); fetch it again") from error
    file.seek(0)
    return _archive(f"{where}/{name}", file)


def _archive(where: str, file) -> Container:
    try:
        if zipfile.is_zipfile(file):
            return _Zip(file)
        if not isinstance(file, Path):
            file.seek(0)
        return _Tar(file)
    except DAMAGED as error:
        raise _unreadable(where, error) from error


def _unreadable(where: str, error: Exception) -> UserError:
    return UserError(f"{where}: not a readable zip or tar archive ({error}); fetch it again")


def _matches(name: str, pattern: str) -> bool:
    parts, patterns = name.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatch, parts, patterns))
