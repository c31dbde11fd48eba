"""Model directories: manifest, networks and golden vectors, which gaitd verifies and runs."""

import hashlib
import json
import warnings
from collections.abc import Sequence
from pathlib import Path

from gaitd_train.errors import UserError
from gaitd_train.files import replaced
from gaitd_train.task import Task

MANIFEST_FILE = "manifest.json"
GOLDEN_FILE = "golden.json"


def network_entry(name: str, content: bytes) -> dict:
    """What the manifest says of the configuration `name`, whose ONNX file has this content."""
    return {"id": name, "file": _file(name), "sha256": hashlib.sha256(content).hexdigest()}


def task_entry(task: Task, statistics: list[dict] | None = None, normalisation: dict | None = None) -> dict:
    """The manifest's `task`; `statistics` as `gaitd_train.statistics` makes them."""
    entry = {
        "labels": list(task.labels),
        "channels": [vars(channel) for channel in task.channels],
        "sample_rate_hz": task.sample_rate_hz,
        "window": task.window,
        "hop": task.hop,
        "input": {
            "channels": [vars(channel) for channel in task.input_channels],
            "conditioning": list(task.conditioning),
        },
    }
    if statistics is not None:
        entry["input"]["statistics"] = statistics
    if normalisation is not None:
        entry["normalisation"] = normalisation
    return entry


def write_model(out: Path, networks: dict[str, bytes], golden: dict, manifest: dict) -> None:
    """Writes a model directory: the ONNX files of `networks` by id, golden vectors, and last the manifest.

    gaitd refuses a network that no manifest lists: those of an older model in `out` are removed, and where
    they belong to no model, nothing is written.
    """
    old = sorted([*out.glob("*.onnx"), *out.glob("*.onnx.data")])
    if old and not (out / MANIFEST_FILE).exists():
        raise UserError(f"{out}: holds {old[0].name} and no manifest; remove it or name another folder")
    for path in old:
        path.unlink()
    for name, content in networks.items():
        with replaced(out / _file(name)) as target:
            target.write(content)
    write_json(golden, out / GOLDEN_FILE, None)
    write_json(manifest, out / MANIFEST_FILE, 1)


def write_json(values: dict, path: Path, indent: int | None) -> None:
    """Writes JSON to `path`, or leaves what was there."""
    with replaced(path) as target:
        target.write((json.dumps(values, indent=indent, allow_nan=False) + "\n").encode())


def _file(name: str) -> str:
    return f"{name}.onnx"


def keep_known_recalls(entries: Sequence[dict], labels: Sequence[str]) -> None:
    """Takes the recalls of all configurations away, with a warning, where an activity had no window: a
    manifest has them for every activity or not at all."""
    for key, whose in (("recall", "held-out"), ("recall_test", "test")):
        known = [entry[key] for entry in entries if key in entry]
        absent = {place for recalls in known for place, recall in enumerate(recalls) if recall is None}
        if not absent:
            continue
        names = ", ".join(labels[place] for place in sorted(absent))
        loss = ", without which gaitd's choice is not aware of the activity" if key == "recall" else ""
        warnings.warn(
            f"there is no {whose} window of {names}: the manifest gets no {key}{loss}",
            stacklevel=3,
        )
        for entry in entries:
            entry.pop(key, None)
