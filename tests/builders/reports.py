# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports to be rendered: one of everything, and one in which every text from outside is what an attacker would choose."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.compare import Comparison, compare
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evaluate import Assessment
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Problem
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.findings import Judgement, Waiver
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.plan import Refusal, plan_hash, plan_text
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.document import Report, make_report
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.verify import HostResult

from builders import certificates as c
from builders import evidence as e
from builders import fleets as f

EDGES: t.Final = "edgepool.contoso.example"
GOOD: t.Final = c.certificate("both")


def fleet() -> Assessment:
    """One of everything: fe01, fe02, edge01 broken; fe03 compliant; fe04 latent; db01 without the product; fe05 not read; fe06 saved."""
    return f.judge(
        f.read(e.front_end("fe01", edge_pool=EDGES)),
        f.read(e.front_end("fe02", edge_pool=EDGES)),
        f.read(e.front_end("fe03", pool="pool03.contoso.example", cert=GOOD)),
        f.read(e.front_end("fe04", pool="pool04.contoso.example", dotnet=e.UNCHECKED)),
        f.read(e.front_end("db01", pool=None, services=())),
        f.read(e.edge("edge01")),
        f.unread("fe05"),
        f.outside(e.front_end("fe06", pool="pool06.contoso.example", cert=GOOD)),
    )


def audit() -> Report:
    return make_report(playbook="audit", check_mode=False, before=fleet().judgement)


def remediation() -> Report:
    """fe01 was broken and is mitigated now; fe02 could not be changed."""
    before = f.judge(e.front_end("fe01"), e.front_end("fe02", pool="pool02.contoso.example"))
    plan = f.plan(before)
    active = e.opt_outs(e.Value())
    sighted = (e.sighted(e.Value(), e.EARLIER),)
    after = f.judge(
        e.front_end("fe01", opt_outs=active, sightings=sighted), e.front_end("fe02", pool="pool02.contoso.example")
    )
    return make_report(
        playbook="remediate",
        check_mode=False,
        before=before.judgement,
        after=after.judgement,
        plan=plan,
        plan_sha256=plan_hash(plan_text(plan)),
        results=(
            HostResult(host="fe01", result="done", message="Verified."),
            HostResult(host="fe02", result="failed", message="Stuck."),
        ),
    )


def waiver(finding: str, **words: t.Any) -> Waiver:
    """A waiver of fe01 that is in force for long; ``words`` replaces its entries."""
    made = Waiver(
        finding=f"KB4023993-{finding}",
        host=None if "pool" in words else "fe01",
        pool=None,
        reason="The pool moves in March",
        owner="Team UC",
        expires="2026-12-31",
    )
    return dataclasses.replace(made, **words)


def waived() -> Report:
    """fe01 is waived and fe02 not; the waiver of edge01's certificate has expired; that of fe05, which was not read, ends soon."""
    return make_report(
        playbook="compliance",
        check_mode=False,
        before=fleet().judgement,
        waivers=(
            waiver("CONNECTION-BROKEN"),
            waiver("CERT-EDGE-INTERNAL", pool=EDGES, owner="Security", expires="2026-03-07"),
            waiver("NOT-ASSESSED", host="fe05", reason="Rebuilt", expires="2026-03-20"),
        ),
    )


def later() -> Report:
    """A compliance run after one in which everything was in order on fe01 and edge01; both have got certificates of the wrong template."""
    earlier = f.judge(e.front_end("fe01", edge_pool=EDGES, cert=GOOD), e.edge("edge01", cert=GOOD))
    now = f.judge(
        e.front_end("fe01", edge_pool=EDGES), e.edge("edge01"), e.front_end("fe09", pool="pool09.contoso.example")
    )
    return make_report(
        playbook="compliance",
        check_mode=False,
        before=now.judgement,
        since=compare(earlier.judgement, now.judgement, in_run_only=True),
    )


def hostile(text: str) -> Report:
    """A fleet whose names, messages, evidence and subjects are all this text, of servers that are judged as ``benign`` ones are."""
    own = dataclasses.replace(
        e.front_end("fe01", pool=text, edge_pool=text + "edge"),
        inventory_name=text,
        system=e.system(text, domain=text),
        problems=(Problem(section=text, operation=text, type=text, message=text),),
        events=e.events(e.event(41024, e.LATER, text)),
    )
    lost = dataclasses.replace(
        f.unread(text + "lost"), failure=dataclasses.replace(f.UNREACHABLE, message=text, stage=text, advice=text)
    )
    before = f.judge(f.read(own), lost)
    judgement = dataclasses.replace(
        before.judgement,
        hosts=tuple(
            dataclasses.replace(host, certificate=dataclasses.replace(host.certificate, subject=text, template=text))
            if host.certificate
            else host
            for host in before.judgement.hosts
        ),
        findings=tuple(dataclasses.replace(item, evidence=(text, text)) for item in before.judgement.findings),
    )
    plan = dataclasses.replace(f.plan(before), refused=(Refusal(host=text, reason=text),))
    return make_report(
        playbook="remediate",
        check_mode=False,
        before=judgement,
        after=judgement,
        plan=plan,
        plan_sha256="0" * 64,
        results=(HostResult(host=text, result="failed", message=text),),
        waivers=(
            waiver("CERT-FRONT-END", host=text, reason=text, owner=text),
            waiver("NOT-ASSESSED", host=text + "lost", reason=text, owner=text),
            waiver("CONNECTION-BROKEN", host=text, reason=text, owner=text, expires="2026-03-07"),
        ),
        since=_hostile_change(judgement, text),
    )


def _hostile_change(judgement: Judgement, text: str) -> Comparison:
    """As if all had been well before, with another server."""
    well = tuple(
        dataclasses.replace(
            host,
            verdict="compliant",
            certificate=dataclasses.replace(host.certificate, usage="good", thumbprint=text)
            if host.certificate
            else None,
        )
        for host in judgement.hosts
    )
    links = tuple(dataclasses.replace(connection, verdict="compliant") for connection in judgement.connections)
    gone = dataclasses.replace(well[0], name=text + "gone")
    return compare(dataclasses.replace(judgement, hosts=(*well, gone), connections=links, findings=()), judgement)


# What names and messages must not do to a form: each would break or abuse at least one of them.
ATTACKS: t.Final = {
    "formula": '=HYPERLINK("https://evil.example","x")',
    "plus": "+1+cmd|' /C calc'!A0",
    "at": "@SUM(1)",
    "tab": "\t=1+1",
    "full-width": "＝1+1",
    "other separator": 'a;=1+1;"=2"',
    "lines": "a\r\nfe99,compliant\n\n# compliant\n\nfe99 1\n",
    "quotes": '"\'\\"\\n\\',
    "xml": "]]></failure><testcase name='x'/>&amp;&#0;",
    "xml control": "\x00\x08\x0b\x1f\ufffe\uffff\ud800",
    "terminal": "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e",
    "pipe": "a | b \\| c | [x](javascript:alert(1)) ![i](https://evil.example/i.png)",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "code": "```\n`` ` <b>",
    "heading": "# compliant",
    "number": "1) compliant",
    "item": "- compliant",
    "mention": "@everyone, see https://evil.example and www.evil.example",
    "label": 'x"} 1\nsfb_kb4023993_servers{verdict="broken"} 0\n#\\',
}
