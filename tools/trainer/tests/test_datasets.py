"""Loaders: official files in all their wrappings, their known faults, counts, splits, and what is refused."""

import dataclasses
from pathlib import Path

import numpy as np
import official
import pytest

from gaitd_train import data, datasets
from gaitd_train.cli import main
from gaitd_train.datasets import hapt, pamap2, split, wisdm, wisdm_watch
from gaitd_train.datasets.counts import Fact
from gaitd_train.datasets.windows import cut, runs, starts
from gaitd_train.errors import UserError
from gaitd_train.fetch import ARCHIVES
from gaitd_train.task import HAPT, PAMAP2, TASKS, UCI_HAR, UNIMIB_SHAR, WISDM, WISDM_WATCH

WRITERS = {
    "uci-har": official.uci_har,
    "hapt": official.hapt,
    "wisdm": official.wisdm,
    "wisdm-watch": official.wisdm_watch_files,
    "unimib-shar": official.unimib_shar,
    "pamap2": official.pamap2_files,
}

# Windows and subjects of the training and of the test split.
SPLITS = {
    "uci-har": ((6, {1}), (4, {2})),
    "hapt": ((24, {1}), (24, {2})),
    "wisdm": ((12, {1, 2}), (6, {3})),
    "wisdm-watch": ((36, {1600, 1601}), (18, {1602})),
    "unimib-shar": ((34, {1, 2}), (17, {3})),
    "pamap2": ((12, {101}), (12, {105})),
}


@pytest.fixture(scope="module", params=WRITERS)
def small(request, tmp_path_factory) -> tuple[str, Path]:
    """A data set's name, and a folder with a small copy of it in the official form."""
    folder = tmp_path_factory.mktemp(request.param)
    WRITERS[request.param](folder)
    return request.param, folder


def forms(folder: Path, scratch: Path) -> dict[str, Path]:
    inner = official.zipped(folder, scratch / "inner.zip")
    return {
        "folder": folder,
        "inner folder": next(path for path in sorted(folder.iterdir()) if path.is_dir()),
        "zip": inner,
        "zip in zip": official.wrapped(inner, scratch / "outer.zip"),
        "tar.gz": official.tarred(folder, scratch / "archive.tar.gz"),
    }


def accept_counts(monkeypatch, name: str) -> None:
    """Makes whatever a loader counts the published number."""

    class AnyCount(Fact):
        def holds(self, found):
            return True

    loader = datasets.LOADERS[name]
    facts = tuple(AnyCount(fact.name, fact.expected) for fact in loader.facts)
    monkeypatch.setitem(datasets.LOADERS, name, dataclasses.replace(loader, facts=facts))


def test_every_task_has_a_loader_and_every_publisher_an_archive():
    assert set(datasets.LOADERS) == set(TASKS)
    assert set(ARCHIVES) == set(TASKS) - {"wisdm-windows128"}


def test_every_official_form_gives_the_same_windows(small, tmp_path, monkeypatch):
    name, folder = small
    accept_counts(monkeypatch, name)
    first = None
    for form, source in forms(folder, tmp_path).items():
        target = tmp_path / "prepared" / f"{form}.npz"
        datasets.prepare(name, source, target)
        dataset = data.load(target)
        assert dataset.task == TASKS[name]
        assert dataset.source == TASKS[name].title
        for windows, (count, subjects) in zip((dataset.train, dataset.test), SPLITS[name], strict=True):
            assert windows.x.shape == (count, len(TASKS[name].channels), TASKS[name].window), form
            assert set(windows.subject.tolist()) == subjects
        first = first or dataset
        np.testing.assert_array_equal(dataset.train.x, first.train.x)
        np.testing.assert_array_equal(dataset.test.y, first.test.y)


