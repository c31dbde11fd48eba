"""The command line: per command, one function that registers its flags and one that makes the call."""

import os

# oneDNN keeps fewer compiled kernels by default than the grid needs, and would compile them in every step.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "8192")

import argparse
import dataclasses
import json
import sys
import tempfile
from pathlib import Path

import torch

from gaitd_train import (
    __version__,
    check,
    checkpoint,
    data,
    datasets,
    demo,
    distributed,
    evaluate,
    evaluation_report,
    fetch,
    figures,
    ladder,
    model_directory,
    onnx_form,
    paper,
    plan,
    recipe,
    report,
    results,
    training,
    wearer,
)
from gaitd_train.context import block, cascade, fit, page, streams
from gaitd_train.context import figure as context_figure
from gaitd_train.context.decoder import QUANTITIES
from gaitd_train.datasets import recording, split
from gaitd_train.errors import UserError
from gaitd_train.method import ALONE, COLLABORATIVE, KINDS, Method
from gaitd_train.task import TASKS, task_named

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
        "Reads the publisher's archive over the network; writes DIR/DATASET.zip (or .tar.gz), checked by\n"
        "SHA-256. Where that is not known, the first download's is kept beside it and compared later.",
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
        "Reads the official folder or archive (the publisher's outer or inner one) and checks its counts;\n"
        "writes the windows of both splits as one .npz file.",
        "gaitd-train prepare uci-har downloads/uci-har.zip --out data/uci_har.npz",
    )
    sets = parser.add_subparsers(title="data sets", required=True, metavar="DATASET")
    for name, loader in datasets.LOADERS.items():
        one = _command(
            sets,
            name,
            loader.summary,
            "Reads the official folder or archive, or the .npz archive where one is known.",
            f"gaitd-train prepare {name} SOURCE --out data/{name.replace('-', '_')}.npz",
        )
        one.add_argument("source", type=Path, metavar="SOURCE", help="folder or archive to read")
        _prepared_out(one)
        one.add_argument(
            "--partial", action="store_true", help="accept an incomplete copy; reports name it as such"
        )
        one.set_defaults(run=_prepare, dataset=name)
    _add_prepare_recording(sets)


def _add_prepare_recording(sets) -> None:
    parser = _command(
        sets,
        "recording",
        "your own recordings, as `gaitd import` writes them, with a task of their own",
        "Reads recordings in gaitd's form (NAME.csv or NAME.csv.gz, and NAME.json); windows lie within one\n"
        "recording, subject and activity, and hold no gap.",
        "gaitd import watch.csv -o ward && gaitd-train prepare recording ward --window 128 --hop 64 \\\n"
        "      --out data/ward.npz",
    )
    parser.add_argument("recordings", type=Path, nargs="+", metavar="RECORDING")
    _prepared_out(parser)
    parser.add_argument("--name", help="name of the task (default: that of the first recording)")
    parser.add_argument(
        "--channels",
        type=_texts,
        metavar="CHANNEL,...",
        help="channels that the network reads, in their order (default: all of the recording)",
    )
    parser.add_argument("--window", type=_positive, required=True, metavar="SAMPLES")
    parser.add_argument("--hop", type=_positive, required=True, metavar="SAMPLES")
    parser.add_argument(
        "--labels", type=_texts, metavar="LABEL,...", help="order of the activities (default: sorted)"
    )
    parser.add_argument(
        "--test-subjects",
        type=_texts,
        metavar="SUBJECT,...",
        help="subjects of the test split (default: every third in sorted order)",
    )
    parser.set_defaults(run=_prepare_recording)


def _prepared_out(parser) -> None:
    _out(parser, "the .npz file to write")
    parser.add_argument(
        "--split",
        choices=split.RULES,
        default=split.SUBJECT_WISE,
        help="test windows: those of other people (the publisher's choice, or every third), or 30 %% of "
        "all at random, of the same people (default: %(default)s)",
    )


def _prepare(flags) -> None:
    _show(datasets.prepare(flags.dataset, flags.source, flags.out, flags.split, flags.partial))


def _prepare_recording(flags) -> None:
    layout = recording.Layout(
        window=flags.window,
        hop=flags.hop,
        name=flags.name,
        channels=flags.channels,
        labels=flags.labels,
        test_subjects=flags.test_subjects,
    )
    _show(recording.prepare_recordings(flags.recordings, layout, flags.out, flags.split))


def _show(prepared) -> None:
    print(f"{prepared.table()}\n\n{prepared.path}")


