"""The blocks `context` and `cascades` on disk: a file of their own, and in the manifest of a ladder."""

import json
from dataclasses import dataclass
from pathlib import Path

from gaitd_train.context.decoder import Context
from gaitd_train.errors import UserError
from gaitd_train.files import replaced

# The first schema of manifests that has the blocks.
SCHEMA = 3


@dataclass(frozen=True)
class Blocks:
    """The decoder's parameters, and the cascades that were measured with them as a manifest lists them."""

    context: Context
    cascades: list[dict]

    def to_dict(self) -> dict:
        return {"context": self.context.to_dict(), "cascades": self.cascades}


def read(path: Path) -> Blocks:
    """The blocks in a file that `gaitd-train context` wrote."""
    try:
        values = json.loads(path.read_bytes())
        return Blocks(Context.from_dict(values["context"]), list(values.get("cascades", [])))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; `gaitd-train context` writes one") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: holds no block 'context' ({error!r})") from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def rungs_of(manifest: Path) -> list[str]:
    """The configurations of a ladder."""
    try:
        return [entry["id"] for entry in json.loads(manifest.read_bytes())["configurations"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{manifest}: no manifest of gaitd-train: {error!r}") from error


def put(blocks: Blocks, manifest: Path) -> None:
    """Puts the blocks into a manifest, in place of older ones; every other byte stays as it is.

    But for the schema: it is raised to the first one that has them. Cascades of configurations that the
    ladder does not have are left out.
    """
    text = manifest.read_bytes().decode()
    known = set(rungs_of(manifest))
    cascades = [one for one in blocks.cascades if {one["small"], one["large"]} <= known]
    members = _members(text, manifest)
    if "schema" not in members:
        raise UserError(f"{manifest}: names no schema")
    edits = []
    start, end = members["schema"]
    if json.loads(text[start:end]) < SCHEMA:
        edits.append((start, end, str(SCHEMA)))
    last = max(end for _, end in members.values())
    added = ""
    for name, value in {"context": blocks.context.to_dict(), "cascades": cascades}.items():
        block = json.dumps(value, indent=1).replace("\n", "\n ")
        if name in members:
            edits.append((*members[name], block))
        elif value:
            added += f',\n "{name}": {block}'
    edits.append((last, last, added))
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    with replaced(manifest) as file:
        file.write(text.encode())


def _members(text: str, path: Path) -> dict[str, tuple[int, int]]:
    """Where the value of each member of a JSON object begins and ends."""
    decoder = json.JSONDecoder()
    members, place = {}, 0

    def skip(expected: str) -> int:
        at = place
        while text[at : at + 1].isspace():
            at += 1
        if text[at : at + 1] not in tuple(expected):
            raise ValueError(f"no '{expected}' at character {at}")
        return at + 1

    def value() -> tuple[object, int, int]:
        at = place
        while text[at : at + 1].isspace():
            at += 1
        return (found := decoder.raw_decode(text, at))[0], at, found[1]

    try:
        place = skip("{")
        while True:
            name, _, place = value()
            place = skip(":")
            _, start, place = value()
            members[name] = (start, place)
            place = skip(",}")
            if text[place - 1] == "}":
                return members
    except ValueError as error:
        raise UserError(f"{path}: not a JSON object ({error})") from error