def test_an_incomplete_copy_needs_partial_and_is_marked_in_reports(small, tmp_path, capsys):
    name, folder = small
    target = tmp_path / "prepared.npz"
    with pytest.raises(UserError, match=r"an incomplete copy of .*: found .* of .*--partial"):
        datasets.prepare(name, folder, target)
    assert not target.exists()
    done = datasets.prepare(name, folder, target, partial=True)
    assert "incomplete copy: " in capsys.readouterr().err
    assert data.load(target, TASKS[name]).source == done.source
    fact = datasets.LOADERS[name].facts[0]
    assert f"of {fact.expected:,} {fact.name}" in done.source
    assert done.source.startswith(f"{TASKS[name].title} (incomplete copy: ")


def test_random_windows_are_marked_in_reports(small, tmp_path, monkeypatch):
    name, folder = small
    accept_counts(monkeypatch, name)
    done = datasets.prepare(name, folder, tmp_path / "prepared.npz", split.RANDOM_WINDOWS)
    dataset = data.load(done.path)
    assert dataset.source == f"{TASKS[name].title} (random windows: the same people on both sides)"
    everything = len(dataset.train) + len(dataset.test)
    assert everything == sum(count for count, _ in SPLITS[name])
    assert len(dataset.train) == round(0.7 * everything)
    assert set(dataset.train.subject) & set(dataset.test.subject)


def test_command_line_prints_a_table(tmp_path, capsys):
    official.wisdm(tmp_path)
    target = tmp_path / "out" / "wisdm.npz"
    assert main(["prepare", "wisdm", str(tmp_path), "--out", str(target)]) == 1
    assert "--partial" in capsys.readouterr().err
    assert main(["prepare", "wisdm", str(tmp_path), "--partial", "--out", str(target)]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0] == (
        "WISDM v1.1 (incomplete copy: 3 of 36 users, 3,600 of 1,098,207 examples, "
        "600 of 424,400 Walking examples, 600 of 342,177 Jogging examples, 600 of 122,869 Upstairs examples, "
        "600 of 100,427 Downstairs examples, 600 of 59,939 Sitting examples, 600 of 48,395 Standing examples)"
    )
    assert "train  12 x 3 x 200 (windows x channels x samples), 2 subjects: 1 2" in lines
    assert "walking           2        1" in lines
    assert lines[-1] == str(target)


def test_help_lists_the_data_sets(capsys):
    with pytest.raises(SystemExit):
        main(["prepare", "--help"])
    text = capsys.readouterr().out
    assert all(name in text for name in (*TASKS, "recording"))


# --- Windows and splits


@pytest.mark.parametrize("seed", range(20))
def test_windows_stay_inside_their_run_and_none_is_missing(seed):
    rng = np.random.default_rng(seed)
    samples = int(rng.integers(0, 300))
    keys = [np.repeat(rng.integers(0, 3, 300), rng.integers(1, 40, 300))[:samples] for _ in range(2)]
    joined = rng.random(max(samples - 1, 0)) > 0.03
    window, hop = int(rng.integers(1, 20)), int(rng.integers(1, 25))
    stretches = runs(*keys, joined=joined)
    # Runs cover everything once, in order.
    np.testing.assert_array_equal(
        np.concatenate([np.arange(first, end) for first, end in stretches] + [[]]), np.arange(samples)
    )
    found = starts(stretches, window, hop).tolist()
    expected, run_start = [], 0
    for index in range(samples):
        if index and (any(key[index] != key[index - 1] for key in keys) or not joined[index - 1]):
            run_start = index
        inside = index + window <= samples and all(
            joined[i] and all(key[i] == key[i + 1] for key in keys) for i in range(index, index + window - 1)
        )
        if inside and (index - run_start) % hop == 0:
            expected.append(index)
    assert found == expected
    signal = rng.normal(size=(samples, 2))
    windows = cut(signal, np.array(found, int), window)
    assert windows.shape == (len(found), 2, window) and windows.dtype == np.float32
    for x, first in zip(windows, found, strict=True):
        np.testing.assert_array_equal(x, signal[first : first + window].T.astype(np.float32))


