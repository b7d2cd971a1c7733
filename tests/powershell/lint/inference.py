# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which types an expression can have, as far as the tree tells.

Where one write of a variable surely is the last one before a place, and where a test by -is stands before it (flow.py), that counts;
else a variable has all types that are assigned to it anywhere in its function, or at the top level, where PowerShell looks next. Untyped
parameters have the types of all calls in the same file. "?" among the types says that there may be others.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from . import dotnet
from .dotnet import NULL, UNKNOWN
from .flow import WRITERS, facts, name_of, reaching, scope_of, targets
from .tree import Node, Script

Types = frozenset[str]
_NOTHING: Types = frozenset()
_ANY: Types = frozenset({UNKNOWN})
_BOOLEAN: Types = frozenset({"System.Boolean"})
_STRING: Types = frozenset({"System.String"})
_ARRAY: Types = frozenset({"System.Object[]"})
_AUTOMATIC: dict[str, Types] = {
    "true": _BOOLEAN,
    "false": _BOOLEAN,
    "null": frozenset({NULL}),
    "psversiontable": frozenset({"System.Collections.Hashtable"}),
    "executioncontext": frozenset({"System.Management.Automation.EngineIntrinsics"}),
}
_BY_TYPE: dict[str, Types] = {
    "StringConstantExpression": _STRING,
    "ExpandableStringExpression": _STRING,
    "Hashtable": frozenset({"System.Collections.Hashtable"}),
    "ScriptBlockExpression": frozenset({"System.Management.Automation.ScriptBlock"}),
    "TypeExpression": frozenset({"System.Type"}),
}
_BY_OPERATOR: dict[str, Types] = {
    **dict.fromkeys(("And", "Or", "Xor", "Is", "IsNot", "Not", "Exclaim"), _BOOLEAN),
    **dict.fromkeys(("Join", "Format"), _STRING),
    **dict.fromkeys(("Isplit", "Csplit"), frozenset({"System.String[]"})),
    "DotDot": frozenset({"System.Int32[]"}),
}


