"""Model directories: what stands there before, and what stays."""

import json

import pytest

from gaitd_train.errors import UserError
from gaitd_train.model_directory import network_entry, write_model


def written(out, *names: str) -> set[str]:
    networks = {name: name.encode() for name in names}
    entries = [network_entry(name, content) for name, content in networks.items()]
    write_model(out, networks, {}, {"configurations": entries})
    return {path.name for path in out.iterdir()}


def test_a_model_takes_the_place_of_another(tmp_path):
    out = tmp_path / "new" / "model"
    assert written(out, "a", "b") == {"a.onnx", "b.onnx", "golden.json", "manifest.json"}
    (out / "b.onnx.data").write_bytes(b"")
    (out / "NOTES").write_text("mine")
    assert written(out, "b", "c") == {"b.onnx", "c.onnx", "golden.json", "manifest.json", "NOTES"}
    listed = json.loads((out / "manifest.json").read_text())["configurations"]
    assert [entry["file"] for entry in listed] == ["b.onnx", "c.onnx"]


def test_networks_that_belong_to_no_model_stay(tmp_path):
    (tmp_path / "mine.onnx").write_bytes(b"mine")
    with pytest.raises(UserError, match=r"holds mine\.onnx and no manifest"):
        written(tmp_path, "a")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.onnx"]
