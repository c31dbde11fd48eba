"""The published figures that the reports show beside ours.

Qin, Zhang et al., "Towards Better Accuracy-Efficiency Trade-Offs: Dynamic Activity Inference via
Collaborative Learning from Various Width-Resolution Configurations" (IEEE TKDE 2024): accuracy in percent on
its test windows, by configuration and by million multiply-accumulates as it counts them. Its best
configurations were picked on those same windows.
"""

from dataclasses import dataclass

from gaitd_train.method import ALONE, COLLABORATIVE, WIDTH_ONLY


@dataclass(frozen=True)
class Point:
    """One accuracy (%) of one method; `id` as in our files."""

    id: str
    mmacs: float
    accuracy: float


@dataclass(frozen=True)
class Published:
    """The paper's figures of one network on one data set.

    `boosted`: the accuracy of the full configuration trained alone, and its best by collaboration (%).
    """

    network: str
    dataset: str
    collaborative: tuple[Point, ...]
    width_only: tuple[Point, ...]
    alone: tuple[Point, ...]
    boosted: tuple[float, float]

    @property
    def windows(self) -> str:
        """The name of the data set as the paper writes it."""
        return {"uci-har": "UCI-HAR", "wisdm": "WISDM", "unimib-shar": "UniMiB-SHAR"}[self.dataset]

    def points(self, kind: str) -> tuple[Point, ...]:
        """The figures of one kind of method (`gaitd_train.method.KINDS`)."""
        return {
            COLLABORATIVE: self.collaborative,
            WIDTH_ONLY: self.width_only,
            ALONE: self.alone,
        }[kind]

    def configurations(self) -> list[Point]:
        """One point for each configuration that the paper lists."""
        listed: dict[str, Point] = {}
        for point in (*self.collaborative, *self.width_only, *self.alone):
            listed.setdefault(point.id, point)
        return list(listed.values())


def _points(*rows: tuple[str, float, float]) -> tuple[Point, ...]:
    return tuple(Point(*row) for row in rows)


PUBLISHED = (
    Published(
        "cnn",
        "uci-har",
        _points(
            ("1.00x-128", 13.06, 96.71),
            ("0.80x-128", 8.56, 96.68),
            ("0.70x-128", 6.30, 96.66),
            ("0.55x-104", 3.28, 96.03),
            ("0.10x-96", 0.12, 93.72),
        ),
        _points(("1.00x-128", 13.06, 95.85), ("0.70x-128", 6.30, 95.33), ("0.50x-128", 3.28, 94.48)),
        _points(("1.00x-128", 13.06, 95.95), ("0.80x-128", 8.56, 95.70), ("0.10x-96", 0.12, 91.41)),
        (95.95, 97.00),
    ),
    Published(
        "resnet",
        "uci-har",
        _points(
            ("1.00x-128", 43.5, 97.51),
            ("0.75x-124", 24.47, 97.46),
            ("0.55x-124", 13.57, 97.32),
            ("0.10x-96", 0.37, 95.01),
        ),
        _points(("1.00x-128", 43.5, 96.44), ("0.75x-128", 24.47, 95.90), ("0.55x-128", 13.57, 95.64)),
        _points(("1.00x-128", 43.5, 96.51), ("0.10x-96", 0.37, 94.10)),
        (96.51, 97.64),
    ),
    Published(
        "cnn",
        "wisdm",
        _points(
            ("1.00x-200", 11.21, 98.55),
            ("0.75x-165", 5.33, 98.22),
            ("0.20x-180", 0.40, 94.81),
            ("0.10x-150", 0.10, 92.58),
        ),
        _points(("1.00x-200", 11.21, 97.42), ("0.70x-200", 5.33, 96.12), ("0.20x-200", 0.40, 87.38)),
        _points(("1.00x-200", 11.21, 97.10), ("0.10x-150", 0.10, 86.08)),
        (97.10, 98.71),
    ),
    Published(
        "resnet",
        "wisdm",
        _points(
            ("1.00x-200", 32.22, 99.02),
            ("0.60x-185", 11.09, 98.92),
            ("0.20x-190", 1.2, 97.54),
            ("0.10x-150", 0.27, 95.61),
        ),
        _points(("1.00x-200", 32.22, 97.82), ("0.60x-200", 11.09, 97.02), ("0.20x-200", 1.2, 91.40)),
        _points(("1.00x-200", 32.22, 97.52), ("0.60x-175", 11.09, 96.77), ("0.10x-150", 0.27, 90.92)),
        (97.52, 99.12),
    ),
    Published(
        "cnn",
        "unimib-shar",
        _points(
            ("1.00x-151", 15.49, 78.01),
            ("0.70x-151", 7.46, 77.09),
            ("0.60x-136", 4.96, 76.81),
            ("0.35x-120", 1.49, 75.04),
            ("0.10x-112", 0.12, 66.83),
        ),
        _points(("1.00x-151", 15.49, 75.14), ("0.70x-151", 7.46, 74.12), ("0.30x-151", 1.49, 72.27)),
        _points(("1.00x-151", 15.49, 75.49), ("0.60x-136", 4.96, 73.47), ("0.10x-112", 0.12, 66.22)),
        (75.49, 78.13),
    ),
    Published(
        "resnet",
        "unimib-shar",
        _points(
            ("1.00x-151", 48.97, 78.61),
            ("0.65x-151", 20.81, 77.69),
            ("0.30x-136", 4.11, 75.85),
            ("0.10x-112", 0.36, 69.53),
        ),
        _points(("1.00x-151", 48.97, 75.46), ("0.65x-151", 20.81, 74.05), ("0.30x-151", 4.11, 72.71)),
        _points(("1.00x-151", 48.97, 76.29), ("0.10x-112", 0.36, 65.28)),
        (76.29, 78.91),
    ),
)


def published(network: str, dataset: str) -> Published | None:
    """The paper's figures for a network on a data set, if it has any."""
    for figures in PUBLISHED:
        if (figures.network, figures.dataset) == (network, dataset):
            return figures
    return None
