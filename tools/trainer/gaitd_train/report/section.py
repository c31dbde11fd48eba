"""The runs of one plan, as the tables and plots of the report read them."""

from dataclasses import dataclass
from pathlib import Path

from gaitd_train.answers import Answers
from gaitd_train.evidence import Measured, measured
from gaitd_train.method import ALONE, COLLABORATIVE
from gaitd_train.paper import Published, published
from gaitd_train.plan import TEST, VALIDATION, Job, Plan
from gaitd_train.recipe import Recipe
from gaitd_train.results import Run

NETWORK_TITLES = {"cnn": "CNN", "resnet": "ResNet"}


@dataclass(frozen=True)
class Section:
    """One plan with all of its finished runs; there is at least one. `folder` holds a folder per run."""

    name: str
    plan: Plan
    recipe: Recipe
    folder: Path
    runs: dict[Job, Run]

    @property
    def network(self) -> str:
        return self.recipe.network.source.kind

    @property
    def paper(self) -> Published | None:
        """The paper's figures for the same network and data set."""
        return published(self.network, self.recipe.dataset)

    @property
    def title(self) -> str:
        data_set = next(iter(self.runs.values())).figures["data"]
        return f"{NETWORK_TITLES.get(self.network, self.network)}, {data_set}"

    def runs_of(self, kind: str, split: str = TEST) -> list[Run]:
        """The runs of one kind of method on one split."""
        return [run for job, run in self.runs.items() if job.method.kind == kind and job.split == split]

    def runs_trained_for(self, kind: str, configuration: str) -> list[Run]:
        """The runs of a method that answer for a configuration; trained alone, only those of its own."""
        if kind != ALONE:
            return self.runs_of(kind)
        return [run for job, run in self.runs.items() if job.method.alone == configuration]

    def accuracy(self, kind: str, configuration: str) -> Measured | None:
        """The accuracy of a configuration by a method on the test subjects."""
        return measured(self.runs_trained_for(kind, configuration), configuration)

    def answers(self, split: str) -> list[Answers]:
        """The answers of the collaborative runs on one split."""
        return [run.answers for run in self.runs_of(COLLABORATIVE, split)]

    def macs(self) -> dict[str, int]:
        """Multiply-accumulates of every configuration that some run measured."""
        return {
            name: entry["macs"]
            for run in self.runs.values()
            for name, entry in run.figures["configurations"].items()
        }

    def is_listed(self, configuration: str) -> bool:
        """Whether the tables show a configuration: the plan's own, or both ends of the grid."""
        listed = {*self.plan.configurations, *self.plan.alone}
        return configuration in (listed or {c.id for c in (self.recipe.grid.full, self.recipe.grid.smallest)})

    def rungs(self) -> list[str]:
        """The listed configurations that collaborative runs measured on both splits, cheapest first."""
        validation, test = self.answers(VALIDATION), self.answers(TEST)
        if not validation or not test:
            return []
        names = [n for n in validation[0].logits if n in test[0].logits and self.is_listed(n)]
        return sorted(names, key=self.macs().__getitem__)
