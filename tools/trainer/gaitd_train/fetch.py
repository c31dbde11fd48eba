"""Downloads the official archive of a data set from its publisher and checks it."""

import hashlib
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from gaitd_train import progress
from gaitd_train.errors import UserError
from gaitd_train.files import replaced

CHUNK = 1 << 16
TIMEOUT_S = 60


@dataclass(frozen=True)
class Archive:
    """An official archive: where it is, under which name it is kept, and the SHA-256 of its bytes.

    `sha256` is None where no source gives it.
    """

    url: str
    file: str
    sha256: str | None


UCI = "https://archive.ics.uci.edu/static/public"

# The publishers give no checksums. These are of the archives as several people downloaded them.
ARCHIVES = {
    "uci-har": Archive(
        url=f"{UCI}/240/human+activity+recognition+using+smartphones.zip",
        file="uci-har.zip",
        sha256="c00b803081a5c797cd5e4b83700a9810b38d53d9d84e01917e090e1fdbc81031",
    ),
    "hapt": Archive(
        url=f"{UCI}/341/smartphone+based+recognition+of+human+activities+and+postural+transitions.zip",
        file="hapt.zip",
        sha256="4ac4ae064227c07045a99551876b54d204837e995e298b6488559e209b3deb09",
    ),
    "wisdm": Archive(
        url="https://www.cis.fordham.edu/wisdm/includes/datasets/latest/WISDM_ar_latest.tar.gz",
        file="wisdm.tar.gz",
        sha256=None,
    ),
    "wisdm-watch": Archive(
        url=f"{UCI}/507/wisdm+smartphone+and+smartwatch+activity+and+biometrics+dataset.zip",
        file="wisdm-watch.zip",
        sha256=None,
    ),
    "unimib-shar": Archive(
        url="https://www.dropbox.com/s/x2fpfqj0bpf8ep6/UniMiB-SHAR.zip?dl=1",
        file="unimib-shar.zip",
        sha256=None,
    ),
    "pamap2": Archive(
        url=f"{UCI}/231/pamap2+physical+activity+monitoring.zip",
        file="pamap2.zip",
        sha256="76b3580bd5a804121f507717cb498c66a312ef5c774f4a78ac470e6558add352",
    ),
}


def fetch(archive: Archive, folder: Path) -> Path:
    """Downloads to `folder` and returns the file's path; an intact earlier download is kept.

    A download whose SHA-256 differs from the known one is deleted and refused. Where none is known, that of
    the first download is written beside the file, as `FILE.sha256` in the form of `sha256sum`, and later runs
    compare with it; a note on standard error says so.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / archive.file
    record = folder / f"{archive.file}.sha256"
    expected = archive.sha256 or _recorded(record)
    found = _sha256(target) if target.is_file() else None
    if found is None or expected not in (None, found):
        with replaced(target) as file:
            found = _download(archive.url, file)
            if expected not in (None, found):
                raise UserError(_mismatch(archive, record, expected, found))
    if expected is None:
        _record(record, archive.file, found)
    return target


def _recorded(record: Path) -> str | None:
    try:
        return record.read_text().split()[0]
    except FileNotFoundError:
        return None
    except (IndexError, UnicodeDecodeError):
        raise UserError(f"{record}: holds no SHA-256; delete it and fetch again") from None


def _record(record: Path, file: str, found: str) -> None:
    record.write_text(f"{found}  {file}\n")
    print(
        f"note: the publisher's checksum of {file} is not known. Its SHA-256, {found}, is now in {record}, "
        "and later runs compare with it; `gaitd-train prepare` checks the counts of what is in it",
        file=sys.stderr,
    )


def _mismatch(archive: Archive, record: Path, expected: str, found: str) -> str:
    advice = (
        f"delete {record} to accept the new one"
        if archive.sha256 is None
        else "download it by hand, inspect it, and give it to `gaitd-train prepare`"
    )
    return (
        f"{archive.url}: its SHA-256 is {found}, expected {expected}; the download was damaged or the "
        f"publisher changed the archive. Try again; if it persists, {advice}"
    )


def _download(url: str, file) -> str:
    """Writes what is at `url` to `file` and returns its SHA-256."""
    digest = hashlib.sha256()
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            total = int(answer.headers.get("Content-Length") or 0) or None
            with progress.bar(total=total, unit="B", unit_scale=True, desc="download") as bar:
                while chunk := answer.read(CHUNK):
                    file.write(chunk)
                    digest.update(chunk)
                    bar.update(len(chunk))
    except (urllib.error.URLError, TimeoutError, ConnectionError, ValueError) as error:
        raise UserError(
            f"{url}: download failed ({error}); check the network, or download the archive by hand and "
            "give it to `gaitd-train prepare`"
        ) from error
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