def test_every_third_subject_is_for_the_test():
    assert split.every_third([7, 3, 5, 9, 11, 1, 3, 13]) == {5, 11}
    assert split.every_third([4, 2]) == {4}
    assert split.every_third([4]) == set()
    assert split.every_third(range(1, 37)) == set(range(3, 37, 3))


def test_random_windows_are_the_same_at_every_call():
    test = split.random_windows(1000)
    assert test.sum() == 300
    np.testing.assert_array_equal(test, split.random_windows(1000))


# --- UCI-HAR


def test_uci_har_reads_every_channel(tmp_path):
    content = official.uci_har(tmp_path)
    datasets.prepare("uci-har", tmp_path, tmp_path / "out.npz", partial=True)
    dataset = data.load(tmp_path / "out.npz", UCI_HAR)
    for name, windows in (("train", dataset.train), ("test", dataset.test)):
        for index, channel in enumerate(UCI_HAR.channels):
            np.testing.assert_allclose(windows.x[:, index], content[name, channel.name], rtol=1e-6)
        np.testing.assert_array_equal(windows.y, content[name, "y"] - 1)
        np.testing.assert_array_equal(windows.subject, content[name, "subject"])


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


def _empty(folder):
    (folder / "train/Inertial Signals/body_acc_x_train.txt").write_text("")


def _seventh_activity(folder):
    (folder / "test/y_test.txt").write_text("1\n2\n3\n7\n")


def _half_activity(folder):
    (folder / "test/y_test.txt").write_text("1\n2\n3\n2.5\n")


def _leak(folder):
    (folder / "test/subject_test.txt").write_text("2\n2\n1\n2\n")


@pytest.mark.filterwarnings("ignore:loadtxt")
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_remove, "lacks train/Inertial Signals/body_gyro_y_train.txt"),
        (_shorten, "the test files differ in their number of lines"),
        (_spoil, "body_acc_x_train.txt"),
        (_poison, "body_acc_x_train.txt: line 3 holds a value that is not finite"),
        (_narrow, "expected 128 numbers per line"),
        (_empty, "holds no line of numbers"),
        (_seventh_activity, "activities must lie in 1..6"),
        (_half_activity, "expected whole numbers"),
        (_leak, "subjects [1] are in both splits"),
    ],
)
def test_uci_har_errors_name_the_fault(tmp_path, damage, message):
    folder = tmp_path / "source"
    official.uci_har(folder)
    damage(folder / "UCI HAR Dataset")
    for source in (folder, official.zipped(folder, tmp_path / "archive.zip")):
        with pytest.raises(UserError) as error:
            datasets.prepare("uci-har", source, tmp_path / "out.npz", partial=True)
        assert message in str(error.value)
    assert not (tmp_path / "out.npz").exists()


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    def refused(source, message):
        with pytest.raises(UserError, match=message):
            datasets.prepare("uci-har", source, tmp_path / "out.npz")

    refused(tmp_path / "missing.zip", "fetch uci-har")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 truncated")
    refused(tmp_path / "broken.zip", "not a readable zip or tar archive")
    refused(
        official.wrapped(tmp_path / "broken.zip", tmp_path / "outer.zip"), r"outer.zip/broken.zip: not a re"
    )
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", r"expected one `train/y_train.txt` below it, found 0")
    official.uci_har(tmp_path / "twice" / "one")
    official.uci_har(tmp_path / "twice" / "two")
    refused(tmp_path / "twice", r"expected one `train/y_train.txt` below it, found 2")


def test_a_damaged_file_in_an_archive_is_named(tmp_path):
    official.uci_har(tmp_path / "source")
    path = official.zipped(tmp_path / "source", tmp_path / "archive.zip")
    content = bytearray(path.read_bytes())
    start = content.index(b"body_acc_x_train.txt") + 60
    content[start : start + 400] = bytes(400)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"body_acc_x_train.txt is damaged"):
        datasets.prepare("uci-har", path, tmp_path / "out.npz")


