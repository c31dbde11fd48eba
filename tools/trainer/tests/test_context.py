"""The decoder of streams, its fit, and what is made of it."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from gaitd_train.answers import Answers
from gaitd_train.cli import main
from gaitd_train.context import block, cascade, changes, fit, recordings
from gaitd_train.context.decoder import Change, Context, decode, doubts, stays
from gaitd_train.context.score import Scorer
from gaitd_train.context.streams import Batch, Folds, Stream, bouts, shuffled
from gaitd_train.errors import UserError
from gaitd_train.grid import Configuration
from gaitd_train.task import UCI_HAR, triad, unconditioned

HOP_S = 1.28
BOUTS_S = fit.VALUES["bout_s"]
CONTEXT = Context(bout_s=20.0, hop_s=HOP_S, evidence=0.5, doubt=0.1)
CHANGING = replace(CONTEXT, change=Change("rotation", 0.5, 0.4, 0.3))
TINY = unconditioned("tiny", "Tiny", ("a", "b", "c"), triad("acc", "m/s2"), 50, 128, 64)


# --- the decoder -----------------------------------------------------------------------------------


def by_force(context, said, doubt, elapsed, fired) -> np.ndarray:
    """The probability of each last activity, by adding up all sequences of activities."""
    windows, labels = said.shape
    found = np.zeros(labels)
    for sequence in itertools.product(range(labels), repeat=windows):
        probability = 1 / labels
        for time, label in enumerate(sequence):
            share = 1.0
            if time:
                share = min(1.0, elapsed[time] / context.hop_s)
                stay = np.exp(-elapsed[time] / context.bout_s)
                if context.change and fired[time]:
                    stay = min(stay, context.change.stay)
                probability *= (1 - stay) / labels + (stay if label == sequence[time - 1] else 0)
            believed = (1 - doubt) * said[time, label] + doubt / labels
            probability *= believed ** (context.evidence * share)
        found[sequence[-1]] += probability
    return found / found.sum()


@pytest.mark.parametrize("context", [CONTEXT, CHANGING])
def test_the_filter_adds_up_all_sequences(context):
    rng = np.random.default_rng(0)
    for _ in range(20):
        windows = rng.integers(1, 7)
        said = rng.dirichlet(np.full(3, 0.5), size=windows)
        elapsed = np.concatenate([[np.inf], rng.exponential(HOP_S, size=windows - 1)])
        fired = rng.random(windows) < 0.4
        doubt = np.array(rng.uniform(0.01, 0.8))
        beliefs = decode(context, said, doubt, elapsed, fired)
        for end in range(1, windows + 1):
            expected = by_force(context, said[:end], float(doubt), elapsed, fired)
            assert beliefs[end - 1] == pytest.approx(expected, abs=1e-9)


def test_streams_side_by_side_are_decoded_as_one_by_one():
    rng = np.random.default_rng(1)
    said = rng.dirichlet(np.ones(4), size=(30, 5, 2))
    fired, doubt = rng.random((30, 5, 1)) < 0.3, np.array([0.1, 0.4])
    elapsed = np.full((30, 1, 1), HOP_S)
    together = decode(CHANGING, said, doubt, elapsed, fired)
    for stream, rung in itertools.product(range(5), range(2)):
        alone = decode(CHANGING, said[:, stream, rung], doubt[rung], elapsed[:, 0, 0], fired[:, stream, 0])
        assert together[:, stream, rung] == pytest.approx(alone, abs=1e-12)


def test_a_belief_stays_a_distribution_whatever_the_answers():
    rng = np.random.default_rng(2)
    said = rng.normal(0, 10, size=(200, 4))
    said[rng.random(said.shape) < 0.5] = 0
    said[::7, 0], said[::11, 1], said[::13] = np.nan, np.inf, np.nan
    elapsed = rng.exponential(1, size=200) * rng.choice([0, 1, 1e9], size=200)
    for doubt in (0.0, 0.5, 0.9):
        beliefs = decode(CONTEXT, said, np.array(doubt), elapsed, np.zeros(200, bool))
        assert beliefs.sum(-1) == pytest.approx(1, abs=1e-9)
        assert (beliefs >= 0).all()
    # a window that says nothing leaves what was expected
    said = np.array([[0.9, 0.1], [np.nan, np.nan]])
    elapsed = np.array([np.inf, HOP_S])
    first, second = decode(CONTEXT, said, np.array(0.1), elapsed, np.zeros(2, bool))
    stay = np.exp(-HOP_S / CONTEXT.bout_s)
    assert second == pytest.approx(stay * first + (1 - stay) / 2)


def test_a_detector_only_ever_makes_staying_less_likely():
    never = replace(CHANGING, change=replace(CHANGING.change, stay=1.0))
    elapsed, fired = np.array([0.1, 1.28, 90.0, np.inf]), np.ones(4, bool)
    assert (stays(never, elapsed, fired) == stays(CONTEXT, elapsed, fired)).all()
    assert stays(CHANGING, elapsed, fired) == pytest.approx([0.3, 0.3, np.exp(-4.5), 0])
    assert (stays(CHANGING, elapsed, ~fired) == stays(CONTEXT, elapsed, fired)).all()


def test_the_less_accurate_is_believed_less():
    # the figures of the runtime's own test
    assert doubts(0.125, np.array([0.75, 0.875, 0.5])).tolist() == [0.25, 0.125, 0.5]
    assert doubts(0.125, np.array([1.0, 1.0, 0.5])).tolist() == [0.125, 0.125, 0.9]
    assert doubts(0.95, np.array([0.9, 0.8])).tolist() == [0.95, 0.95]


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"bout_s": 0}, "bout_s"),
        ({"bout_s": float("nan")}, "bout_s"),
        ({"hop_s": -1}, "hop_s"),
        ({"evidence": 1.01}, "evidence"),
        ({"doubt": 1.0}, "doubt"),
        ({"change": {"quantity": "smell", "over_s": 1, "above": 1, "stay": 0}}, "change.quantity"),
        ({"change": {"quantity": "gravity", "over_s": 0, "above": 1, "stay": 0}}, "change.over_s"),
        ({"change": {"quantity": "gravity", "over_s": 1, "above": 0, "stay": 0}}, "change.above"),
        ({"change": {"quantity": "gravity", "over_s": 1, "above": 1, "stay": 1.1}}, "change.stay"),
        ({"change": {"quantity": "gravity"}}, "over_s"),
        ({"colour": 1}, "colour"),
    ],
)
def test_what_is_wrong_with_a_block_is_named(values, key):
    assert Context.from_dict(CHANGING.to_dict()) == CHANGING
    assert "change" not in CONTEXT.to_dict()
    with pytest.raises(UserError, match=f"context.*{key}"):
        Context.from_dict(CONTEXT.to_dict() | values)


# --- changes ---------------------------------------------------------------------------------------


def test_rotation_is_the_mean_norm_of_the_gyroscope_so_far():
    raw = np.zeros((200, 6))
    raw[:, 0] = 1e3  # the accelerometer has no part in it
    raw[100:110, 3:] = [2.0, 1.0, 2.0]
    level = changes.levels(UCI_HAR, raw, "rotation", 0.2)
    assert level[99] == 0 and level[104] == pytest.approx(1.5) and level[109] == pytest.approx(3)
    assert level[119] == pytest.approx(0, abs=1e-12)
    degrees = replace(UCI_HAR, input_channels=(*triad("acc", "g"), *triad("gyro", "deg/s")))
    assert changes.levels(degrees, raw, "rotation", 0.2) == pytest.approx(np.radians(level))


def test_gravity_is_the_angle_by_which_the_mean_turns():
    raw = np.zeros((300, 3))
    raw[:150, 2] = raw[150:, 0] = 9.81
    level = changes.levels(TINY, raw, "gravity", 0.5)
    assert level.argmax() == 150 + 24 and level.max() == pytest.approx(np.pi / 2)
    assert level[:149] == pytest.approx(0, abs=1e-6) and level[201:] == pytest.approx(0, abs=1e-6)
    assert not changes.sensed(TINY, "rotation")
    with pytest.raises(UserError, match="rotation"):
        changes.levels(TINY, raw, "rotation", 0.5)


@pytest.mark.parametrize("quantity", ["rotation", "gravity"])
def test_detectors_see_nothing_of_what_is_to_come(quantity):
    raw = np.random.default_rng(3).normal(size=(400, 6))
    whole = changes.levels(UCI_HAR, raw, quantity, 1.0)
    for end in (1, 49, 50, 100, 333):
        assert changes.levels(UCI_HAR, raw[:end], quantity, 1.0) == pytest.approx(whole[:end], abs=1e-9)


def test_a_peak_counts_once_for_the_window_that_first_holds_it():
    level = np.zeros(300)
    level[191], level[192] = 1.0, 2.0
    assert changes.peaks(level, np.array([128, 192, 256])).tolist() == [0, 1, 2]


# --- recordings ------------------------------------------------------------------------------------


def archive(path, users, task=UCI_HAR, samples=500, **changed):
    rng = np.random.default_rng(4)
    arrays = {
        "acc_gyro": rng.normal(size=(samples * len(users), len(task.input_channels))).astype(np.float32),
        "exp": np.repeat(np.arange(1, len(users) + 1), samples),
        "user": np.repeat(users, samples),
        "label": np.tile(np.repeat([0, 1, 7, 2, 3], samples // 5), len(users)),
    }
    np.savez(path, **arrays | changed)
    return arrays


def test_only_the_chosen_people_are_read(tmp_path):
    path = tmp_path / "raw.npz"
    arrays = archive(path, [1, 2, 1])
    arrays["acc_gyro"][arrays["user"] == 2] = np.nan
    np.savez(path, **arrays)
    found = recordings.load(path, UCI_HAR, [1])
    assert [(one.person, one.number) for one in found] == [(1, 1), (1, 3)]
    for people, wrong in (([2], "not finite"), ([1, 9], "no recording of 9")):
        with pytest.raises(UserError, match=wrong):
            recordings.load(path, UCI_HAR, people)
    archive(path, [1, 2], exp=np.ones(1000))
    with pytest.raises(UserError, match="of 2 people"):
        recordings.load(path, UCI_HAR, [1, 2])


def test_windows_are_those_of_a_live_stream(tmp_path):
    archive(tmp_path / "raw.npz", [1], TINY)
    (one,) = recordings.load(tmp_path / "raw.npz", TINY, [1])
    windows, ends = one.windows(TINY), one.ends(TINY)
    assert windows.shape == (6, 3, 128) and ends.tolist() == [128, 192, 256, 320, 384, 448]
    for window, end in zip(windows, ends, strict=True):
        assert (window == one.raw[end - 128 : end].T).all()
    # activities of 100 samples hold no window
    assert one.truth(TINY).tolist() == [recordings.UNSTEADY] * 6
    long = replace(one, label=np.repeat([0, 2], [230, 270]))
    assert long.truth(TINY).tolist() == [0, 0, -1, -1, 2, 2]


def test_windows_of_recordings_are_the_prepared_ones(shared_data):
    with np.load(shared_data / "uci_har.npz") as prepared:
        x, y, source = (prepared[f"{name}_train"] for name in ("X", "y", "src"))
        person = int(prepared["subject_train"][0])
        mine = prepared["subject_train"] == person
    # the prepared windows of a bout begin with it, wherever it does
    everywhere = replace(UCI_HAR, hop=1)
    one = recordings.load(shared_data / "hapt_raw_stream.npz", UCI_HAR, [person])[0]
    windows, truth = one.windows(everywhere), one.truth(everywhere)
    here = mine & (source[:, 0] == one.number) & (source[:, 1] >= 0)
    assert here.sum() > 100
    assert np.abs(windows[source[here, 1]] - x[here]).max() < 1e-5
    assert (truth[source[here, 1]] == y[here] - 1).mean() > 0.95


# --- scores ----------------------------------------------------------------------------------------


def stream(truth, logits=None, fold=0, person=1, peaks=None) -> Stream:
    truth = np.array(truth)
    logits = np.zeros((len(truth), 1, 3)) if logits is None else logits
    return Stream(
        fold, person, 1, truth, logits, {key: np.asarray(value) for key, value in (peaks or {}).items()}
    )


def test_delays_and_changes_are_counted():
    first = stream([0, 0, -1, 1, 1, 1, -1, 1, -1, 2, 2])
    second = stream([2, 2, 0], person=2)
    scorer = Scorer(Batch([first, second], HOP_S))
    answers = np.zeros((11, 2, 1), int)
    answers[:, 0, 0] = [0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0]
    answers[:3, 1, 0] = [2, 2, 0]
    score = scorer.score(np.eye(3)[answers])
    # to 1 after two wrong windows, to 2 never, to 0 at once; the second bout of 1 is no change
    assert score.delays[:, 0].tolist() == [2, 2, 0] and score.followed[:, 0].tolist() == [True, False, True]
    assert score.windows == 11 and score.accuracy[0] == pytest.approx(6 / 11)
    assert score.by_person[:, 0] == pytest.approx([3 / 8, 1])
    assert score.delay(0.5)[0] == 2
    # a wrong answer that is certain is 2 from the truth
    assert score.brier[0] == pytest.approx(2 * 5 / 11)
    hours = 14 * HOP_S / 3600
    assert score.true_changes_per_hour == pytest.approx(3 / hours)
    assert score.changes_per_hour[0] == pytest.approx(5 / hours)


def test_nothing_but_one_activity_has_no_delay():
    score = Scorer(Batch([stream([0, 0, 0])], HOP_S)).score(np.eye(3)[np.zeros((3, 1, 1), int)])
    assert score.accuracy[0] == 1 and score.delay(0.9).tolist() == [0]
    assert len(bouts(np.full(4, -1))) == 0


def test_shuffling_moves_whole_bouts():
    truth = np.array([-1, 0, 0, -1, 1, 1, 1, 2, -1])
    one = stream(truth, np.arange(27.0).reshape(9, 1, 3), peaks={("rotation", 0.5): np.arange(9)})
    seen = set()
    for seed in range(20):
        mixed = shuffled(one, np.random.default_rng(seed))
        place = mixed.peaks["rotation", 0.5]
        assert sorted(place) == list(range(9)) and (mixed.truth == truth[place]).all()
        assert (mixed.logits[:, 0, 0] == 3 * place).all()
        pieces = np.split(place, np.flatnonzero(np.diff(place) != 1) + 1)
        assert {piece[0] for piece in pieces} <= {0, 3, 7}
        seen.add(tuple(place))
    # of the six orders, and as many changes in each of them
    assert len(seen) == 6


def test_no_order_is_easier_by_having_fewer_changes():
    truth = np.array([0, -1, 1, -1, 0, 0, -1, 1, 1, -1, 0])
    for seed in range(20):
        mixed = shuffled(stream(truth), np.random.default_rng(seed))
        assert bouts(mixed.truth)[:, 2].sum() == 4


@pytest.fixture
def few_draws(monkeypatch):
    """A short search, where not the search is what is tested."""
    monkeypatch.setattr(fit, "DRAWS", 10)
    monkeypatch.setattr(fit, "CLIMBS", 1)
    values = {"bout_s": (8, 25, 80), "evidence": (0.5, 1.0), "doubt": (0.003, 0.03)}
    monkeypatch.setattr(fit, "VALUES", values)


# --- the fit ---------------------------------------------------------------------------------------


def made_up(bout: float, seed: int = 0, moves: bool = False, people: int = 6, folds: int = 2) -> Folds:
    """People who change with a chance of 1 / `bout` per window, seen through independent noise.

    With `moves`, rotation is high with each change and nowhere else.
    """
    rng = np.random.default_rng(seed)
    made, prepared = [], []
    for person in range(people):
        truth = np.empty(300, int)
        peak = np.full(300, 0.1)
        for time in range(300):
            if time == 0 or rng.random() < 1 / bout:
                truth[time] = rng.integers(3)
                peak[time] = 0.7 if moves else 0.1
            else:
                truth[time] = truth[time - 1]
        # the logits are those of the likelihood, so that full evidence is right
        seen = np.eye(3)[truth][:, None] + rng.normal(0, 1, size=(300, 2, 3)) * [[1.3], [0.9]]
        logits = seen / np.square([[1.3], [0.9]])
        peaks = {("rotation", 0.5): peak}
        made.append(stream(truth, logits, person % folds, person, peaks))
    for fold in range(folds):
        mine = [one for one in made if one.fold == fold]
        logits, truth = (np.concatenate([getattr(one, key) for one in mine]) for key in ("logits", "truth"))
        person = np.repeat([one.person for one in mine], 300)
        prepared.append(Answers({"0.10x-8": logits[:, 0], "1.00x-8": logits[:, 1]}, truth, person))
    rungs = [Configuration(0.1, 8), Configuration(1.0, 8)]
    return Folds(TINY, rungs, [100, 1000], prepared, made)


def whole(folds: Folds) -> fit.Objective:
    return fit.objective_of(folds, range(2), range(2))


def test_the_fit_finds_how_long_activities_last(few_draws, monkeypatch):
    # the noise is independent and its likelihood known; a lower evidence would stand in for a longer bout
    monkeypatch.setattr(fit, "VALUES", {"bout_s": BOUTS_S, "evidence": (1.0,), "doubt": (0.003, 0.01)})
    # what nobody waits for: through so much noise, a single window is right by chance before a belief is
    monkeypatch.setattr(fit, "DELAY_WEIGHT", 0.0)
    for bout in (8, 60):
        objective = whole(made_up(bout, people=20))
        found = fit.fit(objective, ["none"]).context
        assert bout * HOP_S / 2.5 < found.bout_s < bout * HOP_S * 2.5
        assert objective.worth(found) >= objective.worth(Context(bout * HOP_S, HOP_S, 1.0, 0.01)) - 1e-3
        assert objective.score(found).accuracy.mean() > objective.alone.accuracy.mean() + 0.05


def test_the_fit_takes_a_detector_that_tells_changes_and_no_other(few_draws):
    telling = fit.fit(whole(made_up(25, moves=True)), ["none", "rotation"]).context
    assert telling.change is not None and 0.1 < telling.change.above < 0.7 and telling.change.stay < 0.9
    silent = fit.fit(whole(made_up(25)), ["none", "rotation"]).context
    assert silent.change is None
    with pytest.raises(UserError, match="gravity"):
        fit.fit(whole(made_up(25)), ["gravity"])


def test_a_loss_of_one_person_is_not_bought_by_gains_of_others():
    folds = made_up(60)
    objective = whole(folds)
    stubborn = Context(600.0, HOP_S, 0.15, 0.3)
    score = objective.score(stubborn)
    lost = objective.alone.by_person.mean(1) - score.by_person.mean(1)
    worse = replace(score, by_person=score.by_person - 0.2)
    allowed = fit.Allowed(loss=0.005)
    assert fit.penalty(worse, objective.alone, allowed) > fit.penalty(score, objective.alone, allowed)
    assert fit.penalty(worse, objective.alone, allowed) >= np.maximum(0, lost + 0.2 - 0.005).sum() - 1e-12
    # of what is followed late no more than is allowed counts
    late = replace(score, by_person=objective.alone.by_person, delays=score.delays + 10)
    costs = [fit.penalty(late, objective.alone, fit.Allowed(delay=delay)) for delay in (2, 5, 1000)]
    assert costs[0] > costs[1] > costs[2]


def test_beliefs_that_hardly_differ_are_worth_less():
    objective = whole(made_up(20))
    flat, sharp = Context(1.0, HOP_S, 0.05, 0.3), Context(25.0, HOP_S, 1.0, 0.003)
    assert (objective.score(flat).brier > objective.alone.brier).all()
    assert (objective.score(sharp).brier < objective.alone.brier).all()
    equal = replace(objective.score(flat), by_person=objective.alone.by_person)
    vague = (equal.brier - objective.alone.brier).mean()
    assert fit.penalty(equal, objective.alone, fit.Allowed()) >= vague > 0


def test_parameters_are_measured_on_people_who_had_no_part_in_them(few_draws):
    folds = made_up(20)
    expected = fit.estimate(folds, ["none"])
    assert expected.score.accuracy.mean() > expected.alone.accuracy.mean()
    rng = np.random.default_rng(5)
    noisy = [
        replace(one, logits=rng.normal(size=one.logits.shape)) if one.fold == 0 else one
        for one in folds.streams
    ]
    wrong = replace(folds.prepared[0], y=(folds.prepared[0].y + 1) % 3)
    spoilt = replace(folds, streams=noisy, prepared=[wrong, folds.prepared[1]])
    found = fit.estimate(spoilt, ["none"])
    assert found.contexts[0] == expected.contexts[0]
    assert found.contexts[1] != expected.contexts[1]


def test_random_orders_cost_nothing_where_there_is_no_script(few_draws):
    found = fit.estimate(made_up(20), ["none"])
    assert found.reordered[1] == pytest.approx(found.score.accuracy, abs=0.02)


# --- cascades --------------------------------------------------------------------------------------


def test_a_cascade_goes_from_the_small_network_to_the_large_one():
    objective = whole(made_up(20))
    answers, asked = cascade.escalate(objective, CONTEXT, 0, 1, (0.0, 0.8, 1.1))
    ends = objective.beliefs(CONTEXT).argmax(-1)
    assert (answers[0] == ends[:, :, 0]).all() and not asked[0].any()
    assert (answers[2] == ends[:, :, 1]).all() and asked[2].all()
    assert 0 < asked[1].mean() < 1


def test_cascades_on_the_front_beat_all_that_is_as_cheap(few_draws):
    folds = made_up(20)
    found = fit.estimate(folds, ["none"])
    measured = cascade.measure(folds, found.contexts, found.score.accuracy)
    assert len(measured) == len(cascade.THRESHOLDS)
    for one in measured:
        assert one.macs == pytest.approx(100 + one.escalates * 1000) and 0 <= one.escalates <= 1
        small, large = found.score.accuracy
        assert one.gain == pytest.approx(
            np.clip((one.accuracy - small) / (large - small), 0, cascade.MOST_GAIN)
        )
    kept = cascade.front(measured, folds, found.score.accuracy)
    assert kept
    for one in kept:
        cheaper = [other.accuracy for other in kept if other.macs < one.macs]
        cheaper += [a for m, a in zip(folds.macs, found.score.accuracy, strict=True) if m <= one.macs]
        assert all(one.accuracy >= other + cascade.GAIN for other in cheaper)


# --- files -----------------------------------------------------------------------------------------


CASCADE = {"small": "a", "large": "b", "threshold": 0.7, "gain": 0.5, "escalates": 0.1}
BLOCKS = block.Blocks(CONTEXT, [CASCADE])


def test_blocks_change_nothing_else_in_a_manifest(tmp_path):
    path = tmp_path / "manifest.json"
    rungs = ' "configurations":  [{"id": "a"}, {"id": "b"}]'
    before = (
        '{\n "schema": 3,\n "odd":   [1.50, {"context": 0}],\n "text": "a \\u00e9 \\"context\\": {",\n'
        + rungs
        + "\n}\n"
    )
    path.write_text(before)
    block.put(BLOCKS, path)
    assert path.read_text().startswith(before.removesuffix("\n}\n") + ',\n "context": {')
    assert path.read_text().endswith("]\n}\n")
    first = path.read_text()
    assert json.loads(first)["cascades"] == [CASCADE]
    # a cascade of what the ladder does not have stays away
    block.put(block.Blocks(CHANGING, [CASCADE | {"large": "c"}]), path)
    assert Context.from_dict(json.loads(path.read_text())["context"]) == CHANGING
    assert json.loads(path.read_text())["cascades"] == []
    block.put(BLOCKS, path)
    assert path.read_text() == first
    path.write_text(before.replace("3,", "2,", 1))
    block.put(BLOCKS, path)
    assert path.read_text() == first


@pytest.mark.parametrize("text", ["", "[1]", '{"schema": 2', '{"schema": 2,}', "{}", '{"name": 1}'])
def test_what_is_no_manifest_is_left_alone(tmp_path, text):
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"manifest\.json"):
        block.put(BLOCKS, path)
    assert path.read_text() == text


def write_recordings(path) -> None:
    """A posture for each activity, held for 8 s each, of four training people; person 5 is no number."""
    rng = np.random.default_rng(6)
    parts = {"acc_gyro": [], "exp": [], "user": [], "label": []}
    for user in (1, 2, 3, 4, 5):
        for activity in rng.permutation(np.repeat(np.arange(1, 7), 2)):
            piece = rng.normal(0, 0.05, size=(400, 6))
            piece[:, :3] += [np.cos(activity), np.sin(activity), 0.2]
            parts["acc_gyro"].append(piece if user < 5 else np.full((400, 6), np.nan))
            parts["label"].append(np.full(400, activity))
            parts["exp"].append(np.full(400, user))
            parts["user"].append(np.full(400, user))
    np.savez(path, **{name: np.concatenate(values) for name, values in parts.items()})


@pytest.fixture(scope="module")
def folds_of_people(windows, tmp_path_factory):
    """Checkpoints without people 1 and 2, and without 3 and 4, and recordings of them all."""
    folder = tmp_path_factory.mktemp("context")
    write_recordings(folder / "raw.npz")
    for name, people in (("a", "1,2"), ("b", "3,4")):
        command = ["train", "--recipe", "demo", "--data", str(windows), "--hold-out", people]
        assert main([*command, "--out", str(folder / name)]) == 0
    return folder


def test_the_command_fits_and_tells(folds_of_people, windows, capsys, monkeypatch):
    # a few values do; what the search does with more is tested above
    monkeypatch.setattr(fit, "VALUES", {"bout_s": (12, 50), "evidence": (0.5, 1.0), "doubt": (0.03, 0.1)})
    monkeypatch.setattr(fit, "DRAWS", 5)
    folder = folds_of_people
    files = [str(folder / name / "checkpoint.pt") for name in "ab"]
    command = ["context", *files, "--recordings", str(folder / "raw.npz"), "--data", str(windows)]
    command += ["--only", "1.00x-128,0.10x-96", "--out", str(folder / "context.json")]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "| fitted on | bout_s |" in printed and "| 1.00x-128 |" in printed
    values = json.loads((folder / "context.json").read_text())
    blocks = block.read(folder / "context.json")
    context = blocks.context
    assert blocks.to_dict() == {
        name: values[name] for name in ("context", "cascades")
    } and context.hop_s == pytest.approx(HOP_S)
    measured = values["measured"]
    assert measured["held_out"] == [[1, 2], [3, 4]] and list(measured["rungs"]) == ["0.10x-96", "1.00x-128"]
    for rung in measured["rungs"].values():
        assert set(rung["context"]["people"]) == {"1", "2", "3", "4"}
        assert 0 <= rung["context"]["accuracy"] <= 1


def test_given_parameters_are_measured_and_not_changed(few_draws):
    folds = made_up(20)
    found = fit.estimate(folds, ["none"], given=CONTEXT)
    assert [one.context for one in found.contexts] == [CONTEXT] * len(folds.prepared)
    everyone = fit.fit_all(folds, ["none"], given=CONTEXT)
    assert everyone.context == CONTEXT and everyone.worth == whole(folds).worth(CONTEXT)
    best = fit.fit_all(folds, ["none"])
    assert best.worth >= everyone.worth


def test_plans_are_drawn(tmp_path, capsys):
    plans = [{"plan": name, "mmacs": 0.2, "alone": 90.0, "context": 95.0} for name in ("a", "b", "a+b@0.7")]
    (tmp_path / "plans.json").write_text(json.dumps(plans))
    command = ["draw-context", str(tmp_path / "plans.json"), "--out", str(tmp_path / "drawn.png")]
    assert main(command) == 0 and (tmp_path / "drawn.png").read_bytes().startswith(b"\x89PNG")
    (tmp_path / "plans.json").write_text('[{"plan": "a"}]')
    assert main(command) == 1
    assert "plans.json" in capsys.readouterr().err


def test_what_the_command_cannot_use_is_refused(folds_of_people, windows, demo_ladder, tmp_path, capsys):
    folder = folds_of_people
    a, b = (str(folder / name / "checkpoint.pt") for name in "ab")
    other = str(demo_ladder / "work" / "run" / "checkpoint.pt")
    for checkpoints, only, wrong in (
        ([a], "1.00x-128", "two checkpoints"),
        ([a, a], "1.00x-128", "same people"),
        ([b, other], "1.00x-128", "same people"),
        ([a, b], "0.33x-1", "no configuration"),
        ([a, b], None, "--only"),
    ):
        command = ["context", *checkpoints, "--recordings", str(folder / "raw.npz"), "--data", str(windows)]
        command += ["--out", str(tmp_path / "out.json"), *(["--only", only] if only else [])]
        assert main(command) == 1
        assert wrong in capsys.readouterr().err
        assert not (tmp_path / "out.json").exists()


def test_a_ladder_gets_the_block(demo_ladder, tmp_path, capsys):
    work = demo_ladder / "work"
    command = ["export", str(work / "run" / "checkpoint.pt"), "--validation", str(work / "validation")]
    command += ["--only", "0.10x-96", "--data", str(work / "windows.npz"), "--name", "demo"]
    assert main([*command, "--out", str(tmp_path / "plain")]) == 0
    (tmp_path / "context.json").write_text(json.dumps(block.Blocks(CHANGING, []).to_dict()))
    context = ["--context", str(tmp_path / "context.json")]
    assert main([*command, *context, "--out", str(tmp_path / "with")]) == 0
    plain, found = (json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("plain", "with"))
    assert found == {**plain, "schema": 3, "context": CHANGING.to_dict()}
    (tmp_path / "context.json").write_text('{"context": {"bout_s": 1}, "cascades": []}')
    assert main([*command, *context, "--out", str(tmp_path / "wrong")]) == 1
    assert "context.json" in capsys.readouterr().err and not (tmp_path / "wrong").exists()
