# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The knowledge files hold what the sources say, agree with each other, and fail clearly when damaged."""

from __future__ import annotations

import datetime
import importlib.resources
import itertools
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.knowledge import loader

ROOT = Path(__file__).parents[2]
DIRECTORY = ROOT / "plugins" / "plugin_utils" / "knowledge"
FILES = sorted(DIRECTORY.glob("*.yml"))

# Transcribed from the article's list: KB, Windows release, .NET version. KB4014514 and KB4014599 are named for two releases.
ARTICLE_UPDATES = {
    ("4014504", "server2008r2", ("3.5.1",)),
    ("4014579", "server2008r2", ("3.5.1",)),
    ("4014514", "server2008r2", ("4.5.2",)),
    ("4014514", "server2008", ("4.5.2",)),
    ("4014599", "server2008r2", ("4.5.2",)),
    ("4014599", "server2008", ("4.5.2",)),
    ("4014513", "server2012", ("4.5.2",)),
    ("4014597", "server2012", ("4.5.2",)),
    ("4014512", "server2012r2", ("4.5.2",)),
    ("4014595", "server2012r2", ("4.5.2",)),
    ("4019472", "server2016", ("3.5", "4.6.2")),
}
# Transcribed from the article's three "reg add" lines: product, key below HKLM, value name.
ARTICLE_OVERRIDES = {
    (
        "lync2010",
        r"SOFTWARE\Microsoft\.NETFramework\v2.0.50727\System.Net.ServicePointManager.RequireCertificateEKUs",
        r"C:\Program Files\Microsoft Lync Server 2010\Web Conferencing\DataMCUSvc.exe",
    ),
    (
        "lync2013",
        r"SOFTWARE\Microsoft\.NETFramework\v4.0.30319\System.Net.ServicePointManager.RequireCertificateEKUs",
        r"C:\Program Files\Microsoft Lync Server 2013\Web Conferencing\DataMCUSvc.exe",
    ),
    (
        "sfb2015",
        r"SOFTWARE\Microsoft\.NETFramework\v4.0.30319\System.Net.ServicePointManager.RequireCertificateEKUs",
        r"C:\Program Files\Skype for Business Server 2015\Web Conferencing\DataMCUSvc.exe",
    ),
}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _clr_of(dotnet: str) -> str:
    return "v2.0.50727" if _numbers(dotnet)[0] < 4 else "v4.0.30319"


# ---------------------------------------------------------------------------------------------------------------- the files


def test_every_table_of_every_file_is_read_in_full() -> None:
    assert [path.name for path in FILES] == [
        "ca_dates.yml",
        "dotnet_check.yml",
        "dotnet_updates.yml",
        "events.yml",
        "products.yml",
    ]
    for path in FILES:
        for table, rows in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            records = getattr(loader, table)()
            assert len(records) == len(rows), f"{path.name}: {table}"
            assert len(set(records)) == len(records), f"{path.name}: {table} holds a row twice"
            assert all(record.source.strip() for record in records), f"{path.name}: {table} has a row without source"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_entry_is_given_twice(path: Path) -> None:
    # PyYAML keeps the last of two equal keys and says nothing.
    nodes: list[t.Any] = [yaml.compose(path.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            assert len(keys) == len(set(keys)), f"{path.name}, line {node.start_mark.line + 1}: {keys}"
            nodes += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value


def test_loads_through_the_collection_loader_of_ansible() -> None:
    code = (
        "from ansible.plugins.loader import init_plugin_loader\n"
        f"init_plugin_loader([{str(ROOT / 'playbooks' / 'collections')!r}])\n"
        "from ansible_collections.sfb.kb4023993.plugins.plugin_utils.knowledge import loader\n"
        "assert 'ansible' in type(loader.__loader__).__module__, loader.__loader__\n"
        "print(len(loader.updates()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, str(len(loader.updates()))), done.stderr


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Path]:
    """A directory that the loader reads instead of its own, with copies of all files to damage."""
    for path in FILES:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(importlib.resources, "files", lambda _package: tmp_path)
    loader._document.cache_clear()
    loader._table.cache_clear()
    yield tmp_path
    loader._document.cache_clear()
    loader._table.cache_clear()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("    outcome: success", "    outcome: maybe", r"events\[1\]\.outcome: expected one of failure"),
        ("    outcome: success\n", "", r"events\[1\]: entry 'outcome' is missing"),
        ("    outcome: success", "    outcome: success\n    colour: red", r"events\[1\]: unknown entry 'colour'"),
        ("  - id: 41025", "  - id: '41025'", r"events\[1\]\.id: expected a whole number, found str"),
        ("\nevents:", "\nothers:", "table 'events' is missing or empty"),
        ("\nevents:", "\nevents: [", "events.yml"),
    ],
)
def test_damage_is_reported_with_its_place(damaged: Path, before: str, after: str, expected: str) -> None:
    path = damaged / "events.yml"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(loader.KnowledgeError, match=expected) as caught:
        loader.events()
    assert "knowledge/events.yml" in str(caught.value)
    assert "Install the collection again" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"- a list\n", b"\xff\xfe", None])
