# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saved evidence as it would be after a change, for the same judging code; and what a judgement of it says. Pure.

Each supposition alters the evidence where the change itself would be seen: a registry value is gone, a certificate is in the store and on
the ports, a file of .NET holds the check. Whatever needs a restart of Web Conferencing to count is altered together with that restart.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from .compare import ConnectionChange, Moment, connection_changes
from .evidence import Evidence, Sighting, SystemDll
from .findings import Judgement
from .fleet import HostView, InventoryHost, build_fleet
from .host.operations import ProcessState, RegistryListReply
from .knowledge import loader as knowledge
from .records import target_name
from .rules.opt_outs import override_path
from .rules.times import format_time, parse_time
from .rules.verdict import ORDER
from .what_if_certificates import HostCertificate, renewed, with_certificate
from .words import counted

SCHEMA: t.Final = 1
ALL: t.Final = "all"
_PROCESS: t.Final = "DataMCUSvc"
_SHOWN: t.Final = 8


class WhatIfError(ValueError):
    """A supposition that cannot be made; the text says why."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Supposition:
    """What is supposed. Hosts by inventory name; ``("all",)`` for every Front End where it changes something."""

    override_gone: tuple[str, ...] = ()
    certificates: tuple[HostCertificate, ...] = ()
    update_installed: tuple[str, ...] = ()
    public_renewal: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Forecast:
    """What would become of the connections. ``counts``: how many end in each verdict that was another before, and ``broken_already``.

    ``connections``: those with another verdict than now, worst first. ``notes``: what the answer does not know, and what was supposed
    without effect.
    """

    schema: int = SCHEMA
    sentence: str
    supposed: tuple[str, ...]
    judged: Moment
    evidence_from_utc: str | None
    evidence_to_utc: str | None
    counts: dict[str, int]
    connections: tuple[ConnectionChange, ...]
    notes: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Supposed:
    """The altered fleet. ``words``: what is supposed; ``notes``: what is to be said beside the answer."""

    hosts: tuple[InventoryHost, ...]
    words: tuple[str, ...]
    notes: tuple[str, ...]


def suppose(hosts: t.Sequence[InventoryHost], what: Supposition) -> Supposed:
    """The fleet as it would be.

    :raises WhatIfError: nothing is supposed, or a host is named that the fleet does not have.
    """
    _check(hosts, what)
    words: list[str] = []
    notes: list[str] = []
    if what.public_renewal:
        words.append("the certificates of public CAs were renewed without clientAuth")
        hosts = renewed(hosts, notes)
    if what.certificates:
        named = _few([each.host for each in what.certificates])
        words.append(
            f"{named} presented {'another certificate' if len(what.certificates) == 1 else 'other certificates'}"
        )
        notes.append(
            "Whether the Front Ends trust a certificate that they never saw was not asked; its usages were judged."
        )
        for each in what.certificates:
            hosts = with_certificate(hosts, each, notes)
    if what.override_gone:
        words.append(f"the override were gone {_where(what.override_gone)}, and Web Conferencing restarted")
        hosts = _on_front_ends(hosts, what.override_gone, _without_override, "has no override to remove", notes)
    if what.update_installed:
        words.append(f"the check were in .NET {_where(what.update_installed)}")
        hosts = _on_front_ends(hosts, what.update_installed, _with_check, "checks the usages already", notes)
    return Supposed(hosts=tuple(hosts), words=tuple(words), notes=tuple(notes))


def forecast(now: Judgement, then: Judgement, supposed: Supposed) -> Forecast:
    """What the supposed fleet's judgement says beside the one of the fleet as it is."""
    changes = sorted(connection_changes(now, then), key=lambda c: (ORDER.index(c.later), c.validator, c.peer, c.ports))
    counts: dict[str, int] = {verdict: sum(c.later == verdict for c in changes) for verdict in ORDER[:-1]}
    counts["broken_already"] = sum(connection.verdict == "broken" for connection in now.connections) - sum(
        change.earlier == "broken" for change in changes
    )
    notes = list(supposed.notes)
    lost = len({(c.validator, c.peer) for c in now.connections} ^ {(c.validator, c.peer) for c in then.connections})
    if lost:
        notes.append(
            f"{counted(lost, 'connection')} cannot be compared: with the supposed names the pools of the servers would be others."
        )
    times = sorted(host.evidence_utc for host in now.hosts if host.evidence_utc)
    return Forecast(
        sentence=_sentence(supposed.words, counts, total=len(then.connections)),
        supposed=supposed.words,
        judged=Moment(run_id=now.run_id, judged_utc=now.judged_utc),
        evidence_from_utc=times[0] if times else None,
        evidence_to_utc=times[-1] if times else None,
        counts=counts,
        connections=tuple(changes),
        notes=tuple(notes),
    )


def _sentence(words: t.Sequence[str], counts: t.Mapping[str, int], *, total: int) -> str:
    clauses: list[str] = []
    for verdict, text in (
        ("broken", "would break"),
        ("not_assessed", "could not be told any more"),
        ("latent", "would become latent"),
        ("mitigated", "would depend on an opt-out"),
        ("compliant", "would be well"),
    ):
        if counts[verdict]:
            clauses.append(f"{counts[verdict]} of {counted(total, 'connection') if not clauses else total} {text}")
    said = "; ".join(clauses) if clauses else f"none of {counted(total, 'connection')} would change"
    if counts["broken_already"]:
        said += f"; {counts['broken_already']} {'is' if counts['broken_already'] == 1 else 'are'} broken already, and would stay so"
    return f"KB4023993: if {', and if '.join(words)}, {said}."


