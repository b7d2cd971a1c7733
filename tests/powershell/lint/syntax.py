# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Language that is newer than PowerShell 2.0.

What 2.0 has is listed, and everything else is reported, so that syntax which nobody thought of is reported too. Rules:

* ``parse``, ``ascii``: what the engine itself cannot read, and characters outside ASCII;
* ``syntax``: kinds of nodes (``class``, ``enum``, ``using``, ternary, ``&&``, ...), ``clean`` blocks, ``&`` at the end of a pipeline;
* ``operator``: all but the operators of 2.0 (``-in``, ``-shl``, ``??``, ``?.``, ...), ``-replace`` with a script block;
* ``literal``: numbers (``1u``, ``0b1``) and escapes (backtick e, backtick u) that 2.0 reads as something else;
* ``redirection``: all but ``>``, ``>>``, ``2>``, ``2>>`` and ``2>&1``;
* ``attribute``: attributes and arguments of attributes that 2.0 does not know, ``[Parameter(Mandatory)]`` without a value;
* ``cast``: ``[pscustomobject]`` and ``[ordered]``, which mean nothing or something else in 2.0;
* ``method``: ``::new()``, ``.Where({})``, ``.ForEach({})``, type arguments of a method;
* ``layout``: a pipe at the start of a line, a member on another line than its object;
* ``requires``: ``#requires`` with more than a version, a shell or a snap-in.

To be looked up in: Windows PowerShell Language Specification 2.0 (grammar), "What's New in Windows PowerShell" 3.0 to 5.1 and "What's New in
PowerShell" 6.0 to 7.x, about_Functions_Advanced_Parameters of 2.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .tree import Node, Problem, Script, words

_NODES = words(
    """
    ScriptBlock ParamBlock NamedBlock Parameter Attribute NamedAttributeArgument TypeConstraint StatementBlock FunctionDefinition
    IfStatement TrapStatement SwitchStatement DataStatement ForEachStatement DoWhileStatement DoUntilStatement ForStatement
    WhileStatement CatchClause TryStatement BreakStatement ContinueStatement ReturnStatement ExitStatement ThrowStatement
    AssignmentStatement Pipeline Command CommandExpression CommandParameter FileRedirection MergingRedirection BinaryExpression
    UnaryExpression ConvertExpression MemberExpression InvokeMemberExpression TypeExpression VariableExpression
    StringConstantExpression ExpandableStringExpression ScriptBlockExpression ArrayLiteral ArrayExpression Hashtable SubExpression
    ParenExpression IndexExpression ConstantExpression
    """
)
_SAID = {
    "TypeDefinition": "class and enum are new in 5.0",
    "UsingStatement": "using is new in 5.0",
    "UsingExpression": "$using: is new in 3.0",
    "ConfigurationDefinition": "configuration is new in 4.0",
    "BlockStatement": "parallel and sequence are new in 3.0",
    "TernaryExpression": "the ternary operator is new in 7.0",
    "PipelineChain": "&& and || are new in 7.0",
    "AttributedExpression": "an attribute on a variable is new in 3.0",
}
# The engine's names: with a leading "I" the operator ignores case, with a leading "C" it does not.
_COMPARISONS = words("eq ne ge gt lt le like notlike match notmatch replace contains notcontains split")
_OPERATORS = (
    words(
        """
    And Or Xor Is IsNot As Band Bor Bxor Join Format DotDot Plus Minus Multiply Divide Rem Not Exclaim Bnot Comma PlusPlus MinusMinus
    PostfixPlusPlus PostfixMinusMinus Equals PlusEquals MinusEquals MultiplyEquals DivideEquals RemainderEquals
    """
    )
    | {prefix + name for prefix in "IC" for name in _COMPARISONS}
    | {"Csplit", "Isplit"}
)
_NUMBER = re.compile(
    r"-?(0x[0-9a-f]+|[0-9]+(\.[0-9]*)?(e[+-]?[0-9]+)?|\.[0-9]+(e[+-]?[0-9]+)?)[ld]?([kmgtp]b)?", re.IGNORECASE
)
_NEW_ESCAPE = re.compile(r"`(?:(e)|(u)\{|.)", re.DOTALL)
_PARAMETER_ARGUMENTS = words(
    """
    mandatory position parametersetname valuefrompipeline valuefrompipelinebypropertyname valuefromremainingarguments helpmessage
    helpmessagebasename helpmessageresourceid
    """
)
_ATTRIBUTES: dict[str, frozenset[str]] = {
    "parameter": _PARAMETER_ARGUMENTS,
    "cmdletbinding": frozenset({"supportsshouldprocess", "confirmimpact", "defaultparametersetname"}),
    "validatepattern": frozenset({"options"}),
    "validateset": frozenset({"ignorecase"}),
} | dict.fromkeys(
    words("""
    alias allownull allowemptystring allowemptycollection validatecount validatelength validaterange validatescript validatenotnull
    validatenotnullorempty
    """),
    frozenset(),
)
_CASTS = {
    "pscustomobject": "[pscustomobject] makes an object of a table only from 3.0 on",
    "ordered": "[ordered] is new in 3.0",
}
_REQUIREMENT = re.compile(r"#requires\s+-(version|shellid|pssnapin)\b", re.IGNORECASE)


