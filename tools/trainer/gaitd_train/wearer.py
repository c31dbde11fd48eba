"""Fits the simulated wearer: the parameters from which the runtime generates raw 6-axis signals.

One *persona* is one recording of one training subject, because the phone was mounted anew for every
recording and only within a recording do the orientations of the activities belong together. Per persona:

- a *gait* (walking, upstairs, downstairs) is a mean vector, a cadence that wanders from stride to stride,
  a Fourier series over the stride, a gain that varies from stride to stride, and coloured noise (an
  autoregression by Yule-Walker whose innovations are correlated across the axes) that is stronger in some
  parts of the stride;
- a *posture* (sitting, standing, lying) is a few mean vectors, a slow sway and coloured noise.

Nothing but these parameters leaves this module: no sample of the data set is in the file. Only the subjects
of the UCI-HAR training split are read. The fit has no random part, so it gives the same file for the same
data.
"""

import json
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from gaitd_train.errors import UserError
from gaitd_train.npz import array_of, open_archive
from gaitd_train.task import UCI_HAR

SCHEMA = 1
GENERATOR = 1
RATE_HZ = float(UCI_HAR.sample_rate_hz)
ACTIVITIES = dict(enumerate(UCI_HAR.labels, start=1))
GAITS = {label: name for label, name in ACTIVITIES.items() if label <= 3}
POSTURES = {label: name for label, name in ACTIVITIES.items() if label > 3}
# the postural transitions of HAPT, by label
TRANSITIONS = {7: (5, 4), 8: (4, 5), 9: (4, 6), 10: (6, 4), 11: (5, 6), 12: (6, 5)}

PERSONAS = 8
# samples for which a posture is held: 5 s
HOLD = 5 * int(RATE_HZ)
HARMONICS = 14
ENVELOPE = 16
ORDER = 8
# Adults stride (two steps) at 0.65 to 1.25 Hz on level ground and on stairs. The range spans less than an
# octave, so that neither half nor twice the cadence can be taken for it.
STRIDE_HZ = (0.65, 1.25)
# label borders are drawn by hand: leave half a second at each end
EDGE = 25
# shorter bouts hold too few strides
MINIMUM_BOUT = 4 * int(RATE_HZ) + 2 * EDGE


@dataclass(frozen=True)
class Recordings:
    """The raw recordings of the training subjects.

    `signal` is `[samples, 6]` (g, rad/s, 50 Hz); `bouts` is `[bouts, 5]`: recording, subject, label, first
    and last row of `signal`.
    """

    signal: np.ndarray
    bouts: np.ndarray

    def bout(self, row: np.ndarray) -> np.ndarray:
        """The samples of one bout without its edges."""
        return self.signal[row[3] + EDGE : row[4] + 1 - EDGE]


def load(har: Path, raw: Path) -> Recordings:
    """Reads `hapt_raw_stream.npz` and keeps the training subjects of `uci_har.npz`.

    Raises `UserError` when a file lacks an array, the arrays do not fit together, or no training subject was
    recorded.
    """
    with open_archive(har) as archive:
        subjects = np.unique(array_of(archive, har, "subject_train")).astype(int)
    with open_archive(raw) as archive:
        signal = array_of(archive, raw, "acc_gyro").astype(np.float64)
        recording = array_of(archive, raw, "exp")
        bouts = array_of(archive, raw, "labels_txt").astype(int)
    axes = len(UCI_HAR.input_channels)
    if signal.shape != (len(recording), axes) or bouts.ndim != 2 or bouts.shape[1] != 5:
        shapes = f"{signal.shape}, {recording.shape} and {bouts.shape}"
        raise UserError(f"{raw}: acc_gyro, exp and labels_txt are {shapes}, not [n, 6], [n] and [bouts, 5]")
    if not np.isfinite(signal).all():
        raise UserError(f"{raw}: acc_gyro holds values that are not finite")
    bouts = bouts[np.isin(bouts[:, 1], subjects)]
    if not len(bouts):
        raise UserError(f"{raw}: no bout of a training subject of {har}")
    # labels_txt counts the samples of each recording from 1
    for bout in bouts:
        rows = np.flatnonzero(recording == bout[0])
        if not 1 <= bout[3] <= bout[4] <= len(rows):
            raise UserError(f"{raw}: bout {bout.tolist()} lies outside its recording of {len(rows)} samples")
        bout[3:] += rows[0] - 1
    return Recordings(signal, bouts)


