"""Compares gaitd with ONNX Runtime and LiteRT (XNNPACK) on every rung of a ladder.

One thread, one pinned core, the same weights and windows; LiteRT gets the network in the form that it runs fastest
(`tflite.py`). In every round each engine in turn runs all rungs, and the order of the engines rotates, so that a
change of the machine's speed affects all of them equally. A figure is the median over the rounds of the round's
median; a ratio is the median of the rounds' ratios. ONNX Runtime and LiteRT are called from Python with bound buffers,
which costs them about a microsecond per inference that gaitd does not pay.

`cargo xtask compare` prepares everything and starts this. It is a report, not a test: the figures depend on the
machine.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tflite import UnsupportedError, convert

TOLERANCE = 1e-4
WARM_UP = 5


class Session(NamedTuple):
    """One rung loaded into an engine: set the window, run, read the logits."""

    load: Callable[[np.ndarray], None]
    run: Callable[[], None]
    logits: Callable[[], np.ndarray]


class Rung:
    """One configuration of the ladder: its entry in the manifest, its file, and the golden windows it reads."""

    def __init__(self, folder: Path, entry: dict, golden: dict) -> None:
        self.id, self.macs = entry["id"], entry["macs"]
        self.network = onnx.load(folder / entry["file"])
        windows = np.array(golden["windows"], np.float32)
        length, resolution = windows.shape[2], entry["resolution"]
        # nearest-exact, as the trainer and gaitd resample
        self.windows = np.ascontiguousarray(windows[:, :, (2 * np.arange(resolution) + 1) * length // (2 * resolution)])
        self.logits = np.array(golden["logits"][self.id], np.float32)


class OnnxRuntime:
    """ONNX Runtime's CPU provider, all graph optimisations, buffers bound once."""

    name = "ONNX Runtime"
    version = version("onnxruntime")

    def prepare(self, rung: Rung) -> Session:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            rung.network.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        window = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros_like(rung.windows[:1]))
        logits = onnxruntime.OrtValue.ortvalue_from_numpy(np.zeros_like(rung.logits[:1]))
        binding = session.io_binding()
        binding.bind_ortvalue_input(session.get_inputs()[0].name, window)
        binding.bind_ortvalue_output(session.get_outputs()[0].name, logits)
        return Session(window.update_inplace, lambda: session.run_with_iobinding(binding), logits.numpy)


class LiteRt:
    """LiteRT's interpreter with XNNPACK, on the network as `tflite.py` rewrites it."""

    name = "LiteRT"
    version = version("ai-edge-litert")

    def prepare(self, rung: Rung) -> Session:
        interpreter = Interpreter(
            model_content=convert(rung.network),
            num_threads=1,
            experimental_op_resolver_type=OpResolverType.BUILTIN,  # brings XNNPACK
        )
        interpreter.allocate_tensors()
        window = interpreter.get_input_details()[0]["index"]
        logits = interpreter.get_output_details()[0]["index"]
        return Session(
            lambda values: interpreter.set_tensor(window, values),
            interpreter.invoke,
            lambda: interpreter.get_tensor(logits),
        )


class InPython:
    """An engine that runs in this process: one session for every rung, checked against the golden logits."""

    def __init__(self, engine: OnnxRuntime | LiteRt, rungs: list[Rung]) -> None:
        self.name, self.version = engine.name, engine.version
        self.runs: dict[str, Callable[[], None]] = {}
        for rung in rungs:
            session = engine.prepare(rung)
            for index, expected in enumerate(rung.logits):
                session.load(rung.windows[index : index + 1])
                session.run()
                difference = float(np.abs(session.logits()[0] - expected).max())
                if not difference <= TOLERANCE:
                    sys.exit(f"{self.name}, {rung.id}, golden window {index}: logits differ by {difference:.1e}")
            self.runs[rung.id] = session.run

    def round(self, windows: int) -> dict[str, float]:
        """The median latency of every rung, microseconds."""
        return {rung: self.median(run, windows) for rung, run in self.runs.items()}

    @staticmethod
    def median(run: Callable[[], None], windows: int) -> float:
        for _ in range(WARM_UP):
            run()
        times = []
        for _ in range(windows):
            start = time.perf_counter_ns()
            run()
            times.append(time.perf_counter_ns() - start)
        return median(times) / 1000


