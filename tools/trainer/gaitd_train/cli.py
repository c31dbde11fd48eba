"""The command line: per command, one function that registers its flags and one that makes the call."""

import os

# The grid needs more compiled kernels than oneDNN keeps by default; below that it compiles them again in
# every step.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "8192")

import argparse
import sys
import tempfile
from pathlib import Path

import torch

from gaitd_train import (
    __version__,
    check,
    checkpoint,
    collaborative,
    data,
    demo,
    evaluate,
    export,
    fetch,
    onnx_form,
    prepare,
    recipe,
    report,
    wearer,
)
from gaitd_train.errors import UserError
from gaitd_train.grid import Configuration
from gaitd_train.task import task_named

DESCRIPTION = """\
Trains, evaluates and exports the model ladders that gaitd runs.

A ladder is one network in several width-resolution configurations. The way to it:

  export GAITD_DATA=data     # where the prepared windows are looked for
  gaitd-train fetch uci-har --out downloads
  gaitd-train prepare uci-har downloads/uci-har.zip --out data/uci_har.npz

  # Rungs are chosen by a run that held training subjects out ...
  gaitd-train train --recipe fast --hold-out 1,6,7,14,16 --out runs/validation
  gaitd-train evaluate runs/validation/checkpoint.pt --split validation --out runs/validation

  # ... and the test subjects are measured once, for the report.
  gaitd-train train --recipe fast --out runs/final
  gaitd-train evaluate runs/final/checkpoint.pt --split test --out runs/final

  gaitd-train export runs/final/checkpoint.pt --validation runs/validation --test runs/final \\
      --out models/my-ladder
"""


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns 0, or 1 after an error that was printed."""
    parser = argparse.ArgumentParser(
        prog="gaitd-train", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"gaitd-train {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for register in COMMANDS:
        register(commands)
    flags = parser.parse_args(arguments)
    try:
        if getattr(flags, "threads", None):
            torch.set_num_threads(flags.threads)
        flags.run(flags)
    except (UserError, OSError) as error:
        print(f"gaitd-train: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("gaitd-train: interrupted", file=sys.stderr)
        return 130
    return 0


def add_fetch(commands) -> None:
    parser = _command(
        commands,
        "fetch",
        "download the official archive of a data set and check it",
        "Reads the publisher's archive over the network; writes DIR/uci-har.zip, checked by SHA-256.",
        "gaitd-train fetch uci-har --out downloads",
    )
    parser.add_argument("dataset", choices=sorted(fetch.ARCHIVES))
    _out(parser, "folder for the archive")
    parser.set_defaults(run=lambda flags: print(fetch.fetch(fetch.ARCHIVES[flags.dataset], flags.out)))


def add_prepare(commands) -> None:
    parser = _command(
        commands,
        "prepare",
        "turn the official archive into the file that every other command reads",
        "Reads the official folder or zip; writes the windows of both splits as one .npz file.",
        "gaitd-train prepare uci-har downloads/uci-har.zip --out data/uci_har.npz",
    )
    parser.add_argument("dataset", choices=sorted(fetch.ARCHIVES))
    parser.add_argument(
        "source", type=Path, help="official folder, or zip (the publisher's outer or inner one)"
    )
    _out(parser, "the .npz file to write")
    parser.set_defaults(run=_prepare)


def _prepare(flags) -> None:
    for name, shape in prepare.prepare_uci_har(flags.source, flags.out).items():
        print(f"{name:14} {shape}")
    print(flags.out)


def add_recipe(commands) -> None:
    parser = _command(
        commands,
        "recipe",
        "print a shipped recipe, to start your own from",
        f"Writes the TOML text to standard output. Shipped recipes: {', '.join(recipe.shipped())}.",
        "gaitd-train recipe fast > mine.toml",
    )
    parser.add_argument("name", choices=recipe.shipped())
    parser.set_defaults(run=lambda flags: print(recipe.text_of(flags.name)[1], end=""))


def add_train(commands) -> None:
    parser = _command(
        commands,
        "train",
        "train a network by collaborative learning",
        "Reads the prepared data and a recipe; writes checkpoint.pt (every epoch) and losses.jsonl to DIR.",
        "gaitd-train train --recipe fast --seed 0 --out runs/fast-0",
    )
    parser.add_argument(
        "--recipe", default="fast", help="shipped name or path of a TOML file (default: %(default)s)"
    )
    _data(parser)
    _out(parser, "folder of this run; keep it outside the repository")
    parser.add_argument(
        "--seed", type=int, default=0, help="weights, order, configurations (default: %(default)s)"
    )
    parser.add_argument(
        "--hold-out",
        type=_subjects,
        default=[],
        metavar="SUBJECTS",
        help="training subjects to leave out and validate on, for example 7,14,17",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument("--stop-after", type=_positive, metavar="EPOCHS", help="end early; --resume goes on")
    _threads(parser)
    parser.set_defaults(run=_train)


def _train(flags) -> None:
    name, how = recipe.load(flags.recipe)
    dataset = _dataset(flags, how.dataset)
    print(
        collaborative.train(
            name, how, dataset, flags.out, flags.seed, flags.hold_out, flags.resume, flags.stop_after
        )
    )


def add_evaluate(commands) -> None:
    parser = _command(
        commands,
        "evaluate",
        "calibrate and measure every configuration",
        "Reads checkpoints (several seeds or held-out groups give mean and spread) and the prepared\n"
        "data; writes evaluation.json, accuracy.csv, accuracy.md, heatmap.png,\n"
        "accuracy-macs.png and confusion.png to DIR.",
        "gaitd-train evaluate runs/fast-*/checkpoint.pt --split test --out runs/report",
    )
    parser.add_argument("checkpoints", type=Path, nargs="+", metavar="CHECKPOINT")
    parser.add_argument(
        "--split",
        choices=evaluate.SPLITS,
        required=True,
        help="validation: the subjects that the run held out; test: the test subjects, for reports only",
    )
    parser.add_argument(
        "--only", type=_ids, metavar="IDS", help="only these configurations, for example 1.00x-128,0.10x-96"
    )
    _data(parser)
    _out(parser, "folder of the report")
    _threads(parser)
    parser.set_defaults(run=_evaluate)


def _evaluate(flags) -> None:
    runs = []
    for path in flags.checkpoints:
        trained = checkpoint.load(path)
        chosen = flags.only and [_configuration(name, trained.recipe.grid) for name in flags.only]
        runs.append(
            evaluate.evaluate(trained, _dataset(flags, trained.recipe.dataset), flags.split, chosen or None)
        )
    for file in report.write(runs, flags.out):
        print(file)


def add_report(commands) -> None:
    parser = _command(
        commands,
        "report",
        "write the tables and figures of evaluations made earlier",
        "Reads evaluation.json files; writes what `evaluate` writes, over all their runs, to DIR.",
        "gaitd-train report runs/seed0 runs/seed1 --out runs/report",
    )
    parser.add_argument("evaluations", type=Path, nargs="+", metavar="EVALUATION")
    _out(parser, "folder of the report")
    parser.set_defaults(run=_report)


def _report(flags) -> None:
    runs = [run for path in flags.evaluations for run in report.load(path)]
    for file in report.write(runs, flags.out):
        print(file)


def add_export(commands) -> None:
    parser = _command(
        commands,
        "export",
        "write the ladder that gaitd runs",
        "Reads a checkpoint, the prepared data and evaluations; picks rungs on the validation front and\n"
        "writes one ONNX file per rung, golden.json and manifest.json to DIR.",
        "gaitd-train export runs/0/checkpoint.pt --validation runs/val --test runs/report --out models/mine",
    )
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT")
    parser.add_argument(
        "--validation", type=Path, required=True, help="evaluation on held-out subjects; it picks the rungs"
    )
    parser.add_argument(
        "--test", type=Path, help="evaluation of this checkpoint on the test subjects; only quoted"
    )
    parser.add_argument("--name", help="the ladder's name (default: the last part of --out)")
    parser.add_argument(
        "--rungs", type=_positive, default=10, help="at most this many (default: %(default)s)"
    )
    parser.add_argument(
        "--form", choices=onnx_form.FORMS, default=onnx_form.FORMS[0], help="default: %(default)s"
    )
    _data(parser)
    _out(parser, "the model directory")
    _threads(parser)
    parser.set_defaults(run=_export)


def _export(flags) -> None:
    trained = checkpoint.load(flags.checkpoint)
    validation = report.load(flags.validation)
    test = export.run_of(trained, report.load(flags.test), flags.test) if flags.test else None
    dataset = _dataset(flags, trained.recipe.dataset)
    name = flags.name or flags.out.resolve().name
    export.export_ladder(trained, dataset, validation, test, flags.out, name, flags.rungs, flags.form)
    print(flags.out / export.MANIFEST_FILE)


def add_check_conditioning(commands) -> None:
    parser = _command(
        commands,
        "check-conditioning",
        "prove that conditioning raw recordings gives the prepared windows",
        "Reads continuous recordings (acc_gyro, exp) and prepared windows that name their origin (src_*);\n"
        "prints the largest difference per channel and fails above 1e-5.",
        "gaitd-train check-conditioning hapt_raw_stream.npz --data uci_har.npz",
    )
    parser.add_argument("recordings", type=Path, metavar="RECORDINGS")
    _data(parser)
    parser.set_defaults(run=_check_conditioning, dataset="uci-har")


def _check_conditioning(flags) -> None:
    task = task_named(flags.dataset)
    errors = check.conditioning_errors(flags.recordings, flags.data or data.default_path(task), task)
    for name, error in errors.items():
        print(f"{name:14} {error:.1e}")
    if not max(errors.values()) <= check.TOLERANCE:
        raise UserError(f"conditioning differs from the prepared windows by more than {check.TOLERANCE:g}")


def add_fit_wearer(commands) -> None:
    parser = _command(
        commands,
        "fit-wearer",
        "fit the simulated wearer on the training subjects",
        "Reads continuous recordings (acc_gyro, exp, labels_txt) and prepared windows that name the\n"
        "training subjects; writes the parameters of the runtime's generator, no sample of the data.",
        WEARER_COMMAND,
    )
    parser.add_argument("--har", type=Path, required=True, metavar="NPZ", help="prepared windows of UCI-HAR")
    parser.add_argument("--raw", type=Path, required=True, metavar="NPZ", help="the recordings of HAPT")
    _out(parser, "the JSON file to write; at most 200 KB")
    parser.set_defaults(run=_fit_wearer)


WEARER_COMMAND = (
    "gaitd-train fit-wearer --har uci_har.npz --raw hapt_raw_stream.npz --out runtime/sense/wearer.json"
)


def _fit_wearer(flags) -> None:
    wearer.write(wearer.fit(wearer.load(flags.har, flags.raw), WEARER_COMMAND), flags.out)
    print(flags.out)


def add_demo_ladder(commands) -> None:
    parser = _command(
        commands,
        "demo-ladder",
        "make a tiny ladder from made-up data in seconds, for tests",
        "Reads nothing; writes a model directory to DIR and, with --work, the data and the run beside it.",
        "gaitd-train demo-ladder --out demo",
    )
    _out(parser, "the model directory")
    parser.add_argument("--work", type=Path, help="keep data, run and reports here (default: thrown away)")
    parser.add_argument(
        "--form", choices=onnx_form.FORMS, default=onnx_form.FORMS[0], help="default: %(default)s"
    )
    _threads(parser)
    parser.set_defaults(run=_demo_ladder)


def _demo_ladder(flags) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        demo.demo_ladder(flags.out, flags.work or Path(scratch), flags.form)
    print(flags.out / export.MANIFEST_FILE)


# In the order of the help text; a new command is one more function here.
COMMANDS = (
    add_fetch,
    add_prepare,
    add_recipe,
    add_train,
    add_evaluate,
    add_report,
    add_export,
    add_check_conditioning,
    add_fit_wearer,
    add_demo_ladder,
)


def _command(commands, name: str, summary: str, files: str, example: str) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.\n\n{files}",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _data(parser) -> None:
    parser.add_argument(
        "--data",
        type=Path,
        metavar="NPZ",
        help=f"prepared windows (default: the data set's file in ${data.DATA_VARIABLE} or ../shared/data)",
    )


def _out(parser, what: str) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="PATH", help=what)


def _threads(parser) -> None:
    parser.add_argument("--threads", type=_positive, help="processor threads (default: all cores)")


def _dataset(flags, name: str) -> data.Dataset:
    task = task_named(name)
    return data.load(flags.data or data.default_path(task), task)


def _configuration(name: str, grid) -> Configuration:
    for configuration in grid.configurations():
        if configuration.id == name:
            return configuration
    raise UserError(f"--only: this network has no configuration '{name}'; the full one is {grid.full.id}")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def _subjects(text: str) -> list[int]:
    return sorted({int(part) for part in text.split(",")})


def _ids(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]
