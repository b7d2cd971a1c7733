# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory says of all hosts together: names of variables, pools, addresses, delegation."""

from __future__ import annotations

import collections
import dataclasses
import functools
import pathlib
import typing as t

from ..evidence import InventoryFacts
from ..own_yaml import parse_yaml
from ..rules.pools import NO_EDGE
from .check import Check, failed, warning
from .variables import nearest

PREFIX: t.Final = "sfb_kb4023993_"
# Not the whole prefix: a slip in the number is a slip, too.
_LIKE_OURS: t.Final = "sfb_kb"
# The fact that the modules set.
_FACT: t.Final = "sfb_kb4023993"
HOST_VARIABLES: t.Final = tuple(
    PREFIX + name for name in ("pool", "edge_pool", "paired_pool", "offline", "offline_max_age_days")
)
# They choose the plays and their hosts, before any variable of the inventory is read.
_ONLY_EXTRA: t.Final = (f"{PREFIX}hosts", f"{PREFIX}strategy")
_PLAYBOOK_VARIABLES: t.Final = pathlib.Path(__file__).parents[3] / "playbooks" / "tasks" / "check_variables.yml"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Host:
    """One host as the inventory has it.

    ``names``: of its variables, those of the command line left out. ``place``: address, port and path; None when it was not found out.
    ``delegates``: whether its connection hands the credentials on; None when it was not found out.
    """

    name: str
    facts: InventoryFacts
    names: frozenset[str] = frozenset()
    place: tuple[str, int, str] | None = None
    delegates: bool | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Signing:
    """``ca_host`` is empty where no Windows host asks a CA. ``certificates``: workaround 1 is the strategy of this controller."""

    ca_host: str = ""
    certificates: bool = False


@functools.cache
def known_variables() -> frozenset[str]:
    """All variables that playbooks and hosts may have."""
    tasks = parse_yaml(_PLAYBOOK_VARIABLES.read_text("utf-8"))
    spec = tasks[0]["ansible.builtin.validate_argument_spec"]["argument_spec"]
    return frozenset({*spec, *HOST_VARIABLES})


def check_fleet(hosts: t.Sequence[Host], signing: Signing, *, extra: t.Collection[str] = ()) -> tuple[Check, ...]:
    """Everything that is wrong with the inventory as a whole; nothing where all is well.

    :param extra: names of the variables of the command line.
    """
    return (
        *_misspelt(hosts, extra),
        *_misplaced(hosts),
        *_pools(hosts),
        *_differing(hosts),
        *_same_address(hosts),
        *_delegation(hosts, signing),
    )


def _misspelt(hosts: t.Sequence[Host], extra: t.Collection[str]) -> t.Iterator[Check]:
    where: dict[str, list[str]] = collections.defaultdict(list)
    for host in hosts:
        for name in sorted({*host.names, *extra}):
            if name.startswith(_LIKE_OURS) and name != _FACT and name not in known_variables():
                where[name].append(host.name)
    for name, found in where.items():
        meant = nearest(name, known_variables())
        if not meant and not name.startswith(PREFIX):
            # Somebody else's variable with a name that begins like ours.
            continue
        what = f"{name} is a variable that nothing reads" + (f"; {meant} may be meant." if meant else ".")
        step = f"Rename it to {meant}." if meant else "Remove it; docs/variables.md has all names."
        yield warning("VARIABLE-NAME", found, what, step)


def _misplaced(hosts: t.Sequence[Host]) -> t.Iterator[Check]:
    for name in _ONLY_EXTRA:
        where = [host.name for host in hosts if name in host.names]
        if where:
            what = f"{name} stands in the inventory, where it has no effect: it is needed before any inventory variable is read."
            yield failed(
                "VARIABLE-PLACE", where, what, "Set it with -e (in AWX as an extra variable), and nowhere else."
            )