class Gaitd:
    """gaitd, measured by its own `profile` command, which checks the golden vectors before it measures."""

    name = "gaitd"

    def __init__(self, program: Path, folder: Path) -> None:
        self.program, self.folder = program.resolve(), folder
        self.version = self.output("--version").split()[-1]
        self.output("check", folder)

    def output(self, *args: object) -> str:
        command = [str(self.program), *map(str, args)]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except OSError as error:
            sys.exit(f"cannot start {self.program}: {error}; name a release build of gaitd with --gaitd")
        if done.returncode != 0:
            sys.exit(f"`{' '.join(command)}` ended with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def round(self, windows: int) -> dict[str, float]:
        """The median latency of every rung, microseconds."""
        effort = ["--hot", windows, "--paced", 1, "--pace-ms", 0]
        printed = self.output("profile", "--models", self.folder, *effort, "--dry-run", "--json")
        return {rung["id"]: rung["hot"]["p50"] for rung in json.loads(printed)["configurations"]}


def measure(engines: list[Gaitd | InPython], rounds: int, windows: int) -> dict[str, list[dict[str, float]]]:
    """By engine: for each round, microseconds by rung."""
    measured: dict[str, list[dict[str, float]]] = {engine.name: [] for engine in engines}
    for done in range(rounds):
        for step in range(len(engines)):
            engine = engines[(done + step) % len(engines)]
            measured[engine.name].append(engine.round(windows))
        print(f"round {done + 1} of {rounds}", file=sys.stderr)
    return measured


def summarise(rungs: list[Rung], measured: dict[str, list[dict[str, float]]]) -> list[dict]:
    """For each rung the medians by engine and gaitd's ratio to the others."""
    rows = []
    for rung in rungs:
        by_engine = {name: [times[rung.id] for times in rounds] for name, rounds in measured.items()}
        own = by_engine[Gaitd.name]
        ratios = {
            name: median(a / b for a, b in zip(own, others, strict=True))
            for name, others in by_engine.items()
            if name != Gaitd.name
        }
        us = {name: median(times) for name, times in by_engine.items()}
        rows.append({"id": rung.id, "macs": rung.macs, "us": us, "gaitd_ratio": ratios})
    return rows


def markdown(rows: list[dict], versions: dict[str, str]) -> str:
    """The report as a table; a ratio above 1 means that gaitd is slower."""
    engines, others = list(rows[0]["us"]), list(rows[0]["gaitd_ratio"])
    columns = ["configuration", "MMACs", *(f"{name} {versions[name]}" for name in engines)]
    columns += [f"gaitd / {name}" for name in others]
    lines = [f"| {' | '.join(columns)} |", f"| --- |{' ---: |' * (len(columns) - 1)}"]
    for row in rows:
        cells = [row["id"], f"{row['macs'] / 1e6:.2f}", *(f"{row['us'][name]:.1f}" for name in engines)]
        cells += [f"{row['gaitd_ratio'][name]:.2f}" for name in others]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def load(folder: Path) -> list[Rung]:
    """The rungs of the ladder in `folder`."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
        golden = json.loads((folder / "golden.json").read_text())
        return [Rung(folder, entry, golden) for entry in manifest["configurations"]]
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"{folder} is not a ladder: {error!r}; `gaitd check` names the fault")


def pin(cpu: int | None) -> int | None:
    """Keeps this process and its children on one core, where the system can; returns the core."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    cpu = max(os.sched_getaffinity(0)) if cpu is None else cpu
    try:
        os.sched_setaffinity(0, {cpu})
    except OSError as error:
        sys.exit(f"cannot run on core {cpu}: {error}")
    return cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gaitd", type=Path, required=True, help="a release build of gaitd")
    parser.add_argument("--models", type=Path, required=True, help="the ladder")
    parser.add_argument("--rounds", type=int, default=10, help="turns of every engine (default 10)")
    parser.add_argument("--windows", type=int, default=200, help="inferences per rung and turn (default 200)")
    parser.add_argument("--cpu", type=int, help="the core to run on (default: the last one)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a Markdown table")
    args = parser.parse_args()
    if min(args.rounds, args.windows) < 1:
        parser.error("--rounds and --windows must be at least 1")

    cpu = pin(args.cpu)
    rungs = load(args.models)
    try:
        engines = [
            Gaitd(args.gaitd, args.models),
            InPython(OnnxRuntime(), rungs),
            InPython(LiteRt(), rungs),
        ]
    except UnsupportedError as error:
        sys.exit(f"LiteRT cannot run this ladder: {error}")
    rows = summarise(rungs, measure(engines, args.rounds, args.windows))
    versions = {engine.name: engine.version for engine in engines}
    if args.json:
        machine = {"machine": platform.machine(), "core": cpu, "rounds": args.rounds, "windows": args.windows}
        print(json.dumps({**machine, "versions": versions, "configurations": rows}, indent=2))
    else:
        print(f"Microseconds per inference, one thread, {platform.machine()}, logits agree within {TOLERANCE:.0e}.\n")
        print(markdown(rows, versions))


if __name__ == "__main__":
    main()
