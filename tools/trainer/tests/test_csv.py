"""`gaitd-train prepare csv`: windows of any labelled CSV, a task of its own, and what is refused."""

import numpy as np
import pytest

from gaitd_train import data
from gaitd_train.cli import main

HEADER = "t,who,what,ax,ay\n"


def rows(person: str, activity: str, count: int, start: float = 0.0, rate: float = 50) -> str:
    return "".join(f"{start + i / rate:.3f},{person},{activity},{i},{-i}\n" for i in range(count))


def everyone(people: tuple[str, ...], activities: tuple[str, ...], count: int) -> str:
    return "".join(rows(person, activity, count) for person in people for activity in activities)


def prepare(tmp_path, text: str, *more: str) -> int:
    (tmp_path / "in.csv").write_text(text)
    flags = {
        "--name": "ward",
        "--label-column": "what",
        "--subject-column": "who",
        "--channels": "ax:g,ay:m/s2",
        "--rate": "50",
        "--window": "20",
        "--hop": "10",
        "--out": str(tmp_path / "out.npz"),
    }
    given = dict(zip(more[::2], more[1::2], strict=True))
    arguments = [part for pair in ({**flags, **given}).items() for part in pair]
    return main(["prepare", "csv", str(tmp_path / "in.csv"), *arguments])


THREE = everyone(("bob", "ann", "eve"), ("walk", "rest"), 40)


def test_a_csv_becomes_a_task_of_its_own(tmp_path, capsys):
    assert prepare(tmp_path, HEADER + THREE) == 0
    dataset = data.load(tmp_path / "out.npz")
    task = dataset.task
    assert (task.name, task.labels, task.window, task.hop) == ("ward", ("rest", "walk"), 20, 10)
    assert task.sample_rate_hz == 50 and isinstance(task.sample_rate_hz, int)
    assert [(channel.name, channel.unit) for channel in task.channels] == [("ax", "g"), ("ay", "m/s2")]
    assert task.input_channels == task.channels and task.conditioning == ()
    # 40 samples give windows at 0, 10 and 20; ann is 1, bob 2 and eve, the third, tests.
    assert dataset.train.x.shape == (12, 2, 20) and dataset.test.x.shape == (6, 2, 20)
    assert set(dataset.test.subject.tolist()) == {3}
    assert dataset.train.x[1, :, 0].tolist() == [10, -10]
    with np.load(tmp_path / "out.npz") as archive:
        assert archive["subject_names"].tolist() == ["ann", "bob", "eve"]
    printed = capsys.readouterr().out
    assert "subjects: 1 = ann, 2 = bob, 3 = eve" in printed and printed.startswith("ward\n")


def test_order_test_subjects_and_several_files(tmp_path):
    more = tmp_path / "more.csv"
    more.write_text(HEADER + rows("10", "walk", 20) + rows("10", "rest", 20))
    text = HEADER + everyone(("2", "1"), ("walk", "rest"), 20)
    (tmp_path / "in.csv").write_text(text)
    base = ["--name", "ward", "--label-column", "what", "--subject-column", "who", "--channels", "ax:g"]
    size = ["--rate", "12.5", "--window", "20", "--hop", "20", "--out", str(tmp_path / "out.npz")]
    choice = ["--labels", "walk,rest", "--test-subjects", "10,1"]
    assert main(["prepare", "csv", str(tmp_path / "in.csv"), str(more), *base, *size, *choice]) == 0
    dataset = data.load(tmp_path / "out.npz")
    assert dataset.task.labels == ("walk", "rest") and dataset.task.sample_rate_hz == 12.5
    # Whole numbers are in their own order: 1, 2, 10 become 1, 2, 3.
    assert dataset.train.subject.tolist() == [2, 2] and dataset.test.subject.tolist() == [1, 1, 3, 3]


def test_windows_cross_no_gap(tmp_path):
    # Two samples missing after the first 20: a step of three periods.
    gap = rows("bob", "walk", 20) + rows("bob", "walk", 20, 22 / 50)
    text = HEADER + gap + everyone(("ann", "bob"), ("rest", "walk"), 20)
    assert prepare(tmp_path, text, "--time-column", "t") == 0
    dataset = data.load(tmp_path / "out.npz")
    assert len(dataset.train) + len(dataset.test) == 6
    assert prepare(tmp_path, text) == 0
    dataset = data.load(tmp_path / "out.npz")
    assert len(dataset.train) + len(dataset.test) == 7, "without a time column the rows follow each other"


