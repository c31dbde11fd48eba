"""Writes the ONNX project's backend tests, from its package `onnx`: `python node_cases.py OUT`.

Each folder OUT/KIND/NAME holds `model.onnx`, for each set of data `test_data_set_K/input_I.pb` and `output_I.pb`, and
`data.json` with the tolerances, the form in which ONNX itself keeps those that it has in files.
"""

import argparse
import json
import shutil
import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test import loader

KINDS = ["node", "simple", "pytorch-converted", "pytorch-operator"]
LIGHT = Path(loader.DATA_DIR) / "light"


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="the folder to write to; the folders of the kinds are written anew")
    out = parser.parse_args().out
    warnings.filterwarnings("ignore")
    for kind in KINDS:
        shutil.rmtree(out / kind, ignore_errors=True)
        for case in loader.load_model_tests(kind=kind):
            write(case, out / kind / case.name)
    shutil.rmtree(out / "light", ignore_errors=True)
    for path in LIGHT.glob("light_*.onnx"):
        write_light(path, out / "light" / path.stem)


def write(case, folder):
    """Writes a test: one of a node is made in memory, another is copied."""
    if case.model is None:
        shutil.copytree(case.model_dir, folder)
    else:
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(case.model.SerializeToString())
        for number, (inputs, outputs) in enumerate(case.data_sets):
            write_data(folder / f"test_data_set_{number}", case.model.graph, inputs, outputs)
    (folder / "data.json").write_text(json.dumps({"rtol": case.rtol, "atol": case.atol}) + "\n")


def write_data(folder, graph, inputs, outputs):
    """Writes a set of data of the network `graph`."""
    folder.mkdir()
    for name, values, infos in (("input", inputs, graph.input), ("output", outputs, graph.output)):
        for number, (value, info) in enumerate(zip(values, infos, strict=False)):
            (folder / f"{name}_{number}.pb").write_bytes(message(value, info).SerializeToString())


def message(value, info):
    """Returns `value`, described by `info`, as ONNX stores it."""
    if isinstance(value, onnx.TensorProto):
        return value
    makers = {
        "map_type": numpy_helper.from_dict,
        "sequence_type": numpy_helper.from_list,
        "optional_type": numpy_helper.from_optional,
    }
    return makers.get(info.type.WhichOneof("value"), numpy_helper.from_array)(value, info.name)


def write_light(path, folder):
    """Writes one of the large networks without weights of their own, with the input that ONNX's tests make for it."""
    model = onnx.load(path)
    data = folder / "test_data_set_0"
    data.mkdir(parents=True)
    shutil.copy(path, folder / "model.onnx")
    filled = {constant.name for constant in model.graph.initializer}
    (window,) = (value for value in model.graph.input if value.name not in filled)
    shape = [axis.dim_value for axis in window.type.tensor_type.shape.dim]
    count = np.prod(shape)
    ramp = (np.arange(count).reshape(shape) / count).astype(np.float32)
    (data / "input_0.pb").write_bytes(numpy_helper.from_array(ramp, window.name).SerializeToString())
    shutil.copy(path.with_name(f"{path.stem}_output_0.pb"), data / "output_0.pb")
    (folder / "data.json").write_text(json.dumps({"rtol": 1e-3, "atol": 1e-7}) + "\n")


if __name__ == "__main__":
    main()