def test_a_file_that_is_empty_missing_or_not_text_is_reported(damaged: Path, content: bytes | None) -> None:
    if content is None:
        (damaged / "ca_dates.yml").unlink()
    else:
        (damaged / "ca_dates.yml").write_bytes(content)
    with pytest.raises(loader.KnowledgeError, match=r"knowledge/ca_dates\.yml"):
        loader.ca_dates()


# ------------------------------------------------------------------------------------------------------- products and roles


def test_products_and_override_are_those_of_the_article() -> None:
    (image,) = {service.image for service in loader.services() if service.name == "RTCDATAMCU"}
    (override,) = (opt_out for opt_out in loader.opt_outs() if opt_out.writable)
    built = {
        (
            product.id,
            override.key.replace("{clr}", product.clr),
            rf"{product.default_directory}\Web Conferencing\{image}",
        )
        for product in loader.products()
        if product.in_article
    }
    assert built == ARTICLE_OVERRIDES
    assert (override.id, override.kind, override.data, override.name) == ("executable", "REG_DWORD", "0", None)


def test_products_are_told_apart_by_version() -> None:
    starts = [_numbers(product.version_from) for product in loader.products()]
    assert starts == sorted(set(starts))
    for product in loader.products():
        assert _numbers(product.version_from)[0] == product.file_major
        if product.base_build is not None:
            assert _numbers(product.base_build)[0] == product.file_major
        assert product.clr == ("v2.0.50727" if product.file_major == 4 else "v4.0.30319")
        assert product.modules, product.id
    majors = {product.id: product.file_major for product in loader.products()}
    assert majors == {"lync2010": 4, "lync2013": 5, "sfb2015": 6, "sfb2019": 7, "sfbse": 7, "later": 8}


def test_2019_and_subscription_edition_fall_on_their_side_of_the_line() -> None:
    # The fixed builds in Microsoft's records CVE-2026-66303 and CVE-2026-83746.
    (se,) = (_numbers(product.version_from) for product in loader.products() if product.id == "sfbse")
    assert max((7, 0, 2046, 569), (7, 0, 2046, 583)) < se <= min((7, 0, 2046, 879), (7, 0, 2046, 889))


def test_roles_follow_from_services() -> None:
    services = loader.services()
    assert {(s.name, s.role, s.image) for s in services if s.decisive} == {
        ("RTCDATAMCU", "front_end", "DataMCUSvc.exe"),
        ("RTCDATAPROXY", "edge", "DataProxy.exe"),
    }
    names = [service.name for service in services]
    assert len(names) == len(set(names))
    # Asked in this order, an Edge is not called a Director, nor a Director a Mediation Server with only the replica.
    assert names.index("RTCMRAUTH") < names.index("RTCSRV") < names.index("RTCMEDSRV") < names.index("REPLICA")


