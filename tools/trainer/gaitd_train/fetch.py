"""Downloads the official archive of a data set from its publisher and checks it."""

import contextlib
import hashlib
import os
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from gaitd_train.errors import UserError

CHUNK = 1 << 16
TIMEOUT_S = 60


@dataclass(frozen=True)
class Archive:
    """An official archive: where it is, under which name it is kept, and the SHA-256 of its bytes."""

    url: str
    file: str
    sha256: str


ARCHIVES = {
    "uci-har": Archive(
        url="https://archive.ics.uci.edu/static/public/240/human+activity+recognition+using+smartphones.zip",
        file="uci-har.zip",
        sha256="c00b803081a5c797cd5e4b83700a9810b38d53d9d84e01917e090e1fdbc81031",
    ),
}


def fetch(archive: Archive, folder: Path) -> Path:
    """Downloads to `folder` and returns the file's path; an intact earlier download is kept.

    A file whose SHA-256 differs is deleted and refused.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / archive.file
    if target.is_file() and _sha256(target) == archive.sha256:
        return target
    handle, scratch = tempfile.mkstemp(dir=folder, prefix=archive.file)
    try:
        with os.fdopen(handle, "wb") as file:
            _download(archive.url, file)
        if (found := _sha256(Path(scratch))) != archive.sha256:
            raise UserError(
                f"{archive.url}: its SHA-256 is {found}, expected {archive.sha256}; the download was damaged "
                "or the publisher changed the archive. Try again; if it persists, download it by hand, "
                "inspect it, and give it to `gaitd-train prepare`"
            )
        os.replace(scratch, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(scratch)
    return target


def _download(url: str, file) -> None:
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            total = int(answer.headers.get("Content-Length") or 0) or None
            with tqdm(total=total, unit="B", unit_scale=True, desc="download") as bar:
                while chunk := answer.read(CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))
    except (urllib.error.URLError, TimeoutError, ConnectionError, ValueError) as error:
        raise UserError(
            f"{url}: download failed ({error}); check the network, or download the archive by hand and "
            "give it to `gaitd-train prepare`"
        ) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
