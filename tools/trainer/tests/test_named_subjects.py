"""People by their names, the data that a checkpoint remembers, and bars only on a terminal."""

import numpy as np
import pytest

from gaitd_train import checkpoint, data, demo
from gaitd_train.cli import main
from gaitd_train.errors import UserError

NAMES = ("ann", "bob", "7", "dora", "eve")


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """The synthetic windows, whose subjects 1 to 5 have names."""
    path = tmp_path_factory.mktemp("named") / "windows.npz"
    demo.write_data(path)
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **arrays, subject_names=np.array(NAMES))
    return path


def test_subjects_go_by_name_and_else_by_number(named, windows):
    dataset = data.load(named)
    assert dataset.subjects(["dora", "ann"]) == [1, 4]
    assert dataset.subjects(["7"]) == [3], "a name goes before a number"
    assert dataset.subjects(["2", "bob"]) == [2]
    for unknown in ("eve", "frank", "5", "0", "-1"):
        with pytest.raises(UserError, match=f"called {unknown}; those are ann, bob, 7, dora"):
            dataset.subjects([unknown])
    with pytest.raises(UserError, match=r"\[77\] .*; those are ann, bob, 7, dora"):
        dataset.without([77])
    assert data.load(windows).subjects(["4", "1"]) == [1, 4]


def test_training_holds_out_by_name_and_what_follows_finds_the_data(named, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("GAITD_DATA", str(tmp_path / "nowhere"))
    run, read = tmp_path / "run", str(tmp_path / "run" / "checkpoint.pt")
    train = ["train", "--recipe", "demo", "--data", str(named), "--stop-after", "1", "--out"]
    assert main([*train, str(run), "--hold-out", "dora"]) == 0
    trained = checkpoint.load(run / "checkpoint.pt")
    assert trained.held_out == [4] and trained.data == str(named)
    evaluate = ["evaluate", read, "--split", "validation", "--only", "1.00x-128", "--out"]
    assert main([*evaluate, str(tmp_path / "validation")]) == 0
    told = capfd.readouterr().err
    assert "epoch" not in told and "\r" not in told, "no bar where there is no terminal"
    assert main([*train, str(tmp_path / "other"), "--hold-out", "frank"]) == 1
    assert "called frank" in capfd.readouterr().err

    # gone from where it was: the default is looked at, and --data asked for
    kept = named.rename(tmp_path / "moved.npz")
    try:
        assert main([*evaluate, str(tmp_path / "again")]) == 1
        assert "point --data at it" in capfd.readouterr().err
        assert main([*evaluate, str(tmp_path / "again"), "--data", str(kept)]) == 0
    finally:
        kept.rename(named)
