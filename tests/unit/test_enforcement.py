# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server is, and whether the EKU check is in the .NET that its Web Conferencing process has loaded."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import DotnetEvidence, Evidence
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.rules.enforcement import (
    EnforcementFacts,
    dotnet_version,
    enforcement_facts,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.rules.roles import product_of, role_facts, version_numbers
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.rules.times import format_time, is_after, parse_time
from builders import evidence as e
from builders import fleets as f


def facts(evidence: Evidence) -> EnforcementFacts:
    return enforcement_facts(evidence, role_facts(evidence))


def of(dotnet: DotnetEvidence | None, **more: t.Any) -> EnforcementFacts:
    return facts(e.front_end(dotnet=dotnet, **more))


# ---- roles


@pytest.mark.parametrize(
    ("product", "name", "clr"),
    [
        ("lync2010", "Lync Server 2010", "v2.0.50727"),
        ("lync2013", "Lync Server 2013", "v4.0.30319"),
        ("sfb2015", "Skype for Business Server 2015", "v4.0.30319"),
        ("sfb2019", "Skype for Business Server 2019", "v4.0.30319"),
    ],
)
def test_the_version_of_the_executable_tells_product_and_clr(product: e.Product, name: str, clr: str) -> None:
    role = role_facts(e.front_end(product=product))
    assert role.product is not None
    assert (role.role, role.product.name, role.clr) == ("front_end", name, clr)


def test_the_folder_name_never_tells_the_product() -> None:
    # An in-place upgrade leaves the older product's folder.
    role = role_facts(e.front_end(product="sfb2015", folder=r"C:\Program Files\Microsoft Lync Server 2010"))
    assert role.product is not None
    assert role.product.name == "Skype for Business Server 2015"


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("7.0.2046.889", "Subscription Edition"),
        ("7.0.2046.583", "2019"),
        ("9.1", "a later version"),
        ("6.0.9319", "2015"),
        ("5.0.8308.1164", "2013"),
    ],
)
def test_versions_between_the_known_ones_belong_to_the_lower_one(version: str, name: str) -> None:
    product = product_of(version)
    assert product is not None
    assert name in product.name


@pytest.mark.parametrize("version", [None, "", "x", "3.5.1", "-1.0"])
def test_an_unknown_version_is_no_product(version: str | None) -> None:
    assert product_of(version) is None


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("6.0.9319.102", (6, 0, 9319, 102)),
        ("4.6.1098 built by: x", (4, 6)),
        ("", ()),
        ("1.9999999999", (1,)),
        ("1.٣", (1,)),
    ],
)
def test_version_texts_become_comparable_numbers(text: str, numbers: tuple[int, ...]) -> None:
    assert version_numbers(text) == numbers


def test_an_unreadable_services_section_leaves_the_role_unknown_not_none() -> None:
    assert role_facts(dataclasses.replace(e.front_end(), services=None)).role == "unknown"
    assert f.verdict(f.judge(dataclasses.replace(e.front_end(), services=None)), "fe01") == "not_assessed"


@pytest.mark.parametrize(
    "services",
    [(), ("RTCSRV",), ("RTCMEDSRV", "REPLICA"), ("RTCMEDIARELAY",)],
    ids=["none of ours", "Director", "Mediation", "Edge without Web Conferencing"],
)
def test_a_server_without_web_conferencing_is_not_applicable_and_says_why(services: tuple[str, ...]) -> None:
    states = tuple(e.service(name, None) for name in services)
    judged = f.host(f.judge(dataclasses.replace(e.front_end(), services=states)), "fe01")
    assert judged.verdict == "not_applicable"
    assert services == () or services[0] in judged.reason


def test_a_stopped_or_disabled_service_still_gives_the_role() -> None:
    stopped = e.service("RTCDATAMCU", e.executable(), status="stopped", start_mode="disabled")
    assert role_facts(e.front_end(started=None, services=(stopped,))).role == "front_end"


@pytest.mark.parametrize("folder", [r"D:\Lync 2013", "E:\\", r"C:\PROGRA~1x"])
def test_the_executable_is_the_long_path_that_windows_starts(folder: str) -> None:
    assert role_facts(e.front_end(folder=folder)).executable == rf"{folder}\Web Conferencing\DataMCUSvc.exe"


