"""Compares gaitd with ONNX Runtime and LiteRT (XNNPACK) on every rung of ladders.

One thread, one pinned core, one process, the same weights and windows; every engine is called from Python by a binding
of its own, and gets the network in the form that it runs fastest. gaitd gets windows at full resolution, so that
resampling is part of its time; the others get them resampled. Engines take turns, and their order rotates. A figure is
the median over the rounds of the round's median; a ratio is the median of the rounds' ratios, with the second-lowest
and second-highest round. Cold means that a byte of every line of 48 MB is read before each inference.

The share of the peak is that of the multiply-accumulates of which none meets padding, in the fastest hot inference of
gaitd's turn, in what the processor does in the fastest of 20 bursts of a tenth of a millisecond right after it. What is
left after the last sample is timed inside gaitd, without Python, as is the whole inference beside it.

`cargo xtask compare` prepares everything and starts this. It is a report, and with --gates the check of a release: the
figures depend on the machine.
"""

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

import gaitd_engine
from engines import Engine, Gaitd, LiteRt, OnnxRuntime
from ladder import Ladder, Rung
from measure import Effort, Series, Turns
from summary import Result, Row, Spread, against, gates, tail
from tables import report
from tflite import UnsupportedError

PEERS = [OnnxRuntime.name, LiteRt.name]


def row(rung: Rung, series: Series) -> Row:
    """What was measured of one rung, summed up."""
    rates = [rung.done / us * 1e6 for us in series.fastest]
    return Row(
        rung.id,
        rung.macs,
        rung.done,
        against(series.hot, PEERS),
        against(series.cold, PEERS) if series.cold else None,
        Spread.of_ratios(rates, series.peak) if series.peak else None,
        tail(series.tail_hot),
        tail(series.tail_cold),
    )


def compared(ladder: Ladder, arguments: argparse.Namespace) -> tuple[Result, list[str]]:
    """Measures one ladder; what was found, and what the engines were."""
    own = Gaitd(ladder, arguments.isa or arguments.backend, "gaitd")
    others: list[Engine] = [OnnxRuntime(), LiteRt()]
    named = {own.name: own.identity}
    # the same with what most processors of today have
    if arguments.isa is None and own.identity.endswith("-avx512"):
        avx2 = Gaitd(ladder, "avx2", "gaitd avx2")
        named[avx2.name] = avx2.identity
        others.insert(0, avx2)
    missing = ladder.missing(80) if arguments.missing is None else arguments.missing
    effort = Effort(arguments.rounds, arguments.hot, arguments.cold)
    try:
        turns = Turns(ladder, own, others, missing, effort)
    except UnsupportedError as error:
        sys.exit(f"LiteRT cannot run {ladder.name}: {error}")
    measured = turns.run(lambda text: print(text, file=sys.stderr))
    rows = [row(rung, measured[rung.id]) for rung in ladder.rungs]
    return Result(ladder.name, missing, named, rows), [it.about for it in (own, *others)]


def pin(cpu: int | None) -> int | None:
    """Keeps this process on one core, where the system can; returns the core."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    cpu = max(os.sched_getaffinity(0)) if cpu is None else cpu
    try:
        os.sched_setaffinity(0, {cpu})
    except OSError as error:
        sys.exit(f"cannot run on core {cpu}: {error}")
    return cpu


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+", help="the ladders")
    parser.add_argument("--backend", default="supernet", help="gaitd's: supernet or tract (default supernet)")
    kernels = ", ".join(gaitd_engine.kernels())
    parser.add_argument("--isa", help=f"gaitd's kernels by force: {kernels} (default: the best, and avx2 beside it)")
    parser.add_argument("--rounds", type=int, default=21, help="turns of every engine (default 21)")
    parser.add_argument("--hot", type=int, default=40, help="hot inferences per rung and turn (default 40)")
    parser.add_argument("--cold", type=int, default=5, help="cold ones (default 5; 0 for none)")
    parser.add_argument("--missing", type=int, help="samples after a head (default: those of 80 ms)")
    parser.add_argument("--cpu", type=int, help="the core to run on (default: the last one)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of Markdown tables")
    parser.add_argument("--gates", action="store_true", help="fail unless all that is asked for is reached")
    found = parser.parse_args()
    if min(found.rounds, found.hot) < 1 or found.cold < 0:
        parser.error("--rounds and --hot must be at least 1, --cold at least 0")
    if found.isa is not None and found.backend != "supernet":
        parser.error("--isa is of the backend supernet")
    return found


def main() -> None:
    given = arguments()
    cpu = pin(given.cpu)
    results, about = [], []
    for folder in given.models:
        result, about = compared(Ladder(folder), given)
        results.append(result)
    asked = gates(results)
    machine = (
        f"{platform.machine()}, core {cpu}, {given.rounds} rounds of {given.hot} hot and {given.cold} cold inferences"
    )
    if given.json:
        found = {"machine": machine, "engines": about, "ladders": [asdict(result) for result in results]}
        found["gates"] = [asdict(gate) | {"worst": gate.worst, "reached": gate.reached} for gate in asked]
        print(json.dumps(found, indent=2))
    else:
        print(f"Microseconds per inference, one thread, {machine}.\n")
        print("\n".join(f"- {line}" for line in about))
        print(*(f"\n{report(result, PEERS)}" for result in results), sep="\n")
        print("\n" + "\n".join(str(gate) for gate in asked))
    if given.gates and not all(gate.reached for gate in asked):
        sys.exit(1)


if __name__ == "__main__":
    main()