def test_one_certificate_use_a_role_is_judged_and_ports_show_it() -> None:
    judged = {use.role: use.use for use in loader.certificate_uses() if use.handling == "judged"}
    assert judged == {"front_end": "Default", "edge": "Internal"}
    assert sum(use.handling == "judged" for use in loader.certificate_uses()) == 2
    handling = {use.use: use.handling for use in loader.certificate_uses()}
    assert (
        handling["OAuthTokenIssuer"]
        == handling["AudioVideoAuthentication"]
        == handling["AccessEdgeExternal"]
        == "never"
    )
    assert handling["WebServicesInternal"] == handling["WebServicesExternal"] == "together"
    for port in loader.ports():
        assert {judged[role] for role in port.listener_roles} == {port.certificate_use}, port
        assert (port.purpose == "connection") == (port.connection is not None), port
    probes = {(role, port.number) for port in loader.ports() if port.purpose == "probe" for role in port.listener_roles}
    # 4443 of a Front End is the external web site, with another certificate.
    assert probes == {("front_end", 5061), ("edge", 5061), ("edge", 4443)}


# ---------------------------------------------------------------------------------------------------------- updates of .NET


def test_updates_of_the_article_are_all_there_and_marked() -> None:
    marked = {(update.kb, update.os, update.dotnet) for update in loader.updates() if update.in_article}
    assert marked == ARTICLE_UPDATES


def test_kb_numbers_are_well_formed_and_unique() -> None:
    seen: set[tuple[str, str, str]] = set()
    for update in loader.updates():
        assert re.fullmatch(r"40\d{5}", update.kb), update
        assert update.dotnet, update
        for dotnet in update.dotnet:
            assert (update.kb, update.os, dotnet) not in seen, update
            seen.add((update.kb, update.os, dotnet))
    for successor in loader.successors():
        assert all(re.fullmatch(r"40\d{5}", kb) for kb in (successor.kb, *successor.by)), successor


def test_the_mistyped_number_of_public_lists_is_nowhere() -> None:
    for path in FILES:
        assert not re.search(r"401511(?!\d)", path.read_text(encoding="utf-8")), path.name
    assert ("4014511", "server2008r2") in {(update.kb, update.os) for update in loader.updates()}


def test_updates_that_the_article_omits_are_there() -> None:
    rows = {(update.os, dotnet, update.type) for update in loader.updates() for dotnet in update.dotnet}
    for os in ("server2008r2", "server2012", "server2012r2"):
        for dotnet in ("4.6", "4.6.1", "4.6.2"):
            assert {(os, dotnet, "rollup"), (os, dotnet, "security_only")} <= rows, (os, dotnet)
    for os in ("server2012", "server2012r2"):
        assert {(os, "3.5", "rollup"), (os, "3.5", "security_only")} <= rows
    parents = {update.kb for update in loader.updates() if update.type in ("parent_rollup", "parent_security_only")}
    assert parents == {f"40191{number}" for number in ("15", "09", "12", "08", "13", "10", "14", "11")}
    quality = {update.kb for update in loader.updates() if update.type == "quality"}
    assert quality == {"4014602", "4014606", "4014612"}


def test_children_fit_their_parents() -> None:
    parents = {update.kb: update for update in loader.updates() if update.type.startswith("parent_")}
    for update in loader.updates():
        expects_parent = update.type in ("rollup", "security_only")
        assert bool(update.parents) == expects_parent, update
        for kb in update.parents:
            parent = parents[kb]
            assert parent.os == update.os
            assert parent.type == f"parent_{update.type}"
            assert set(update.dotnet) <= set(parent.dotnet), update
    assert {successor.kb for successor in loader.successors()} == {
        kb for kb, parent in parents.items() if parent.type == "parent_rollup"
    }


