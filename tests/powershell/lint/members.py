# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types and members of .NET that CLR 2.0 with .NET Framework 3.5 does not have.

* ``type``: a type, or an object of COM, that is not in the data files, or is newer; unknown is as bad as newer, so each is looked up once;
* ``member``: a static member, a constructor, or a member of a value whose type is known: newer, missing, or with a number of arguments
  that no overload of 3.5 takes; a property that 3.5 can only read; a name of an enumeration that 3.5 lacks;
* ``overload``: an argument whose known type fits a newer overload exactly, and none of 3.5;
* ``member-name``: where the type is not known, a name that no listed type has, or that is newer in all that have it;
* ``enumeration``: a property of the items taken from the list itself, which works from 3.0 on;
* ``foreach-null``: a loop over what can be $null, which 2.0 runs once.

Code in ``if ($PSVersionTable.PSVersion.Major -ge 3) { ... }`` may use what is listed as newer.
What it cannot see: members of values whose type is not known where some listed type has the name, and types of arguments elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import dotnet
from .dotnet import NULL, UNKNOWN
from .inference import Inference, Types, command_name, made_by
from .tree import Node, Problem, Script

_INTRINSIC = ("psobject", "psbase", "psadapted", "psextended", "pstypenames")
_GUARD = "$PSVersionTable.PSVersion.Major -ge 3"
_NUMBERS = {f"System.{name}" for name in ("Byte", "Double", "Int16", "Int32", "Int64", "UInt32", "UInt64")}
# Types that only stand in casts: 2.0 gives them a meaning of their own.
_CASTS_APART = ("pscustomobject", "ordered")


@dataclass
class Counts:
    """How many uses of members were checked in which way."""

    types: int = 0
    known: int = 0
    by_name: int = 0


def check(script: Script, counts: Counts) -> Iterator[Problem]:
    inference = Inference(script)
    for node in script.root.walk():
        found: Iterator[Problem] = iter(())
        if node.type in ("TypeExpression", "TypeConstraint"):
            found = _type(node, node.get("TypeName"), counts)
        elif node.type in ("MemberExpression", "InvokeMemberExpression"):
            found = _member(node, inference, counts)
        elif node.type == "Command" and command_name(node) == "New-Object":
            found = _constructor(node, inference, counts)
        elif node.type == "ConvertExpression":
            found = _cast_to_enumeration(node)
        elif node.type == "ForEachStatement" and NULL in inference.types(node.child("Condition")):
            found = iter(
                [Problem(node.line, "foreach-null", "the loop is over what can be $null, which 2.0 runs once")]
            )
        yield from found


def _type(node: Node, name: str, counts: Counts) -> Iterator[Problem]:
    counts.types += 1
    if name.lower() in _CASTS_APART:
        return
    found = dotnet.resolve(name)
    if not found:
        yield Problem(node.line, "type", f"nothing is known of a type {name} in 2.0: look it up")
    elif not dotnet.is_old_type(found) and not _is_guarded(node):
        yield Problem(node.line, "type", f"{found} is newer than .NET Framework 3.5")


def _constructor(command: Node, inference: Inference, counts: Counts) -> Iterator[Problem]:
    elements = command.items("CommandElements")
    name = made_by(command).get("Value") if len(elements) > 1 else ""
    yield from _type(command, name, counts)
    owner = dotnet.resolve(name)
    is_com = elements[1].get("ParameterName") == "ComObject" if len(elements) > 1 else False
    if is_com != (owner in dotnet.com_objects()):
        yield Problem(command.line, "type", f"{command.text}: nothing is known of such an object")
    if is_com:
        return
    arguments = _constructor_arguments(elements[2:], inference)
    if not owner or owner.endswith("[]") or arguments is None:
        return
    if not arguments and dotnet.is_a(owner, "System.ValueType"):
        # Its constructor without arguments stands in no list.
        return
    overloads = [item for item in dotnet.members(owner, ".ctor") if item.type == owner]
    yield from _overloads(command, f"a constructor of {owner}", overloads, arguments, inference)


def _constructor_arguments(elements: list[Node], inference: Inference) -> list[Node] | None:
    """The arguments of New-Object; None when their number cannot be told."""
    if not elements:
        return []
    only = elements[0]
    if only.type == "ParenExpression":
        pipeline = only.child("Pipeline")
        parts = pipeline.items("PipelineElements") if pipeline else []
        inner = parts[0].child("Expression") if len(parts) == 1 else None
        only = inner or only
    if only.type == "ArrayLiteral":
        return only.items("Elements")
    types = inference.types(only)
    if UNKNOWN in types or any(name.endswith("[]") for name in types):
        return None
    return [only]


def _member(node: Node, inference: Inference, counts: Counts) -> Iterator[Problem]:
    member = node.child("Member")
    if not member or member.type != "StringConstantExpression":
        # A name that is only known when it runs, such as the property of an object of the product.
        return
    owners = inference.owners(node)
    if not node.is_set("Static") and member.get("Value").lower() in _INTRINSIC:
        return
    known = {owner for owner in owners if owner != UNKNOWN and dotnet.is_known(owner)}
    if owners and known == owners:
        counts.known += 1
    elif not node.is_set("Static"):
        counts.by_name += 1
        yield from _by_name(node, member.get("Value"))
    elif not known and not _names_a_type(node):
        yield Problem(node.line, "member", f"{node.text}: nobody can tell whose static member this is")
    for owner in sorted(known if known == owners or node.is_set("Static") else ()):
        yield from _of_type(node, member.get("Value"), owner, inference)