def test_random_windows(tmp_path):
    assert prepare(tmp_path, HEADER + THREE, "--split", "random-windows") == 0
    dataset = data.load(tmp_path / "out.npz")
    assert dataset.source == "ward (random windows: the same people on both sides)"
    assert (len(dataset.train), len(dataset.test)) == (13, 5)


@pytest.mark.parametrize(
    ("text", "flags", "message"),
    [
        (
            HEADER + THREE,
            ("--label-column", "activity"),
            "has no column ['activity']; its columns are ['t', 'who'",
        ),
        (HEADER + THREE, ("--channels", "ax:g,az:g"), "has no column ['az']"),
        (HEADER + THREE, ("--time-column", "time"), "has no column ['time']"),
        (HEADER + "0,bob,walk,1,2\n0.02,bob,walk,one,2\n", (), "line 3: column 'ax' holds 'one'"),
        (HEADER + "0,bob,walk,1,nan\n", (), "line 2: column 'ay' holds 'nan'"),
        (HEADER + "0,bob,walk,1,\n", (), "line 2: column 'ay' holds ''"),
        (HEADER + "\n0,bob,walk,1\n", (), "line 3: 4 values for 5 columns"),
        (HEADER + "0,,walk,1,2\n", (), "line 2: no activity or no subject"),
        (HEADER, (), "holds no samples"),
        ("", (), "has no column"),
        (
            HEADER + THREE,
            ("--window", "41"),
            "no run of 41 samples of one subject and activity without a gap; the longest has 40",
        ),
        (HEADER + rows("bob", "walk", 40) + rows("bob", "rest", 40), (), "only one subject ('bob')"),
        (HEADER + rows("bob", "walk", 40) + rows("ann", "walk", 40), (), "holds only 'walk'"),
        (HEADER + THREE, ("--labels", "walk"), "--labels: column 'what' also holds ['rest']"),
        (HEADER + THREE, ("--labels", "walk,rest,run"), "--labels: column 'what' holds no ['run']"),
        (HEADER + THREE, ("--labels", "walk,rest,walk"), "--labels: names an activity twice"),
        (HEADER + THREE, ("--test-subjects", "joe"), "--test-subjects: no subject ['joe']"),
        (HEADER + THREE, ("--test-subjects", "ann,bob,eve"), "no window for the train split"),
        (
            HEADER + THREE,
            ("--test-subjects", "ann", "--split", "random-windows"),
            "--test-subjects has no meaning",
        ),
        (HEADER + THREE, ("--name", "hapt"), "'hapt' is a data set of its own"),
        (HEADER + THREE, ("--name", "My ward"), "must be lower-case letters"),
        (HEADER + THREE, ("--rate", "0"), "--rate: must be positive"),
        (HEADER + THREE, ("--channels", "ax:g,ax:g"), "--channels: names ['ax'] twice"),
        (HEADER + THREE + rows("bob", "run", 19), (), "no window of run in either split"),
    ],
)
def test_errors_name_the_fault(tmp_path, capsys, text, flags, message):
    assert prepare(tmp_path, text, *flags) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()


def test_malformed_flags_and_missing_files(tmp_path, capsys):
    with pytest.raises(SystemExit):
        prepare(tmp_path, HEADER + THREE, "--channels", "ax")
    assert "must be COLUMN:UNIT" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        prepare(tmp_path, HEADER + THREE, "--labels", "walk,,rest")
    assert "names separated by commas" in capsys.readouterr().err
    base = ["--name", "ward", "--label-column", "a", "--subject-column", "b", "--channels", "c:g"]
    size = ["--rate", "1", "--window", "1", "--hop", "1", "--out", str(tmp_path / "out.npz")]
    assert main(["prepare", "csv", str(tmp_path / "missing.csv"), *base, *size]) == 1
    assert "not a readable CSV file" in capsys.readouterr().err
