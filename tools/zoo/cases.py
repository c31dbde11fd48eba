"""A case of the zoo on disk: what a network takes and gives, and what it has to answer."""

import json

import numpy as np
import windows

TOLERANCE = {"of_largest": 1e-4}
FLOAT16_TOLERANCE = {"of_largest": 1e-2}
INT8_TOLERANCE = {"same_answer": 0.99}


def write(folder, samples, answers, inputs, layout, output="logits", output_name=None, tolerance=TOLERANCE):
    """Writes `case.json` and `reference.npz` beside the `model.onnx` in `folder`.

    The reference is what both `gaitd model new --reference` and `gaitd replay` take, which reads the answers as labels.
    `samples` [N, 6, 128] have the `answers` [N, 5]; `inputs` are the channels of each input by its name.
    """
    picked = answers.argmax(axis=1) + 1
    arrays = {"windows": samples, "model": answers, "X_test": samples, "y_test": picked}
    np.savez_compressed(folder / "reference.npz", **arrays)
    description = {
        "inputs": [{"name": name, "channels": channels} for name, channels in inputs.items()],
        "layout": layout,
        "output": output,
        "output_name": output_name,
        "tolerance": tolerance,
        "labels": windows.LABELS,
        "rate_hz": windows.RATE_HZ,
        "window": windows.WINDOW,
    }
    (folder / "case.json").write_text(json.dumps(description, indent=2) + "\n")