def test_every_update_names_the_clr_of_its_dotnet_versions() -> None:
    for update in loader.updates():
        assert set(update.clr) == {_clr_of(dotnet) for dotnet in update.dotnet}, update


def test_how_windows_records_an_update() -> None:
    # .NET 4.x on Windows 6.0 and 6.1 comes as an installer of its own, everything later as a part of Windows.
    releases = {system.id for system in loader.operating_systems()}
    for update in loader.updates():
        if update.type.startswith("parent_"):
            expected = "none"
        elif update.os == "unknown":
            expected = "unknown"
        elif update.type == "lcu":
            expected = "lcu"
        else:
            old = update.os in ("server2008", "server2008r2")
            expected = "msi" if old and update.clr == ("v4.0.30319",) else "cbs"
        assert update.record == expected, update
        assert update.os in releases | {"unknown"}, update
    assert {place.record for place in loader.update_records()} == {"cbs", "msi"}
    views = {"Wow6432Node" in place.key for place in loader.update_records() if place.record == "msi"}
    assert views == {True, False}


def test_a_superseded_package_still_carries_the_check() -> None:
    carries = {state.value: state.carries_check for state in loader.cbs_states()}
    assert carries == {0: False, 5: False, 64: False, 80: True, 96: False, 101: False, 112: True, 128: True}


# ------------------------------------------------------------------------------------------------------------- the check


def test_certain_signs_agree_with_releases_and_systems() -> None:
    signs = {sign.id: sign for sign in loader.certain_signs()}
    minimum = {key.version: key.minimum for key in loader.release_keys()}
    builds = {system.id: system.build for system in loader.operating_systems()}

    release = signs["release_4_7_2"]
    assert release.release == minimum["4.7.2"] == 461808
    # The Release value is that of .NET 4: it must never vouch for the CLR of Lync Server 2010.
    assert release.clr == ("v4.0.30319",)
    assert (signs["server2016_revision"].build, signs["server2016_revision"].revision) == (builds["server2016"], 1198)
    assert signs["later_windows"].build == builds["server2016"] + 1
    for sign in signs.values():
        assert sign.clr
        assert (sign.release is None) != (sign.build is None), sign
        assert sign.revision is None or sign.build is not None, sign


def test_release_keys_rise_with_the_version() -> None:
    keys = loader.release_keys()
    assert [key.minimum for key in keys] == sorted(key.minimum for key in keys)
    assert [_numbers(key.version) for key in keys] == sorted(_numbers(key.version) for key in keys)
    for key, following in itertools.pairwise(keys):
        assert all(key.minimum <= value < following.minimum for value in key.exact), key
    assert all(key.minimum in key.exact for key in keys)


def test_every_clr_has_its_files_markers_and_opt_outs() -> None:
    clrs = {product.clr for product in loader.products()}
    assert clrs == {"v2.0.50727", "v4.0.30319"}
    for clr in clrs:
        assert {dll.place for dll in loader.system_dlls() if dll.clr == clr} == {"framework", "gac"}
        assert {marker.encoding for marker in loader.markers() if clr in marker.clr} == {"utf-16-le", "ascii"}
        assert {"executable", "global"} <= {opt_out.id for opt_out in loader.opt_outs() if clr in opt_out.clr}
    for dll in loader.system_dlls():
        assert dll.path.startswith("%windir%\\")
        assert dll.path.endswith("\\System.dll")
        assert "Framework\\" not in dll.path, "the 32-bit copy is not the one DataMCUSvc loads"
        assert dll.clr.split(".")[0].lstrip("v") in re.findall(r"v?(\d)\.", dll.path)


def test_the_marker_is_the_name_of_the_switch() -> None:
    (switch,) = (marker.text for marker in loader.markers() if marker.id == "switch_name")
    registry = {opt_out.id: opt_out for opt_out in loader.opt_outs()}
    assert registry["executable"].key.endswith(f"System.Net.ServicePointManager.{switch}")
    assert registry["global"].name == switch
    for marker in loader.markers():
        assert marker.text.encode(marker.encoding)


