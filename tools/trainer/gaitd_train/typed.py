"""Dataclasses from TOML tables: every key known, every value of its type, or an error that names it."""

import dataclasses
import types
import typing

from gaitd_train.errors import UserError


def build(kind: type, values: object, path: str = ""):
    """A dataclass of `kind` from a table; `path` names the table in errors, with a dot at its end."""
    where = path.rstrip(".") or "top level"
    if not isinstance(values, dict):
        raise UserError(f"{where}: expected a table, got {values!r}")
    hints = typing.get_type_hints(kind)
    if unknown := sorted(set(values) - set(hints)):
        raise UserError(f"{where}: unknown key '{unknown[0]}'; known keys: {', '.join(sorted(hints))}")
    required = {
        f.name
        for f in dataclasses.fields(kind)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    if missing := sorted(required - set(values)):
        raise UserError(f"{where}: key '{missing[0]}' is missing")
    return kind(**{key: coerce(hints[key], value, f"{path}{key}") for key, value in values.items()})


def coerce(kind: type, value: object, path: str):
    """`value` as `kind`: whole numbers serve as floats, lists as tuples, tables as dataclasses."""
    if dataclasses.is_dataclass(kind) and isinstance(value, kind):
        return value
    if dataclasses.is_dataclass(kind):
        return build(kind, value, f"{path}.")
    if isinstance(kind, types.GenericAlias) or typing.get_origin(kind) is tuple:
        items = typing.get_args(kind)
        if not isinstance(value, list | tuple):
            raise UserError(f"{path}: expected a list, got {value!r}")
        if items[-1] is not Ellipsis and len(value) != len(items):
            raise UserError(f"{path}: expected {len(items)} values, got {value!r}")
        return tuple(coerce(items[0], item, path) for item in value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise UserError(f"{path}: expected {kind.__name__}, got {value!r}")
    return value
