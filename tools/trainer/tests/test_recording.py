"""`gaitd-train prepare recording`: windows of recordings in gaitd's form, and what is refused."""

import gzip
import json

import numpy as np
import pytest

from gaitd_train import data
from gaitd_train.cli import main
from gaitd_train.datasets import recording

CHANNELS = (("acc_x", "g"), ("acc_y", "m/s2"))


def rows(person: str, activity: str, count: int) -> list[tuple[str, str, int]]:
    return [(person, activity, i) for i in range(count)]


def everyone(people: tuple[str, ...], activities: tuple[str, ...], count: int) -> list:
    return [row for person in people for activity in activities for row in rows(person, activity, count)]


def write(folder, body: list, name: str = "ward", rate=50, gzipped=False, gaps=(), edit=None, **info):
    """A recording of samples (subject, activity, number); before those at `gaps` a second is missing."""
    time, lines = 0.0, []
    for place, (person, activity, i) in enumerate(body):
        time += (1 + (place in gaps) * rate) / rate if place else 0
        lines.append(f"{time:.6f},{i:.6f},{-i:.6f},{activity},{person}")
    text = f"# rate_hz={rate}\nt [s],acc_x [g],acc_y [m/s2],label,subject\n" + "\n".join(lines) + "\n"
    if edit:
        text = edit(text)
    file = f"{name}.csv" + ".gz" * gzipped
    with (gzip.open if gzipped else open)(folder / file, "wt") as out:
        out.write(text)
    description = {
        "form": "gaitd-recording",
        "version": 1,
        "name": name,
        "samples_file": file,
        "rate_hz": rate,
        "time_unit": "s",
        "channels": [{"name": channel, "unit": unit} for channel, unit in CHANNELS],
        "labelled": True,
        "with_subjects": True,
        "samples": len(body),
    }
    (folder / f"{name}.json").write_text(json.dumps(description | info))
    return folder / name


def prepare(tmp_path, paths, *more: str) -> int:
    flags = {"--window": "20", "--hop": "10", "--out": str(tmp_path / "out.npz")}
    flags |= dict(zip(more[::2], more[1::2], strict=True))
    arguments = [part for pair in flags.items() for part in pair]
    return main(["prepare", "recording", *map(str, paths), *arguments])


THREE = everyone(("bob", "ann", "eve"), ("walk", "rest"), 40)


@pytest.mark.parametrize("gzipped", [False, True])
def test_a_recording_becomes_a_task_of_its_own(tmp_path, capsys, gzipped):
    assert prepare(tmp_path, [write(tmp_path, THREE, gzipped=gzipped)]) == 0
    dataset = data.load(tmp_path / "out.npz")
    task = dataset.task
    assert (task.name, task.labels, task.window, task.hop) == ("ward", ("rest", "walk"), 20, 10)
    assert task.sample_rate_hz == 50 and isinstance(task.sample_rate_hz, int)
    assert [(channel.name, channel.unit) for channel in task.channels] == list(CHANNELS)
    assert task.input_channels == task.channels and task.conditioning == ()
    # 40 samples give windows at 0, 10 and 20; ann is 1, bob 2 and eve, the third, tests.
    assert dataset.train.x.shape == (12, 2, 20) and dataset.test.x.shape == (6, 2, 20)
    assert set(dataset.test.subject.tolist()) == {3}
    assert dataset.train.x[1, :, 0].tolist() == [10, -10]
    with np.load(tmp_path / "out.npz") as archive:
        assert archive["subject_names"].tolist() == ["ann", "bob", "eve"]
    printed = capsys.readouterr().out
    assert "subjects: 1 = ann, 2 = bob, 3 = eve" in printed and printed.startswith("ward\n")
    assert "50 Hz, acc_x [g], acc_y [m/s2]" in printed