def _texts(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(","))
    if not all(parts):
        raise argparse.ArgumentTypeError(f"must be names separated by commas, got '{text}'")
    return parts


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
        "train a network, by collaborative learning or as a baseline",
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
        type=_texts,
        default=(),
        metavar="SUBJECT,...",
        help="training subjects to leave out and validate on, by name or number, for example ann,bob or 7,14",
    )
    parser.add_argument(
        "--method",
        choices=KINDS,
        default=COLLABORATIVE,
        help="how the configurations learn; all but the default are baselines (default: %(default)s)",
    )
    parser.add_argument(
        "--configuration", metavar="ID", help=f"the one that `--method {ALONE}` trains, for example 0.55x-104"
    )
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoint in --out")
    parser.add_argument(
        "--stop-after", type=_positive, metavar="EPOCHS", help="end early; --resume continues"
    )
    _threads(parser)
    _device(parser)
    parser.set_defaults(run=_train)


def _train(flags) -> None:
    name, loaded = recipe.load(flags.recipe)
    built_in = flags.recipe in recipe.shipped()
    if built_in and flags.data and (own := data.own_name(flags.data)) and own != loaded.dataset:
        # how a network is trained does not hang on whose data it is; whether it fits, the network says
        print(f"recipe {name}, made for {loaded.dataset}, on {own}", file=sys.stderr)
        loaded = dataclasses.replace(loaded, dataset=own)
    dataset = _dataset(flags, loaded.dataset)
    method = Method(flags.method, flags.configuration)
    config = training.RunConfig(name, loaded, flags.seed, dataset.subjects(flags.hold_out), method)
    with distributed.world(flags.device) as world:
        path = training.train(
            config, dataset, flags.out, world, resume=flags.resume, stop_after=flags.stop_after
        )
        if world.leads:
            print(path)


def add_evaluate(commands) -> None:
    parser = _command(
        commands,
        "evaluate",
        "calibrate and measure every configuration",
        "Reads checkpoints (several seeds or held-out groups give mean and spread) and the prepared\n"
        "data; writes evaluation.json, answers.npz, accuracy.csv, accuracy.md, heatmap.png,\n"
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
    _out(parser, "folder of the tables and figures")
    _threads(parser)
    _device(parser)
    parser.set_defaults(run=_evaluate)


def _evaluate(flags) -> None:
    runs = []
    with distributed.world(flags.device) as world:
        for path in flags.checkpoints:
            trained = checkpoint.load(path)
            chosen = [trained.recipe.grid.named(name) for name in flags.only or []]
            dataset = _dataset(flags, trained.recipe.dataset, trained.data)
            runs.append(results.Run(*evaluate.evaluate(trained, dataset, flags.split, chosen, world.device)))
    for file in (
        *results.save(runs, flags.out),
        *evaluation_report.write([run.figures for run in runs], flags.out),
    ):
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
        "--validation",
        type=Path,
        nargs="+",
        required=True,
        metavar="DIR",
        help="evaluations on held-out subjects; they pick the rungs and fit their temperatures",
    )
    parser.add_argument(
        "--test",
        type=Path,
        help="evaluation of this checkpoint on the test subjects; copied into the manifest, chooses nothing",
    )
    parser.add_argument("--name", help="the ladder's name (default: the last part of --out)")
    parser.add_argument(
        "--rungs", type=_positive, default=10, help="at most this many (default: %(default)s)"
    )
    parser.add_argument(
        "--only",
        type=_ids,
        metavar="IDS",
        help="export these rungs instead of choosing, for example 1.00x-128,0.10x-96",
    )
    parser.add_argument(
        "--form", choices=onnx_form.FORMS, default=onnx_form.FORMS[0], help="default: %(default)s"
    )
    parser.add_argument(
        "--context", type=Path, metavar="JSON", help="what `gaitd-train context` wrote; its blocks go along"
    )
    _data(parser)
    _out(parser, "the model directory")
    _threads(parser)
    parser.set_defaults(run=_export)


def _export(flags) -> None:
    trained = checkpoint.load(flags.checkpoint)
    validation = [run for folder in flags.validation for run in results.load(folder)]
    test = ladder.run_of(trained, results.load(flags.test), flags.test) if flags.test else None
    dataset = _dataset(flags, trained.recipe.dataset, trained.data)
    blocks = block.read(flags.context) if flags.context else None
    name = flags.name or flags.out.resolve().name
    ladder.export_ladder(
        trained, dataset, validation, test, flags.out, name, flags.form, flags.rungs, flags.only
    )
    if blocks:
        block.put(blocks, flags.out / model_directory.MANIFEST_FILE)
    print(flags.out / model_directory.MANIFEST_FILE)


