"""The training methods: collaborative learning, and the baselines that it is compared with."""

from dataclasses import dataclass

from gaitd_train.errors import UserError
from gaitd_train.grid import Configuration, Grid

COLLABORATIVE = "collaborative"
WIDTH_ONLY = "width-only"
ALONE = "alone"
KINDS = (COLLABORATIVE, WIDTH_ONLY, ALONE)


@dataclass(frozen=True)
class Method:
    """How the configurations of one run learn; the recipe stays the same, so that methods can be compared.

    - `collaborative`: widths and resolutions teach each other;
    - `width-only`: the same steps, but every subnetwork reads the whole window (US-Net: Yu and Huang,
      "Universally Slimmable Networks and Improved Training Techniques", ICCV 2019);
    - `alone`: one configuration learns from the labels, no other is trained. The full one, fed shorter
      windows afterwards, is the baseline called "resolution only".
    """

    kind: str = COLLABORATIVE
    alone: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UserError(f"unknown method '{self.kind}'; known: {', '.join(KINDS)}")
        if (self.kind == ALONE) != (self.alone is not None):
            raise UserError(f"a configuration belongs to the method '{ALONE}', and to no other")

    @property
    def name(self) -> str:
        """The name in files and tables, for example `alone 0.55x-104`."""
        return f"{ALONE} {self.alone}" if self.alone else self.kind

    def main(self, grid: Grid) -> Configuration:
        """The configuration that learns from the labels only."""
        return grid.named(self.alone) if self.alone else grid.full

    def resolutions(self, grid: Grid) -> tuple[int, ...]:
        """The resolutions that other configurations of a step may read; where empty, no other is trained."""
        return {COLLABORATIVE: grid.resolutions, WIDTH_ONLY: grid.resolutions[:1], ALONE: ()}[self.kind]

    def measured(self, grid: Grid) -> list[Configuration]:
        """The configurations that a report on this method measures."""
        if self.kind == ALONE:
            main = self.main(grid)
            return [c for c in grid.configurations() if c == main or (main == grid.full and c.width == 1.0)]
        return [c for c in grid.configurations() if c.resolution in self.resolutions(grid)]


DEFAULT = Method()


def parse(text: str) -> Method:
    """The method of a name as `Method.name` gives it."""
    kind, _, alone = text.partition(" ")
    return Method(kind, alone or None)
