# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which writes of a variable can be seen at a place, and what tests before that place say of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from . import dotnet
from .dotnet import NULL
from .tree import Node

SCOPES = ("FunctionDefinition", "ScriptBlockExpression")
WRITERS = ("AssignmentStatement", "ForEachStatement", "Parameter")
_LOOPS = ("ForStatement", "WhileStatement", "DoWhileStatement", "DoUntilStatement", "ForEachStatement")
_EXITS = ("ReturnStatement", "ThrowStatement", "ContinueStatement", "BreakStatement", "ExitStatement")


@dataclass
class Facts:
    """What tests say: only these types (None: nothing is said), and none of those."""

    only: frozenset[str] | None = None
    never: set[str] = field(default_factory=set)


def scope_of(node: Node) -> Node:
    """The function or script block around a node, else the script."""
    last = node
    for above in node.ancestors():
        if above.type in SCOPES:
            return above
        last = above
    return last


def targets(definition: Node) -> Iterator[Node]:
    """The variables that an assignment, loop or parameter writes."""
    target = definition.child(
        {"AssignmentStatement": "Left", "ForEachStatement": "Variable"}.get(definition.type, "Name")
    )
    while target and target.type == "ConvertExpression":
        target = target.child("Child")
    if target and target.type == "VariableExpression":
        yield target
    elif target and target.type == "ArrayLiteral":
        yield from (item for item in target.items("Elements") if item.type == "VariableExpression")


def name_of(variable: Node) -> str:
    return variable.get("VariablePath").lower()


def reaching(variable: Node) -> Node | None:
    """The one write whose value a variable surely has at this place; None when there may be several."""
    name = name_of(variable)
    below = variable
    for above in variable.ancestors():
        if above.type in SCOPES or above.parent is None:
            return next((target for target in _parameters(above) if name_of(target) == name), None)
        if above.type in _LOOPS and any(_writes(child, name) for child in above.children if child.role != "Variable"):
            return None
        if above.type == "ForEachStatement" and below.role == "Body":
            loop_variable = above.child("Variable")
            if loop_variable and name_of(loop_variable) == name:
                return loop_variable
        for sibling in reversed(above.children[: above.children.index(below)]):
            if (
                sibling.role.startswith("Statements.")
                and sibling.type == "AssignmentStatement"
                and sibling.get("Operator") == "Equals"
            ):
                found = next((target for target in targets(sibling) if name_of(target) == name), None)
                if found:
                    return found
            if _writes(sibling, name):
                return None
        below = above
    return None


def facts(variable: Node) -> Facts:
    """What conditions around a place, and blocks before it that end early, say of a variable there."""
    name = name_of(variable)
    found = Facts()
    below = variable
    for above in variable.ancestors():
        if above.type in SCOPES:
            break
        if above.type == "BinaryExpression" and above.get("Operator") == "And" and below.role == "Right":
            _add(found, above.child("Left"), name, holds=True)
        elif above.type == "IfStatement" and below.role.endswith(".value") and not _writes(below, name):
            _add(found, above.child(below.role.removesuffix("value") + "key"), name, holds=True)
        if below.role.startswith("Statements."):
            for sibling in reversed(above.children[: above.children.index(below)]):
                if sibling.type == "IfStatement" and _ends_early(sibling):
                    _add(found, sibling.child("Clauses.0.key"), name, holds=False)
                if _writes(sibling, name):
                    # What was tested before that was another value.
                    return found
        below = above
    return found


def _parameters(scope: Node) -> Iterator[Node]:
    body = scope.child("Body") or scope.child("ScriptBlock") or scope
    block = body.child("ParamBlock")
    for parameter in [*scope.items("Parameters"), *(block.items("Parameters") if block else [])]:
        yield from targets(parameter)


def _writes(node: Node, name: str) -> bool:
    return any(name_of(target) == name for item in _walk(node) if item.type in WRITERS for target in targets(item))


def _walk(node: Node) -> Iterator[Node]:
    """All nodes that run in the same scope."""
    yield node
    for child in node.children:
        if child.type not in SCOPES:
            yield from _walk(child)


def _ends_early(statement: Node) -> bool:
    clauses = statement.pairs("Clauses")
    body = clauses[0][1].items("Statements")
    return len(clauses) == 1 and not statement.child("ElseClause") and bool(body) and body[-1].type in _EXITS


def _add(found: Facts, condition: Node | None, name: str, *, holds: bool) -> None:
    """Add what a condition says that holds, or that does not."""
    if condition is None:
        return
    while condition.type in ("Pipeline", "CommandExpression", "ParenExpression") and len(condition.children) == 1:
        condition = condition.children[0]
    operator = condition.get("Operator") or condition.get("TokenKind")
    left, right = condition.child("Left"), condition.child("Right")
    if condition.type == "VariableExpression" and holds and name_of(condition) == name:
        found.never.add(NULL)
    elif operator in ("Not", "Exclaim"):
        _add(found, condition.child("Child"), name, holds=not holds)
    elif left and right and operator == ("And" if holds else "Or"):
        _add(found, left, name, holds=holds)
        _add(found, right, name, holds=holds)
    elif left and right and operator == "Or" and holds:
        one, other = Facts(), Facts()
        _add(one, left, name, holds=True)
        _add(other, right, name, holds=True)
        if one.only and other.only and found.only is None:
            found.only = one.only | other.only
    elif left and right and operator in ("Is", "IsNot") and name_of(left) == name and right.type == "TypeExpression":
        resolved = dotnet.resolve(right.get("TypeName"))
        if resolved and holds == (operator == "Is"):
            # The test that is nearest to the place counts.
            found.only = found.only or frozenset({resolved})
        elif resolved:
            found.never.add(resolved)
    elif (
        left and right and operator == ("Ine" if holds else "Ieq") and (name_of(left), name_of(right)) == ("null", name)
    ):
        found.never.add(NULL)
