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

Decoder = t.Callable[[t.Any, str], t.Any]
_T = t.TypeVar("_T")
_NOTHING: t.Final = type(None)


class CodecError(ValueError):
    """A JSON value that does not fit its record; the message names the place and what was expected."""


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
    return t.cast(_T, _decoder(hint)(data, where or cls.__name__))


@functools.cache
def _field_names(cls: t.Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls))


def _fail(where: str, expected: str, data: t.Any) -> t.NoReturn:
    found = "nothing" if data is None else type(data).__name__
    raise CodecError(f"{where}: expected {expected}, found {found}")


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


def _string(data: t.Any, where: str) -> str:
    if not isinstance(data, str):
        _fail(where, "text", data)
    return data


def _integer(data: t.Any, where: str) -> int:
    if isinstance(data, bool) or not isinstance(data, int):
        _fail(where, "a whole number", data)
    return data


def _number(data: t.Any, where: str) -> float:
    if isinstance(data, bool) or not isinstance(data, (int, float)):
        _fail(where, "a number", data)
    return float(data)


def _boolean(data: t.Any, where: str) -> bool:
    if not isinstance(data, bool):
        _fail(where, "true or false", data)
    return data


def _bytes(data: t.Any, where: str) -> bytes:
    if not isinstance(data, str):
        _fail(where, "base64 text", data)
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise CodecError(f"{where}: expected base64 text, found other text") from None


def _none(data: t.Any, where: str) -> None:
    if data is not None:
        _fail(where, "nothing", data)


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
    def run(data: t.Any, where: str) -> t.Any:
        if isinstance(data, (str, int)) and data in choices:
            return data
        raise CodecError(f"{where}: expected one of {', '.join(map(str, choices))}")

    return run


def _union_decoder(members: tuple[t.Any, ...]) -> Decoder:
    decoders = tuple(_decoder(member) for member in members)
    optional = _NOTHING in members
    inner = tuple(d for member, d in zip(members, decoders, strict=True) if member is not _NOTHING)

    def run(data: t.Any, where: str) -> t.Any:
        if data is None and optional:
            return None
        if len(inner) == 1:
            return inner[0](data, where)
        for decoder in inner:
            try:
                return decoder(data, where)
            except CodecError:
                continue
        _fail(where, "one of several kinds of value", data)

    return run


def _tuple_decoder(item: t.Any) -> Decoder:
    decoder = _decoder(item)

    def run(data: t.Any, where: str) -> tuple[t.Any, ...]:
        if not isinstance(data, (list, tuple)):
            _fail(where, "a list", data)
        return tuple(decoder(value, f"{where}[{index}]") for index, value in enumerate(data))

    return run


def _fixed_tuple_decoder(items: tuple[t.Any, ...]) -> Decoder:
    decoders = tuple(_decoder(item) for item in items)

    def run(data: t.Any, where: str) -> tuple[t.Any, ...]:
        if not isinstance(data, (list, tuple)) or len(data) != len(decoders):
            _fail(where, f"a list of {len(decoders)}", data)
        return tuple(
            decoder(value, f"{where}[{index}]")
            for index, (decoder, value) in enumerate(zip(decoders, data, strict=True))
        )

    return run


def _dict_decoder(item: t.Any) -> Decoder:
    decoder = _decoder(item)

    def run(data: t.Any, where: str) -> dict[str, t.Any]:
        if not isinstance(data, dict):
            _fail(where, "an object", data)
        return {_string(key, where): decoder(value, f"{where}.{key}") for key, value in data.items()}

    return run


def _dataclass_decoder(cls: type) -> Decoder:
    hints = t.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls)}
    decoders: dict[str, Decoder] = {}
    required = {
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    }

    def run(data: t.Any, where: str) -> t.Any:
        if not decoders:
            # Filled on first use, not at definition: records may hold records of their own type.
            decoders.update({name: _decoder(hints[name]) for name in fields})
        if not isinstance(data, dict):
            _fail(where, "an object", data)
        unknown = data.keys() - fields.keys()
        if unknown:
            raise CodecError(f"{where}: unknown entry {sorted(map(str, unknown))[0][:80]!r}")
        missing = required - data.keys()
        if missing:
            raise CodecError(f"{where}: entry {min(missing)!r} is missing")
        return cls(**{name: decoders[name](value, f"{where}.{name}") for name, value in data.items()})

    return run
