"""The published counts of a data set, and the check of a copy against them."""

from dataclasses import dataclass

from gaitd_train.errors import UserError


@dataclass(frozen=True)
class Fact:
    """A published count. It may differ by `slack` where the original has malformed lines."""

    name: str
    expected: int
    slack: int = 0

    def holds(self, found: int) -> bool:
        return abs(found - self.expected) <= self.slack

    def difference(self, found: int) -> str:
        return f"{found:,} of {self.expected:,} {self.name}"


def differences(facts: tuple[Fact, ...], found: dict[str, int]) -> list[str]:
    """Where `found` differs from the facts, as `46 of 51 subjects`; every fact must have been counted."""
    return [fact.difference(found[fact.name]) for fact in facts if not fact.holds(found[fact.name])]


def check(source, title: str, facts: tuple[Fact, ...], found: dict[str, int], partial: bool) -> str:
    """Compares a copy with the published counts; returns the note for reports, empty for a complete copy.

    An incomplete copy is a `UserError` unless `partial` accepts it.
    """
    if not (differing := differences(facts, found)):
        return ""
    note = "incomplete copy: " + ", ".join(differing)
    if partial:
        return note
    raise UserError(
        f"{source}: an incomplete copy of {title}: found {'; '.join(differing)}. Fetch it again, or accept "
        "it as it is with --partial"
    )
