"""Measures engines in turns.

In every round each engine in turn runs a rung, and the order of the engines rotates, so that a change of the machine's
speed affects all of them equally. What a round says of an engine is the median of its inferences.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

import gaitd_engine
from engines import Engine, Gaitd, Session, verified
from ladder import Ladder, Rung

WARM_UP = 5
BURSTS = 20


class Effort(NamedTuple):
    """How much is measured: rounds, and inferences of each engine and rung in a round."""

    rounds: int
    hot: int
    cold: int


@dataclass
class Series:
    """What was measured of one rung: a figure for each round."""

    # microseconds by engine, hot and with cold caches
    hot: dict[str, list[float]] = field(default_factory=dict)
    cold: dict[str, list[float]] = field(default_factory=dict)
    # those of gaitd's whole inference and of its tail alone; nothing where there is no head
    tail_hot: list[tuple[float, float]] = field(default_factory=list)
    tail_cold: list[tuple[float, float]] = field(default_factory=list)
    # multiply-accumulates per second that the processor can do
    peak: list[float] = field(default_factory=list)
    # microseconds of gaitd's fastest hot inference, undisturbed as the peak is
    fastest: list[float] = field(default_factory=list)


def timed(run: Callable[[], object]) -> int:
    start = time.perf_counter_ns()
    run()
    return time.perf_counter_ns() - start


def hot(session: Session, count: int) -> list[float]:
    """Inferences one after the other, microseconds."""
    session.load(0)
    for _ in range(WARM_UP):
        session.run()
    return [timed(session.run) / 1000 for _ in range(count)]


def cold(session: Session, count: int) -> list[float]:
    """Inferences with other data in the caches before each, microseconds."""
    session.load(0)
    times = []
    for _ in range(count):
        gaitd_engine.cool()
        times.append(timed(session.run) / 1000)
    return times


def after_last_sample(gaitd: Gaitd, missing: int, count: int, is_cold: bool) -> list[tuple[float, float]]:
    """Microseconds of a whole inference and of a tail, of the rung that gaitd ran last; none where there is no head."""
    times = gaitd.ladder.after_last_sample(missing, count, is_cold)
    if times is None:
        return []
    whole, tail = zip(*times, strict=True)
    return [(median(whole) / 1000, median(tail) / 1000)]


class Turns:
    """The rungs of a ladder in gaitd and in other engines, measured in turns."""

    def __init__(self, ladder: Ladder, own: Gaitd, others: list[Engine], missing: int, effort: Effort) -> None:
        self.ladder, self.own, self.missing, self.effort = ladder, own, missing, effort
        engines = [own, *others]
        self.sessions = {rung.id: {it.name: verified(it, rung) for it in engines} for rung in ladder.rungs}
        self.measured = {rung.id: Series() for rung in ladder.rungs}

    def run(self, told: Callable[[str], object]) -> dict[str, Series]:
        """All rounds; what was measured of each rung, by its name."""
        for done in range(self.effort.rounds):
            for rung in self.ladder.rungs:
                self.turn(done, rung)
            told(f"{self.ladder.name}: round {done + 1} of {self.effort.rounds}")
        return self.measured

    def turn(self, done: int, rung: Rung) -> None:
        """A round of one rung."""
        sessions, series = self.sessions[rung.id], self.measured[rung.id]
        names = list(sessions)
        first = done % len(names)
        for name in names[first:] + names[:first]:
            times = hot(sessions[name], self.effort.hot)
            series.hot.setdefault(name, []).append(median(times))
            if name == self.own.name and (peak := gaitd_engine.fma_peak(BURSTS)) is not None:
                series.peak.append(peak)
                series.fastest.append(min(times))
        for name in names[first:] + names[:first] if self.effort.cold else []:
            series.cold.setdefault(name, []).append(median(cold(sessions[name], self.effort.cold)))
        sessions[self.own.name].load(0)
        series.tail_hot += after_last_sample(self.own, self.missing, self.effort.hot, False)
        if self.effort.cold:
            series.tail_cold += after_last_sample(self.own, self.missing, self.effort.cold, True)
