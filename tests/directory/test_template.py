# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates in a real directory: made, changed, published, removed, and found as they are by the next run."""

from __future__ import annotations

import struct
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.forest import companions, read_authorities
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.messages import Change, Entry, equal
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.template_report import as_text, describe
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.template_state import Directory
from directory.asking import FIRST_CA, GROUP, SECOND_CA, ensure, wanted_request, with_sorted_rights
from directory.domain import DomainController

_EKU: t.Final = {b"1.3.6.1.5.5.7.3.1", b"1.3.6.1.5.5.7.3.2"}


def _companions(directory: Directory, oid: str) -> list[Entry]:
    return companions(directory.connection, directory.forest, oid=oid)


def _usn(directory: Directory, dn: str) -> str:
    return directory.connection.read(dn, ("uSNChanged",), doing="reading").text("uSNChanged")


def test_a_new_template_is_what_samba_itself_reads(
    controller: DomainController, directory: Directory, name: str
) -> None:
    state = ensure(directory, wanted_request(name, display_name="Both Usages Ä"))
    found, sddl = controller.look(directory.forest.template_dn(name))
    source, _sddl = controller.look(directory.forest.template_dn("WebServer"))
    numbers = {
        "flags": 0x20241,
        "revision": 100,
        "msPKI-Template-Minor-Revision": 2,
        "msPKI-Template-Schema-Version": 2,
        "msPKI-Certificate-Name-Flag": 1,
        "msPKI-Enrollment-Flag": 2,
        "msPKI-Private-Key-Flag": 0x01010000,
        "msPKI-Minimal-Key-Size": 2048,
        "msPKI-RA-Signature": 0,
        "pKIDefaultKeySpec": 1,
        "pKIMaxIssuingDepth": 0,
    }
    assert {key: found[key] for key in numbers} == {key: [str(value).encode()] for key, value in numbers.items()}
    assert set(found["pKIExtendedKeyUsage"]) == set(found["msPKI-Certificate-Application-Policy"]) == _EKU
    copied = ("pKIKeyUsage", "pKICriticalExtensions", "pKIDefaultCSPs", "pKIExpirationPeriod", "pKIOverlapPeriod")
    assert {key: sorted(found[key]) for key in copied} == {key: sorted(source[key]) for key in copied}
    assert found["displayName"] == ["Both Usages Ä".encode()]
    domain = directory.forest.domain_sid
    group = describe(directory, state)["permissions"][-1]["sid"]
    assert describe(directory, state)["dacl"] == (
        f"O:{domain}-519G:{domain}-519D:P(A;;LCRPLORC;;;AU)(A;;CCDCLCSWRPWPDTLOSDRCWDWO;;;{domain}-512)"
        f"(A;;CCDCLCSWRPWPDTLOSDRCWDWO;;;{domain}-519)(OA;;CR;0e10c968-78fb-11d2-90d4-00c04f79dc55;;{group})"
    )
    assert sddl == with_sorted_rights(describe(directory, state)["dacl"])


def test_the_identifier_has_its_companion(controller: DomainController, directory: Directory, name: str) -> None:
    result = describe(directory, ensure(directory, wanted_request(name, display_name="Shown")))
    (companion,) = _companions(directory, result["oid"])
    found, _sddl = controller.look(companion.dn)
    assert found["objectClass"] == [b"top", b"msPKI-Enterprise-Oid"]
    assert (found["displayName"], found["flags"]) == ([b"Shown"], [b"1"])
    assert found["msPKI-Cert-Template-OID"] == [result["oid"].encode()]
    last = result["oid"].rpartition(".")[2]
    assert companion.dn.startswith(f"CN={last}.")
    assert companion.dn.endswith(directory.forest.oids)


def test_a_second_run_writes_nothing(directory: Directory, name: str) -> None:
    request = wanted_request(name, publish_on=(FIRST_CA, SECOND_CA), validity_days=100, renewal_overlap_days=10)
    ensure(directory, request)
    dns = [directory.forest.template_dn(name)]
    dns += [authority.dn for authority in read_authorities(directory.connection, directory.forest)]
    before = [_usn(directory, dn) for dn in dns]
    plan = directory.plan(request)
    assert plan.steps == ()
    directory.apply(plan)
    assert [_usn(directory, dn) for dn in dns] == before


def test_options_arrive_in_the_template(controller: DomainController, directory: Directory, name: str) -> None:
    request = wanted_request(
        name, manager_approval=False, exportable_key=True, validity_days=365, renewal_overlap_days=30
    )
    ensure(directory, request)
    found, _sddl = controller.look(directory.forest.template_dn(name))
    assert found["msPKI-Enrollment-Flag"] == [b"0"]
    assert found["msPKI-Private-Key-Flag"] == [str(0x01010010).encode()]
    ticks = [struct.unpack("<q", found[key][0])[0] for key in ("pKIExpirationPeriod", "pKIOverlapPeriod")]
    assert ticks == [-365 * 86400 * 10_000_000, -30 * 86400 * 10_000_000]