def test_opt_outs() -> None:
    opt_outs = {opt_out.id: opt_out for opt_out in loader.opt_outs()}
    assert [opt_out.id for opt_out in loader.opt_outs() if opt_out.writable] == ["executable"]
    minimum = {key.version: key.minimum for key in loader.release_keys()}
    for id_ in ("appcontext_registry", "appcontext_config"):
        # CLR 2 has no AppContext, and .NET below 4.6 does not know it.
        assert opt_outs[id_].clr == ("v4.0.30319",)
        assert opt_outs[id_].release == minimum["4.6"]
        assert (opt_outs[id_].name, opt_outs[id_].data) == ("Switch.System.Net.DontCheckCertificateEKUs", "true")
    kinds = {opt_out.id: opt_out.kind for opt_out in loader.opt_outs()}
    assert kinds == {
        "executable": "REG_DWORD",
        "global": "REG_DWORD",
        "appcontext_registry": "REG_SZ",
        "appcontext_config": None,
    }
    assert all((opt_out.medium == "config_file") == (opt_out.kind is None) for opt_out in loader.opt_outs())
    assert not any("Wow6432Node" in opt_out.key for opt_out in loader.opt_outs())


def test_version_thresholds_cover_each_dotnet_once() -> None:
    systems = {system.id for system in loader.operating_systems()}
    seen: set[tuple[str, str]] = set()
    for last in loader.last_versions_without_check():
        assert set(last.os) <= systems
        assert last.confidence == "secondary", "a third-party number must not pass for Microsoft's"
        for dotnet in last.dotnet:
            assert _clr_of(dotnet) == last.clr
            for os in last.os:
                assert (os, dotnet) not in seen
                seen.add((os, dotnet))
        assert _numbers(last.version)[0] == _numbers(last.clr.lstrip("v"))[0]
    assert {("server2008r2", "4.5.2"), ("server2012", "4.5.2"), ("server2012r2", "4.6.2")} <= seen


# ------------------------------------------------------------------------------------------------------------ events and CAs


def test_events() -> None:
    assert [(source.log, source.provider) for source in loader.event_sources()] == [("Lync Server", "LS Data MCU")]
    outcomes = {event.id: (event.connection, event.outcome) for event in loader.events()}
    assert outcomes == {
        41024: ("edge", "failure"),
        41025: ("edge", "success"),
        41026: ("edge", "failure"),
        41029: ("front_end", "undirected"),
        41031: ("front_end", "undirected"),
    }
    connection_ports = {
        kind: {port.number for port in loader.ports() if port.connection == kind} for kind in ("edge", "front_end")
    }
    assert connection_ports == {"edge": {8057}, "front_end": {8060, 8061}}
    for event in loader.events():
        assert set(event.ports) == connection_ports[event.connection], event


def test_unrelated_events_are_not_counted() -> None:
    unrelated = {event.id for event in loader.unrelated_events()}
    assert {41032, 41033, 41034, 41061, 41999, 42001} == unrelated
    assert not unrelated & {event.id for event in loader.events()}


def test_ca_dates() -> None:
    days = {
        ca.id: (datetime.date.fromisoformat(ca.off_by_default), datetime.date.fromisoformat(ca.removed))
        for ca in loader.ca_dates()
    }
    assert all(default < removed for default, removed in days.values())
    assert days["digicert"][1] == datetime.date(2027, 3, 1)
    patterns = [pattern.lower() for ca in loader.ca_dates() for pattern in ca.issuer_patterns]
    assert len(patterns) == len(set(patterns))
    # A short pattern would match private CAs, whose certificates are not affected.
    assert all(len(pattern) >= 6 for pattern in patterns)
