"""Data: the official archive in all its wrappings, the prepared layout, downloads, and what is refused."""

import dataclasses
import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gaitd_train import data, fetch
from gaitd_train.cli import main
from gaitd_train.errors import UserError
from gaitd_train.fetch import Archive
from gaitd_train.prepare import prepare_uci_har
from gaitd_train.task import UCI_HAR

COUNTS = {"train": 6, "test": 4}


@pytest.fixture
def official(tmp_path) -> tuple[Path, dict]:
    """A small folder of the official form, and what is in it."""
    rng = np.random.default_rng(0)
    folder, content = tmp_path / "UCI HAR Dataset", {}
    for split, count in COUNTS.items():
        (folder / split / "Inertial Signals").mkdir(parents=True)
        for channel in UCI_HAR.channels:
            values = rng.normal(size=(count, 128))
            content[split, channel.name] = values
            path = folder / split / "Inertial Signals" / f"{channel.name}_{split}.txt"
            path.write_text("".join("".join(f" {v: .7e}" for v in row) + "\n" for row in values))
        labels = np.arange(count) % 6 + 1
        subjects = np.full(count, 1 if split == "train" else 2)
        content[split, "y"], content[split, "subject"] = labels, subjects
        for name, values in (("y", labels), ("subject", subjects)):
            (folder / split / f"{name}_{split}.txt").write_text("".join(f"{v}\n" for v in values))
        (folder / split / f"X_{split}.txt").write_text("features that are not read\n")
    return folder, content


def zipped(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*.txt")):
            archive.write(file, file.relative_to(folder.parent))
            archive.writestr(f"__MACOSX/{file.relative_to(folder.parent)}", b"resource fork")
    return target


@pytest.mark.parametrize("wrapping", ["folder", "parent", "inner zip", "outer zip"])
def test_prepare_reads_every_official_form(official, tmp_path, wrapping):
    folder, content = official
    source = {"folder": folder, "parent": tmp_path}.get(wrapping)
    if source is None:
        source = inner = zipped(folder, tmp_path / "UCI HAR Dataset.zip")
        if wrapping == "outer zip":
            source = tmp_path / "outer.zip"
            with zipfile.ZipFile(source, "w") as archive:
                archive.write(inner, inner.name)
                archive.writestr("UCI HAR Dataset.names", "about")
    target = tmp_path / "prepared" / "uci_har.npz"
    assert main(["prepare", "uci-har", str(source), "--out", str(target)]) == 0
    dataset = data.load(target, UCI_HAR)
    assert dataset.source == "UCI-HAR"
    for split, windows in (("train", dataset.train), ("test", dataset.test)):
        assert windows.x.shape == (COUNTS[split], 9, 128)
        for at, channel in enumerate(UCI_HAR.channels):
            np.testing.assert_allclose(windows.x[:, at], content[split, channel.name], rtol=1e-6)
        np.testing.assert_array_equal(windows.y, content[split, "y"] - 1)
        np.testing.assert_array_equal(windows.subject, content[split, "subject"])


def _remove(folder):
    (folder / "train/Inertial Signals/body_gyro_y_train.txt").unlink()


def _shorten(folder):
    path = folder / "test/Inertial Signals/total_acc_z_test.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def _spoil(folder):
    path = folder / "train/Inertial Signals/body_acc_x_train.txt"
    path.write_text(path.read_text().replace(" ", " one ", 1))


def _poison(folder):
    path = folder / "train/Inertial Signals/body_acc_x_train.txt"
    lines = path.read_text().splitlines()
    lines[2] = "nan " + lines[2].split(maxsplit=1)[1]
    path.write_text("\n".join(lines) + "\n")


def _narrow(folder):
    path = folder / "train/Inertial Signals/body_acc_x_train.txt"
    path.write_text("".join(line.rsplit(maxsplit=1)[0] + "\n" for line in path.read_text().splitlines()))


def _seventh_activity(folder):
    (folder / "test/y_test.txt").write_text("1\n2\n3\n7\n")


def _leak(folder):
    (folder / "test/subject_test.txt").write_text("2\n2\n1\n2\n")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_remove, "body_gyro_y_train.txt"),
        (_shorten, "the test files differ in their number of lines"),
        (_spoil, "body_acc_x_train.txt"),
        (_poison, "body_acc_x_train.txt: line 3 holds a value that is not finite"),
        (_narrow, "expected 128 numbers per line"),
        (_seventh_activity, "activities must lie in 1..6"),
        (_leak, "subjects [1] are in both splits"),
    ],
)
def test_prepare_says_what_is_wrong(official, tmp_path, damage, message):
    folder, _ = official
    damage(folder)
    for source in (folder, zipped(folder, tmp_path / "archive.zip")):
        with pytest.raises(UserError) as error:
            prepare_uci_har(source, tmp_path / "out.npz")
        assert message in str(error.value)
    assert not (tmp_path / "out.npz").exists()


def test_prepare_refuses_what_is_no_archive(tmp_path):
    with pytest.raises(UserError, match="fetch uci-har"):
        prepare_uci_har(tmp_path / "missing.zip", tmp_path / "out.npz")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 truncated")
    with pytest.raises(UserError, match="not a readable zip archive"):
        prepare_uci_har(tmp_path / "broken.zip", tmp_path / "out.npz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"expected one `train/y_train.txt` below it, found 0"):
        prepare_uci_har(tmp_path / "empty", tmp_path / "out.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("y_test"), r"lacks the arrays \['y_test'\]"),
        (lambda a: a.update(channels=a["channels"][::-1]), "its channels are"),
        (lambda a: a.update(X_train=a["X_train"][:, :, :100]), "X_train has shape"),
        (lambda a: a["y_train"].__setitem__(0, 0), "y_train must lie in 1..6, found 0..6"),
        (lambda a: a["X_test"].__setitem__((0, 0, 0), np.inf), "X_test holds values that are not finite"),
        (lambda a: a.update(subject_test=a["subject_test"][1:]), "subjects for"),
    ],
)
def test_wrong_prepared_files_are_refused(windows, tmp_path, change, message):
    arrays = dict(np.load(windows))
    change(arrays)
    np.savez(tmp_path / "wrong.npz", **arrays)
    with pytest.raises(UserError, match=message):
        data.load(tmp_path / "wrong.npz", UCI_HAR)


def test_missing_and_broken_prepared_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="GAITD_DATA"):
        data.load(tmp_path / "missing.npz", UCI_HAR)
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 truncated")
    with pytest.raises(UserError, match=r"not a readable \.npz"):
        data.load(tmp_path / "broken.npz", UCI_HAR)


def test_fetch_checks_the_archive_and_keeps_an_intact_one(tmp_path):
    published = tmp_path / "published.zip"
    published.write_bytes(b"the archive")
    digest = hashlib.sha256(b"the archive").hexdigest()
    archive = Archive(published.as_uri(), "mine.zip", digest)
    target = fetch.fetch(archive, tmp_path / "downloads")
    assert target.read_bytes() == b"the archive"
    published.unlink()
    assert fetch.fetch(archive, tmp_path / "downloads") == target, "an intact download is not fetched again"
    target.write_bytes(b"rotten")
    with pytest.raises(UserError, match="download failed"):
        fetch.fetch(archive, tmp_path / "downloads")
    published.write_bytes(b"altered")
    with pytest.raises(UserError, match="SHA-256"):
        fetch.fetch(dataclasses.replace(archive, file="other.zip"), tmp_path / "downloads")
    assert [path.name for path in (tmp_path / "downloads").iterdir()] == ["mine.zip"]