def test_a_service_that_starts_something_else_has_no_executable_of_ours() -> None:
    wrapper = e.service("RTCDATAMCU", r"C:\Tools\nssm.exe")
    assert role_facts(e.front_end(services=(wrapper,))).executable is None


def test_only_the_process_of_the_services_own_path_counts() -> None:
    other = op.ProcessState(name="DataMCUSvc", pid=1, path=r"D:\Copy\DataMCUSvc.exe", started_utc=e.LATER)
    own = op.ProcessState(name="datamcusvc", pid=2, path=e.executable().upper(), started_utc=e.STARTED)
    role = role_facts(e.front_end(processes=(other, own)))
    assert role.process == own


# ---- whether the check is there


@pytest.mark.parametrize("release", [461808, 461814, 528040, 533320])
def test_dotnet_4_7_2_and_later_has_the_check_for_certain(release: int) -> None:
    assert of(e.dotnet(e.dll(exists=False), release=release)).check == "present"


@pytest.mark.parametrize("release", [379893, 394806, 460805, 461310, None])
def test_below_4_7_2_the_release_decides_nothing(release: int | None) -> None:
    assert of(e.dotnet(*e.copies(marks="none", version=None), release=release)).check == "absent"
    assert of(e.dotnet(e.dll(exists=False), release=release)).check == "unknown"


@pytest.mark.parametrize(
    ("build", "ubr", "check"),
    [
        (14393, 1198, "present"),
        (14393, 9000, "present"),
        (14393, 1197, "unknown"),
        (14393, None, "unknown"),
        (14394, None, "present"),
        (17763, 0, "present"),
        (9600, 99999, "unknown"),
    ],
)
def test_server_2016_with_the_revision_and_every_later_build_have_it_for_certain(
    build: int, ubr: int | None, check: str
) -> None:
    system = e.system("fe01", build=build, ubr=ubr)
    assert of(e.dotnet(e.dll(exists=False), release=None), system=system).check == check


def test_the_release_of_dotnet_4_says_nothing_of_lync_2010() -> None:
    new = e.dotnet(*e.copies(e.CLR2, marks="none", version=None), *e.copies(), release=528040)
    assert of(new, product="lync2010").check == "absent"
    assert of(new, product="lync2013").check == "present"


def test_only_the_system_dll_of_the_processes_own_clr_is_looked_at() -> None:
    mixed = e.dotnet(*e.copies(e.CLR2), *e.copies(marks="none", version=None))
    assert of(mixed, product="lync2010").check == "present"
    assert of(mixed, product="sfb2015").check == "absent"


@pytest.mark.parametrize("marks", ["utf16", "ascii"])
def test_one_of_the_two_names_is_enough_and_is_reported_as_a_disagreement(marks: t.Literal["utf16", "ascii"]) -> None:
    found = of(e.dotnet(e.dll(marks=marks)))
    assert found.check == "present"
    assert found.disagreement is not None
    assert "only one of the two names" in found.disagreement


def test_two_copies_that_differ_count_as_present_and_are_reported() -> None:
    found = of(e.dotnet(e.copies(marks="none", version=None)[0], e.copies()[1]))
    assert found.check == "present"
    assert found.disagreement is not None
    assert "one copy" in found.disagreement


@pytest.mark.parametrize(
    "dotnet",
    [
        e.dotnet(e.dll(marks="none", version=None), release=528040),
        e.dotnet(e.dll(marks="none", version=None), cbs=[("KB4014512", 112)]),
        e.dotnet(e.dll(marks="none", version=None), msi=[("KB4014514", "Y")]),
        e.dotnet(e.dll(marks="none", version="4.0.30319.36389"), release=379893),
    ],
    ids=["release", "package", "MSI", "file version"],
)
def test_a_system_dll_that_contradicts_the_other_signs_gets_the_cautious_answer_and_is_reported(
    dotnet: DotnetEvidence,
) -> None:
    assessment = f.judge(e.front_end(dotnet=dotnet))
    found = of(dotnet)
    assert found.check == "present"
    assert found.disagreement is not None
    assert "ENFORCEMENT-DISAGREEMENT" in f.finding_ids(assessment, "fe01")
    assert f.verdict(assessment, "fe01") == "broken"


def test_no_update_of_the_list_is_no_sign_of_absence() -> None:
    # Superseded rollups: the server has the check and none of the KBs of May 2017.
    assert of(e.dotnet(e.dll(marks="both"), cbs=[], msi=[])).check == "present"
    assert of(e.dotnet(e.dll(marks="both"))).disagreement is None


