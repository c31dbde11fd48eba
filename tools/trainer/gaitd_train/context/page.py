"""What a fit found, as tables and as plain values."""

from collections.abc import Sequence

import numpy as np

from gaitd_train.context.cascade import Cascade
from gaitd_train.context.fit import Estimate, Fitted
from gaitd_train.context.score import Score
from gaitd_train.context.streams import Folds
from gaitd_train.markdown import Page, Table


def page(folds: Folds, fitted: Fitted, found: Estimate, cascades: Sequence[Cascade]) -> Page:
    """The tables that the command prints."""
    result = Page()
    result.table(_parameters(fitted, found))
    people = ", ".join(str(len(_held_out(folds, fold))) for fold in range(len(folds.prepared)))
    result.paragraph(
        f"On people not fitted on ({people} of them by fold): {found.score.windows:,} windows inside one "
        f"activity,\n{len(found.score.delays)} changes, {found.score.true_changes_per_hour:.0f} per hour."
    )
    result.table(_figures(folds, found))
    if cascades:
        result.table(_cascades(cascades))
    return result


def figures(folds: Folds, found: Estimate) -> dict:
    """The figures of the tables, for a file."""
    return {
        "what": "parameters fitted on all folds but one and measured on that one, in turn",
        "held_out": [_held_out(folds, fold) for fold in range(len(folds.prepared))],
        "windows": found.score.windows,
        "changes": len(found.score.delays),
        "contexts": [one.context.to_dict() for one in found.contexts],
        "rungs": {
            rung.id: {
                "alone": _of_rung(found.alone, place),
                "context": _of_rung(found.score, place),
                "reordered": {
                    "alone": float(found.reordered[0][place]),
                    "context": float(found.reordered[1][place]),
                },
            }
            for place, rung in enumerate(folds.rungs)
        },
    }


def _held_out(folds: Folds, fold: int) -> list[int]:
    return sorted({stream.person for stream in folds.streams if stream.fold == fold})


def _of_rung(score: Score, place: int) -> dict:
    return {
        "accuracy": float(score.accuracy[place]),
        "brier": float(score.brier[place]),
        "people": {
            str(person): float(value)
            for person, value in zip(score.people, score.by_person[:, place], strict=True)
        },
        "delay_median": int(score.delay(0.5)[place]),
        "delay_90": int(score.delay(0.9)[place]),
        "never_followed": int((~score.followed[:, place]).sum()),
        "changes_per_hour": float(score.changes_per_hour[place]),
    }


def _parameters(fitted: Fitted, found: Estimate) -> Table:
    columns = ["bout_s", "evidence", "doubt", "change", "over_s", "above", "stay", "worth"]
    table = Table(["fitted on", *columns], text={"change"})
    names = [f"all but fold {fold}" for fold in range(1, len(found.contexts) + 1)]
    for name, one in zip(["all folds", *names], [fitted, *found.contexts], strict=True):
        context, change = one.context, one.context.change
        movement = ["none", "", "", ""]
        if change is not None:
            movement = [change.quantity, f"{change.over_s:g}", f"{change.above:g}", f"{change.stay:g}"]
        shares = [f"{context.bout_s:g}", f"{context.evidence:g}", f"{context.doubt:g}"]
        table.add([name, *shares, *movement, _percent(one.worth)])
    table.add(["no context", *[""] * 7, _percent(found.alone.accuracy.mean())])
    return table


def _figures(folds: Folds, found: Estimate) -> Table:
    table = Table(
        [
            "configuration",
            "alone %",
            "context %",
            "Brier",
            "worst person %",
            "most lost",
            "windows late, median",
            "90 %",
            "never right",
            "changes per hour",
            "bouts in random order %",
        ]
    )
    alone, score = found.alone, found.score
    for place, rung in enumerate(folds.rungs):
        both = [_of_rung(one, place) for one in (alone, score)]
        lost = np.max(alone.by_person[:, place] - score.by_person[:, place])
        table.add(
            [
                rung.id,
                *(_percent(one["accuracy"]) for one in both),
                _pair(f"{one['brier']:.3f}" for one in both),
                _pair(_percent(min(one["people"].values())) for one in both),
                f"{100 * lost:+.2f}",
                _pair(str(one["delay_median"]) for one in both),
                _pair(str(one["delay_90"]) for one in both),
                _pair(str(one["never_followed"]) for one in both),
                _pair(f"{one['changes_per_hour']:.0f}" for one in both),
                _pair(_percent(part[place]) for part in found.reordered),
            ]
        )
    return table


def _cascades(cascades: Sequence[Cascade]) -> Table:
    table = Table(["small", "large", "threshold", "MMACs", "accuracy %", "escalates %"], text={"large"})
    for one in cascades:
        shares = [f"{one.macs / 1e6:.2f}", _percent(one.accuracy), f"{100 * one.escalates:.1f}"]
        table.add([one.small, one.large, f"{one.threshold:g}", *shares])
    return table


def _percent(share: float) -> str:
    return f"{100 * share:.2f}"


def _pair(parts) -> str:
    return " → ".join(parts)
