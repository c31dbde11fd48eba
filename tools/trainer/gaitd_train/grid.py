"""The grid of width-resolution configurations that one network serves."""

from dataclasses import dataclass
from typing import NamedTuple

from gaitd_train.errors import UserError


class Configuration(NamedTuple):
    """One subnetwork: the share of each layer's channels it uses, and the time steps it reads."""

    width: float
    resolution: int

    @property
    def id(self) -> str:
        """The name used in files and decisions, for example `0.55x-104`."""
        return f"{self.width:.2f}x-{self.resolution}"


@dataclass(frozen=True)
class Grid:
    """All configurations of a network: every width at every resolution.

    `widths` ascend to 1.0; `resolutions` descend from the window's length.
    """

    widths: tuple[float, ...]
    resolutions: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.widths or any(not 0 < w <= 1 for w in self.widths) or self.widths[-1] != 1.0:
            raise UserError(f"grid: widths must lie in (0, 1] and end at 1.0, got {list(self.widths)}")
        if list(self.widths) != sorted(set(self.widths)):
            raise UserError(f"grid: widths must ascend without repeats, got {list(self.widths)}")
        # Statistics, files and decisions name a configuration by its id, so two must never share one.
        if len({f"{w:.2f}" for w in self.widths}) != len(self.widths):
            raise UserError(f"grid: widths must differ in their first two decimals, got {list(self.widths)}")
        if not self.resolutions or any(r < 1 for r in self.resolutions):
            raise UserError(f"grid: resolutions must be positive, got {list(self.resolutions)}")
        if list(self.resolutions) != sorted(set(self.resolutions), reverse=True):
            raise UserError(f"grid: resolutions must descend without repeats, got {list(self.resolutions)}")

    @property
    def full(self) -> Configuration:
        return Configuration(self.widths[-1], self.resolutions[0])

    @property
    def smallest(self) -> Configuration:
        return Configuration(self.widths[0], self.resolutions[-1])

    def configurations(self) -> list[Configuration]:
        """Every configuration, widths outermost, in the order of `index`."""
        return [Configuration(w, r) for w in self.widths for r in self.resolutions]

    def named(self, name: str) -> Configuration:
        """The configuration of an id."""
        for configuration in self.configurations():
            if configuration.id == name:
                return configuration
        known = ", ".join(c.id for c in (self.smallest, self.full))
        raise UserError(f"this network has no configuration '{name}'; it has {known} and those between")

    def index(self, configuration: Configuration) -> int:
        """Position of a configuration in `configurations()`."""
        try:
            return self.widths.index(configuration.width) * len(self.resolutions) + self.resolutions.index(
                configuration.resolution
            )
        except ValueError:
            raise UserError(f"{configuration.id} is not one of this network's configurations") from None