@pytest.mark.parametrize(
    ("updates", "check"),
    [
        ({"cbs": [("KB4014512", 112)]}, "present"),
        ({"cbs": [("KB4014512", 80)]}, "present"),
        ({"cbs": [("KB4014512", 64)]}, "unknown"),
        ({"cbs": [("KB4014512", 0)]}, "unknown"),
        ({"cbs": [("KB4014512", 5)]}, "unknown"),
        ({"msi": [("KB4014514", "Y")]}, "present"),
        ({"msi": [("KB4014514", None)]}, "present"),
        ({"msi": [("KB4014514", "N")]}, "unknown"),
        ({"cbs": [("KB4014504", 112)]}, "unknown"),
        ({"cbs": [("KB2919355", 112)]}, "unknown"),
    ],
    ids=str,
)
def test_an_update_counts_when_its_state_and_its_clr_say_that_it_is_there(
    updates: dict[str, t.Any], check: str
) -> None:
    assert of(e.dotnet(e.dll(exists=False), **updates)).check == check


def test_without_any_reading_the_check_is_unknown_and_the_reason_is_a_sign() -> None:
    found = of(None)
    assert (found.check, found.enforcement) == ("unknown", "unknown")
    assert "missing" in found.signs[0]
    unknown_product = dataclasses.replace(e.front_end(), executables={})
    assert facts(unknown_product).check == "unknown"


def test_the_check_is_not_absent_while_the_copy_that_processes_load_could_not_be_read() -> None:
    assert of(e.dotnet(e.dll(marks="none", version=None))).check == "unknown"


# ---- whether it is loaded


@pytest.mark.parametrize("moment", ["created", "changed"])
def test_a_system_dll_newer_than_the_process_is_not_loaded_yet(moment: str) -> None:
    found = of(e.dotnet(e.dll(**{moment: e.LATER})))  # type: ignore[arg-type]
    assert (found.check, found.loaded, found.enforcement) == ("present", False, "not_yet")
    assessment = f.judge(e.front_end(dotnet=e.dotnet(e.dll(changed=e.LATER))))
    assert f.verdict(assessment, "fe01") == "latent"
    assert "ENFORCEMENT-NOT-LOADED" in f.finding_ids(assessment, "fe01")


def test_a_system_dll_of_another_clr_says_nothing_of_what_is_loaded() -> None:
    assert of(e.dotnet(e.dll(), e.dll(e.CLR2, changed=e.LATER))).loaded


@pytest.mark.parametrize(
    ("started", "changed"), [(None, e.LATER), (e.STARTED, e.EARLIER), (e.STARTED, e.STARTED), (e.STARTED, "garbage")]
)
def test_without_proof_of_an_older_system_dll_the_check_counts_as_loaded(started: str | None, changed: str) -> None:
    assert of(e.dotnet(e.dll(changed=changed)), started=started).enforcement == "enforces"


# ---- numbers and times


@pytest.mark.parametrize(
    ("release", "version"),
    [
        (None, None),
        (0, None),
        (378388, None),
        (378389, "4.5"),
        (379893, "4.5.2"),
        (394271, "4.6.1"),
        (461807, "4.7.1"),
        (461808, "4.7.2"),
        (999999, "4.8.1"),
    ],
)
def test_the_version_of_a_release_number(release: int | None, version: str | None) -> None:
    assert dotnet_version(release) == version


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "2026-01-31",
        "2026-01-31T23:59:59",
        "2026-01-31T23:59:59+01:00",
        "2026-13-31T23:59:59Z",
        "2026-01-31T23:59:59Z\n",
        "２026-01-31T23:59:59Z",
    ],
)
def test_another_form_of_time_is_no_time_and_later_than_nothing(text: str | None) -> None:
    assert parse_time(text) is None
    assert not is_after(text, e.EARLIER)
    assert not is_after(e.EARLIER, text)


def test_times_compare_by_their_fractions() -> None:
    assert is_after("2026-01-01T00:00:00.0000010Z", "2026-01-01T00:00:00Z")
    assert not is_after("2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.500Z")
    moment = parse_time("2026-01-01T00:00:00.9Z")
    assert moment is not None
    assert format_time(moment) == "2026-01-01T00:00:00Z"
