# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would become of connections: the altered evidence has to be judged as evidence that really is like that."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import ssl
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evaluate import Assessment
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import Evidence
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.files import StateError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.fleet import InventoryHost
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.given_certificate import given_certificate
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.public_renewal import without_client_authentication
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.report.sections import forecast_forms
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.what_if import (
    Forecast,
    Supposition,
    WhatIfError,
    forecast,
    suppose,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.what_if_certificates import HostCertificate
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f
from builders import reports as r
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from lab import pki
from markdown_it import MarkdownIt
from markdown_it.token import Token

EDGES: t.Final = "edgepool.contoso.example"
GOOD: t.Final = c.certificate("both")
BAD: t.Final = c.certificate("server_only")
OVERRIDE: t.Final[dict[str, t.Any]] = {
    "opt_outs": e.opt_outs(e.Value()),
    "sightings": (e.sighted(e.Value(), e.EARLIER),),
}
ALL: t.Final = ("all",)
Hosts = list[InventoryHost | Evidence]


def hosts(*found: InventoryHost | Evidence) -> list[InventoryHost]:
    return [f.read(host) if isinstance(host, Evidence) else host for host in found]


def front_end(name: str = "fe01", **words: t.Any) -> Evidence:
    return e.front_end(name, **{"edge_pool": EDGES, "cert": GOOD, **words})


def ask(fleet: t.Sequence[InventoryHost | Evidence], **what: t.Any) -> Forecast:
    now = hosts(*fleet)
    supposed = suppose(now, Supposition(**what))
    return forecast(f.judge(*now).judgement, f.judge(*supposed.hosts).judgement, supposed)


def then(fleet: t.Sequence[InventoryHost | Evidence], **what: t.Any) -> Assessment:
    return f.judge(*suppose(hosts(*fleet), Supposition(**what)).hosts)


def changes(found: Forecast) -> set[tuple[str, str, str, str]]:
    return {(each.validator, each.peer, each.earlier, each.later) for each in found.connections}


def certificate(host: str, issued: pki.Issued) -> HostCertificate:
    return HostCertificate(host=host, leaf=issued.der, others=tuple(issued.chain))


# ---- the override


def test_without_the_override_connections_that_need_it_break() -> None:
    found = ask([front_end(**OVERRIDE), e.edge("edge01"), e.edge("edge02", cert=GOOD)], override_gone=ALL)
    assert changes(found) == {("fe01", "edge01", "mitigated", "broken")}
    assert found.sentence == (
        "KB4023993: if the override were gone everywhere, and Web Conferencing restarted, 1 of 3 connections would break."
    )
    assert found.counts == {
        "broken": 1, "not_assessed": 0, "latent": 0, "mitigated": 0, "compliant": 0, "broken_already": 0,
    }  # fmt: skip


def test_it_is_judged_as_a_server_that_really_has_none() -> None:
    """Apart from the start of its process."""
    real = f.judge(front_end(), e.edge("edge01")).judgement
    supposed = then([front_end(**OVERRIDE), e.edge("edge01")], override_gone=ALL).judgement
    assert supposed.connections == real.connections
    same = [
        tuple(dataclasses.replace(host, process_started_utc=None) for host in judgement.hosts)
        for judgement in (supposed, real)
    ]
    assert same[0] == same[1]


def test_only_the_named_front_ends_lose_it() -> None:
    fleet: Hosts = [front_end("fe01", **OVERRIDE), front_end("fe02", **OVERRIDE), e.edge("edge01")]
    found = ask(fleet, override_gone=("fe02",))
    assert changes(found) == {("fe02", "edge01", "mitigated", "broken")}
    assert "on fe02" in found.sentence


def test_where_dotnet_does_not_check_it_becomes_latent() -> None:
    found = ask([front_end(dotnet=e.UNCHECKED, **OVERRIDE), e.edge("edge01")], override_gone=ALL)
    assert changes(found) == {("fe01", "edge01", "mitigated", "latent")}
    assert "1 of 2 connections would become latent" in found.sentence


def test_an_older_dotnet_in_the_process_is_gone_with_the_restart() -> None:
    dotnet = e.dotnet(*e.copies(changed=e.LATER))
    assert ask([front_end(dotnet=dotnet, **OVERRIDE), e.edge("edge01")], override_gone=ALL).counts["broken"] == 1


def test_another_opt_out_stays_and_is_read_by_the_new_process() -> None:
    """Also one that the running process may not have read."""
    both = e.opt_outs(e.Value(), everything=e.dword("RequireCertificateEKUs", 0))
    fleet: Hosts = [front_end(opt_outs=both, sightings=(e.sighted(e.Value(), e.EARLIER),)), e.edge("edge01")]
    assert f.peers(f.judge(*fleet), "fe01")["edge01"] == "mitigated"
    assert ask(fleet, override_gone=ALL).connections == ()


def test_other_programs_values_do_not_matter_and_other_spellings_are_the_same_value() -> None:
    values = e.opt_outs(e.Value(name=e.executable().upper()), e.Value(name=r"C:\Program Files\Gateway.exe"))
    sighted = (e.sighted(e.Value(), e.EARLIER),)
    fleet = hosts(front_end(opt_outs=values, sightings=sighted), e.edge("edge01"))
    supposed = suppose(fleet, Supposition(override_gone=ALL)).hosts[0].evidence
    assert supposed is not None
    assert supposed.opt_outs is not None
    left = [v.name for key in supposed.opt_outs.keys for v in (key.executables.values if key.executables else ())]
    assert left == [r"C:\Program Files\Gateway.exe"]


def test_where_a_peer_is_unknown_nothing_can_be_told_any_more() -> None:
    events = e.events(e.event(41026, e.LATER))
    fleet: Hosts = [front_end(events=events, **OVERRIDE), f.unread("edge01", pool=EDGES)]
    found = ask(fleet, override_gone=ALL)
    assert changes(found) == {("fe01", "edge01", "mitigated", "not_assessed")}
    assert "could not be told any more" in found.sentence


def test_a_stopped_service_is_not_started_for_the_answer() -> None:
    fleet = hosts(front_end(started=None, **OVERRIDE), e.edge("edge01"))
    (supposed, _edge) = suppose(fleet, Supposition(override_gone=ALL)).hosts
    assert supposed.evidence is not None
    assert supposed.evidence.processes == ()


def test_where_it_changes_nothing_that_is_said_of_named_hosts_alone() -> None:
    fleet: Hosts = [front_end("fe01"), e.edge("edge01"), f.unread("fe05")]
    found = ask(fleet, override_gone=("fe01", "edge01", "fe05"))
    assert found.notes == (
        "fe01: it has no override to remove.",
        "edge01: it is no Front End, so it checks nobody.",
        "fe05: there is no saved evidence of it, so nothing can be said.",
    )
    assert ask(fleet, override_gone=ALL).notes == ()
    assert "none of 2 connections would change; 1 is broken already, and would stay so" in found.sentence


# ---- .NET


def test_an_update_breaks_what_was_latent() -> None:
    found = ask([front_end(dotnet=e.UNCHECKED), e.edge("edge01")], update_installed=ALL)
    assert changes(found) == {("fe01", "edge01", "latent", "broken")}
    assert "if the check were in .NET everywhere" in found.sentence


@pytest.mark.parametrize("product", ["lync2010", "sfb2015"])
@pytest.mark.parametrize(
    "dotnet", [e.UNCHECKED, e.dotnet(*e.copies(e.CLR2, marks="none"), *e.copies(marks="none")), e.ENFORCEMENT_UNKNOWN]
)
def test_whatever_was_known_of_dotnet_the_check_is_there_then(product: t.Any, dotnet: t.Any) -> None:
    fleet: Hosts = [front_end(product=product, dotnet=dotnet), e.edge("edge01")]
    host = f.host(then(fleet, update_installed=("fe01",)), "fe01")
    assert host.dotnet is not None
    assert (host.dotnet.check, host.dotnet.loaded, host.verdict) == ("present", True, "broken")


def test_an_update_with_the_override_depends_on_it() -> None:
    fleet: Hosts = [front_end(dotnet=e.UNCHECKED, **OVERRIDE), e.edge("edge01")]
    assert ask(fleet, update_installed=ALL).connections == ()


def test_where_the_check_is_already_nothing_restarts() -> None:
    fleet: Hosts = [front_end(), e.edge("edge01")]
    found = ask(fleet, update_installed=("fe01",))
    assert found.notes == ("fe01: it checks the usages already.",)
    assert suppose(hosts(*fleet), Supposition(update_installed=ALL)).hosts == tuple(hosts(*fleet))


# ---- a certificate


def test_a_good_certificate_on_the_edge_mends_its_connections() -> None:
    found = ask([front_end(), e.edge("edge01"), e.edge("edge02")], certificates=(certificate("edge01", GOOD),))
    assert changes(found) == {("fe01", "edge01", "broken", "compliant")}
    assert (
        "if edge01 presented another certificate, 1 of 3 connections would be well; 1 is broken already"
        in found.sentence
    )


@pytest.mark.parametrize("reply", [e.assignments(("Internal", GOOD)), e.DENIED, None])
def test_a_bad_one_breaks_them(reply: t.Any) -> None:
    """However its assignment is known."""
    fleet: Hosts = [
        front_end(),
        e.edge("edge01", cert=GOOD, presented=(e.shown(GOOD, whole_chain=True),), lync_certificates=reply),
    ]
    assert changes(ask(fleet, certificates=(certificate("edge01", BAD),))) == {
        ("fe01", "edge01", "compliant", "broken")
    }


def test_on_a_front_end_it_is_the_default_certificate() -> None:
    found = ask([e.front_end("fe01"), e.front_end("fe02")], certificates=(certificate("fe02", GOOD),))
    assert changes(found) == {("fe01", "fe02", "broken", "compliant"), ("fe02", "fe02", "broken", "compliant")}


def test_the_chain_may_be_left_out_where_a_server_holds_it() -> None:
    alone = HostCertificate(host="edge01", leaf=GOOD.der, others=())
    assert ask([front_end(), e.edge("edge01")], certificates=(alone,)).counts["compliant"] == 1


def test_with_a_chain_that_nobody_holds_nothing_is_promised() -> None:
    strange = c.certificate("strange_root")
    alone = HostCertificate(host="edge01", leaf=strange.der, others=())
    found = ask([front_end(), e.edge("edge01")], certificates=(alone,))
    assert changes(found) == {("fe01", "edge01", "broken", "not_assessed")}
    assert "Whether the Front Ends trust a certificate that they never saw was not asked" in found.notes[0]


def test_an_edge_that_was_never_read_can_get_one_too() -> None:
    fleet: Hosts = [front_end(), f.unread("edge01", pool=EDGES)]
    assert changes(ask(fleet, certificates=(certificate("edge01", GOOD),))) == {
        ("fe01", "edge01", "not_assessed", "compliant")
    }
    assert changes(ask(fleet, certificates=(certificate("edge01", BAD),))) == {
        ("fe01", "edge01", "not_assessed", "broken")
    }


def test_what_the_front_ends_saw_of_it_does_not_count_any_more() -> None:
    seen = (e.shown(BAD, host="edge01.contoso.example"),)
    fleet: Hosts = [front_end(presented=(e.shown(GOOD), *seen)), f.unread("edge01", pool=EDGES)]
    assert f.peers(f.judge(*hosts(*fleet)), "fe01")["edge01"] == "broken"
    assert changes(ask(fleet, certificates=(certificate("edge01", GOOD),))) == {
        ("fe01", "edge01", "broken", "compliant")
    }


def test_a_host_that_nobody_connects_to_is_named() -> None:
    found = ask([front_end(edge_pool="none"), e.edge("edge01")], certificates=(certificate("edge01", GOOD),))
    assert "edge01: no Front End of this inventory is known to connect to it." in found.notes


def test_another_pool_by_another_name_is_said() -> None:
    own = c.certificate("both", "pool01.contoso.example")
    fleet: Hosts = [front_end("fe01", pool=None, cert=own), front_end("fe02", pool=None, cert=own)]
    found = ask(fleet, certificates=(certificate("fe02", c.certificate("both", "pool09.contoso.example")),))
    assert any("connections cannot be compared" in note for note in found.notes)


def test_a_certificate_and_then_no_override_is_what_workaround_1_ends_with() -> None:
    fleet: Hosts = [front_end(**OVERRIDE), e.edge("edge01")]
    found = ask(fleet, certificates=(certificate("edge01", GOOD),), override_gone=ALL)
    assert changes(found) == {("fe01", "edge01", "mitigated", "compliant")}
    assert "if edge01 presented another certificate, and if the override were gone everywhere" in found.sentence


# ---- public CAs


def public(name: str = "edge01.contoso.example", *, ca: str = "DigiCert Global G2 TLS CA") -> pki.Issued:
    authority = pki.root_authority(ca, key=c.key("public"))
    return authority.issue(
        name,
        dns_names=[name],
        eku=[pki.SERVER_AUTH, pki.CLIENT_AUTH],
        not_before=c.START,
        not_after=c.END,
        key=c.key("server"),
    )


def test_a_public_certificate_loses_client_authentication_with_its_renewal() -> None:
    fleet: Hosts = [front_end(), e.edge("edge01", cert=public()), e.edge("edge02", cert=GOOD)]
    found = ask(fleet, public_renewal=True)
    assert changes(found) == {("fe01", "edge01", "compliant", "broken")}
    assert "no clientAuth from 2027-03-01 on" in found.notes[0]
    assert "does not list client authentication" in found.connections[0].reason


def test_it_does_not_matter_whether_it_ends_before_that_day() -> None:
    early = pki.root_authority("Sectigo RSA", key=c.key("public")).issue(
        "edge01.contoso.example",
        dns_names=["edge01.contoso.example"],
        eku=[pki.SERVER_AUTH, pki.CLIENT_AUTH],
        not_before=c.START,
        not_after=datetime.datetime(2026, 4, 1, tzinfo=datetime.timezone.utc),
        key=c.key("server"),
    )
    assert ask([front_end(), e.edge("edge01", cert=early)], public_renewal=True).counts["broken"] == 1


def test_an_edge_that_only_its_front_ends_saw_counts_as_well() -> None:
    seen = (e.shown(public(), host="edge01.contoso.example", whole_chain=True),)
    fleet: Hosts = [front_end(presented=(e.shown(GOOD), *seen)), f.unread("edge01", pool=EDGES)]
    assert changes(ask(fleet, public_renewal=True)) == {("fe01", "edge01", "compliant", "broken")}


def test_own_cas_are_not_affected() -> None:
    found = ask([front_end(), e.edge("edge01", cert=GOOD)], public_renewal=True)
    assert found.connections == ()
    assert found.notes == ("No certificate here is of a public CA that is known to stop issuing clientAuth.",)


def test_a_renewal_is_the_same_for_the_same_certificate_and_none_for_others() -> None:
    issued = public()
    assert without_client_authentication(issued.der) == without_client_authentication(issued.der)
    assert without_client_authentication(GOOD.der) is None
    assert without_client_authentication(b"nonsense") is None


# ---- what cannot be supposed


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({}, "Nothing is supposed."),
        ({"override_gone": ("fe9",)}, "There is no host 'fe9'"),
        ({"override_gone": ("all", "fe01")}, "There is no host 'all'"),
        ({"update_installed": ("fe9",)}, "There is no host 'fe9'"),
        ({"certificates": (certificate("fe9", GOOD),)}, "There is no host 'fe9'"),
        ({"certificates": (certificate("edge01", GOOD), certificate("edge01", BAD))}, "Two certificates"),
    ],
)
def test_a_slip_is_an_error(what: dict[str, t.Any], message: str) -> None:
    with pytest.raises(WhatIfError, match=message):
        suppose(hosts(front_end(), e.edge("edge01")), Supposition(**what))


