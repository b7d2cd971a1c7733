# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dataclasses to plain JSON values and back, strictly.

Everything that leaves a process here (evidence, findings, plans, replies of a batch) is a dataclass. This module is the one place
where such a record becomes JSON and where JSON from outside is checked against the types before anything believes it.

Supported field types: ``str``, ``int``, ``float``, ``bool``, ``bytes`` (as base64 text), ``None``, ``X | None``, ``Literal``,
``tuple[X, ...]``, ``tuple[X, Y]``, ``dict[str, X]``, unions of JSON scalars, and dataclasses of these. Unknown keys are errors: a record of another
schema must not half-load.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import functools
import types
import typing as t

Decoder = t.Callable[[t.Any], t.Any]
_T = t.TypeVar("_T")
_NOTHING: t.Final = type(None)
# What Windows counts with. Of larger ones Python cannot even write every sum down.
_LEAST: t.Final = -(2**63)
_MOST: t.Final = 2**64 - 1


class CodecError(ValueError):
    """A JSON value that does not fit its record; the message names the place and what was expected."""


class _MisfitError(Exception):
    """What does not fit; ``place`` grows from the inside out, so that a value that fits costs no name of its place."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        self.place = ""
        super().__init__(reason)

    def within(self, name: str) -> _MisfitError:
        self.place = name + self.place
        return self


def encode(value: t.Any) -> t.Any:
    """Return ``value`` (a dataclass, or a container of such) as plain JSON values. Fields keep their order."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {str(key): encode(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value):
        kind: t.Any = type(value)
        return {name: encode(getattr(value, name)) for name in _field_names(kind)}
    raise TypeError(f"no JSON form for {type(value).__name__}")


def decode(cls: type[_T], data: t.Any, *, where: str = "") -> _T:
    """Return ``data`` (parsed JSON) as an instance of the dataclass ``cls``.

    :raises CodecError: when a key is missing, unknown or of another type.
    """
    hint: t.Any = cls
    try:
        return t.cast(_T, _decoder(hint)(data))
    except _MisfitError as misfit:
        raise CodecError(f"{where or cls.__name__}{misfit.place}: {misfit.reason}") from None


def prepare(*classes: type) -> None:
    """Work out how these records and all in them are read. Done before workers are forked, it is done once."""
    pending: list[t.Any] = list(classes)
    seen: set[t.Any] = set()
    while pending:
        hint = pending.pop()
        if hint not in seen:
            seen.add(hint)
            is_record = isinstance(hint, type) and dataclasses.is_dataclass(hint)
            pending.extend(_field_hints(hint).values() if is_record else t.get_args(hint))
            if is_record:
                _field_decoders(hint)


@functools.cache
def _field_names(cls: t.Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls))


def _misfit(expected: str, data: t.Any) -> _MisfitError:
    found = "nothing" if data is None else type(data).__name__
    return _MisfitError(f"expected {expected}, found {found}")


