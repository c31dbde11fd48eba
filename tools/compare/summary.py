"""What rounds of measurements say, and whether that is what is asked for."""

from dataclasses import dataclass, field
from statistics import geometric_mean, median


@dataclass(frozen=True)
class Spread:
    """The median of the rounds, and the second-lowest and second-highest (the outermost of fewer than four)."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        ordered = sorted(values)
        outer = 1 if len(ordered) > 3 else 0
        return cls(median(ordered), ordered[outer], ordered[-1 - outer])

    @classmethod
    def of_ratios(cls, own: list[float], others: list[float]) -> "Spread":
        """Round by round, so that what slowed a round as a whole cancels."""
        return cls.of([one / other for one, other in zip(own, others, strict=True)])


@dataclass(frozen=True)
class Against:
    """Microseconds of each engine, and the ratio of each of gaitd's to the fastest of its peers."""

    us: dict[str, float]
    ratios: dict[str, Spread]


def against(rounds: dict[str, list[float]], peers: list[str]) -> Against:
    """What the rounds of each engine say, of which `peers` are not gaitd."""
    us = {name: median(times) for name, times in rounds.items()}
    fastest = min(peers, key=us.__getitem__)
    own = [name for name in rounds if name not in peers]
    return Against(us, {name: Spread.of_ratios(rounds[name], rounds[fastest]) for name in own})


@dataclass(frozen=True)
class Tail:
    """Microseconds of a whole inference and of a tail, and the ratio of tail to whole."""

    whole: float
    tail: float
    ratio: Spread


def tail(rounds: list[tuple[float, float]]) -> Tail | None:
    if not rounds:
        return None
    wholes, tails = [whole for whole, _ in rounds], [tail for _, tail in rounds]
    return Tail(median(wholes), median(tails), Spread.of_ratios(tails, wholes))


@dataclass(frozen=True)
class Row:
    """One rung."""

    id: str
    macs: int
    done: int
    hot: Against
    cold: Against | None
    share: Spread | None
    tail_hot: Tail | None
    tail_cold: Tail | None

    @property
    def share_nominal(self) -> float | None:
        """Of the peak, were the taps that meet padding work too."""
        return self.share and self.share.median * self.macs / self.done


@dataclass(frozen=True)
class Result:
    """One ladder: gaitd's engines with their kernels (`supernet-1-avx2`), its own choice first."""

    ladder: str
    missing: int
    kernels: dict[str, str]
    rows: list[Row]


@dataclass
class Gate:
    """Something that is asked for: no more than `most` (no less than it, where `least`)."""

    text: str
    most: float
    least: bool = False
    found: list[tuple[float, str]] = field(default_factory=list)

    @property
    def worst(self) -> tuple[float, str] | None:
        return (min if self.least else max)(self.found, default=None)

    @property
    def reached(self) -> bool | None:
        """None where it was not measured."""
        if self.worst is None:
            return None
        return self.worst[0] >= self.most if self.least else self.worst[0] <= self.most

    def __str__(self) -> str:
        verdict = {True: "reached", False: "MISSED", None: "not measured"}[self.reached]
        found = f": {self.worst[0]:.3f} ({self.worst[1]})" if self.worst else ""
        return f"{verdict:<12} {self.text}, at {'least' if self.least else 'most'} {self.most:.3g}{found}"


CNN, RESNET = "uci-har-cnn", "uci-har-resnet"


def gates(results: list[Result]) -> list[Gate]:
    """All that is asked for of the shipped ladders."""
    all_hot = Gate("every rung against the faster peer, avx512, hot", 0.90)
    all_cold = Gate("every rung against the faster peer, avx512, cold", 0.95)
    all_avx2 = Gate("every rung against the faster peer, avx2 for gaitd alone, hot", 1.0)
    cnn_hot = Gate(f"geometric mean of {CNN}, avx512, hot", 0.65)
    cnn_cold = Gate(f"geometric mean of {CNN}, avx512, cold", 0.80)
    share = Gate("share of the FMA peak, full CNN and full ResNet", 0.92, least=True)
    tails = {
        "hot": (Gate("tail / whole, hot, every rung of the CNN", 1 / 6), Gate("its geometric mean, hot", 1 / 10)),
        "cold": (Gate("tail / whole, cold, every rung of the CNN", 1 / 1.8), Gate("its geometric mean, cold", 1 / 4)),
    }
    for result in results:
        for name, identity in result.kernels.items():
            hot = [(row.hot.ratios[name].median, f"{result.ladder} {row.id}") for row in result.rows]
            cold = [
                (row.cold.ratios[name].median, f"{result.ladder} {row.id}")
                for row in result.rows
                if row.cold and name in row.cold.ratios
            ]
            if identity.endswith("-avx512"):
                all_hot.found += hot
                all_cold.found += cold
                if result.ladder == CNN:
                    cnn_hot.found += mean(hot)
                    cnn_cold.found += mean(cold)
            elif identity.endswith("-avx2"):
                all_avx2.found += hot
        full = max(result.rows, key=lambda row: row.macs)
        if result.ladder in (CNN, RESNET) and full.share:
            share.found.append((full.share.median, f"{result.ladder} {full.id}"))
        if result.ladder == CNN:
            for kind, (each, whole) in tails.items():
                of_kind = [(row.id, row.tail_hot if kind == "hot" else row.tail_cold) for row in result.rows]
                found = [(it.ratio.median, f"{result.ladder} {rung}") for rung, it in of_kind if it]
                each.found += found
                whole.found += mean(found)
    return [all_hot, cnn_hot, all_cold, cnn_cold, all_avx2, share, *tails["hot"], *tails["cold"]]


def mean(found: list[tuple[float, str]]) -> list[tuple[float, str]]:
    """The geometric mean of what was found, where something was."""
    return [(geometric_mean(value for value, _ in found), f"{len(found)} rungs")] if found else []
