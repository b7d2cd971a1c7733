# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/report.schema.json from the records of the report: ``python tests/tools/report_schema.py [--check]``."""

from __future__ import annotations

import dataclasses
import inspect
import json
import pathlib
import sys
import types
import typing as t

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "playbooks" / "collections"))

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.document import Report  # noqa: E402

PAGE = ROOT / "docs" / "report.schema.json"
_COMMENT = "Copyright (c) 2026, the sfb.kb4023993 contributors. SPDX-License-Identifier: GPL-3.0-or-later. Written by tests/tools/report_schema.py."
_SIMPLE: dict[t.Any, dict[str, t.Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    bytes: {"type": "string", "contentEncoding": "base64"},
}
_Schema = dict[str, t.Any]


def schema() -> _Schema:
    """The JSON schema of report.json, draft 2020-12. Every record is strict: all its entries are there, and no other."""
    records: dict[str, _Schema] = {}
    top = _of(Report, records)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": _COMMENT,
        "title": "Report of sfb.kb4023993",
        **top,
        "$defs": dict(sorted(records.items())),
    }


def _of(hint: t.Any, records: dict[str, _Schema]) -> _Schema:
    """The schema of a type that ``plugin_utils/codec.py`` can write; records are collected by name."""
    if hint in _SIMPLE:
        return dict(_SIMPLE[hint])
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        if hint.__name__ not in records:
            records[hint.__name__] = {}
            records[hint.__name__] = _record(hint, records)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    origin, arguments = t.get_origin(hint), t.get_args(hint)
    if origin is t.Literal:
        return {"enum": list(arguments)}
    if origin in (t.Union, types.UnionType):
        return {"anyOf": [_of(member, records) for member in arguments]}
    if origin is tuple:
        return {"type": "array", "items": _of(arguments[0], records)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _of(arguments[1], records)}
    raise TypeError(f"no JSON form for the type {hint!r}")


def _record(cls: type, records: dict[str, _Schema]) -> _Schema:
    hints = t.get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]
    properties = {name: _of(hints[name], records) for name in names}
    if "schema" in properties:
        # The version of the record: another one is another schema.
        properties["schema"] = {"const": next(f.default for f in dataclasses.fields(cls) if f.name == "schema")}
    made: _Schema = {"type": "object", "properties": properties, "required": names, "additionalProperties": False}
    text = " ".join((inspect.getdoc(cls) or "").replace("``", "").split())
    # A dataclass without words of its own has its signature there.
    return made if text.startswith(f"{cls.__name__}(") else {"description": text, **made}


def page() -> str:
    """The file as text."""
    return json.dumps(schema(), indent=1, ensure_ascii=True) + "\n"


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        if PAGE.is_file() and PAGE.read_text("utf-8") == page():
            return 0
        print(
            f"{PAGE.relative_to(ROOT)} is not what the records say. Run: python tests/tools/report_schema.py",
            file=sys.stderr,
        )
        return 1
    PAGE.write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