def _check(hosts: t.Sequence[InventoryHost], what: Supposition) -> None:
    if what == Supposition():
        raise WhatIfError(
            "Nothing is supposed. Set one or more of sfb_kb4023993_what_if_override_gone, sfb_kb4023993_what_if_certificate, "
            "sfb_kb4023993_what_if_update_installed and sfb_kb4023993_what_if_public_renewal."
        )
    known = {host.name for host in hosts}
    named = [each.host for each in what.certificates]
    for names in (what.override_gone, what.update_installed):
        if names != (ALL,):
            named += names
    for name in named:
        if name not in known:
            raise WhatIfError(
                f"There is no host {name[:80]!r} among the hosts of this play. Name hosts as the inventory does, or all."
            )
    twice = next(
        (each.host for each in what.certificates if sum(o.host == each.host for o in what.certificates) > 1), None
    )
    if twice is not None:
        raise WhatIfError(f"Two certificates are given for {twice}. One host presents one.")


def _where(names: tuple[str, ...]) -> str:
    return "everywhere" if names == (ALL,) else f"on {_few(names)}"


def _few(names: t.Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


def _on_front_ends(
    hosts: t.Sequence[InventoryHost],
    names: tuple[str, ...],
    change: t.Callable[[HostView, Evidence], Evidence | None],
    without_effect: str,
    notes: list[str],
) -> tuple[InventoryHost, ...]:
    """Alter the evidence of the named Front Ends; hosts that were named and where it changes nothing are noted."""
    views = build_fleet(hosts).views
    altered = []
    for host in hosts:
        new, view = host, views[host.name]
        if names == (ALL,) or host.name in names:
            evidence = host.evidence
            made = change(view, evidence) if evidence is not None and view.role.role == "front_end" else None
            if made is not None:
                new = dataclasses.replace(host, evidence=made)
            elif names != (ALL,):
                notes.append(f"{host.name}: {_no_front_end(view) or f'it {without_effect}'}.")
        altered.append(new)
    return tuple(altered)


def _no_front_end(view: HostView) -> str | None:
    if view.source.evidence is None:
        return "there is no saved evidence of it, so nothing can be said"
    return None if view.role.role == "front_end" else "it is no Front End, so it checks nobody"


def _without_override(view: HostView, evidence: Evidence) -> Evidence | None:
    """The override's value deleted and the service restarted; other opt-outs stay. None where there is no override."""
    opt_outs = evidence.opt_outs
    override = view.opt_outs.override if view.opt_outs else None
    if opt_outs is None or override is None:
        return None

    def kept(values: RegistryListReply | None, clr: str, view_of_key: t.Any) -> RegistryListReply | None:
        if values is None:
            return None
        path = override_path(clr)
        left = tuple(v for v in values.values if target_name(path, v.name, view_of_key) != override.key)
        return dataclasses.replace(values, values=left)

    keys = tuple(
        dataclasses.replace(key, executables=kept(key.executables, key.clr, key.view)) for key in opt_outs.keys
    )
    return _restarted(view, dataclasses.replace(evidence, opt_outs=dataclasses.replace(opt_outs, keys=keys)))


def _with_check(view: HostView, evidence: Evidence) -> Evidence | None:
    """Every System.dll of the host holds the check, and the service restarted. None where that is so already."""
    if view.enforcement is not None and view.enforcement.enforcement == "enforces":
        return None
    dotnet = evidence.dotnet
    if dotnet is None:
        return None
    dlls = tuple(
        dataclasses.replace(dll, marker_utf16=True, marker_ascii=True) if dll.exists else dll
        for dll in dotnet.system_dlls
    )
    present = {dll.clr for dll in dlls if dll.exists}
    dlls += tuple(
        SystemDll(
            clr=known.clr,
            path=known.path,
            exists=True,
            version=None,
            created_utc=None,
            modified_utc=None,
            marker_utf16=True,
            marker_ascii=True,
        )
        for known in knowledge.system_dlls()
        if known.clr not in present
    )
    return _restarted(view, dataclasses.replace(evidence, dotnet=dataclasses.replace(dotnet, system_dlls=dlls)))


def _restarted(view: HostView, evidence: Evidence) -> Evidence:
    """A new process, started after everything that was read of the host; nothing where the service does not run."""
    read = parse_time(evidence.system.time_utc) if evidence.system else None
    if not view.role.running or evidence.system is None or read is None:
        return evidence
    started, now = (format_time(read + datetime.timedelta(minutes=minutes)) for minutes in (1, 2))
    others = tuple(p for p in evidence.processes or () if p.name.lower() != _PROCESS.lower())
    process = ProcessState(name=_PROCESS, pid=0, path=view.role.executable, started_utc=started)
    # What stood there when the host was read stands there before the new process starts.
    seen = {sighting.opt_out for sighting in evidence.sightings}
    standing = [opt_out.key for opt_out in (view.opt_outs.valid if view.opt_outs else ()) if opt_out.key not in seen]
    since = evidence.system.time_utc
    return dataclasses.replace(
        evidence,
        processes=(*others, process),
        sightings=(*evidence.sightings, *(Sighting(opt_out=key, since_utc=since) for key in standing)),
        system=dataclasses.replace(evidence.system, time_utc=now),
    )
