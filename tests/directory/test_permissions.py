# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may enrol and who may write: wide groups are refused, rights of others are taken back, missing rights are named."""

from __future__ import annotations

import re
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.descriptor import (
    ALLOW,
    ALLOW_OBJECT,
    CONTROL_ACCESS,
    FULL_BUT_ENROL,
    READ,
    WRITE_PROPERTY,
    Ace,
    encode,
    protected_dacl,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.forest import ForestError, read_authorities
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.messages import DACL_ONLY, Change, equal
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.permissions import AUTO_ENROL, ENROL
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.steps import StepError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.template import TemplateError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.template_report import describe
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.template_state import Directory
from directory.asking import FIRST_CA, GROUP, Connect, ensure, wanted_request

_FULL: t.Final = 0x000F01FF


def _nothing_of(directory: Directory, name: str) -> bool:
    """Whether the directory has neither the template, nor a companion, nor a publication of this name."""
    found = directory.connection.search(directory.forest.templates, "one", equal("cn", name), ("cn",), doing="looking")
    found += directory.connection.search(
        directory.forest.oids, "one", equal("displayName", name), ("cn",), doing="looking"
    )
    published = any(ca.publishes(name) for ca in read_authorities(directory.connection, directory.forest))
    return not found and not published


def _sid(directory: Directory, account: str) -> str:
    if account.startswith("S-1-"):
        return account
    from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.descriptor import decode_sid

    found = directory.connection.search(
        directory.forest.domain, "subtree", equal("sAMAccountName", account), ("objectSid",), doing="looking"
    )
    return decode_sid(found[0].values("objectSid")[0])


def _set_dacl(directory: Directory, name: str, *aces: Ace) -> None:
    change = Change("replace", "nTSecurityDescriptor", (encode(protected_dacl(*aces)),))
    directory.connection.modify(directory.forest.template_dn(name), [change], doing="spoiling", descriptor=DACL_ONLY)


def _administrators(directory: Directory, mask: int = FULL_BUT_ENROL) -> Ace:
    return Ace(ALLOW, mask, f"{directory.forest.domain_sid}-519")


@pytest.mark.parametrize(
    "group",
    [
        "Domain Users",
        "LAB\\Domain Users",
        "Domain Computers",
        "Domain Guests",
        "Users",
        "Authenticated Users",
        "NT AUTHORITY\\Authenticated Users",
        "Everyone",
        "S-1-1-0",
        "S-1-5-11",
        "S-1-5-32-545",
        "S-1-5-32-554",
        "S-1-5-21-1-2-3-513",
        "All Staff",
        "Everything Nested",
    ],
)
def test_a_group_that_holds_everybody_is_refused(directory: Directory, name: str, group: str) -> None:
    with pytest.raises(TemplateError, match="too wide"):
        directory.plan(wanted_request(name, enrol_group=group))
    assert _nothing_of(directory, name)


@pytest.mark.parametrize(
    ("group", "reason"),
    [
        ("Nobody Knows", "was not found"),
        ("OTHER\\SfB Certificate Requesters", "is not the domain"),
        ("alice", "is not a security group"),
        ("Mailing List", "is not a security group"),
        ("Sfb*", "was not found"),
        ("x)(objectClass=*", "was not found"),
    ],
)
def test_a_group_that_cannot_be_meant_is_refused(directory: Directory, name: str, group: str, reason: str) -> None:
    with pytest.raises(ForestError, match=reason):
        directory.plan(wanted_request(name, enrol_group=group))


def test_a_sid_without_a_group_in_this_domain_is_refused(directory: Directory, name: str) -> None:
    with pytest.raises(ForestError, match="was not found"):
        directory.plan(wanted_request(name, enrol_group=f"{directory.forest.domain_sid}-99999"))


@pytest.mark.parametrize("form", ["{name}", "LAB\\{name}", "{sid}"])
def test_a_group_by_name_with_domain_or_by_sid(directory: Directory, name: str, form: str) -> None:
    sid = _sid(directory, GROUP)
    plan = directory.plan(wanted_request(name, enrol_group=form.format(name=GROUP, sid=sid)))
    enrolling = [item for item in describe(directory, plan.after)["permissions"] if "enrol" in item["may"]]
    assert enrolling == [{"principal": GROUP, "sid": sid, "may": ["enrol"]}]


def test_the_override_accepts_a_wide_group_and_the_judgement_says_so(directory: Directory, name: str) -> None:
    request = wanted_request(name, enrol_group="Domain Users", accept_wide=True, manager_approval=False)
    result = describe(directory, ensure(directory, request))
    assert result["judgement"]["esc1"] is True
    assert result["judgement"]["abusable_by"] == ["Domain Users"]
    assert result["judgement"]["wide_enrolment"] == ["Domain Users"]
    assert directory.plan(request).steps == ()


@pytest.mark.parametrize("option", ["publish_on", "unpublish_on"])
def test_an_unknown_ca_is_refused_before_anything(directory: Directory, name: str, option: str) -> None:
    with pytest.raises(ForestError, match=rf"{option}: .*'Nowhere CA'.*'LAB Issuing CA'"):
        directory.plan(wanted_request(name, **{option: (FIRST_CA, "Nowhere CA")}))
    assert _nothing_of(directory, name)


# ---- templates that are there


_WIDE: t.Final = {
    "enrol": Ace(ALLOW_OBJECT, CONTROL_ACCESS, "S-1-5-11", object_type=ENROL),
    "auto-enrol": Ace(ALLOW_OBJECT, CONTROL_ACCESS, "S-1-5-11", object_type=AUTO_ENROL),
    "plain right": Ace(ALLOW, READ | CONTROL_ACCESS, "S-1-1-0"),
    "object entry for all rights": Ace(ALLOW_OBJECT, CONTROL_ACCESS, "S-1-5-32-545"),
    "full control": Ace(ALLOW, _FULL, "S-1-5-11"),
    "write": Ace(ALLOW, READ | WRITE_PROPERTY, "S-1-5-11"),
    "write permissions": Ace(ALLOW, 0x40000, "S-1-1-0"),
}


@pytest.mark.parametrize("ace", _WIDE.values(), ids=_WIDE)
def test_an_existing_wide_template_is_refused_and_left_alone(directory: Directory, name: str, ace: Ace) -> None:
    request = wanted_request(name, publish_on=(FIRST_CA,))
    ensure(directory, wanted_request(name))
    _set_dacl(directory, name, _administrators(directory), Ace(ALLOW, READ, "S-1-5-11"), ace)
    with pytest.raises(TemplateError, match=r"exists, and .* may (enrol by|change) it"):
        directory.plan(request)
    kept = ensure(directory, replace(request, accept_wide=True))
    judgement = describe(directory, kept)["judgement"]
    assert judgement["wide_enrolment"] or judgement["wide_writing"]
    assert judgement["remarks"]


def test_a_group_with_everybody_in_it_is_wide_in_a_template_too(directory: Directory, name: str) -> None:
    ensure(directory, wanted_request(name))
    nested = _sid(directory, "Everything Nested")
    entry = Ace(ALLOW_OBJECT, CONTROL_ACCESS, nested, object_type=ENROL)
    _set_dacl(directory, name, _administrators(directory), entry)
    with pytest.raises(TemplateError, match=r"Everything Nested .* may enrol"):
        directory.plan(wanted_request(name))


def test_other_groups_lose_the_right_to_enrol_and_nothing_else(directory: Directory, name: str) -> None:
    ensure(directory, wanted_request(name, enrol_group="Other Requesters"))
    other, editors = _sid(directory, "Other Requesters"), _sid(directory, "Template Editors")
    _set_dacl(
        directory,
        name,
        _administrators(directory, _FULL),
        Ace(ALLOW, READ, "S-1-5-11"),
        Ace(ALLOW_OBJECT, CONTROL_ACCESS, other, object_type=ENROL),
        Ace(ALLOW, READ | WRITE_PROPERTY | CONTROL_ACCESS, editors),
        Ace(ALLOW_OBJECT, CONTROL_ACCESS, _sid(directory, GROUP), object_type=AUTO_ENROL),
    )
    result = describe(directory, ensure(directory, wanted_request(name)))
    may = {item["principal"]: item["may"] for item in result["permissions"]}
    assert may == {
        "Enterprise Admins": ["read", "enrol", "write"],
        "Authenticated Users": ["read"],
        "Template Editors": ["read", "write"],
        GROUP: ["enrol"],
    }
    assert str(AUTO_ENROL) not in result["dacl"]
    assert result["judgement"]["abusable_by"] == ["Template Editors"]
    assert "ESC4" in " ".join(result["judgement"]["remarks"])


def test_without_approval_the_group_itself_is_named(directory: Directory, name: str) -> None:
    guarded = describe(directory, ensure(directory, wanted_request(name)))["judgement"]
    assert (guarded["esc1"], guarded["abusable_by"], guarded["remarks"]) == (False, [], [])
    open_to_group = describe(directory, ensure(directory, wanted_request(name, manager_approval=False)))["judgement"]
    assert (open_to_group["esc1"], open_to_group["abusable_by"]) == (True, [GROUP])
    assert open_to_group["wide_enrolment"] == []


@pytest.mark.parametrize("attribute", [("flags", b"66113"), ("msPKI-Template-Schema-Version", b"1")])
@pytest.mark.parametrize("present", [True, False])
def test_what_came_with_ad_cs_is_neither_changed_nor_removed(
    directory: Directory, name: str, attribute: tuple[str, bytes], present: bool
) -> None:
    ensure(directory, wanted_request(name))
    dn = directory.forest.template_dn(name)
    directory.connection.modify(dn, [Change("replace", attribute[0], (attribute[1],))], doing="spoiling")
    with pytest.raises(TemplateError, match="come with AD CS"):
        directory.plan(wanted_request(name, present=present))


def test_a_source_that_is_not_there_or_for_cas_is_refused(directory: Directory, name: str) -> None:
    with pytest.raises(ForestError, match=r"source: .*no template with the name Missing"):
        directory.plan(wanted_request(name, source="Missing"))
    ensure(directory, wanted_request(f"{name}ca"))
    change = Change("replace", "flags", (b"131777",))
    directory.connection.modify(directory.forest.template_dn(f"{name}ca"), [change], doing="spoiling")
    with pytest.raises(TemplateError, match="for certification authorities"):
        directory.plan(wanted_request(name, source=f"{name}ca"))


# ---- rights of the account


def test_an_ordinary_user_may_look_and_is_told_which_right_is_missing(
    directory: Directory, connect: Connect, name: str
) -> None:
    alice = Directory(connect("alice"))
    plan = alice.plan(wanted_request(name, publish_on=(FIRST_CA,)))
    assert [step.kind for step in plan.steps] == ["add", "add", "modify"]
    expected = "insufficientAccessRights.*Create msPKI-Enterprise-Oid objects in CN=OID.*Nothing was changed"
    with pytest.raises(StepError, match=expected) as caught:
        alice.apply(plan)
    assert caught.value.changed is False
    assert _nothing_of(directory, name)


def test_an_ordinary_user_may_judge_what_is_there(directory: Directory, connect: Connect, name: str) -> None:
    request = wanted_request(name)
    result = describe(directory, ensure(directory, request))
    alice = Directory(connect("alice"))
    assert describe(alice, alice.plan(request).before) == result
    with pytest.raises(StepError, match=f"Write, .* on the template {name}"):
        alice.apply(alice.plan(wanted_request(name, manager_approval=False)))
    with pytest.raises(StepError, match=f"Delete on the template {name}"):
        alice.apply(alice.plan(wanted_request(name, present=False)))


def test_delegated_rights_are_enough_for_the_template_but_not_for_the_ca(
    directory: Directory, connect: Connect, name: str
) -> None:
    carol = Directory(connect("carol"))
    request = wanted_request(name, publish_on=(FIRST_CA,))
    with pytest.raises(StepError) as caught:
        carol.apply(carol.plan(request))
    assert caught.value.changed is True
    assert re.search(
        r"Write certificateTemplates on CN=LAB Issuing CA.*Done before: .*adding the template", str(caught.value)
    )
    # An account with the right goes on from there.
    plan = directory.plan(request)
    assert [step.doing for step in plan.steps] == [f"publishing {name} on {FIRST_CA}"]


def test_without_rights_on_templates_the_identifier_is_taken_back(
    directory: Directory, connect: Connect, name: str
) -> None:
    carol = Directory(connect("carol"))
    plan = carol.plan(wanted_request(name))
    # In a container where nobody delegated anything to her.
    elsewhere = replace(plan.steps[1], dn=f"CN={name},{carol.forest.enrollment}")
    with pytest.raises(StepError, match=r"insufficientAccessRights.*Nothing was changed"):
        carol.apply(replace(plan, steps=(plan.steps[0], elsewhere)))
    assert _nothing_of(directory, name)
