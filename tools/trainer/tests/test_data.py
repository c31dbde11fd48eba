"""Data: the prepared layout, tasks, downloads, and what is refused."""

import dataclasses
import hashlib
import json

import numpy as np
import pytest

from gaitd_train import data, fetch
from gaitd_train.errors import UserError
from gaitd_train.fetch import Archive
from gaitd_train.task import HAPT, TASKS, UCI_HAR, Task


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("y_test"), r"lacks the arrays \['y_test'\]"),
        (lambda a: a.update(channels=a["channels"][::-1]), "its channels are"),
        (lambda a: a.update(X_train=a["X_train"][:, :, :100]), "X_train has shape"),
        (lambda a: a["y_train"].__setitem__(0, 0), "y_train must lie in 1..6, found 0..6"),
        (lambda a: a["X_test"].__setitem__((0, 0, 0), np.inf), "X_test holds values that are not finite"),
        (lambda a: a.update(subject_test=a["subject_test"][1:]), "subjects for"),
        (
            lambda a: [a[f"y_{s}"].__setitem__(a[f"y_{s}"] == 3, 1) for s in ("train", "test")],
            "no window of down",
        ),
        (lambda a: a.update(task=np.array("{")), "its task is not JSON"),
        (lambda a: a.update(task=np.array('{"name": "x"}')), "a task has the fields"),
        (
            lambda a: a.update(task=np.array(json.dumps(HAPT.to_dict()))),
            "holds windows of hapt, not of uci-har",
        ),
        (
            lambda a: a.update(task=np.array(json.dumps({**UCI_HAR.to_dict(), "hop": 32}))),
            "differs from what this version prepares",
        ),
    ],
)
def test_wrong_prepared_files_are_refused(windows, tmp_path, change, message):
    arrays = dict(np.load(windows))
    change(arrays)
    np.savez(tmp_path / "wrong.npz", **arrays)
    with pytest.raises(UserError, match=message):
        data.load(tmp_path / "wrong.npz", UCI_HAR)


def test_a_prepared_file_carries_its_task(windows, tmp_path):
    assert data.load(windows, UCI_HAR).task == UCI_HAR
    arrays = dict(np.load(windows))
    arrays.pop("task", None)
    np.savez(tmp_path / "without.npz", **arrays)
    assert data.load(tmp_path / "without.npz", UCI_HAR).task == UCI_HAR
    with pytest.raises(UserError, match="does not name its task"):
        data.load(tmp_path / "without.npz")
    own = dataclasses.replace(UCI_HAR, name="mine", labels=tuple("abcdef"))
    np.savez(tmp_path / "own.npz", **arrays, task=np.array(json.dumps(own.to_dict())))
    assert data.load(tmp_path / "own.npz").task == own


def test_a_class_may_be_missing_from_one_split(windows, tmp_path):
    arrays = dict(np.load(windows))
    arrays["y_test"][arrays["y_test"] == 3] = 1
    np.savez(tmp_path / "some.npz", **arrays)
    assert 2 not in data.load(tmp_path / "some.npz", UCI_HAR).test.y


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_tasks_survive_json(task):
    assert Task.from_dict(json.loads(json.dumps(task.to_dict()))) == task
    assert len(set(task.labels)) == len(task.labels)
    assert task.hop <= task.window


@pytest.mark.parametrize(
    "change",
    [{"channels": [{"name": "acc_x"}]}, {"labels": 7}, {"conditioning": [1]}],
)
def test_malformed_tasks_are_refused(change):
    with pytest.raises(UserError, match="the task 'uci-har' is malformed"):
        Task.from_dict({**UCI_HAR.to_dict(), **change})


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


def test_fetch_keeps_the_checksum_of_an_archive_that_has_none(tmp_path, capsys):
    published, folder = tmp_path / "published.zip", tmp_path / "downloads"
    published.write_bytes(b"the archive")
    digest = hashlib.sha256(b"the archive").hexdigest()
    archive = Archive(published.as_uri(), "mine.zip", None)
    target = fetch.fetch(archive, folder)
    assert (folder / "mine.zip.sha256").read_text() == f"{digest}  mine.zip\n"
    note = capsys.readouterr().err
    assert "checksum of mine.zip is not known" in note and digest in note and "checks the counts" in note
    published.write_bytes(b"altered")
    assert fetch.fetch(archive, folder) == target, "an intact download is not fetched again"
    assert "not known" not in capsys.readouterr().err
    target.write_bytes(b"rotten")
    with pytest.raises(UserError, match=r"SHA-256.*delete .*mine\.zip\.sha256 to accept"):
        fetch.fetch(archive, folder)
    published.write_bytes(b"the archive")
    assert fetch.fetch(archive, folder).read_bytes() == b"the archive"
    (folder / "mine.zip.sha256").write_text("")
    with pytest.raises(UserError, match="holds no SHA-256"):
        fetch.fetch(archive, folder)


def test_fetch_takes_a_file_that_was_downloaded_by_hand(tmp_path):
    (tmp_path / "mine.zip").write_bytes(b"by hand")
    archive = Archive((tmp_path / "nowhere.zip").as_uri(), "mine.zip", None)
    assert fetch.fetch(archive, tmp_path).read_bytes() == b"by hand"
    assert (tmp_path / "mine.zip.sha256").is_file()
