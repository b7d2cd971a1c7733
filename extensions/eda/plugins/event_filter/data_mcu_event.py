# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes what a webhook received for an event of Web Conferencing, and passes on nothing but what is known to be harmless.

What comes out is a new event. Of what was received it holds only an event id out of a list; everything else is the inventory's own. So no
text of a sender can reach a command line, a template or a file name.

The file stands alone, because ansible-rulebook runs it by its path.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import re
import subprocess
import time
import typing as t

DOCUMENTATION = r"""
---
short_description: Accept events of Web Conferencing that KB4023993 causes, and find the pool of the server
description:
  - Passes on the events 41024, 41026 and 41031 of the provider V(LS Data MCU) in the log V(Lync Server), and drops everything else.
  - The body of the request has to be an object with C(event_id) (a number), C(provider), C(log) and C(computer) (a host name). Other keys are ignored.
  - The server is looked up in the inventory that the environment variable E(ANSIBLE_INVENTORY) names, with C(ansible-inventory), at most once
    a minute. An event of a server that is not in it, or whose pools it does not tell, is dropped with a line in the log.
  - Of what was received, the text never gets past this filter.
options:
  use_inventory:
    description:
      - Whether to look the server up. Without it the new event asks for an audit, and names neither server nor pool.
    type: bool
    default: true
"""

EXAMPLES = r"""
- eda.builtin.webhook:
    port: 5000
    token: "{{ sfb_kb4023993_eda_token }}"
  filters:
    - sfb.kb4023993.data_mcu_event: {}
"""

EVENT_IDS: t.Final = frozenset({41024, 41026, 41031})
"""Failures of a connection, and 41031, which by analogy is the loss of one between Front Ends (knowledge/events.yml)."""

PROVIDER: t.Final = "LS Data MCU"
LOG: t.Final = "Lync Server"

_LABEL: t.Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME: t.Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\Z")
# What may stand in --limit as it is: no sign that Ansible reads as part of a pattern, and no option.
_INVENTORY_NAME: t.Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}\Z")
_NO_EDGE: t.Final = "none"
_POOL: t.Final = "sfb_kb4023993_pool"
_EDGE_POOL: t.Final = "sfb_kb4023993_edge_pool"
_REMEDIATE: t.Final = "sfb_kb4023993_eda_remediate"
_KEEP_SECONDS: t.Final = 60
_INVENTORY_SECONDS: t.Final = 60

_log = logging.getLogger("sfb.kb4023993")