@functools.cache
def _decoder(hint: t.Any) -> Decoder:
    simple = _SIMPLE.get(hint)
    if simple is not None:
        return simple
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _dataclass_decoder(hint)
    origin, arguments = t.get_origin(hint), t.get_args(hint)
    if origin is t.Literal:
        return _literal_decoder(arguments)
    if origin in (t.Union, types.UnionType):
        return _union_decoder(arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return _tuple_decoder(arguments[0])
    if origin is tuple and arguments and Ellipsis not in arguments:
        return _fixed_tuple_decoder(arguments)
    if origin is dict and arguments[0] is str:
        return _dict_decoder(arguments[1])
    raise TypeError(f"no JSON form for the type {hint!r}")


def _string(data: t.Any) -> str:
    if not isinstance(data, str):
        raise _misfit("text", data)
    return data


def _integer(data: t.Any) -> int:
    if isinstance(data, bool) or not isinstance(data, int):
        raise _misfit("a whole number", data)
    if not _LEAST <= data <= _MOST:
        raise _MisfitError("expected a whole number of at most 64 bits, found a larger one")
    return data


def _number(data: t.Any) -> float:
    if isinstance(data, bool) or not isinstance(data, (int, float)):
        raise _misfit("a number", data)
    if not _LEAST <= data <= _MOST:
        raise _MisfitError("expected a number of at most 64 bits, found another")
    return float(data)


def _boolean(data: t.Any) -> bool:
    if not isinstance(data, bool):
        raise _misfit("true or false", data)
    return data


def _bytes(data: t.Any) -> bytes:
    if not isinstance(data, str):
        raise _misfit("base64 text", data)
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise _MisfitError("expected base64 text, found other text") from None


def _none(data: t.Any) -> None:
    if data is not None:
        raise _misfit("nothing", data)


_SIMPLE: dict[t.Any, Decoder] = {
    str: _string,
    int: _integer,
    float: _number,
    bool: _boolean,
    bytes: _bytes,
    _NOTHING: _none,
    None: _none,
}


def _literal_decoder(choices: tuple[t.Any, ...]) -> Decoder:
    def run(data: t.Any) -> t.Any:
        if isinstance(data, (str, int)) and data in choices:
            return data
        raise _MisfitError(f"expected one of {', '.join(map(str, choices))}")

    return run


def _union_decoder(members: tuple[t.Any, ...]) -> Decoder:
    optional = _NOTHING in members
    inner = tuple(_decoder(member) for member in members if member is not _NOTHING)
    only = inner[0] if len(inner) == 1 else None

    def run(data: t.Any) -> t.Any:
        if data is None and optional:
            return None
        if only:
            return only(data)
        for decoder in inner:
            try:
                return decoder(data)
            except _MisfitError:
                continue
        raise _misfit("one of several kinds of value", data)

    return run


def _tuple_decoder(item: t.Any) -> Decoder:
    decoder = _decoder(item)

    def run(data: t.Any) -> tuple[t.Any, ...]:
        if not isinstance(data, (list, tuple)):
            raise _misfit("a list", data)
        found: list[t.Any] = []
        try:
            for value in data:
                found.append(decoder(value))
        except _MisfitError as misfit:
            raise misfit.within(f"[{len(found)}]") from None
        return tuple(found)

    return run


def _fixed_tuple_decoder(items: tuple[t.Any, ...]) -> Decoder:
    decoders = tuple(_decoder(item) for item in items)

    def run(data: t.Any) -> tuple[t.Any, ...]:
        if not isinstance(data, (list, tuple)) or len(data) != len(decoders):
            raise _misfit(f"a list of {len(decoders)}", data)
        found: list[t.Any] = []
        try:
            for decoder, value in zip(decoders, data, strict=True):
                found.append(decoder(value))
        except _MisfitError as misfit:
            raise misfit.within(f"[{len(found)}]") from None
        return tuple(found)

    return run


def _dict_decoder(item: t.Any) -> Decoder:
    decoder = _decoder(item)

    def run(data: t.Any) -> dict[str, t.Any]:
        if not isinstance(data, dict):
            raise _misfit("an object", data)
        found: dict[str, t.Any] = {}
        for key, value in data.items():
            name = _string(key)
            try:
                found[name] = decoder(value)
            except _MisfitError as misfit:
                raise misfit.within(f".{name}") from None
        return found

    return run


def _dataclass_decoder(cls: type) -> Decoder:
    fields = {field.name: field for field in dataclasses.fields(cls)}
    required = {
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }

    def run(data: t.Any) -> t.Any:
        if not isinstance(data, dict):
            raise _misfit("an object", data)
        unknown = data.keys() - fields.keys()
        if unknown:
            raise _MisfitError(f"unknown entry {sorted(map(str, unknown))[0][:80]!r}")
        missing = required - data.keys()
        if missing:
            raise _MisfitError(f"entry {min(missing)!r} is missing")
        # Asked for here and not at definition: records may hold records of their own type.
        decoders = _field_decoders(cls)
        found: dict[str, t.Any] = {}
        for name, value in data.items():
            try:
                found[name] = decoders[name](value)
            except _MisfitError as misfit:
                raise misfit.within(f".{name}") from None
        return cls(**found)

    return run


@functools.cache
def _field_decoders(cls: type) -> dict[str, Decoder]:
    return {name: _decoder(hint) for name, hint in _field_hints(cls).items()}


def _field_hints(cls: type) -> dict[str, t.Any]:
    hints = t.get_type_hints(cls)
    return {name: hints[name] for name in _field_names(cls)}