def _names_a_type(node: Node) -> bool:
    target = node.child("Expression")
    return bool(target and target.type == "TypeExpression")


def _by_name(node: Node, name: str) -> Iterator[Problem]:
    found = dotnet.by_name(name)
    if not found:
        yield Problem(node.line, "member-name", f"no listed type has a member {name}: look it up")
    elif not any(item.is_old for item in found) and not _is_guarded(node):
        yield Problem(node.line, "member-name", f"{name} is newer than .NET Framework 3.5 in all types that have it")


def _of_type(node: Node, name: str, owner: str, inference: Inference) -> Iterator[Problem]:
    is_call = node.type == "InvokeMemberExpression"
    if owner == "System.Collections.Hashtable" and not is_call and not node.is_set("Static"):
        # A key of the table.
        return
    found = [
        item for item in dotnet.members(owner, name, static=node.is_set("Static")) if (item.kind == "Method") == is_call
    ]
    if not found and not node.is_set("Static"):
        # The value may be of a derived type, as exceptions are.
        found = [
            item
            for item in dotnet.by_name(name)
            if dotnet.is_a(item.type, owner) and (item.kind == "Method") == is_call
        ]
    if not found and owner.endswith("[]") and not is_call:
        yield Problem(
            node.line, "enumeration", f"{name} of each item of a list: the list has none, and 2.0 does not look further"
        )
    elif is_call:
        yield from _overloads(node, f"{owner}.{name}", found, node.items("Arguments"), inference)
    elif not found:
        yield Problem(node.line, "member", f"{owner} has no {name} that is known: look it up")
    elif not any(item.is_old for item in found):
        if not _is_guarded(node):
            yield Problem(node.line, "member", f"{owner}.{name} is new in {found[0].version}")
    elif _is_written(node):
        yield from _property_set(node, found)


def _property_set(node: Node, found: list[dotnet.Member]) -> Iterator[Problem]:
    right = node.parent.child("Right") if node.parent else None
    value = right.child("Expression") if right else None
    if value:
        yield from _enumeration_names(found[0].returns, value)
    if not any(item.settable for item in found):
        yield Problem(node.line, "member", f"{found[0].type}.{found[0].name} cannot be set in .NET Framework 3.5")


def _overloads(
    node: Node, what: str, found: list[dotnet.Member], values: list[Node], inference: Inference
) -> Iterator[Problem]:
    fitting = [item for item in found if item.takes(len(values))]
    old = [item for item in fitting if item.is_old]
    if not fitting:
        yield Problem(node.line, "member", f"nothing is known of {what} with {len(values)} arguments: look it up")
    elif _is_guarded(node):
        return
    elif not old:
        yield Problem(node.line, "member", f"{what} with {len(values)} arguments is new in {fitting[0].version}")
    else:
        arguments = [inference.types(value) for value in values]
        if any(_fits(item, arguments) for item in fitting) and not any(_may_fit(item, arguments) for item in old):
            yield Problem(
                node.line, "overload", f"{what} with arguments of these types is newer than .NET Framework 3.5"
            )
        for place, value in enumerate(values):
            parameters = {item.parameters[place] for item in old if place < len(item.parameters)}
            if len(parameters) == 1:
                yield from _enumeration_names(parameters.pop(), value)


def _fits(member: dotnet.Member, arguments: list[Types]) -> bool:
    """Whether the types of all arguments are known to be those of an overload, for overloads that are newer."""
    return not member.is_old and all(
        types == {parameter} for types, parameter in zip(arguments, member.parameters, strict=False)
    )


def _may_fit(member: dotnet.Member, arguments: list[Types]) -> bool:
    """Whether every argument is of a type that PowerShell surely converts to that of an overload, or of unknown type."""
    return all(
        UNKNOWN in types or not types or any(_converts(name, parameter) for name in types)
        for types, parameter in zip(arguments, member.parameters, strict=False)
    )


def _converts(name: str, parameter: str) -> bool:
    if name == NULL or parameter in ("System.Object", "System.String") or dotnet.is_a(name, parameter):
        return True
    # Numbers become other numbers, texts all that can be parsed, lists other lists.
    return (
        name == "System.String" or {name, parameter} <= _NUMBERS or (name.endswith("[]") and parameter.endswith("[]"))
    )


def _cast_to_enumeration(node: Node) -> Iterator[Problem]:
    constraint, value = node.child("Type"), node.child("Child")
    owner = dotnet.resolve(constraint.get("TypeName")) if constraint else None
    if owner and value:
        yield from _enumeration_names(owner, value)


def _enumeration_names(owner: str, value: Node) -> Iterator[Problem]:
    """A text that becomes a value of an enumeration must name values that 3.5 has."""
    if value.type != "StringConstantExpression" or not dotnet.is_known(owner) or not dotnet.is_enum(owner):
        return
    for name in value.get("Value").split(","):
        found = dotnet.members(owner, name.strip(), static=True)
        if not any(item.is_old for item in found) and not _is_guarded(value):
            yield Problem(value.line, "member", f"{owner} has no {name.strip()} in .NET Framework 3.5")


def _is_written(node: Node) -> bool:
    return bool(node.parent and node.parent.type == "AssignmentStatement" and node.role == "Left")


def _is_guarded(node: Node) -> bool:
    """Whether code runs only in PowerShell 3.0 or later, and so on CLR 4."""
    below = node
    for above in node.ancestors():
        if above.type == "IfStatement":
            clauses = above.pairs("Clauses")
            if clauses and clauses[0][1] is below and clauses[0][0].text == _GUARD:
                return True
        below = above
    return False