def test_a_change_touches_what_differs_and_raises_the_minor_revision(
    controller: DomainController, directory: Directory, name: str
) -> None:
    ensure(directory, wanted_request(name))
    dn = directory.forest.template_dn(name)
    before, sddl = controller.look(dn)
    ensure(directory, wanted_request(name, manager_approval=False, display_name="Another", validity_days=400))
    after, sddl_after = controller.look(dn)
    changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    assert changed - {"uSNChanged", "whenChanged"} == {
        "msPKI-Enrollment-Flag",
        "displayName",
        "pKIExpirationPeriod",
        "msPKI-Template-Minor-Revision",
    }
    assert after["msPKI-Template-Minor-Revision"] == [b"3"]
    assert sddl_after == sddl


def test_what_others_broke_is_put_right(directory: Directory, name: str) -> None:
    request = wanted_request(name)
    ensure(directory, request)
    dn = directory.forest.template_dn(name)
    # Approval off, its check skipped at renewal, no security extension, usages reduced, archiving demanded.
    for attribute, values in {
        "msPKI-Enrollment-Flag": (b"524352",),
        "msPKI-Certificate-Application-Policy": (b"1.3.6.1.5.5.7.3.1",),
        "pKIExtendedKeyUsage": (b"1.3.6.1.5.5.7.3.1", b"2.5.29.37.0"),
        "msPKI-Private-Key-Flag": (b"16842753",),
        "msPKI-Minimal-Key-Size": (b"1024",),
    }.items():
        directory.connection.modify(dn, [Change("replace", attribute, values)], doing="spoiling")
    text = as_text(directory, name, ensure(directory, request))
    for line in (
        "msPKI-Enrollment-Flag: 0x2",
        "msPKI-Certificate-Application-Policy: 1.3.6.1.5.5.7.3.1, 1.3.6.1.5.5.7.3.2",
        "pKIExtendedKeyUsage: 1.3.6.1.5.5.7.3.1, 1.3.6.1.5.5.7.3.2",
        "msPKI-Private-Key-Flag: 0x1010000",
        "msPKI-Minimal-Key-Size: 2048",
    ):
        assert f"{line}\n" in text


def test_publishing_and_taking_back(directory: Directory, name: str) -> None:
    def published() -> dict[str, tuple[str, ...]]:
        return {ca.name: ca.templates for ca in read_authorities(directory.connection, directory.forest)}

    assert ensure(directory, wanted_request(name)).published_on == ()
    state = ensure(directory, wanted_request(name, publish_on=(SECOND_CA.upper(),)))
    assert state.published_on == (SECOND_CA,)
    assert name in published()[SECOND_CA]
    assert name not in published()[FIRST_CA]
    # A CA that is not named is left as it is, and so are the other templates.
    state = ensure(directory, wanted_request(name, publish_on=(FIRST_CA,), unpublish_on=(SECOND_CA,)))
    assert state.published_on == (FIRST_CA,)
    assert name not in published()[SECOND_CA]
    assert {"WebServer", "Machine"} <= set(published()[SECOND_CA])


def test_absent_leaves_nothing_and_stays_absent(directory: Directory, name: str) -> None:
    state = ensure(directory, wanted_request(name, publish_on=(FIRST_CA, SECOND_CA)))
    oid = describe(directory, state)["oid"]
    gone = wanted_request(name, present=False)
    assert ensure(directory, gone).attributes is None
    assert _companions(directory, oid) == []
    assert not any(ca.publishes(name) for ca in read_authorities(directory.connection, directory.forest))
    assert directory.plan(gone).steps == ()


def test_names_are_compared_without_case(directory: Directory, name: str) -> None:
    ensure(directory, wanted_request(name, publish_on=(FIRST_CA,)))
    again = wanted_request(name.upper(), publish_on=(FIRST_CA.lower(),), enrol_group=GROUP.upper())
    assert directory.plan(again).steps == ()


def test_two_templates_have_different_identifiers(directory: Directory, name: str) -> None:
    results = [describe(directory, ensure(directory, wanted_request(f"{name}{letter}"))) for letter in "ab"]
    assert results[0]["oid"] != results[1]["oid"]
    found = directory.connection.search(
        directory.forest.templates, "one", equal("msPKI-Cert-Template-OID", results[0]["oid"]), ("cn",), doing="looking"
    )
    assert [entry.text("cn") for entry in found] == [f"{name}a"]