def test_order_test_subjects_channels_and_several_recordings(tmp_path):
    paths = [
        write(tmp_path, everyone(("2", "1"), ("walk", "rest"), 20), rate=12.5),
        write(tmp_path, everyone(("10",), ("walk", "rest"), 20), "more", rate=12.5).with_suffix(".csv"),
    ]
    choice = ["--labels", "walk,rest", "--test-subjects", "10,1", "--channels", "acc_y", "--name", "gym"]
    assert prepare(tmp_path, paths, *choice) == 0
    dataset = data.load(tmp_path / "out.npz")
    assert dataset.task.labels == ("walk", "rest") and dataset.task.sample_rate_hz == 12.5
    assert dataset.task.name == "gym" and [channel.name for channel in dataset.task.channels] == ["acc_y"]
    # Whole numbers are in their own order: 1, 2, 10 become 1, 2, 3.
    assert dataset.train.subject.tolist() == [2, 2] and dataset.test.subject.tolist() == [1, 1, 3, 3]


def test_windows_cross_no_gap_and_hold_no_sample_without_an_activity(tmp_path, capsys):
    samples = rows("bob", "walk", 40) + rows("bob", "rest", 20) + rows("ann", "walk", 20)
    # a gap after the first 15 of the 40; the last 20 have no activity, and nobody is the last one
    samples += rows("ann", "", 20) + rows("", "walk", 20) + rows("ann", "rest", 20)
    assert prepare(tmp_path, [write(tmp_path, samples, gaps=(15,))]) == 0
    dataset = data.load(tmp_path / "out.npz")
    assert len(dataset.train) + len(dataset.test) == 4
    printed = capsys.readouterr().out
    assert "20 samples without activity are passed over" in printed
    assert "20 samples without subject are passed over" in printed
    assert "1 gaps, across which no window lies" in printed


def test_raw_samples_of_each_channel(tmp_path):
    read = recording.read(write(tmp_path, THREE, gaps=(40,)))
    assert read.channel("acc_y").tolist() == [-i for _, _, i in THREE]
    assert np.flatnonzero(~read.joined).tolist() == [39]
    assert read.label[0] == "walk" and read.subject[-1] == "eve"


def test_random_windows(tmp_path):
    assert prepare(tmp_path, [write(tmp_path, THREE)], "--split", "random-windows") == 0
    dataset = data.load(tmp_path / "out.npz")
    assert dataset.source == "ward (random windows: the same people on both sides)"
    assert (len(dataset.train), len(dataset.test)) == (13, 5)