# --- HAPT


def test_hapt_windows_lie_inside_their_segments(tmp_path):
    official.hapt(tmp_path)
    windows = hapt.LOADER.read(tmp_path).windows
    labels = np.loadtxt(tmp_path / "HAPT Data Set/RawData/labels.txt", int)
    for (recording, first), y in zip(windows.origin.tolist(), windows.y.tolist(), strict=True):
        own = labels[
            (labels[:, 0] == recording) & (labels[:, 3] <= first + 1) & (labels[:, 4] >= first + HAPT.window)
        ]
        assert own[:, 2].tolist() == [y]
    assert windows.origin[:2].tolist() == [[1, 0], [1, 64]]


def test_hapt_from_arrays_gives_the_same_windows(tmp_path):
    official.hapt(tmp_path)
    raw = tmp_path / "HAPT Data Set" / "RawData"
    parts = [
        np.concatenate(
            [np.loadtxt(raw / f"{sensor}_exp0{n}_user0{n}.txt") for sensor in ("acc", "gyro")], axis=1
        )
        for n in (1, 2)
    ]
    np.savez(
        tmp_path / "hapt.npz",
        acc_gyro=np.concatenate(parts),
        exp=np.repeat([1, 2], [len(part) for part in parts]),
        labels_txt=np.loadtxt(raw / "labels.txt", int),
    )
    text, arrays = (hapt.LOADER.read(source).windows for source in (tmp_path, tmp_path / "hapt.npz"))
    for name in ("x", "y", "subject", "origin"):
        np.testing.assert_array_equal(getattr(text, name), getattr(arrays, name))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 1 13 1 200", "expected recording, user, activity 1..12"),
        ("1 1 1 200 100", "expected recording, user, activity 1..12"),
        ("1 1 1 1 99999", "names sample 99999 of recording 1, which has 2520"),
        ("1 2 1 1 200", "gives recording 1 to the users"),
        ("3 3 1 1 200", "lacks RawData/acc_exp03_user03.txt"),
        ("1 1 1 1", "labels.txt"),
    ],
)
def test_hapt_errors_name_the_fault(tmp_path, line, message):
    official.hapt(tmp_path)
    path = tmp_path / "HAPT Data Set/RawData/labels.txt"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(UserError) as error:
        hapt.LOADER.read(tmp_path)
    assert message in str(error.value)


def test_hapt_sensors_must_agree(tmp_path):
    official.hapt(tmp_path)
    path = tmp_path / "HAPT Data Set/RawData/gyro_exp02_user02.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-5]))
    with pytest.raises(UserError, match="recording 2 has 2520 samples of acceleration and 2515"):
        hapt.LOADER.read(tmp_path)


# --- WISDM v1.1


def test_wisdm_reads_records_with_all_known_faults():
    text = "\n".join(
        [
            "33,Jogging,49105962326000,-0.6946377,12.680544,0.50395286;",
            "",
            "33,Jogging,49106062271000,5.0,11.2,0.9;33,Jogging,49106112167000,4.9,10.8,-0.08;",
            "33,Walking,49106222305000,-0.61,18.4,,;",
            "33,Walking,49106332290000,-1.1,12.1,;",
            "33,Walking,49106442306000,-1.2,12.2,7.2,;",
            "6,Upstairs,0,0.0,0.0,0.0;;",
            ";",
            "6,Downstairs,5,1.5,2.5,3.5",
            "6,Flying,6,1,2,3;",
            "6,Sitting,seven,1,2,3;",
            "6,Sitting,8,1,2,nan;",
            "6,Sitting,9,1,2,3,4;",
            " 7 , Standing , 10 , 1 , 2 , 3 ; ",
        ]
    )
    user, activity, time, xyz, dropped = wisdm.parse(text.replace("\n", "\r\n"))
    assert user.tolist() == [33, 33, 33, 33, 6, 6, 7]
    assert activity.tolist() == [2, 2, 2, 1, 3, 4, 6]
    assert time[-3:].tolist() == [0, 5, 10]
    assert xyz[3].tolist() == [-1.2, 12.2, 7.2]
    assert dropped == {"missing value": 2, "unreadable": 4}


