"""Small data sets in the official forms of their publishers, synthetic."""

import tarfile
import zipfile
from pathlib import Path

import numpy as np
from scipy.io import savemat

from gaitd_train.datasets import pamap2, wisdm_watch
from gaitd_train.task import HAPT, PAMAP2, UCI_HAR, UNIMIB_SHAR, WISDM, WISDM_WATCH

UCI_HAR_COUNTS = {"train": 6, "test": 4}
UNIMIB_NAMES = (
    "Standing up from sitting",
    "Standing up from laying",
    "Walking",
    "Running",
    "Going upstairs",
    "Jumping",
    "Going downstairs",
    "Lying down from standing",
    "Sitting down",
    "Generic falling forward",
    "Falling rightward",
    "Generic falling backward",
    "Hitting an obstacle in the fall",
    "Falling with protection strategies",
    "Falling backward-sitting-chair",
    "Syncope",
    "Falling leftward",
)


def uci_har(folder: Path) -> dict:
    """Subject 1 trains, subject 2 tests; returns the signals, activities and subjects by split and name."""
    rng = np.random.default_rng(0)
    folder, content = folder / "UCI HAR Dataset", {}
    for split, count in UCI_HAR_COUNTS.items():
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
    return content


def hapt(folder: Path) -> None:
    """Recordings 1 and 2 of users 1 and 2: 200 labelled samples per activity, 2 windows."""
    raw = folder / "HAPT Data Set" / "RawData"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    labels = []
    for number in (1, 2):
        for sensor in ("acc", "gyro"):
            values = rng.normal(size=(len(HAPT.labels) * 210, 3))
            np.savetxt(raw / f"{sensor}_exp{number:02}_user{number:02}.txt", values, fmt="%.6f")
        for activity in range(1, len(HAPT.labels) + 1):
            first = (activity - 1) * 210 + 1
            labels.append(f"{number} {number} {activity} {first} {first + 199}\n")
    (raw / "labels.txt").write_text("".join(labels))


def wisdm_records(user: int, activity: str, count: int, start_ns: int = 10**12) -> list[str]:
    """Good records 50 ms apart whose x is the place in the recording."""
    return [
        f"{user},{activity},{start_ns + index * 50_000_000},{index / 100},{user},-9.8;"
        for index in range(count)
    ]


def wisdm(folder: Path) -> None:
    """Users 1..3, 200 samples (a window) of every activity."""
    folder = folder / "WISDM_ar_v1.1"
    folder.mkdir()
    lines = []
    for user in (1, 2, 3):
        for index, label in enumerate(WISDM.labels):
            lines += wisdm_records(user, label.capitalize(), 200, (user * 10 + index) * 10**12)
    (folder / "WISDM_ar_v1.1_raw.txt").write_text("\n".join(lines) + "\n")
    (folder / "readme.txt").write_text("about\n")


def wisdm_watch_files(folder: Path) -> None:
    """Subjects 1600..1602, 250 samples (a window) of every activity."""
    accel = folder / "wisdm-dataset" / "raw" / "watch" / "accel"
    accel.mkdir(parents=True)
    (folder / "wisdm-dataset" / "activity_key.txt").write_text("walking = A\n")
    for subject in (1600, 1601, 1602):
        lines = []
        for index, letter in enumerate(wisdm_watch.LETTERS):
            start = (index + 1) * 10**13
            lines += [f"{subject},{letter},{start + i * 50_000_000},{i / 100},0.5,-9.8;" for i in range(250)]
        (accel / f"data_{subject}_accel_watch.txt").write_text("\n".join(lines) + "\n")
    assert len(wisdm_watch.LETTERS) == len(WISDM_WATCH.labels)


def unimib_shar(folder: Path, names=UNIMIB_NAMES) -> None:
    """Subjects 1..3, a window of every activity: x is 1, y is 2, z is 3 plus the activity."""
    data = folder / "UniMiB-SHAR" / "data"
    data.mkdir(parents=True)
    activity = np.tile(np.arange(1, len(UNIMIB_SHAR.labels) + 1), 3)
    subject = np.repeat([1, 2, 3], len(UNIMIB_SHAR.labels))
    window = np.ones(UNIMIB_SHAR.window)
    rows = [np.concatenate([1 * window, 2 * window, (3 + label) * window]) for label in activity]
    short = [name.replace(" ", "")[:12] for name in names]
    cells = np.empty((2, len(names)), dtype=object)
    cells[0], cells[1] = names, short
    savemat(data / "acc_data.mat", {"acc_data": np.array(rows)})
    savemat(data / "acc_labels.mat", {"acc_labels": np.stack([activity, subject, subject * 0 + 1], axis=1)})
    savemat(data / "acc_names.mat", {"acc_names": cells})


def pamap2_rows(activities, count: int) -> np.ndarray:
    """`count` rows 10 ms apart for each activity; column `c` holds `c` except time and activity."""
    rows = np.tile(np.arange(pamap2.COLUMNS, dtype=float), (count * len(activities), 1))
    rows[:, 0] = 8.38 + np.arange(len(rows)) / 100
    rows[:, 1] = np.repeat(activities, count)
    return rows


def pamap2_files(folder: Path) -> None:
    """Subjects 101 and 105: 520 rows (a window) of every activity and of 0."""
    protocol = folder / "PAMAP2_Dataset" / "Protocol"
    protocol.mkdir(parents=True)
    assert len(pamap2.ACTIVITIES) == len(PAMAP2.labels)
    rows = pamap2_rows((0, *pamap2.ACTIVITIES), 520)
    for subject in (101, 105):
        save_pamap2(protocol / f"subject{subject}.dat", rows)


def save_pamap2(path: Path, rows: np.ndarray) -> None:
    """Writes rows as the publisher does: spaces, and `NaN` for what is missing."""
    lines = (
        " ".join("NaN" if v != v else f"{v:g}" if column else f"{v:.2f}" for column, v in enumerate(row))
        for row in rows
    )
    path.write_text("\n".join(lines) + "\n")


def zipped(folder: Path, target: Path, resource_forks: bool = True) -> Path:
    """The folder as a zip, with the second tree of a zip that was packed on macOS."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            archive.write(file, file.relative_to(folder))
            if resource_forks:
                archive.writestr(f"__MACOSX/{file.relative_to(folder)}", b"resource fork")
    return target


def wrapped(inner: Path, target: Path) -> Path:
    """The archive `inner` in a zip of its own, beside a file that is not the data set."""
    with zipfile.ZipFile(target, "w") as archive:
        archive.write(inner, inner.name)
        archive.writestr("readme.pdf", "about")
    return target


def tarred(folder: Path, target: Path) -> Path:
    """The folder as a .tar.gz."""
    with tarfile.open(target, "w:gz") as archive:
        for file in sorted(folder.iterdir()):
            archive.add(file, file.name)
    return target
