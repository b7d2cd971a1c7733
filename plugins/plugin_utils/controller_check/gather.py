# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the checks of all hosts and of the controller together: what the first contacts brought back, and what is known without them."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import sys
import typing as t

from ansible.errors import AnsibleError
from ansible.release import __version__ as core_version

from ..evidence import InventoryFacts
from ..files import default_state_directory
from ..task import controller_now, inventory_facts
from ..words import one_line
from . import controller
from .check import CONTROLLER, Check, failed, merged, with_good_ones
from .fleet import Host, Signing, check_fleet
from .libraries import always
from .libraries import check as check_library
from .way import Way


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contact:
    """What the first contact with a host brought. ``place`` and ``delegates`` as in :class:`.fleet.Host`."""

    checks: tuple[Check, ...]
    place: tuple[str, int, str] | None = None
    delegates: bool | None = None


def result_of(checks: t.Sequence[Check], way: Way | None) -> dict[str, t.Any]:
    """A contact as the result of its task."""
    place = list(way.place) if way and way.connection in ("winrm", "psrp", "ssh") else None
    return {
        "changed": False,
        "checks": [{**dataclasses.asdict(check), "where": list(check.where)} for check in checks],
        "place": place,
        "delegates": way.delegates if way else None,
    }


def contact_of(host: str, result: t.Any) -> Contact:
    """The contact from the registered result of its task; a task that ended otherwise says that the host was left out."""
    if isinstance(result, t.Mapping) and "checks" in result:
        place = result.get("place")
        return Contact(
            checks=tuple(_check(entry) for entry in result["checks"]),
            place=(str(place[0]), int(place[1]), str(place[2])) if place else None,
            delegates=result.get("delegates"),
        )
    message = one_line(str(result.get("msg", "")), 300) if isinstance(result, t.Mapping) else ""
    if isinstance(result, t.Mapping) and ("timedout" in result or "time frame" in message):
        what = "The host took the connection and then hung; it was given up after the time of one step."
        step = "Log on to the host and see what keeps PowerShell or WinRM waiting; restart the service WinRM."
    else:
        what = f"Ansible could not make ready the connection: {message or 'its task did not run'}"
        step = "Correct the variable or option that the message names."
    return Contact(checks=(failed("CONTACT-LEFT-OUT", (host,), what, step),))


def _check(entry: t.Mapping[str, t.Any]) -> Check:
    return Check(
        id=str(entry["id"]),
        status=t.cast(t.Any, str(entry["status"])),
        what=str(entry["what"]),
        where=tuple(str(name) for name in entry["where"]),
        next_step=str(entry["next_step"]),
    )


def state_directory(named: str, variables: t.Mapping[str, t.Any]) -> pathlib.Path | None:
    """The directory that a run would take, None where it would take a temporary one."""
    if named:
        return pathlib.Path(named).expanduser().absolute()
    on_awx = "awx_job_id" in variables or "tower_job_id" in variables
    return None if on_awx else default_state_directory()


def controller_checks(state: pathlib.Path | None) -> tuple[Check, ...]:
    """What can be said of the controller without any host."""
    version = ".".join(map(str, sys.version_info[:3]))
    written = datetime.datetime.fromtimestamp(pathlib.Path(__file__).stat().st_mtime, tz=datetime.timezone.utc)
    clock = controller.check_controller_clock(controller_now(), installed=written)
    return (
        controller.check_python(sys.version_info[:3], version),
        controller.check_core(core_version),
        *(check_library(library, (CONTROLLER,)) for library in always()),
        controller.check_state(state),
        *([clock] if clock else []),
    )


def hosts_of(
    hostvars: t.Mapping[str, t.Any],
    contacts: t.Mapping[str, Contact],
    names: t.Iterable[str],
    *,
    extra: t.Collection[str],
) -> tuple[tuple[Host, ...], tuple[Check, ...]]:
    """The hosts as the inventory has them: those of the play, and others that name a pool; and what cannot be worked out.

    :param names: all hosts of the inventory.
    :param extra: names of the variables of the command line.
    """
    found: list[Host] = []
    problems: list[Check] = []
    for name in dict.fromkeys([*contacts, *names]):
        variables = hostvars[name]
        try:
            facts = inventory_facts(variables)
        except AnsibleError as error:
            what = f"A variable of the pools cannot be worked out: {one_line(str(error), 200)}"
            problems.append(failed("POOL", (name,), what, "Correct the template, or the variable that it needs."))
            facts = InventoryFacts()
        if name not in contacts and facts.pool is None:
            continue
        contact = contacts.get(name)
        found.append(
            Host(
                name=name,
                facts=facts,
                names=frozenset(str(variable) for variable in variables) - frozenset(extra),
                place=contact.place if contact else None,
                delegates=contact.delegates if contact else None,
            )
        )
    return tuple(found), tuple(problems)


def all_checks(
    hosts: t.Sequence[Host],
    contacts: t.Mapping[str, Contact],
    more: t.Sequence[Check],
    signing: Signing,
    *,
    extra: t.Collection[str],
) -> tuple[Check, ...]:
    """Everything, merged and in the order of the report."""
    found = [*more, *check_fleet(hosts, signing, extra=extra)]
    found += [check for contact in contacts.values() for check in contact.checks]
    return merged(with_good_ones(found, tuple(contacts)))