def write_wisdm(folder: Path, lines: list[str]) -> Path:
    path = folder / wisdm.FILE
    path.write_text("\n".join(lines) + "\n")
    return path


def test_wisdm_windows_cross_neither_gap_nor_person(tmp_path):
    step = 50_000_000
    quiet = official.wisdm_records(1, "Walking", 150)
    late = official.wisdm_records(1, "Walking", 199, 10**12 + 150 * step + wisdm.LONGEST_STEP_NS)
    back = official.wisdm_records(1, "Walking", 199, 5 * 10**11)
    repeated = [
        line.replace(",1000050000000,", ",1000000000000,")
        for line in official.wisdm_records(2, "Jogging", 200)
    ]
    source = write_wisdm(tmp_path, quiet + late + back + repeated)
    loaded = wisdm.LOADER.read(source)
    assert loaded.windows.subject.tolist() == [2], (
        "a gap above 0.5 s and a jump back end a run, a repeat does not"
    )
    joined = official.wisdm_records(1, "Walking", 199, 10**12 + 149 * step + wisdm.LONGEST_STEP_NS)
    loaded = wisdm.LOADER.read(write_wisdm(tmp_path, quiet + joined))
    assert loaded.windows.x.shape == (2, 3, 200)


def test_wisdm_drops_and_counts(tmp_path):
    lines = official.wisdm_records(1, "Walking", 203)
    lines[100] = "1,Walking,0,0,0,0;"
    lines[120] = "1,Walking,1000000000000,1.0,2.0,;"
    loaded = wisdm.LOADER.read(write_wisdm(tmp_path, lines))
    assert loaded.notes == ("records dropped: 1 missing value, 0 unreadable, 1 no timestamp",)
    assert loaded.counts["examples"] == 202, "published counts include records without a timestamp"
    assert len(loaded.windows.y) == 1
    assert loaded.windows.x[0, 0, 99:101].tolist() == pytest.approx([0.99, 1.01])


def test_wisdm_without_a_record_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no record"):
        wisdm.LOADER.read(write_wisdm(tmp_path, ["nothing"]))


def test_wisdm_counts_allow_for_malformed_lines_only():
    fact = next(fact for fact in wisdm.LOADER.facts if fact.name == "Walking examples")
    assert fact.holds(424_397) and not fact.holds(424_000)
    assert sum(f.expected for f in wisdm.LOADER.facts if f.name.endswith(" examples")) == 1_098_207


# --- WISDM 2019, watch


def watch(folder: Path, lines: list[str], subject: int = 1600) -> Path:
    path = folder / "raw" / "watch" / "accel" / f"data_{subject}_accel_watch.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return folder


def watch_lines(steps_ms: np.ndarray, letter: str = "A") -> list[str]:
    times = 252207918580802 + np.concatenate([[0], np.cumsum(steps_ms * 1e6)]).astype(np.int64)
    return [f"1600,{letter},{time},{index},0,9.8;" for index, time in enumerate(times)]


@pytest.mark.parametrize(
    ("step_ms", "breaks"), [(50, 0), (45.1, 0), (54.9, 0), (44, 1), (56, 1), (-50, 1), (0, 1)]
)
def test_watch_windows_cross_no_odd_step(tmp_path, step_ms, breaks):
    steps = np.full(399, 50.0)
    steps[299] = step_ms
    loaded = wisdm_watch.LOADER.read(watch(tmp_path, watch_lines(steps)))
    assert loaded.windows.x[:, 0, 0].tolist() == ([0] if breaks else [0, 200])
    assert loaded.notes[0].startswith(f"{breaks} steps of another length")


