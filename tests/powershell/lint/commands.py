# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands, and code made of text.

* ``command``: a command that is neither a function of the same file nor on the list below, one of its parameters that is not on the
  list, a function called with a parameter or with more arguments than it has, ``Where-Object`` without a script block;
* ``dynamic-code``: a command whose name is an expression, and methods that turn text into code, but at the places listed here. A
  parameter may be called that gets a literal script block from every caller of its function.

The list is short on purpose. What is on it is in PowerShell 2.0 without any module, and is all that a reviewer of the scripts has to
know beside the language. The product's commands are not on it: the scripts have a list of their own, and tests/powershell/product holds
each call against their reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .flow import WRITERS, name_of, targets
from .inference import command_name
from .tree import Node, Problem, Script


@dataclass(frozen=True)
class _Command:
    """A command that may be called: how many arguments without a name it takes, and the names of the others."""

    positional: int
    parameters: frozenset[str] = frozenset()


COMMANDS = {
    # Makes objects; ::new() is 5.0. Which objects of COM, is a matter of members.py.
    "New-Object": _Command(2, frozenset({"ComObject"})),
    # Filters; the simplified form is 3.0, so its argument must be a script block.
    "Where-Object": _Command(1),
    # Loads the product's module, whose name comes out of a list in the script.
    "Import-Module": _Command(1, frozenset({"ErrorAction"})),
    # Whether a module has a command.
    "Get-Command": _Command(1, frozenset({"ErrorAction"})),
}
# The name of an operation, after it was found in $operationNames; a command of the product, after it was found in $lyncCommands, in a
# runspace of its own; and the script itself, as the bootstrap received it.
DYNAMIC = frozenset(
    {"& $operation['name'] @fields", "& $command @parameters", "& ([ScriptBlock]::Create($parts[0])) $parts[1]"}
)
CODE_OF_TEXT = {
    "create": frozenset({"[ScriptBlock]::Create($parts[0])"}),
    # A script block of the same file, for a runspace of its own.
    "addscript": frozenset({"$shell.AddScript($lyncScript.ToString())"}),
    "addcommand": frozenset[str](),
    "newscriptblock": frozenset[str](),
    "invokescript": frozenset[str](),
    "expandstring": frozenset[str](),
    "invoke": frozenset[str](),
    "invokereturnasis": frozenset[str](),
    "createpipeline": frozenset[str](),
    "createnestedpipeline": frozenset[str](),
}


@dataclass
class Counts:
    commands: int = 0


def check(script: Script, counts: Counts) -> Iterator[Problem]:
    functions = {node.get("Name").lower(): node for node in script.find("FunctionDefinition")}
    for node in script.root.walk():
        if node.type == "Command":
            counts.commands += 1
            yield from _command(node, functions, script)
        elif node.type == "InvokeMemberExpression":
            yield from _code_of_text(node)


def _command(node: Node, functions: dict[str, Node], script: Script) -> Iterator[Problem]:
    name = command_name(node)
    arguments = node.items("CommandElements")[1:]
    if node.get("InvocationOperator") != "Unknown":
        if node.text not in DYNAMIC and not _is_block_of_this_file(node, script):
            yield Problem(
                node.line, "dynamic-code", f"{node.text}: calls by & and . are only allowed at the known places"
            )
        return
    if name.lower() in functions:
        parameters = _parameters(functions[name.lower()])
        yield from _arguments(node, arguments, _Command(len(parameters), frozenset(parameters)))
    elif name in COMMANDS:
        yield from _arguments(node, arguments, COMMANDS[name])
        if name == "Where-Object" and [item.type for item in arguments] != ["ScriptBlockExpression"]:
            yield Problem(node.line, "command", "Where-Object takes only a script block in 2.0")
    else:
        yield Problem(
            node.line, "command", f"{name or node.text} is not on the list of commands (aliases are not either)"
        )


def _is_block_of_this_file(command: Node, script: Script) -> bool:
    """Whether a parameter is called that gets a literal script block from every caller of its function, and nothing else."""
    called = command.items("CommandElements")[0]
    function = next((above for above in command.ancestors() if above.type == "FunctionDefinition"), None)
    if called.type != "VariableExpression" or not function:
        return False
    written = [name_of(target) for node in function.walk() if node.type in WRITERS for target in targets(node)]
    names = [name.lower() for name in _parameters(function)]
    name = name_of(called)
    if name not in names or written.count(name) != 1:
        return False
    calls = [node for node in script.find("Command") if command_name(node).lower() == function.get("Name").lower()]
    passed = [node.items("CommandElements")[1 + names.index(name) :][:1] for node in calls]
    return bool(passed) and all([item.type for item in items] == ["ScriptBlockExpression"] for items in passed)


def _parameters(function: Node) -> list[str]:
    body = function.child("Body")
    block = body.child("ParamBlock") if body else None
    found = function.items("Parameters") or (block.items("Parameters") if block else [])
    names = (parameter.child("Name") for parameter in found)
    return [name.get("VariablePath") for name in names if name]


def _arguments(node: Node, arguments: list[Node], allowed: _Command) -> Iterator[Problem]:
    name = command_name(node)
    positional = 0
    takes_value = False
    for item in arguments:
        if item.type == "CommandParameter":
            parameter = item.get("ParameterName")
            if parameter not in allowed.parameters:
                yield Problem(item.line, "command", f"{name} -{parameter} is not on the list of parameters")
            takes_value = not item.children
        elif item.is_set("Splatted"):
            yield Problem(item.line, "command", f"{name} {item.text}: nobody can tell which parameters these are")
        elif takes_value:
            takes_value = False
        else:
            positional += 1
    if positional > allowed.positional:
        yield Problem(node.line, "command", f"{name} takes {allowed.positional} arguments, not {positional}")


def _code_of_text(node: Node) -> Iterator[Problem]:
    member = node.child("Member")
    name = member.get("Value").lower() if member else ""
    target = node.child("Expression")
    if name == "create" and not (target and target.get("TypeName").lower().endswith("scriptblock")):
        return
    if name in CODE_OF_TEXT and node.text not in CODE_OF_TEXT[name]:
        yield Problem(node.line, "dynamic-code", f"{node.text}: text becomes code only at the known places")