# --- coloured noise --------------------------------------------------------------------------------


def autoregression(pieces: list[np.ndarray], order: int = ORDER) -> tuple[np.ndarray, np.ndarray]:
    """Yule-Walker, one autoregression per axis, from several pieces of one process.

    `pieces` are `[time, axes]` with mean 0. Returns the coefficients `[axes, order]` of
    `x[t] = sum_i c[i] x[t-1-i] + e[t]` and the lower Cholesky factor `[axes, axes]` of the covariance of `e`.
    The autocovariances are the biased ones, which makes every fit stable.
    """
    length = sum(len(p) for p in pieces)
    axes = pieces[0].shape[1]

    def at_lag(k: int) -> np.ndarray:
        return sum((p[k:] * p[: len(p) - k]).sum(0) for p in pieces) / length

    covariance = np.array([at_lag(k) for k in range(order + 1)])
    lags = np.abs(np.subtract.outer(np.arange(order), np.arange(order)))
    coefficients = np.empty((axes, order))
    for axis in range(axes):
        c = covariance[:, axis]
        # a little white noise keeps the system solvable for a channel that hardly moves
        toeplitz = c[lags] + np.eye(order) * (1e-6 * c[0] + 1e-12)
        coefficients[axis] = np.linalg.solve(toeplitz, c[1:])
    innovations = np.concatenate([_innovations(p, coefficients) for p in pieces])
    spread = innovations.T @ innovations / len(innovations)
    return coefficients, np.linalg.cholesky(spread + 1e-12 * np.eye(axes))