def add_statistics(commands) -> None:
    parser = _command(
        commands,
        "statistics",
        "tell a ladder what its training samples were like",
        "Reads a model directory and the prepared data; writes what the samples of each sensor were like\n"
        "into manifest.json, where an older `export` has not. The daemon holds streams against it.",
        "gaitd-train statistics models/mine",
    )
    parser.add_argument("model", type=Path, metavar="DIR", help="the model directory")
    _data(parser)
    parser.set_defaults(run=_statistics)


def _statistics(flags) -> None:
    path = flags.model / model_directory.MANIFEST_FILE
    try:
        name = json.loads(path.read_bytes())["training"]["dataset"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: no manifest of gaitd-train: {error}") from error
    ladder.describe_ladder(flags.model, _dataset(flags, name))
    print(path)


def add_context(commands) -> None:
    parser = _command(
        commands,
        "context",
        "fit how the windows of a stream are weighed together",
        "Reads checkpoints that held different people out, the prepared data and continuous recordings of\n"
        "those people (acc_gyro, exp, user, label); nobody else is looked at. Prints what the parameters\n"
        "are worth to people not fitted on, and writes the manifest's blocks and the figures as JSON.",
        "gaitd-train context runs/fold-*/checkpoint.pt --recordings hapt_raw_stream.npz \\\n"
        "      --only 1.00x-128,0.10x-96 --out runs/context.json",
    )
    parser.add_argument("checkpoints", type=Path, nargs="+", metavar="CHECKPOINT")
    parser.add_argument("--recordings", type=Path, required=True, metavar="NPZ")
    parser.add_argument(
        "--only",
        type=_ids,
        metavar="IDS",
        help="fit for these configurations, for example 1.00x-128,0.10x-96 (default: those of --model)",
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="DIR",
        help="put the blocks into the manifest.json of this ladder, and raise its schema to "
        f"{block.SCHEMA} where it is lower",
    )
    parser.add_argument(
        "--change",
        nargs="+",
        choices=(fit.NONE, *QUANTITIES),
        default=[fit.NONE, *QUANTITIES],
        help="what a change may be noticed by; the best is taken (default: all)",
    )
    parser.add_argument(
        "--given",
        type=Path,
        metavar="JSON",
        help="fit nothing: measure the parameters in the block 'context' of this file in the same way",
    )
    parser.add_argument(
        "--allowed-loss",
        type=float,
        default=100 * fit.Allowed().loss,
        metavar="POINTS",
        help="by how much anyone may do worse than without context; more is weighed against what all gain "
        "(default: %(default)g)",
    )
    parser.add_argument(
        "--allowed-delay",
        type=float,
        default=fit.Allowed().delay,
        metavar="WINDOWS",
        help="after how many windows nine in ten changes are to be followed, where they are without context; "
        "more is weighed against the gain (default: %(default)g)",
    )
    _data(parser)
    _out(parser, "the JSON file to write")
    _threads(parser)
    parser.set_defaults(run=_context)


def _context(flags) -> None:
    manifest = flags.model / model_directory.MANIFEST_FILE if flags.model else None
    if not (rungs := flags.only or (block.rungs_of(manifest) if manifest else None)):
        raise UserError("context: name the configurations with --only, or a ladder with --model")
    given = block.read(flags.given).context if flags.given else None
    trained = [checkpoint.load(path) for path in flags.checkpoints]
    dataset = _dataset(flags, trained[0].recipe.dataset, trained[0].data)
    folds = streams.measure(trained, dataset, flags.recordings, rungs)
    allowed = fit.Allowed(flags.allowed_loss / 100, flags.allowed_delay)
    found = fit.estimate(folds, flags.change, allowed, given)
    fitted = fit.fit_all(folds, flags.change, allowed, given)
    accuracies = found.score.accuracy
    cascades = cascade.front(cascade.measure(folds, found.contexts, accuracies), folds, accuracies)
    blocks = block.Blocks(fitted.context, [one.to_dict() for one in cascades])
    values = {
        **blocks.to_dict(),
        "measured": {"allowed": dataclasses.asdict(allowed), **page.figures(folds, found)},
    }
    model_directory.write_json(values, flags.out, 1)
    if manifest:
        block.put(blocks, manifest)
    print(f"{page.page(folds, fitted, found, cascades)}\n{flags.out}")


def add_draw_context(commands) -> None:
    parser = _command(
        commands,
        "draw-context",
        "draw accuracy over mean work, with context and without",
        "Reads what plans reach, a list of objects with plan, mmacs, alone and context (percent), as the\n"
        "test of gaitd that measures them writes it to the file that GAITD_FIGURES names.",
        "gaitd-train draw-context context.json --out docs/context.png",
    )
    parser.add_argument("plans", type=Path, metavar="JSON")
    _out(parser, "the PNG file to write")
    parser.set_defaults(run=_draw_context)


def _draw_context(flags) -> None:
    try:
        plans = json.loads(flags.plans.read_bytes())
        names = ("plan", "mmacs", "alone", "context")
        plans = [{name: one[name] for name in names} for one in plans]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{flags.plans}: not a list of what plans reach ({error!r})") from error
    published = [one for one in paper.PUBLISHED if one.dataset == "uci-har"]
    print(figures.save(context_figure.draw(plans, published), flags.out))


def add_reproduce(commands) -> None:
    parser = _command(
        commands,
        "reproduce",
        "make every run behind a table of the report",
        "Reads plans and the prepared data; writes one folder per run to DIR/PLAN. Finished runs are\n"
        "kept, others continue from their checkpoint, so the same command may be given again at any time.\n"
        f"Shipped plans: {', '.join(plan.shipped())}.",
        "gaitd-train reproduce uci-har-cnn --out runs",
    )
    parser.add_argument("plans", nargs="+", metavar="PLAN", help="shipped name or path of a TOML file")
    parser.add_argument(
        "--jobs",
        type=_positive,
        default=1,
        help="runs at a time; they share the cores (default: %(default)s)",
    )
    _data(parser)
    _out(parser, "folder of all runs; keep it outside the repository")
    _device(parser)
    _threads(parser)
    parser.set_defaults(run=_reproduce)


def _reproduce(flags) -> None:
    for name in flags.plans:
        print(
            plan.make(
                name, flags.out, flags.data, flags.device, flags.jobs, lambda text: print(text, flush=True)
            )
        )


def add_report(commands) -> None:
    parser = _command(
        commands,
        "report",
        "write the paper's tables and plots beside ours, as one page",
        f"Reads the folder that `reproduce` filled; writes {report.PAGE} and its figures to DIR.",
        "gaitd-train report runs --out docs/training",
    )
    parser.add_argument("runs", type=Path, metavar="RUNS", help="the --out of `reproduce`")
    parser.add_argument(
        "--plans", nargs="+", default=plan.shipped(), metavar="PLAN", help="default: all that are shipped"
    )
    _out(parser, "folder of the page")
    parser.set_defaults(run=_report)


def _report(flags) -> None:
    for file in report.write(flags.runs, flags.out, flags.plans):
        print(file)


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
    "gaitd-train fit-wearer --har uci_har.npz --raw hapt_raw_stream.npz --out runtime/sense/src/wearer.json"
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
    parser.add_argument(
        "--work", type=Path, help="keep data, run and reports here (default: deleted at the end)"
    )
    parser.add_argument(
        "--form", choices=onnx_form.FORMS, default=onnx_form.FORMS[0], help="default: %(default)s"
    )
    _threads(parser)
    parser.set_defaults(run=_demo_ladder)


def _demo_ladder(flags) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        demo.demo_ladder(flags.out, flags.work or Path(scratch), flags.form)
    print(flags.out / model_directory.MANIFEST_FILE)


# In the order of the help text.
COMMANDS = (
    add_fetch,
    add_prepare,
    add_recipe,
    add_train,
    add_evaluate,
    add_export,
    add_statistics,
    add_context,
    add_draw_context,
    add_reproduce,
    add_report,
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
        help="prepared windows (default: what the checkpoint was trained on, else the data set's file in "
        f"${data.DATA_VARIABLE} or ../shared/data)",
    )


def _out(parser, description: str) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="PATH", help=description)


def _threads(parser) -> None:
    parser.add_argument("--threads", type=_positive, help="processor threads (default: all cores)")


def _device(parser) -> None:
    parser.add_argument(
        "--device",
        default=distributed.AUTO,
        metavar="DEVICE",
        help="cpu, cuda, cuda:N, or auto: a GPU where there is one (default: %(default)s)",
    )


def _dataset(flags, name: str, trained_on: str | None = None) -> data.Dataset:
    """The data set that a recipe names: a known one, or a file that brings its own task.

    It is read from --data, else from the file that a checkpoint was `trained_on`, as long as that is there.
    """
    task = TASKS.get(name)
    path = flags.data or (Path(trained_on) if trained_on and Path(trained_on).is_file() else None)
    if task is None and not path:
        moved = f"; {trained_on}, which it was trained on, is gone" if trained_on else ""
        raise UserError(
            f"'{name}' is not one of {', '.join(sorted(TASKS))}{moved}; for data of your own, point "
            "--data at what `gaitd-train prepare recording` wrote"
        )
    path = path or data.default_path(task)
    dataset = data.load(path, task)
    if dataset.task.name != name:
        raise UserError(f"{path}: holds '{dataset.task.name}', but '{name}' was asked for")
    return dataset


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def _ids(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]