# ---- the file of a certificate


def pem_of(*ders: bytes) -> str:
    return "".join(map(ssl.DER_cert_to_PEM_cert, ders))


def test_a_pem_file_is_the_certificate_and_its_chain(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "edge01.pem"
    key = c.key("server").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    file.write_text(key + pem_of(GOOD.der, *GOOD.chain))
    assert given_certificate("edge01", str(file)) == HostCertificate(
        host="edge01", leaf=GOOD.der, others=tuple(GOOD.chain)
    )


@pytest.mark.parametrize(
    "content", ["", "text", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "x" * 2_000_000]
)
def test_another_file_is_refused_by_name(tmp_path: pathlib.Path, content: str) -> None:
    file = tmp_path / "edge01.pem"
    file.write_text(content)
    with pytest.raises((WhatIfError, StateError), match=r"edge01\.pem"):
        given_certificate("edge01", str(file))
    with pytest.raises(StateError, match="cannot be read"):
        given_certificate("edge01", str(tmp_path / "missing.pem"))


# ---- whatever the fleet


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(("both", "server_only")), min_size=1, max_size=2),
    st.booleans(),
    st.sampled_from([e.CHECKED, e.UNCHECKED, e.ENFORCEMENT_UNKNOWN]),
)
def test_an_answer_is_what_a_fleet_like_that_gives(kinds: list[c.Kind], opt_out: bool, dotnet: t.Any) -> None:
    """Every certificate replaced by a good one, no override, the check there: as if it had always been so."""
    edges = [e.edge(f"edge0{n}", cert=c.certificate(kind)) for n, kind in enumerate(kinds)]
    fleet: Hosts = [front_end(dotnet=dotnet, **(OVERRIDE if opt_out else {})), *edges]
    bad = tuple(certificate(edge.inventory_name, BAD) for edge in edges)
    worst = then(fleet, certificates=bad, override_gone=ALL, update_installed=ALL)
    assert set(f.peers(worst, "fe01").values()) == {"broken", "compliant"}
    good = tuple(certificate(edge.inventory_name, GOOD) for edge in edges)
    best = then(fleet, certificates=good, override_gone=ALL, update_installed=ALL)
    assert set(f.peers(best, "fe01").values()) == {"compliant"}


def forms_of(text: str) -> dict[str, str]:
    """The answer for a fleet whose names are all this text."""
    own = front_end(pool=text, edge_pool=text + "edge", **OVERRIDE)
    own = dataclasses.replace(own, inventory_name=text, system=e.system(text, domain=text))
    return forecast_forms(ask([own, f.unread(text + "lost", pool=text + "edge")], override_gone=ALL))


@pytest.mark.parametrize("attack", r.ATTACKS)
def test_hostile_names_stay_text_in_the_answer(attack: str) -> None:
    hostile, benign = forms_of(r.ATTACKS[attack]), forms_of("benign")
    assert hostile["what_if.json"].isascii()
    assert all(line.isprintable() for line in hostile["what_if.txt"].split("\n"))
    one, other = (
        [token.type for token in _tokens(forms["what_if.md"]) if not token.type.startswith("text")]
        for forms in (hostile, benign)
    )
    assert one == other


def _tokens(markdown: str) -> t.Iterator[Token]:
    for token in MarkdownIt("commonmark").parse(markdown):
        yield from (token, *(token.children or []))