class RefusedError(Exception):
    """The event is not answered; the text says why and holds nothing of what was received but a checked host name."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Server:
    """A host of the inventory. ``pool`` and ``edge_pool`` are None where the inventory does not tell them, or not as a host name."""

    name: str
    address: str
    pool: str | None
    edge_pool: str | None
    may_be_remediated: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Answer:
    """What an event leads to. ``hosts`` are all that have to be read so that the connections of the pool can be judged."""

    server: str
    pool: str
    hosts: tuple[str, ...]
    remediate: bool


def main(event: t.Any, use_inventory: bool = True) -> list[dict[str, t.Any]]:
    """The entry point of ansible-rulebook: a new event for each playbook that is to run, in their order."""
    try:
        event_id, computer = checked(event)
        if not use_inventory:
            return [{"data_mcu": {"id": event_id, "run": "audit"}}]
        answer = find(computer, _servers())
    except RefusedError as refusal:
        _log.warning("Event not answered: %s", refusal)
        return []
    known = {"id": event_id, "server": answer.server, "pool": answer.pool}
    # An event for each, because a throttled rule takes the event away from the rules after it. meta.hosts is what ansible-rulebook
    # gives to ansible-playbook as --limit.
    return [
        {"data_mcu": {**known, "run": run}, "meta": {"hosts": list(answer.hosts)}}
        for run in ("audit", "remediate")
        if run == "audit" or answer.remediate
    ]


def checked(event: t.Any) -> tuple[int, str]:
    """The id and the computer, in lower case, of a received event.

    :raises RefusedError: it is not an event to be answered.
    """
    received = event.get("payload") if isinstance(event, dict) else None
    if not isinstance(received, dict):
        raise RefusedError("the body is no JSON object.")
    event_id = received.get("event_id")
    # bool is an int in Python.
    if not isinstance(event_id, int) or isinstance(event_id, bool) or event_id not in EVENT_IDS:
        raise RefusedError(f"event_id is none of {', '.join(map(str, sorted(EVENT_IDS)))} as a number.")
    if received.get("provider") != PROVIDER or received.get("log") != LOG:
        raise RefusedError(f'it is not of the provider "{PROVIDER}" in the log "{LOG}".')
    computer = received.get("computer")
    if not isinstance(computer, str) or not _HOST_NAME.match(computer):
        raise RefusedError("computer is no host name.")
    return event_id, computer.lower()


def find(computer: str, servers: t.Sequence[Server]) -> Answer:
    """The server, its pool and what has to be read with it.

    A server is found by its inventory name or ``ansible_host``; or by the first part of its name where only one side has a domain.

    :raises RefusedError: the inventory does not know the server, or says too little of it.
    """
    found = [server for server in servers if computer in (server.name.lower(), server.address.lower())]
    found = found or [server for server in servers if _same_without_domain(computer, server.name.lower())]
    if not found:
        raise RefusedError(f"no server of the inventory is called {computer}.")
    if len(found) > 1:
        raise RefusedError(f"several servers of the inventory may be {computer}: give them full names.")
    server = found[0]
    if server.pool is None or server.edge_pool is None:
        missing = _POOL if server.pool is None else f"{_EDGE_POOL} (for a Front End without Edge: {_NO_EDGE})"
        raise RefusedError(f"the inventory has no {missing} for {computer}.")
    members = [other for other in servers if other.pool == server.pool]
    edge_pools = {member.edge_pool for member in members} - {None, _NO_EDGE}
    hosts = [*members, *(other for other in servers if other.pool in edge_pools and other not in members)]
    if unfit := [host.name for host in hosts if not _INVENTORY_NAME.match(host.name)]:
        raise RefusedError(
            f"{len(unfit)} of the servers of {server.pool} have names in the inventory that cannot be a limit."
        )
    return Answer(
        server=server.name,
        pool=server.pool,
        hosts=tuple(host.name for host in hosts),
        remediate=all(member.may_be_remediated for member in members),
    )


def servers_of(inventory: t.Any) -> list[Server]:
    """The hosts of what ``ansible-inventory --list`` prints."""
    variables: dict[str, dict[str, t.Any]] = inventory["_meta"]["hostvars"]
    return [
        Server(
            name=name,
            address=str(of_host.get("ansible_host", "")),
            pool=_name(of_host.get(_POOL)),
            edge_pool=_name(of_host.get(_EDGE_POOL)),
            may_be_remediated=_is_true(of_host.get(_REMEDIATE)),
        )
        for name, of_host in variables.items()
    ]


def _same_without_domain(one: str, other: str) -> bool:
    return ("." in one) != ("." in other) and one.partition(".")[0] == other.partition(".")[0]


def _name(value: t.Any) -> str | None:
    text = value.rstrip(".").lower() if isinstance(value, str) else ""
    return text if _HOST_NAME.match(text) else None


def _is_true(value: t.Any) -> bool:
    # An inventory in the form INI has text where YAML has a truth value. A template is text too, and no permission.
    return value is True or (isinstance(value, str) and value.lower() in ("true", "yes"))


_kept: tuple[float, list[Server] | RefusedError] | None = None


def _servers() -> list[Server]:
    """The servers as they were read within the last minute; a reading that failed counts as long, so that no sender can make many."""
    global _kept
    now = time.monotonic()
    if _kept is None or now - _kept[0] > _KEEP_SECONDS:
        try:
            _kept = (now, servers_of(_read_inventory()))
        except RefusedError as error:
            _kept = (now, error)
    if isinstance(_kept[1], RefusedError):
        raise _kept[1]
    return _kept[1]


def _read_inventory() -> t.Any:
    if not os.environ.get("ANSIBLE_INVENTORY"):
        raise RefusedError("the environment variable ANSIBLE_INVENTORY is not set.")
    try:
        done = subprocess.run(
            ["ansible-inventory", "--list"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=_INVENTORY_SECONDS,
            check=True,
        )
        return json.loads(done.stdout)
    except subprocess.CalledProcessError as error:
        raise RefusedError(f"ansible-inventory cannot read the inventory: {error.stderr[-2000:]}") from None
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        raise RefusedError(f"ansible-inventory gave no inventory: {type(error).__name__}") from None