def _innovations(piece: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    order = coefficients.shape[1]
    past = np.lib.stride_tricks.sliding_window_view(piece, order, axis=0)[:-1, :, ::-1]
    return piece[order:] - np.einsum("tap,ap->ta", past, coefficients)


# --- gaits -----------------------------------------------------------------------------------------


def _basis(phase: np.ndarray, harmonics: int) -> np.ndarray:
    return np.exp(2j * np.pi * np.outer(phase, np.arange(1, harmonics + 1)))


def _series(
    signal: np.ndarray, phase: np.ndarray, harmonics: int, weight: np.ndarray | None = None
) -> np.ndarray:
    """Least-squares Fourier series `[harmonics, axes]`: signal ~ Re(basis @ series)."""
    basis = _basis(phase, harmonics)
    design = np.hstack([basis.real, -basis.imag])
    root = 1.0 if weight is None else np.sqrt(weight)[:, None]
    solution, *_ = np.linalg.lstsq(design * root, signal * root, rcond=None)
    return solution[:harmonics] + 1j * solution[harmonics:]


def _offset(local: np.ndarray, template: np.ndarray, reach: float) -> float:
    """By how many strides, at most `reach`, `local` is ahead of `template`; both `[harmonics, axes]`."""
    cross = (local * template.conj()).sum(1)
    shifts, turns = _shifts(reach, len(cross))
    return float(shifts[np.argmax((cross * turns).real.sum(1))])


@cache
def _shifts(reach: float, harmonics: int) -> tuple[np.ndarray, np.ndarray]:
    """Shifts in strides from `-reach` to `reach`, and by how much each turns the harmonics back."""
    shifts = np.linspace(-reach, reach, 401)
    return shifts, np.exp(-2j * np.pi * np.outer(shifts, np.arange(1, harmonics + 1)))


def _stride_rates(bouts: list[np.ndarray]) -> list[float]:
    """For every bout the stride rate (Hz) whose first six harmonics hold the most power of `[time, axes]`.

    A single bout may be mistaken for half or twice its rate, so one rate is first estimated from all bouts,
    and that of each bout is then searched within 15 % of it.
    """
    rates = np.arange(STRIDE_HZ[0], STRIDE_HZ[1], 0.005)
    power = []
    for bout in bouts:
        time = np.arange(len(bout)) / RATE_HZ
        tapered = bout * np.hanning(len(bout))[:, None]
        power.append([(np.abs(_basis(-rate * time, 6).T @ tapered) ** 2).sum() / len(bout) for rate in rates])
    power = np.array(power)
    # bouts differ by a few per cent, so their powers are smoothed before they are added up
    total = np.convolve(power.sum(0), np.hanning(15), "same")
    near = np.abs(rates / rates[np.argmax(total)] - 1) <= 0.15
    return [float(rates[near][np.argmax(p[near])]) for p in power]


def stride_phase(bouts: list[np.ndarray]) -> list[np.ndarray]:
    """The phase in strides of every sample of several bouts of one gait, aligned with each other.

    Each bout starts from its most powerful constant stride rate. Then a common template (a Fourier
    series over the stride) is fitted and the phase is shifted, window by window of two strides, to where it
    matches the template best, by turns.
    """
    scaled = [(b - b.mean(0)) / np.concatenate(bouts).std(0) for b in bouts]
    rates = _stride_rates(scaled)
    phases = [r * np.arange(len(s)) / RATE_HZ for r, s in zip(rates, scaled, strict=True)]
    low = 8
    longest = int(np.argmax([len(s) for s in scaled]))
    for turn in range(3):
        # first every bout by itself: a template over several needs a common zero
        for i, s in enumerate(scaled):
            seconds = (np.arange(len(s)) - len(s) / 2) / RATE_HZ
            # the constant rate holds for a few strides only
            middle = np.exp(-0.5 * (seconds / 1.5) ** 2) if turn == 0 else None
            phases[i] = _aligned_phase(s, phases[i], _series(s, phases[i], low, middle), rates[i])
    template = _series(scaled[longest], phases[longest], low)
    for i, s in enumerate(scaled):
        phases[i] = phases[i] + _offset(_series(s, phases[i], low), template, 0.5)
    for _ in range(3):
        template = _series(np.concatenate(scaled), np.concatenate(phases), low)
        phases = [_aligned_phase(s, p, template, r) for s, p, r in zip(scaled, phases, rates, strict=True)]
    return phases


def _aligned_phase(signal: np.ndarray, phase: np.ndarray, template: np.ndarray, rate: float) -> np.ndarray:
    width = int(2 * RATE_HZ / rate)
    centres = np.arange(0, len(signal), int(RATE_HZ / 5))
    basis = _basis(-phase, len(template))
    shifts = []
    for centre in centres:
        window = slice(max(0, centre - width), min(len(signal), centre + width))
        taper = 0.5 + 0.5 * np.cos(np.pi * (np.arange(window.start, window.stop) - centre) / width)
        local = basis[window].T @ (signal[window] * taper[:, None])
        shifts.append(_offset(local, template, 0.2))
    return phase + np.interp(np.arange(len(signal)), centres, shifts)


def _wander(series: list[np.ndarray], spread: float) -> dict:
    """Spread and lag-1 correlation of a stride-to-stride quantity around its bout mean."""
    if max(len(s) for s in series) <= 2:
        return {"sd": 0.0, "correlation": 0.0}
    pairs = [(s[1:] - s.mean(), s[:-1] - s.mean()) for s in series if len(s) > 2]
    now, before = (np.concatenate(side) for side in zip(*pairs, strict=True))
    correlation = float((now * before).sum() / max((before**2).sum(), 1e-12))
    return {"sd": min(float(now.std()), spread), "correlation": float(np.clip(correlation, 0.0, 0.95))}


def fit_gait(bouts: list[np.ndarray]) -> tuple[dict, float]:
    """The parameters of one gait from its bouts (each `[time, 6]`, g and rad/s).

    The second value is the share of the accelerometer's variance that the periodic part explains.
    """
    phases = stride_phase(bouts)
    centred = [b - b.mean(0) for b in bouts]
    template = _series(np.concatenate(centred), np.concatenate(phases), HARMONICS)
    scale = np.concatenate(bouts).std(0)
    rates, gains, residuals = [], [], []
    for signal, phase in zip(centred, phases, strict=True):
        model = (_basis(phase, HARMONICS) @ template).real
        borders = np.arange(np.ceil(phase[0]), np.floor(phase[-1]) + 1)
        ticks = np.interp(borders, phase, np.arange(len(phase)))
        rates.append(RATE_HZ / np.diff(ticks))
        strides = [slice(int(a), int(b)) for a, b in pairwise(ticks)]
        gain = np.array([_gain(signal[s] / scale, model[s] / scale) for s in strides])
        gains.append(gain)
        middles = (ticks[:-1] + ticks[1:]) / 2
        residuals.append(signal - model * np.interp(np.arange(len(signal)), middles, gain)[:, None])
    envelope = _envelope(np.concatenate(residuals), np.concatenate(phases))
    coefficients, mix = autoregression(
        [r / _along(envelope, p) for r, p in zip(residuals, phases, strict=True)]
    )
    means = np.array([b.mean(0) for b in bouts])
    bout_rates = np.array([r.mean() for r in rates])
    accelerometer = slice(0, 3)
    left = sum((r[:, accelerometer] ** 2).sum() for r in residuals)
    explained = 1 - left / sum((c[:, accelerometer] ** 2).sum() for c in centred)
    gait = {
        "mean": means.mean(0),
        "mean_sd": means.std(0),
        "stride_hz": float(bout_rates.mean()),
        "bout_stride_sd": float(bout_rates.std() / bout_rates.mean()),
        "stride": _wander([r / r.mean() for r in rates], 0.08),
        "gain": _wander(gains, 0.2),
        "series": np.stack([template.real, template.imag], axis=-1),
        "noise": {"ar": coefficients, "mix": mix},
        "envelope": envelope,
    }
    return gait, float(explained)


def _envelope(residual: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """The strength of the noise along the stride, `[ENVELOPE, axes]` at equal steps, mean square 1."""
    place = phase * ENVELOPE
    near = np.floor(place).astype(int)
    power = np.zeros((ENVELOPE, residual.shape[1]))
    weight = np.zeros((ENVELOPE, 1))
    for index, share in ((near, near + 1 - place), (near + 1, place - near)):
        np.add.at(power, index % ENVELOPE, residual**2 * share[:, None])
        np.add.at(weight, index % ENVELOPE, share[:, None])
    power /= weight
    return np.sqrt(power / power.mean(0))


def _along(envelope: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """The envelope at every phase, linear in between."""
    place = phase * len(envelope)
    near = np.floor(place).astype(int)
    share = (place - near)[:, None]
    return envelope[near % len(envelope)] * (1 - share) + envelope[(near + 1) % len(envelope)] * share


def _gain(signal: np.ndarray, model: np.ndarray) -> float:
    return float((signal * model).sum() / max((model**2).sum(), 1e-12))


# --- postures --------------------------------------------------------------------------------------


def fit_posture(bouts: list[np.ndarray]) -> dict:
    """The parameters of one posture from its bouts (each `[time, 6]`, g and rad/s)."""
    # People shift now and then and hold still in between: each piece is a posture of its own.
    pieces = _quiet([p for b in bouts for p in np.array_split(b, max(1, round(len(b) / HOLD)))])
    means = np.array([p.mean(0) for p in pieces])
    slow = [_smooth(p - m, 50) for p, m in zip(pieces, means, strict=True)]
    coefficients, mix = autoregression([p - m - s for p, m, s in zip(pieces, means, slow, strict=True)])
    behind, ahead = (np.concatenate([s[cut] for s in slow]) for cut in (slice(None, -25), slice(25, None)))
    half_second = float(np.clip((ahead * behind).sum() / (behind**2).sum(), 0.3, 0.95))
    drift = np.concatenate(slow)
    covariance = drift.T @ drift / len(drift)
    return {
        "means": means,
        "sway": {"pole": half_second ** (1 / 25), "mix": np.linalg.cholesky(covariance + 1e-10 * np.eye(6))},
        "noise": {"ar": coefficients, "mix": mix},
    }


def _quiet(pieces: list[np.ndarray]) -> list[np.ndarray]:
    """All but the fifth in which some axis moves most.

    Gaussian noise that was fitted to a rare fidget would be restless all the time.
    """
    power = np.array([p.var(0) for p in pieces])
    restless = (power / np.median(power, axis=0)).max(1)
    return [p for p, r in zip(pieces, restless, strict=True) if r <= np.quantile(restless, 0.8)]


def _smooth(signal: np.ndarray, length: int) -> np.ndarray:
    kernel = np.ones(length)
    norm = np.convolve(np.ones(len(signal)), kernel, "same")
    return np.stack([np.convolve(c, kernel, "same") / norm for c in signal.T], axis=1)


# --- the whole file --------------------------------------------------------------------------------


def fit(recordings: Recordings, command: str) -> dict:
    """The content of the parameter file; `command` is written into it, for who wants to make it again."""
    candidates = [_persona(recordings, *c) for c in _complete(recordings.bouts)]
    if not candidates:
        seconds = MINIMUM_BOUT / RATE_HZ
        raise UserError(f"no recording holds all six activities for at least {seconds:g} s each")
    # A gait too irregular for a Fourier series would be mostly noise: keep those that the model describes
    # best.
    candidates.sort(key=lambda candidate: -candidate[1])
    personas = sorted((p for p, _ in candidates[:PERSONAS]), key=lambda p: p["subject"])
    seconds = (recordings.bouts[:, 4] - recordings.bouts[:, 3] + 1) / RATE_HZ

    def usual(label: int) -> list[float]:
        return np.quantile(seconds[recordings.bouts[:, 2] == label], [0.1, 0.9]).tolist()

    return {
        "schema": SCHEMA,
        "generator": GENERATOR,
        "command": command,
        "fitted_on": {
            "data": "UCI-HAR training subjects, raw recordings of HAPT",
            "subjects": np.unique(recordings.bouts[:, 1]).tolist(),
        },
        "sample_rate_hz": RATE_HZ,
        "channels": [{"name": channel.name, "unit": channel.unit} for channel in UCI_HAR.input_channels],
        "dwell_s": {name: usual(label) for label, name in ACTIVITIES.items()},
        "transitions": [
            {"from": ACTIVITIES[a], "to": ACTIVITIES[b], "seconds": usual(label)}
            for label, (a, b) in TRANSITIONS.items()
            if (recordings.bouts[:, 2] == label).any()
        ],
        "personas": personas,
    }


def _complete(bouts: np.ndarray) -> list[tuple[int, int]]:
    """(subject, recording) of the first recording of every subject that holds all six activities."""
    found: dict[int, int] = {}
    for recording in np.unique(bouts[:, 0]):
        rows = bouts[bouts[:, 0] == recording]
        long = rows[rows[:, 4] - rows[:, 3] + 1 >= MINIMUM_BOUT]
        if set(ACTIVITIES) <= set(long[:, 2]):
            found.setdefault(int(rows[0, 1]), int(recording))
    return sorted(found.items())


def _persona(recordings: Recordings, subject: int, recording: int) -> tuple[dict, float]:
    """The persona of one recording, and the explained share of its worst gait's variance."""
    rows = recordings.bouts[recordings.bouts[:, 0] == recording]
    rows = rows[rows[:, 4] - rows[:, 3] + 1 >= MINIMUM_BOUT]

    def bouts(label: int) -> list[np.ndarray]:
        return [recordings.bout(row) for row in rows[rows[:, 2] == label]]

    gaits = {name: fit_gait(bouts(label)) for label, name in GAITS.items()}
    persona = {
        "subject": subject,
        "recording": recording,
        **{name: gait for name, (gait, _) in gaits.items()},
        **{name: fit_posture(bouts(label)) for label, name in POSTURES.items()},
    }
    return persona, min(explained for _, explained in gaits.values())


def write(parameters: dict, out: Path) -> None:
    """Writes the parameters as JSON, numbers rounded to five significant digits."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(_rounded(parameters), separators=(",", ":")) + "\n", encoding="utf-8")


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return _rounded(value.tolist())
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value