def _pools(hosts: t.Sequence[Host]) -> t.Iterator[Check]:
    pools = {_plain(host.facts.pool) for host in hosts if host.facts.pool}
    paired = {
        _plain(host.facts.pool): _plain(host.facts.paired_pool)
        for host in hosts
        if host.facts.pool and host.facts.paired_pool
    }
    for host in hosts:
        facts = host.facts
        edge, pair, own = facts.edge_pool, facts.paired_pool, facts.pool
        if pools and edge and edge.lower() != NO_EDGE and not _among(edge, pools):
            what = f"{PREFIX}edge_pool is {edge}, and no host of the inventory is in that pool."
            step = f"Correct the name, set {PREFIX}pool on the Edge servers, or set none where there is no Edge."
            yield warning("POOL", (host.name,), what, step)
        if pair and own and _plain(pair) == _plain(own):
            what = f"{PREFIX}paired_pool is the host's own pool, {own}."
            yield failed("POOL", (host.name,), what, "Name the other pool of the pair, or remove the variable.")
        elif pools and pair and not _among(pair, pools):
            what = f"{PREFIX}paired_pool is {pair}, and no host of the inventory is in that pool."
            yield warning("POOL", (host.name,), what, "Correct the name, or bring the other pool into the inventory.")
        elif own and pair and paired.get(_plain(pair), _plain(own)) != _plain(own):
            what = f"{PREFIX}paired_pool is {pair}, and the hosts of that pool name another one."
            yield failed("POOL", (host.name,), what, "A pair is mutual: let both pools name each other.")
        if pair and not own:
            what = f"{PREFIX}paired_pool is set and {PREFIX}pool is not, so the pair has one side only."
            yield warning("POOL", (host.name,), what, f"Set {PREFIX}pool as well.")


def _differing(hosts: t.Sequence[Host]) -> t.Iterator[Check]:
    members: dict[str, list[Host]] = collections.defaultdict(list)
    for host in hosts:
        if host.facts.pool:
            members[_plain(host.facts.pool)].append(host)
    for found in members.values():
        for field in ("edge_pool", "paired_pool"):
            values = {host.name: getattr(host.facts, field) for host in found}
            if len({_plain(value) for value in values.values()}) > 1:
                said = ", ".join(f"{name}: {value or 'nothing'}" for name, value in list(values.items())[:6])
                what = f"The hosts of pool {found[0].facts.pool} name different {PREFIX}{field} ({said})."
                step = "Set it once, in group_vars of a group for the pool."
                yield failed("POOL-DIFFERS", values, what, step)


def _same_address(hosts: t.Sequence[Host]) -> t.Iterator[Check]:
    places: dict[tuple[str, int, str], list[str]] = collections.defaultdict(list)
    for host in hosts:
        if host.place and host.place[0]:
            places[host.place].append(host.name)
    for (address, port, _path), names in places.items():
        if len(names) > 1:
            what = f"These hosts are reached at one address, {address} port {port}: one server would be judged and changed twice."
            yield failed("ADDRESS", names, what, "Correct ansible_host, or remove all but one of the names.")


def _delegation(hosts: t.Sequence[Host], signing: Signing) -> t.Iterator[Check]:
    by_name = {host.name: host for host in hosts}
    if signing.ca_host:
        ca_host = by_name.get(signing.ca_host)
        if ca_host is not None and ca_host.delegates is False:
            what = (
                "This host asks the CA, and its connection does not hand the credentials on, so the CA gets no account."
            )
            step = "Use kerberos with ansible_winrm_kerberos_delegation: true (psrp: ansible_psrp_negotiate_delegate: true), or credssp."
            yield failed("DELEGATION", (signing.ca_host,), what, step)
        return
    where = [host.name for host in hosts if host.delegates]
    if where and not signing.certificates:
        what = "The connection hands the credentials on to the host, and no step of audit or override needs that."
        step = "Turn delegation off, or CredSSP into kerberos or ntlm; only a host that asks a CA and Front Ends that get certificates need it."
        yield warning("DELEGATION", where, what, step)


def _plain(name: str | None) -> str:
    return (name or "").lower().rstrip(".")


def _among(name: str, pools: t.Collection[str]) -> bool:
    """Whether a pool is known, with or without its domain."""
    plain = _plain(name)
    return plain in pools or any(plain == pool.partition(".")[0] or plain.partition(".")[0] == pool for pool in pools)