def test_a_rate_that_contradicts_the_time_column_is_refused(tmp_path, capsys):
    def doubled(text: str) -> str:
        _, header, *lines = text.splitlines()
        halved = [f"{float(line.split(',', 1)[0]) / 2:.6f},{line.split(',', 1)[1]}" for line in lines]
        return "\n".join(["# rate_hz=50", header, *halved]) + "\n"

    assert prepare(tmp_path, [write(tmp_path, THREE, edit=doubled)]) == 1
    assert "the time column says 100.0 samples per second, rate_hz says 50" in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize(
    ("samples", "info", "flags", "message"),
    [
        (
            THREE,
            {},
            ("--window", "41"),
            "no run of 41 samples of one subject and activity without a gap; the longest has 40",
        ),
        (rows("bob", "walk", 40) + rows("bob", "rest", 40), {}, (), "only one subject (bob)"),
        (rows("bob", "walk", 40) + rows("ann", "walk", 40), {}, (), "there is only ['walk']"),
        (THREE, {}, ("--labels", "walk"), "--labels: there is also ['rest']"),
        (THREE, {}, ("--labels", "walk,rest,run"), "--labels: there is no ['run']"),
        (THREE, {}, ("--labels", "walk,rest,walk"), "--labels: names ['walk'] twice"),
        (THREE, {}, ("--test-subjects", "joe"), "--test-subjects: no subject ['joe']"),
        (THREE, {}, ("--test-subjects", "ann,bob,eve"), "no window for the train split"),
        (THREE, {}, ("--test-subjects", "ann", "--split", "random-windows"), "has no meaning with --split"),
        (THREE, {}, ("--name", "hapt"), "'hapt' is a data set of its own"),
        (THREE, {"name": "My ward"}, (), "must be lower-case letters"),
        (THREE, {}, ("--channels", "acc_x,acc_z"), "has no ['acc_z']; it has ['acc_x', 'acc_y']"),
        (THREE, {}, ("--channels", "acc_x,acc_x"), "--channels: names ['acc_x'] twice"),
        (THREE + rows("bob", "run", 19), {}, (), "no window of run in either split"),
        (THREE, {"samples": 7}, (), "holds 240 samples, and ward.json says 7"),
        (THREE, {"version": 2}, (), "is of version 2, and this gaitd-train reads 1"),
        (THREE, {"form": "wav"}, (), "its form is not gaitd-recording"),
        (THREE, {"rate_hz": 25}, (), "its first line is not `# rate_hz=25`"),
        (THREE, {"rate_hz": -1}, (), "its rate_hz is -1"),
        (THREE, {"channels": [{"name": "acc_x"}]}, (), "lacks or misstates 'unit'"),
        (THREE, {"labelled": False}, (), "and its JSON says"),
        (THREE, {"time_unit": "ms"}, (), "its time_unit is 'ms'"),
    ],
)
def test_errors_name_the_fault(tmp_path, capsys, samples, info, flags, message):
    assert prepare(tmp_path, [write(tmp_path, samples, **info)], *flags) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda text: text.replace("5.000000,-5", "five,-5", 1), "could not convert string to float: 'five'"),
        (lambda text: text.replace("5.000000,-5", "nan,-5", 1), "line 8: 'nan' is not a finite number"),
        (lambda text: text.replace("5.000000,-5", ",-5", 1), "could not convert"),
        (lambda text: text.replace(",walk,bob", ",walk", 1), "line 3: 4 fields for 5 columns"),
        (lambda text: text.replace("0.060000", "0.020000", 1), "line 6: its time is not after"),
        (lambda text: text.replace("acc_x [g]", "acc_x"), "its columns are"),
        (lambda text: text.split("\n", 1)[1], "its first line is not"),
        (lambda text: text[:60], "1 fields for 5 columns"),
        (lambda text: text[: text.index("0.000000")], "holds no samples"),
    ],
)
def test_other_forms_are_refused_and_gaitd_import_is_named(tmp_path, capsys, edit, message):
    assert prepare(tmp_path, [write(tmp_path, THREE, edit=edit)]) == 1
    error = capsys.readouterr().err
    assert message in error and "`gaitd import FILE... -o RECORDING`" in error


def test_people_s_own_files_are_refused_and_gaitd_import_is_named(tmp_path, capsys):
    (tmp_path / "walk.csv").write_text("t,acc_x,acc_y,who,what\n0,1,2,ann,walk\n")
    assert prepare(tmp_path, [tmp_path / "walk.csv"]) == 1
    error = capsys.readouterr().err
    assert "walk.json: no such file" in error and "`gaitd import" in error


def test_recordings_of_other_forms_and_without_tags(tmp_path, capsys):
    paths = [write(tmp_path, THREE), write(tmp_path, THREE, "fast", rate=100)]
    assert prepare(tmp_path, paths) == 1
    assert "acc_y [m/s2] at 100 Hz, and" in capsys.readouterr().err

    def bare(text: str) -> str:
        first, *lines = text.splitlines()
        return "\n".join([first, *(line.rsplit(",", 1)[0] for line in lines)])

    without = write(tmp_path, THREE, edit=bare, with_subjects=False)
    assert prepare(tmp_path, [without]) == 1
    assert "names no subjects; import it with a column of them (--subject-column)" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        prepare(tmp_path, [without], "--labels", "walk,,rest")
    assert "names separated by commas" in capsys.readouterr().err
