# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One task about a template: a request in, the result for a playbook out. Knows nothing of Ansible."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .descriptor import DescriptorError
from .errors import DirectoryError, ProtocolError
from .instructions import steps_to_create, steps_to_remove
from .ldap import Connection, Server
from .steps import StepError
from .template import TEMPLATE_OID, TemplateError, check_wanted
from .template_report import as_text, describe
from .template_state import Directory, Plan, Request

Result = dict[str, t.Any]


class TemplateTaskError(Exception):
    """The task failed. The text is for people; ``result`` goes with it."""

    def __init__(self, text: str, result: Result) -> None:
        super().__init__(text)
        self.result = result


@dataclass(frozen=True)
class Mode:
    """Whether anything may be written, and whether the difference is wanted as text."""

    check: bool = False
    diff: bool = False


def run(request: Request, server: Server | None, mode: Mode) -> Result:
    """Bring the template into the wanted state; without a server only say how to do it by hand.

    :raises TemplateTaskError: with what was done so far, and the steps by hand.
    """
    result: Result = {"changed": False, "name": request.wanted.name}
    by_hand: list[str] = []
    try:
        check_wanted(request.wanted, request.source)
        if request.present and not request.enrol_group.strip():
            raise TemplateError(
                "enrol_group: name the group whose members may request certificates by this template. There is no "
                "default, because everybody in it can ask for a certificate in any name."
            )
        by_hand = instructions(request)
        _check_numbers(server)
        if server is None:
            text = "No directory was asked or changed. Follow the instructions, then go on."
            return {**result, "instructions": by_hand, "msg": text}
        with Connection(server) as connection:
            found = {**result, **_in_directory(Directory(connection), request, mode)}
        return {**found, "instructions": by_hand} if mode.check and found["changed"] else found
    except StepError as error:
        failed = {**result, "changed": error.changed, "instructions": by_hand}
        raise TemplateTaskError(str(error), failed) from None
    except DescriptorError as error:
        text = f"The directory holds permissions that cannot be understood: {error}. Nothing was changed."
        raise TemplateTaskError(text, {**result, "instructions": by_hand}) from None
    except (DirectoryError, TemplateError) as error:
        raise TemplateTaskError(str(error), {**result, "instructions": by_hand}) from None


def _check_numbers(server: Server | None) -> None:
    if server and not 1 <= server.timeout <= 3600:
        raise TemplateError(f"timeout: {server.timeout} is not between 1 and 3600 seconds.")
    if server and not 1 <= server.real_port <= 65535:
        raise TemplateError(f"port: {server.port} is not between 1 and 65535.")


def instructions(request: Request) -> list[str]:
    """The same by hand."""
    if not request.present:
        return steps_to_remove(request.wanted)
    return steps_to_create(
        request.wanted, source=request.source, enrol_group=request.enrol_group, publish_on=request.publish_on
    )


def _in_directory(directory: Directory, request: Request, mode: Mode) -> Result:
    plan = directory.plan(request)
    done = [step.doing for step in plan.steps]
    result: Result = {"dn": directory.forest.template_dn(request.wanted.name), "changed": bool(done)}
    if mode.check and plan.before.attributes is None and plan.after.attributes is not None:
        plan = _without_identifier(plan)
    if mode.diff and done:
        result["diff"] = {
            "before": as_text(directory, request.wanted.name, plan.before),
            "after": as_text(directory, request.wanted.name, plan.after),
        }
    if not done:
        return {**result, **describe(directory, plan.before), "msg": "Nothing had to be changed."}
    if mode.check:
        return {**result, **describe(directory, plan.after), "msg": f"Check mode: not done: {'; '.join(done)}."}
    directory.apply(plan)
    try:
        state = directory.check(request)
    except ProtocolError as error:
        raise StepError(str(error), changed=True) from None
    return {**result, **describe(directory, state), "msg": f"Done: {'; '.join(done)}."}


def _without_identifier(plan: Plan) -> Plan:
    """The run that writes chooses an identifier of its own, so none is promised."""
    after = {**(plan.after.attributes or {})}
    after.pop(TEMPLATE_OID.lower(), None)
    return replace(plan, after=replace(plan.after, attributes=after))