def test_watch_letters_skip_n(tmp_path):
    lines = [line for letter in "MOS" for line in watch_lines(np.full(199, 50.0), letter)]
    windows = wisdm_watch.LOADER.read(watch(tmp_path, lines)).windows
    assert [WISDM_WATCH.labels[y - 1] for y in windows.y] == ["kicking", "catching", "folding-clothes"]
    with pytest.raises(UserError, match=r"unknown activities \['N'\]"):
        wisdm_watch.LOADER.read(watch(tmp_path, watch_lines(np.full(9, 50.0), "N")))


def test_watch_streams_follow_one_another_in_the_order_of_time(tmp_path):
    # B was recorded before A, with a stretch at another rate and half a second that is too short by itself
    late = watch_lines(np.full(99, 50.0), "A")
    steps = np.concatenate(
        [np.full(39, 50.0), np.full(30, 10.0), np.full(9, 50.0), [300.0], np.full(24, 50.0)]
    )
    early = watch_lines(steps, "B")
    start = 252207918580802
    early = [
        line.replace(str(time), str(time - 10**12), 1) for line, time in zip(early, times(early), strict=True)
    ]
    xyz, user, activity = wisdm_watch.in_order_of_time(watch(tmp_path, late + early))
    assert min(times(early)) < start and set(user) == {1600}
    kept = [*range(40), *range(79, 104)]
    assert xyz[:, 0].tolist() == [*kept, *range(100)]
    assert activity.tolist() == [2] * len(kept) + [1] * 100


def times(lines: list[str]) -> list[int]:
    return [int(line.split(",")[2]) for line in lines]


def test_watch_from_arrays_gives_the_same_windows(tmp_path):
    official.wisdm_watch_files(tmp_path)
    loaded = wisdm_watch.LOADER.read(tmp_path)
    xyz, user, activity, time = wisdm_watch._from_text(tmp_path)
    letters = np.array([ord(wisdm_watch.LETTERS[label - 1]) - ord("A") for label in activity])
    np.savez(tmp_path / "watch.npz", xyz=xyz, user=user, activity=letters, timestamp=time)
    arrays = wisdm_watch.LOADER.read(tmp_path / "watch.npz")
    assert arrays.counts == loaded.counts
    for name in ("x", "y", "subject"):
        np.testing.assert_array_equal(getattr(arrays.windows, name), getattr(loaded.windows, name))
    np.savez(tmp_path / "watch.npz", xyz=xyz, user=user, timestamp=time)
    with pytest.raises(UserError, match="activity"):
        wisdm_watch.LOADER.read(tmp_path / "watch.npz")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1600,A,252207918580802,1.0,2.0;", "data_1600_accel_watch.txt"),
        ("1600,A,252207918580802,1.0,2.0,x;", "data_1600_accel_watch.txt"),
        ("1600,A,252207918580802,1.0,2.0,nan;", "record 2 holds a value that is not finite"),
    ],
)
def test_watch_errors_name_the_fault(tmp_path, line, message):
    with pytest.raises(UserError, match=message):
        wisdm_watch.LOADER.read(watch(tmp_path, ["1600,A,252207918580802,1.0,2.0,3.0;", line]))


# --- WISDM v1.1, windows of 128


def windows128(path: Path, **changes) -> Path:
    classes = np.array(["Downstairs", "Jogging", "Sitting", "Standing", "Upstairs", "Walking"])
    arrays = {
        "X_centi_ms2": np.arange(18)[:, None, None] * np.ones((18, 128, 3), np.int16) + [0, 100, 200],
        "y": np.tile(np.arange(6, dtype=np.int8), 3),
        "classes": classes,
        "user": np.repeat([1, 2, 3], 6).astype(np.int8),
        "is_train": np.ones(18, bool),
    }
    np.savez(path, **{**arrays, **changes})
    return path