class Inference:
    """Answers for one script."""

    def __init__(self, script: Script) -> None:
        self._root = script.root
        self._functions = {node.get("Name").lower(): node for node in script.find("FunctionDefinition")}
        self._calls: dict[str, list[Node]] = {}
        for call in script.find("Command"):
            self._calls.setdefault(command_name(call).lower(), []).append(call)
        self._definitions: dict[tuple[int, str], list[Node]] = {}
        for definition in script.find(*WRITERS):
            for variable in targets(definition):
                key = (id(scope_of(definition)), name_of(variable))
                self._definitions.setdefault(key, []).append(variable)
        self._cache: dict[int, Types] = {}
        self._active: set[int] = set()
        self._cut = False

    def types(self, node: Node | None) -> Types:
        """The possible types of an expression, pipeline or command."""
        if node is None:
            return _ANY
        if id(node) in self._cache:
            return self._cache[id(node)]
        if id(node) in self._active:
            # A loop such as $x = $x.Next: the types of the other assignments count.
            self._cut = True
            return _NOTHING
        outermost = not self._active
        self._active.add(id(node))
        found = self._infer(node)
        self._active.discard(id(node))
        if outermost:
            self._cut = False
        if not self._cut:
            self._cache[id(node)] = found
        return found

    def _infer(self, node: Node) -> Types:
        if node.type in _BY_TYPE:
            return _BY_TYPE[node.type]
        handler = getattr(self, f"_{_snake(node.type)}", None)
        return handler(node) if handler else _ANY

    def _constant_expression(self, node: Node) -> Types:
        text = node.get("Value")
        if text.lstrip("-").isdigit():
            return frozenset({"System.Int32" if abs(int(text)) < 2**31 else "System.Int64"})
        return frozenset({"System.Double"})

    def _convert_expression(self, node: Node) -> Types:
        constraint = node.child("Type")
        found = dotnet.resolve(constraint.get("TypeName")) if constraint else None
        if found == "System.Void":
            return _NOTHING
        return frozenset({found}) if found else _ANY

    def _paren_expression(self, node: Node) -> Types:
        return self.types(node.child("Pipeline"))

    def _command_expression(self, node: Node) -> Types:
        return self.types(node.child("Expression"))

    def _sub_expression(self, node: Node) -> Types:
        return self.outputs(node.child("SubExpression"))

    def _array_expression(self, node: Node) -> Types:
        return _array_of(self.outputs(node.child("SubExpression")))

    def _array_literal(self, node: Node) -> Types:
        return _array_of(
            frozenset().union(*(_whole(self.types(item)) for item in node.items("Elements"))), enumerate_items=False
        )

    def _binary_expression(self, node: Node) -> Types:
        operator = node.get("Operator")
        if operator in _BY_OPERATOR:
            return _BY_OPERATOR[operator]
        left, right = self.types(node.child("Left")), self.types(node.child("Right"))
        if len(left) != 1 or UNKNOWN in left or next(iter(left)).endswith("[]"):
            return _ANY
        if operator[1:] in (
            "eq",
            "ne",
            "ge",
            "gt",
            "lt",
            "le",
            "like",
            "notlike",
            "match",
            "notmatch",
            "contains",
            "notcontains",
        ):
            return _BOOLEAN
        if left == _STRING and (operator == "Plus" or operator.endswith("replace")):
            return _STRING
        if left == right == {"System.Int32"} and operator in ("Plus", "Minus", "Multiply", "Rem"):
            return left
        return _ANY

    def _unary_expression(self, node: Node) -> Types:
        operator = node.get("TokenKind")
        return _BY_OPERATOR.get(operator, self.types(node.child("Child")) if operator in ("Minus", "Plus") else _ANY)

    def _index_expression(self, node: Node) -> Types:
        index = node.child("Index")
        several = (
            index is None or index.type == "ArrayLiteral" or any(name.endswith("[]") for name in self.types(index))
        )
        found: set[str] = set()
        for name in self.types(node.child("Target")) - {NULL}:
            element = UNKNOWN if name == "System.Collections.Hashtable" else dotnet.element_of(name)
            if name == "System.String":
                element = "System.Char"
            elif element == name:
                element = UNKNOWN
            found.add(f"{element}[]" if several and element != UNKNOWN else element)
        return frozenset(found)

    def _member_expression(self, node: Node) -> Types:
        return self._member(node, None)

    def _invoke_member_expression(self, node: Node) -> Types:
        return self._member(node, len(node.items("Arguments")))

    def _member(self, node: Node, count: int | None) -> Types:
        member = node.child("Member")
        if not member or member.type != "StringConstantExpression":
            return _ANY
        found: set[str] = set()
        for owner in self.owners(node):
            candidates = (
                dotnet.members(owner, member.get("Value"), static=node.is_set("Static")) if owner != UNKNOWN else []
            )
            if count is not None:
                candidates = [item for item in candidates if item.takes(count)]
            results = {item.returns for item in candidates} or {UNKNOWN}
            found |= {UNKNOWN if result == "System.Object" else result for result in results}
        found.discard("System.Void")
        return frozenset(found)

    def owners(self, node: Node) -> Types:
        """The types whose member is meant; $null has none."""
        target = node.child("Expression")
        if node.is_set("Static") and target and target.type == "TypeExpression":
            return frozenset({dotnet.resolve(target.get("TypeName")) or UNKNOWN})
        if node.is_set("Static") and target:
            values = [_assigned(variable) for variable in self.definitions(target)]
            names = {
                dotnet.resolve(value.get("TypeName")) for value in values if value and value.type == "TypeExpression"
            }
            return frozenset(name or UNKNOWN for name in names) if len(names) == len(values) > 0 else _ANY
        return self.types(target) - {NULL}

    def _pipeline(self, node: Node) -> Types:
        elements = node.items("PipelineElements")
        return self.types(elements[-1]) if elements else _ANY

    def _command(self, node: Node) -> Types:
        name = command_name(node)
        elements = node.items("CommandElements")
        if name == "New-Object" and len(elements) > 1:
            found = dotnet.resolve(made_by(node).get("Value"))
            return frozenset({found}) if found else _ANY
        if name == "Where-Object" and node.role != "PipelineElements.0" and node.parent:
            before = node.parent.items("PipelineElements")[int(node.role.rpartition(".")[2]) - 1]
            return _elements(self.types(before))
        function = self._functions.get(name.lower())
        body = function.child("Body") if function else None
        return frozenset(itertools.chain.from_iterable(map(_passed_on, self._emitted(body)))) if body else _ANY

    def outputs(self, node: Node | None) -> Types:
        return frozenset().union(*self._emitted(node)) if node else _NOTHING

    def _emitted(self, node: Node) -> Iterator[Types]:
        """The types of each statement that puts something out."""
        if node.type in ("Pipeline", "CommandExpression", "Command"):
            if node.role.startswith(("Statements.", "Pipeline")):
                yield self.types(node)
            return
        if node.type in ("AssignmentStatement", "FunctionDefinition", "ThrowStatement", "ExitStatement"):
            return
        if node.type == "ReturnStatement" and not node.children:
            yield frozenset({NULL})
        for child in node.children:
            yield from self._emitted(child)

    def _variable_expression(self, node: Node) -> Types:
        name = name_of(node)
        if name in _AUTOMATIC:
            return _AUTOMATIC[name]
        if name == "_" and any(above.type == "CatchClause" for above in node.ancestors()):
            return frozenset({"System.Management.Automation.ErrorRecord"})
        if name == "_":
            return self._current(node)
        said = facts(node)
        if said.only:
            return said.only
        found = frozenset().union(*(self._defined(variable) for variable in self.definitions(node))) or _ANY
        return found - {name for name in found for never in said.never if name == never or dotnet.is_a(name, never)}

    def definitions(self, node: Node) -> list[Node]:
        """The writes whose values a variable may have at its place; none when nothing in the file writes it."""
        only = reaching(node)
        scope: Node | None = None if only else scope_of(node)
        while scope:
            found = self._definitions.get((id(scope), name_of(node)))
            if found:
                return found
            scope = scope_of(scope) if scope.type == "ScriptBlockExpression" else self._root if scope.parent else None
        return [only] if only else []

    def _current(self, node: Node) -> Types:
        """$_ in a block of Where-Object."""
        for above in node.ancestors():
            if above.type == "Command" and above.parent and above.role != "PipelineElements.0":
                return self.types(above) if command_name(above) == "Where-Object" else _ANY
        return _ANY

    def _defined(self, variable: Node) -> Types:
        """What one place that writes a variable puts into it."""
        parent = variable.parent
        assert parent
        if parent.type == "ConvertExpression":
            return self.types(parent)
        if parent.type == "Parameter":
            return self._parameter(parent)
        if parent.type == "ForEachStatement":
            return _elements(self.types(parent.child("Condition")))
        if parent.type == "AssignmentStatement":
            if parent.get("Operator") != "Equals":
                return (
                    _NOTHING
                    if len(self._definitions[id(scope_of(parent)), variable.get("VariablePath").lower()]) > 1
                    else _ANY
                )
            right = parent.child("Right")
            values = right.type in ("CommandExpression", "Pipeline", "Command") if right else False
            return self.types(right) if values or not right else frozenset(_passed_on(self.outputs(right)))
        if parent.type == "ArrayLiteral":
            statement = parent.parent
            # The last variable of several takes all that is left over.
            if statement and variable is not parent.children[-1]:
                return _elements(self.types(statement.child("Right")))
        return _ANY

    def _parameter(self, parameter: Node) -> Types:
        for constraint in parameter.items("Attributes"):
            if constraint.type == "TypeConstraint":
                return frozenset({dotnet.resolve(constraint.get("TypeName")) or UNKNOWN})
        scope = scope_of(parameter)
        place = int(parameter.role.rpartition(".")[2])
        if scope.type == "ScriptBlockExpression" and scope.parent and scope.parent.type == "ConvertExpression":
            delegate = self.types(scope.parent)
            invoke = dotnet.members(next(iter(delegate)), "Invoke") if delegate != _ANY else []
            return frozenset({_known(invoke[0].parameters[place])}) if invoke else _ANY
        if scope.type != "FunctionDefinition":
            return _ANY
        found: set[str] = set()
        for call in self._calls.get(scope.get("Name").lower(), ()):
            arguments = call.items("CommandElements")[1:]
            if any(item.type == "CommandParameter" for item in arguments):
                return _ANY
            found |= self.types(arguments[place]) if place < len(arguments) else {NULL}
        return frozenset(found) or _ANY


