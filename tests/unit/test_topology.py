# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pools, roles and the Edge pool of each Front End pool come out of a topology document, and hostile text does no harm.

The documents are made here in the shape that the docstring of the module describes; none comes from a server.
"""

from __future__ import annotations

import re
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils import codec, topology
from hypothesis import given
from hypothesis import strategies as st

NS = "urn:schema:Microsoft.Rtc.Management.Deploy.Topology.2008"
NS_ROLES = "urn:schema:Microsoft.Rtc.Management.Deploy.ServiceRoles.2008"
ALL_PARTS = ("IMConf", "DataConf", "AppSharingConf", "AVConf")

Key = tuple[str, int]


def cluster(number: int, fqdn: str, *machines: str | None, site: int = 1) -> str:
    inner = "".join(
        "<Machine />" if name is None else f'<Machine OrdinalInCluster="1" Fqdn="{name}" />' for name in machines
    )
    return (
        f'<Cluster RequiresSetup="true" Fqdn="{fqdn}"><ClusterId SiteId="{site}" Number="{number}" />{inner}</Cluster>'
    )


def service(
    key: Key, on: int, *depends: Key, site: int = 1, usage: str = "Default", parts: tuple[str, ...] | None = None
) -> str:
    role, instance = key
    dependencies = "".join(
        f'<Dependency Usage="{usage}"><ServiceId SiteId="1" RoleName="{name}" Instance="{other}" /></Dependency>'
        for name, other in depends
    )
    mcus = ""
    if parts is not None:
        listed = "".join(f'<MCU ComponentName="{part}" Vendor="Microsoft" />' for part in parts)
        mcus = f'<ConfService xmlns="{NS_ROLES}"><MCUs>{listed}</MCUs></ConfService>'
    return (
        f'<Service RoleVersion="1" ServiceVersion="7"><ServiceId SiteId="{site}" RoleName="{role}" Instance="{instance}" />'
        f"<DependsOn>{dependencies}</DependsOn>"
        f'<InstalledOn><ClusterId SiteId="{site}" Number="{on}" /></InstalledOn>'
        f'<Ports xmlns="{NS_ROLES}"><Port Owner="urn:component:DataConf" Port="8057" /></Ports>{mcus}</Service>'
    )


def document(clusters: t.Iterable[str], services: t.Iterable[str] = ()) -> str:
    return (
        f'<Topology xmlns="{NS}" Signature="00000000-0000-0000-0000-000000000001">'
        '<Sites><CentralSite SiteId="1"><Name>Main</Name></CentralSite></Sites>'
        f"<Clusters>{''.join(clusters)}</Clusters><Services>{''.join(services)}</Services></Topology>"
    )


TWO_SITES = document(
    [
        cluster(1, "Pool01.contoso.example", "FE01.contoso.example", "fe02.contoso.example"),
        cluster(2, "edge01.contoso.example", "edge1a.contoso.example", "edge1b.contoso.example"),
        cluster(3, "se01.contoso.example", "se01.contoso.example"),
        cluster(4, "edge02.contoso.example", None),
        cluster(5, "director.contoso.example", "dir1.contoso.example"),
        cluster(6, "10.1.2.3", None),
        cluster(7, "sql.contoso.example", None),
    ],
    [
        service(("UserServices", 1), 1, ("ConfServices", 1)),
        service(("Registrar", 1), 1, ("EdgeServer", 2)),
        service(("ConfServices", 1), 1, ("FileStore", 1), ("EdgeServer", 1), parts=ALL_PARTS),
        service(("MediationServer", 1), 1, ("EdgeServer", 2)),
        service(("EdgeServer", 1), 2, ("Registrar", 1)),
        service(("ConfServices", 2), 3, ("EdgeServer", 2), parts=ALL_PARTS),
        service(("EdgeServer", 2), 4, ("Registrar", 2)),
        service(("Registrar", 3), 5, ("EdgeServer", 1)),
        service(("PstnGateway", 1), 6),
        '<Service><ServiceId SiteId="1" RoleName="UserStore" Instance="1" /><DependsOn />'
        '<InstalledOn><SqlInstanceId Name="rtc"><ClusterId SiteId="1" Number="7" /></SqlInstanceId></InstalledOn></Service>',
    ],
)


def by_name(text: str) -> dict[str, topology.TopologyPool]:
    return {pool.fqdn: pool for pool in topology.parse_topology(text).pools}


def test_pools_machines_and_edge_pools() -> None:
    found = topology.parse_topology(TWO_SITES)
    assert found == topology.Topology(
        pools=(
            topology.TopologyPool(
                fqdn="edge01.contoso.example",
                machines=("edge1a.contoso.example", "edge1b.contoso.example"),
                front_end=False,
                edge=True,
                edge_pool=None,
            ),
            topology.TopologyPool(
                fqdn="edge02.contoso.example",
                machines=("edge02.contoso.example",),
                front_end=False,
                edge=True,
                edge_pool=None,
            ),
            # Audio goes over edge02 (Registrar, Mediation Server), conferencing over edge01: only the latter counts here.
            topology.TopologyPool(
                fqdn="pool01.contoso.example",
                machines=("fe01.contoso.example", "fe02.contoso.example"),
                front_end=True,
                edge=False,
                edge_pool="edge01.contoso.example",
                names_edge=True,
            ),
            topology.TopologyPool(
                fqdn="se01.contoso.example",
                machines=("se01.contoso.example",),
                front_end=True,
                edge=False,
                edge_pool="edge02.contoso.example",
                names_edge=True,
            ),
        ),
        notes=(),
    )
    assert codec.decode(topology.Topology, codec.encode(found)) == found


@pytest.mark.parametrize(
    "before",
    [
        "",
        "\ufeff",
        '<?xml version="1.0" encoding="utf-16"?>\n',
        '<?xml version="1.0" encoding="utf-8" standalone="yes"?>\n',
    ],
    ids=["bare", "byte order mark", "says utf-16", "says utf-8"],
)
def test_the_text_is_read_whatever_its_declaration_says(before: str) -> None:
    assert len(topology.parse_topology(before + TWO_SITES).pools) == 4


def test_a_prefixed_namespace_is_the_same_document() -> None:
    prefixed = re.sub(
        r"<(/?)(?!t:)(\w+)", r"<\1t:\2", document([cluster(1, "se.example", None)], [service(("EdgeServer", 1), 1)])
    )
    prefixed = prefixed.replace(f'xmlns="{NS}"', f'xmlns:t="{NS}"')
    assert by_name(prefixed)["se.example"].edge


def test_a_pool_without_an_edge_has_none() -> None:
    found = topology.parse_topology(
        document([cluster(1, "se.example", None)], [service(("ConfServices", 1), 1, ("FileStore", 1), parts=ALL_PARTS)])
    )
    assert [(pool.front_end, pool.edge_pool) for pool in found.pools] == [(True, None)]
    assert found.notes == ()


def test_an_audio_video_pool_is_no_front_end_pool() -> None:
    services = [service(("ConfServices", 1), 1, parts=("AVConf",)), service(("ConfServices", 2), 2, parts=ALL_PARTS)]
    assert list(by_name(document([cluster(1, "av.example", None), cluster(2, "fe.example", None)], services))) == [
        "fe.example"
    ]


def test_a_conferencing_service_that_lists_no_parts_counts_and_is_noted() -> None:
    found = topology.parse_topology(document([cluster(1, "fe.example", None)], [service(("ConfServices", 1), 1)]))
    assert found.pools[0].front_end
    assert found.notes == (
        "The service 1-ConfServices-1 does not list its parts; its pool is taken for a Front End pool.",
    )


def test_two_edge_pools_are_not_guessed_between() -> None:
    clusters = [cluster(1, "fe.example", None), cluster(2, "e1.example", None), cluster(3, "e2.example", None)]
    services = [
        service(("ConfServices", 1), 1, ("EdgeServer", 1), ("EdgeServer", 2), parts=ALL_PARTS),
        service(("EdgeServer", 1), 2),
        service(("EdgeServer", 2), 3),
    ]
    found = topology.parse_topology(document(clusters, services))
    assert {pool.fqdn: pool.edge_pool for pool in found.pools}["fe.example"] is None
    assert found.notes == ("The pool fe.example depends on more than one Edge pool: e1.example, e2.example.",)


def test_an_unknown_edge_service_is_noted() -> None:
    text = document(
        [cluster(1, "fe.example", None)], [service(("ConfServices", 1), 1, ("EdgeServer", 9), parts=ALL_PARTS)]
    )
    found = topology.parse_topology(text)
    assert found.pools[0].edge_pool is None
    assert found.notes == (
        "The pool fe.example depends on an Edge pool that the document does not hold or does not name.",
    )


def test_a_dependency_of_another_usage_is_no_association() -> None:
    clusters = [cluster(1, "fe.example", None), cluster(2, "e1.example", None)]
    services = [
        service(("ConfServices", 1), 1, ("EdgeServer", 1), usage="Other", parts=ALL_PARTS),
        service(("EdgeServer", 1), 2),
    ]
    assert by_name(document(clusters, services))["fe.example"].edge_pool is None


def test_the_same_numbers_in_another_site_are_another_pool() -> None:
    clusters = [cluster(1, "fe.example", None), cluster(1, "edge.example", None, site=2)]
    services = [service(("ConfServices", 1), 1, parts=ALL_PARTS), service(("EdgeServer", 1), 1, site=2)]
    pools = by_name(document(clusters, services))
    assert (pools["fe.example"].front_end, pools["fe.example"].edge) == (True, False)
    assert (pools["edge.example"].front_end, pools["edge.example"].edge) == (False, True)


# ------------------------------------------------------------------------------------------------------------ hostile input


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not well-formed"),
        ("Get-CsTopology : Access denied", "not well-formed"),
        (TWO_SITES[:-20], "not well-formed"),
        (TWO_SITES + TWO_SITES, "not well-formed"),
        ("<Topology />", "not with a Topology element"),
        (TWO_SITES.replace("Topology.2008", "Topology.2099"), "not with a Topology element"),
        (document([]), "holds no pool"),
        ("\ud800", "cannot hold"),
        ("<a>" * (topology.MAX_DEPTH + 1), "nested deeper"),
        ("<a>" + "<b/>" * topology.MAX_ELEMENTS, "more than 500000 elements"),
        (document([cluster(1, "a.example"), cluster(1, "b.example")]), "1:1 more than once"),
        (
            document(
                [cluster(1, "a.example"), cluster(2, "A.example")],
                [service(("EdgeServer", 1), 1), service(("EdgeServer", 2), 2)],
            ),
            "a.example more than once",
        ),
    ],
)
def test_what_is_not_a_topology_is_refused(text: str, message: str) -> None:
    with pytest.raises(topology.TopologyError, match=message):
        topology.parse_topology(text)


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE Topology>",
        '<!DOCTYPE Topology SYSTEM "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE Topology [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE Topology [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_document_types_are_refused(doctype: str) -> None:
    with pytest.raises(topology.TopologyError, match="DOCTYPE"):
        topology.parse_topology(doctype + TWO_SITES)


def test_undefined_entities_are_refused() -> None:
    with pytest.raises(topology.TopologyError, match="not well-formed"):
        topology.parse_topology(TWO_SITES.replace("<Name>Main", "<Name>&x;"))


def test_too_long_a_text_is_refused_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topology, "MAX_CHARACTERS", len(TWO_SITES) - 1)
    with pytest.raises(topology.TopologyError, match="are not read"):
        topology.parse_topology(TWO_SITES)


@pytest.mark.parametrize(
    "name", ["", "a b", "-x.example", "a..b", "x&#10;y", "&lt;b&gt;", "a" * 64, "x.example.", "ä.example", "$(x)"]
)
def test_names_that_are_no_dns_names_do_not_come_out(name: str) -> None:
    text = document(
        [cluster(1, name, None), cluster(2, "fe.example", "ok.example", name)],
        [service(("EdgeServer", 1), 1), service(("ConfServices", 1), 2, ("EdgeServer", 1), parts=ALL_PARTS)],
    )
    found = topology.parse_topology(text)
    assert [(pool.fqdn, pool.machines, pool.edge_pool) for pool in found.pools] == [
        ("fe.example", ("ok.example",), None)
    ]
    assert len(found.notes) == 3


def test_notes_are_bounded() -> None:
    services = [service(("EdgeServer", number), 9) for number in range(topology.MAX_NOTES * 2)]
    assert len(topology.parse_topology(document([cluster(1, "a.example")], services)).notes) == topology.MAX_NOTES


@given(st.text(max_size=40), st.integers(min_value=0, max_value=len(TWO_SITES)), st.integers(min_value=0, max_value=60))
def test_damaged_documents_give_a_result_or_a_topology_error(inserted: str, position: int, removed: int) -> None:
    try:
        found = topology.parse_topology(TWO_SITES[:position] + inserted + TWO_SITES[position + removed :])
    except topology.TopologyError:
        return
    for pool in found.pools:
        for name in (pool.fqdn, *pool.machines, pool.edge_pool or "x"):
            assert re.fullmatch(r"[a-z0-9_.-]{1,253}", name)