def test_windows128_are_metres_per_second_squared(tmp_path):
    source = windows128(tmp_path / "source.npz")
    done = datasets.prepare("wisdm-windows128", source, tmp_path / "out.npz", partial=True)
    dataset = data.load(done.path)
    assert dataset.source.startswith(
        "WISDM v1.1, approximate windows of 128 samples (incomplete copy: 18 of 7,292"
    )
    assert dataset.train.x[1, :, 5].tolist() == pytest.approx([0.01, 1.01, 2.01])
    assert [dataset.task.labels[y] for y in dataset.train.y[:6]] == [
        "downstairs",
        "jogging",
        "sitting",
        "standing",
        "upstairs",
        "walking",
    ]
    assert set(dataset.test.subject.tolist()) == {3}


def test_windows128_errors_name_the_fault(tmp_path):
    def refused(message, **changes):
        with pytest.raises(UserError, match=message):
            datasets.prepare(
                "wisdm-windows128", windows128(tmp_path / "s.npz", **changes), tmp_path / "out.npz"
            )

    refused("its classes are", classes=np.array(["a", "b", "c", "d", "e", "f"]))
    refused("do not fit together", y=np.zeros(17, np.int8))
    refused("do not fit together", y=np.full(18, 6, np.int8))


# --- UniMiB-SHAR


def test_unimib_axes_and_labels(tmp_path):
    official.unimib_shar(tmp_path)
    windows = datasets.LOADERS["unimib-shar"].read(tmp_path).windows
    assert windows.x[4, :, 150].tolist() == [1, 2, 3 + 5]
    assert windows.y[:17].tolist() == list(range(1, 18))
    assert windows.subject.tolist() == [1] * 17 + [2] * 17 + [3] * 17


def test_unimib_errors_name_the_fault(tmp_path):
    def refused(message):
        with pytest.raises(UserError, match=message):
            datasets.LOADERS["unimib-shar"].read(tmp_path)

    names = list(official.UNIMIB_NAMES)
    official.unimib_shar(tmp_path, [*names[1:], names[0]])
    refused("acc_names.mat: names the activities")
    folder = tmp_path / "UniMiB-SHAR" / "data"
    official.savemat(folder / "acc_names.mat", {"names": 1})
    refused("acc_names.mat: lacks the variable 'acc_names'")
    (folder / "acc_names.mat").write_bytes(b"no MATLAB")
    refused("acc_names.mat: not a readable MATLAB file")
    (folder / "acc_names.mat").unlink()
    refused("lacks data/acc_names.mat")


@pytest.mark.parametrize(
    ("variable", "values", "message"),
    [
        ("acc_data", np.ones((51, 452)), r"acc_data is \(51, 452\), expected 453 columns"),
        ("acc_data", np.full((51, 453), np.nan), "not finite"),
        ("acc_labels", np.ones((50, 3)), r"acc_labels is \(50, 3\) for 51 windows"),
        ("acc_labels", np.full((51, 3), 18), r"activities must lie in 1..17, found 18..18"),
    ],
)
def test_unimib_refuses_wrong_shapes(tmp_path, variable, values, message):
    official.unimib_shar(tmp_path)
    official.savemat(tmp_path / "UniMiB-SHAR" / "data" / f"{variable}.mat", {variable: values})
    with pytest.raises(UserError, match=message):
        datasets.LOADERS["unimib-shar"].read(tmp_path)


def test_unimib_from_arrays(tmp_path):
    x, y = np.ones((3, 3, 151), np.float32), np.array([0, 5, 16], np.int8)
    np.savez(tmp_path / "some.npz", X=x, y=y, subject=np.array([1, 2, 3], np.int8))
    windows = datasets.LOADERS["unimib-shar"].read(tmp_path / "some.npz").windows
    assert windows.y.tolist() == [1, 6, 17]
    assert len(UNIMIB_SHAR.labels) == 17


# --- PAMAP2