def command_name(command: Node) -> str:
    """The name that is called, '' when it is an expression."""
    first = command.items("CommandElements")[0]
    return first.get("Value") if first.type == "StringConstantExpression" else ""


def made_by(command: Node) -> Node:
    """What New-Object is to make: its first argument, after -ComObject the second one."""
    elements = command.items("CommandElements")
    return elements[2] if elements[1].type == "CommandParameter" and len(elements) > 2 else elements[1]


def _assigned(variable: Node) -> Node | None:
    """The expression that an assignment of one variable gives it."""
    right = (
        variable.parent.child("Right") if variable.parent and variable.parent.type == "AssignmentStatement" else None
    )
    return right.child("Expression") if right else None


def _known(name: str) -> str:
    return UNKNOWN if name == "System.Object" else name


def _whole(types: Types) -> Types:
    return types or _ANY


def _elements(types: Types) -> Types:
    return frozenset(dotnet.element_of(name) for name in types - {NULL})


def _array_of(types: Types, *, enumerate_items: bool = True) -> Types:
    items = _elements(types) if enumerate_items else types - {NULL}
    if len(items) == 1 and UNKNOWN not in items:
        return frozenset({f"{next(iter(items))}[]"})
    return _ARRAY


def _passed_on(types: Types) -> Iterator[str]:
    """What is left of a value that comes out of a function: a list of one item is that item, ", $list" is the list."""
    for name in types:
        if not name.endswith("[][]"):
            yield name
        if name.endswith("[]"):
            yield dotnet.element_of(name)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
