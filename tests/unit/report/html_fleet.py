# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports to make pages of: fleets of any size with something of everything, and the same with hostile words in them."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evaluate import Assessment
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.fleet import InventoryHost
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.plan import Refusal
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.document import Report, make_report
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.verify import HostResult
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f


def fleet(servers: int) -> Assessment:
    """Pools of three Front Ends with an Edge pool of two each, broken, latent, mitigated or compliant in turn."""
    hosts: list[InventoryHost | Evidence] = []
    number = 0
    while len(hosts) < servers:
        hosts.extend(_site(number))
        number += 1
    return f.judge(*hosts[:servers])


def _site(number: int) -> t.Iterator[InventoryHost | Evidence]:
    site = f"s{number:03d}"
    pool, edges = f"pool{number:03d}.contoso.example", f"edgepool{number:03d}.contoso.example"
    kind = number % 4
    words: dict[str, t.Any] = {"pool": pool, "edge_pool": edges}
    if kind == 1:
        words["dotnet"] = e.UNCHECKED
    if kind == 2:
        words.update(opt_outs=e.opt_outs(e.Value()), sightings=(e.sighted(e.Value(), e.EARLIER),))
    cert = c.certificate("both") if kind == 3 else None
    yield e.edge(f"{site}-edge01", pool=edges, cert=c.certificate("both") if kind else None)
    for member in range(1, 4):
        yield e.front_end(f"{site}-fe{member:02d}", cert=cert, **words)
    if number % 5 == 4:
        yield f.unread(f"{site}-edge02", pool=edges)
    else:
        yield e.edge(f"{site}-edge02", pool=edges, cert=cert)


def audit(servers: int) -> Report:
    return make_report(playbook="audit", check_mode=False, before=fleet(servers).judgement)


def remediation(servers: int = 12, *, check_mode: bool = False) -> Report:
    """A run that changed what it could: one server failed, one waits, one was refused."""
    before = fleet(servers)
    plan = f.plan(before)
    plan = dataclasses.replace(plan, refused=(Refusal(host="s001-fe01", reason="its record cannot be read"),))
    ends: tuple[t.Literal["done", "pending", "failed"], ...] = ("done", "pending", "failed")
    results = [
        HostResult(host=host.host, result=ends[number % 3], message=f"It ended as {ends[number % 3]}.")
        for number, host in enumerate(plan.hosts)
    ]
    after = f.judge(
        *(e.front_end(h.host, pool="pool000.contoso.example", cert=c.certificate("both")) for h in plan.hosts)
    )
    return make_report(
        playbook="remediate",
        check_mode=check_mode,
        before=before.judgement,
        after=None if check_mode else after.judgement,
        plan=plan,
        plan_sha256="ab" * 32,
        results=() if check_mode else tuple(results),
    )


# What the page chooses words, symbols and classes by; everything else may come from outside.
_VOCABULARY: t.Final = frozenset(
    {"id", "usage", "role", "check", "severity", "verdict", "goal", "restart", "playbook", "kind", "view", "result"}
)


def with_words(report: Report, change: t.Callable[[str], str]) -> Report:
    """The report with every text that can come from outside changed, the same text everywhere alike."""
    return t.cast(Report, _changed(report, change))


def _changed(value: t.Any, change: t.Callable[[str], str]) -> t.Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, tuple):
        return tuple(_changed(item, change) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if field.name not in _VOCABULARY]
        return dataclasses.replace(value, **{name: _changed(getattr(value, name), change) for name in names})
    return value