def check(script: Script) -> Iterator[Problem]:
    """All problems of the parse and of the language."""
    yield from script.errors
    for number, line in enumerate(script.text.split("\n"), 1):
        if not line.isascii():
            yield Problem(number, "ascii", "the line is not pure ASCII")
    for node in script.root.walk():
        yield from _node(node)
    yield from _tokens(script)


def _node(node: Node) -> Iterator[Problem]:
    if node.type not in _NODES:
        reason = _SAID.get(node.type, f"{node.type} is no syntax of 2.0")
        # What stands in new syntax is often of a new kind too: one report is enough.
        if not any(above.type not in _NODES for above in node.ancestors()):
            yield Problem(node.line, "syntax", reason)
    for problem in (_statement(node), _operator(node), _literal(node), _redirection(node), _cast(node), _member(node)):
        if problem:
            yield Problem(node.line, *problem)
    if node.type == "Attribute":
        yield from _attribute(node)


def _statement(node: Node) -> tuple[str, str] | None:
    if node.type == "NamedBlock" and node.get("BlockKind") == "Clean":
        return "syntax", "a clean block is new in 7.3"
    if node.type in ("Pipeline", "PipelineChain") and node.is_set("Background"):
        return "syntax", "& at the end of a pipeline is new in 6.0"
    return None


def _operator(node: Node) -> tuple[str, str] | None:
    if node.is_set("NullConditional"):
        return "operator", "?. and ?[] are new in 7.1"
    operator = node.get("Operator") or (node.get("TokenKind") if node.type == "UnaryExpression" else "")
    if operator and operator not in _OPERATORS:
        return "operator", f"the operator {operator} is newer than 2.0"
    if operator in ("Ireplace", "Creplace"):
        right = node.child("Right")
        parts = (right.items("Elements") if right and right.type == "ArrayLiteral" else [right]) if right else []
        if any(part and part.type == "ScriptBlockExpression" for part in parts):
            return "operator", "-replace takes a script block from 6.1 on"
    return None


def _literal(node: Node) -> tuple[str, str] | None:
    if node.type == "ConstantExpression" and node.role != "Argument" and not _NUMBER.fullmatch(node.text):
        return "literal", f"{node.text} is no number of 2.0"
    double_quoted = node.get("StringConstantType").startswith("DoubleQuoted")
    if node.type in ("StringConstantExpression", "ExpandableStringExpression") and (
        double_quoted or node.get("StringConstantType") == "BareWord"
    ):
        for found in _NEW_ESCAPE.finditer(node.text):
            if found[1] or found[2]:
                return "literal", "the escapes `e and `u{} are new in 6.0"
    return None


def _redirection(node: Node) -> tuple[str, str] | None:
    if node.type == "MergingRedirection" and node.text != "2>&1":
        return "redirection", f"{node.text}: only 2>&1 is in 2.0"
    if node.type == "FileRedirection" and not re.match(r"2?>>?", node.text):
        return "redirection", f"{node.text}: only >, >>, 2> and 2>> are in 2.0"
    return None


def _cast(node: Node) -> tuple[str, str] | None:
    if node.type in ("TypeConstraint", "TypeExpression") and node.get("TypeName").lower() in _CASTS:
        return "cast", _CASTS[node.get("TypeName").lower()]
    return None


def _member(node: Node) -> tuple[str, str] | None:
    if node.type not in ("MemberExpression", "InvokeMemberExpression"):
        return None
    target, member = node.child("Expression"), node.child("Member")
    if target and member and target.end_line != member.line:
        return "layout", "a member on another line than its object is not sure to be read by 2.0"
    if node.type == "InvokeMemberExpression" and member:
        name = member.get("Value").lower()
        if node.is_set("Static") and name == "new":
            return "method", "::new() is new in 5.0"
        if not node.is_set("Static") and name in ("where", "foreach"):
            return "method", f".{member.get('Value')}() is new in 4.0"
        if node.text[member.start - node.start + len(member.text) :].startswith("["):
            return "method", "type arguments of a method are new in 7.3"
    return None


def _attribute(node: Node) -> Iterator[Problem]:
    name = node.get("TypeName").lower().removesuffix("attribute").removeprefix("system.management.automation.")
    if name not in _ATTRIBUTES:
        yield Problem(node.line, "attribute", f"2.0 has no attribute {node.get('TypeName')}")
        return
    for argument in node.items("NamedArguments"):
        if argument.is_set("ExpressionOmitted"):
            yield Problem(argument.line, "attribute", f"{argument.text} without a value is new in 3.0")
        if argument.get("ArgumentName").lower() not in _ATTRIBUTES[name]:
            yield Problem(argument.line, "attribute", f"2.0 has no argument {argument.get('ArgumentName')} of {name}")


def _tokens(script: Script) -> Iterator[Problem]:
    before = 0
    for token in script.tokens:
        if token.kind == "Pipe" and token.line > before:
            yield Problem(token.line, "layout", "a pipe at the start of a line is new in 7.0")
        if (
            token.kind == "Comment"
            and token.text.lower().startswith("#requires")
            and not _REQUIREMENT.match(token.text)
        ):
            yield Problem(token.line, "requires", f"{token.text} is newer than 2.0")
        if token.kind not in ("NewLine", "Comment", "LineContinuation"):
            before = token.end_line