def pamap2_source(folder: Path, rows: np.ndarray) -> Path:
    (folder / "Protocol").mkdir(exist_ok=True)
    official.save_pamap2(folder / "Protocol" / "subject101.dat", rows)
    return folder


def test_pamap2_channels_and_activities(tmp_path):
    windows = pamap2.LOADER.read(pamap2_source(tmp_path, official.pamap2_rows((0, 24, 1), 512))).windows
    assert [PAMAP2.labels[y - 1] for y in windows.y] == ["rope-jumping", "lying"], "activity 0 is dropped"
    # The columns of the publisher's table, counted from 0.
    hand, chest, ankle = [4, 5, 6, 10, 11, 12], [21, 22, 23, 27, 28, 29], [38, 39, 40, 44, 45, 46]
    assert windows.x[0, :, 7].tolist() == hand + chest + ankle
    assert [channel.name for channel in PAMAP2.channels][6:10] == [
        "chest_acc_x",
        "chest_acc_y",
        "chest_acc_z",
        "chest_gyro_x",
    ]


def test_pamap2_bridges_short_losses_only(tmp_path):
    rows = official.pamap2_rows((4,), 512 + 600)
    rows[100 : 100 + pamap2.LONGEST_LOSS, 4] = np.nan
    rows[200, 2] = np.nan  # the heart rate is not read
    rows[520 : 520 + pamap2.LONGEST_LOSS + 1, 45] = np.nan
    loaded = pamap2.LOADER.read(pamap2_source(tmp_path, rows))
    # One window before the long loss, one after it.
    assert loaded.windows.x.shape == (2, 18, 512)
    assert np.isfinite(loaded.windows.x).all()
    assert loaded.notes == ("10 samples with missing values were interpolated, 11 were left out",)


def test_pamap2_bridge_is_a_straight_line():
    signal = np.array([[np.nan, 1.0, np.nan, np.nan, 4.0, np.nan, np.nan, np.nan, 8.0, np.nan]]).T
    bridged = pamap2.bridge(signal, 2)[:, 0]
    np.testing.assert_array_equal(bridged, [np.nan, 1, 2, 3, 4, np.nan, np.nan, np.nan, 8, np.nan])
    assert np.isnan(pamap2.bridge(np.full((5, 1), np.nan), 9)).all()


def test_pamap2_windows_cross_no_gap_in_time(tmp_path):
    rows = official.pamap2_rows((4,), 1000)
    rows[500:, 0] += 0.02
    assert len(pamap2.LOADER.read(pamap2_source(tmp_path, rows)).windows.y) == 0


def test_pamap2_columns_are_checked(tmp_path):
    with pytest.raises(UserError, match="expected 54 numbers per line, found 53"):
        pamap2.LOADER.read(pamap2_source(tmp_path, official.pamap2_rows((4,), 10)[:, :53]))


# --- Real data


def test_real_hapt_gives_the_published_number_of_windows(shared_data):
    loaded = hapt.LOADER.read(shared_data / "hapt_raw_stream.npz")
    test = split.subject_wise(loaded.windows.subject, set(loaded.test_subjects))
    assert (int((~test).sum()), int(test.sum())) == (7767, 3162)
    assert not datasets.counts.differences(hapt.LOADER.facts, loaded.counts)


def test_real_unimib_names_and_activities(shared_data):
    with np.load(shared_data / "unimib_shar_4_subjects.npz") as archive:
        names, labels = archive["acc_names"], archive["acc_labels_full"]
    datasets.unimib_shar._check_names(None, names)
    found = {
        "windows": len(labels),
        "subjects": len(np.unique(labels[:, 1])),
        "activities": labels[:, 0].max(),
    }
    assert not datasets.counts.differences(datasets.LOADERS["unimib-shar"].facts, found)


def test_wisdm_labels_are_shared():
    assert TASKS["wisdm-windows128"].labels == WISDM.labels
