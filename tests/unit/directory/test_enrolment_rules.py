# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may enrol and who may write, from permissions alone; and how an existing list is put right."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory import descriptor as d
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory import permissions as p
from hypothesis import given
from hypothesis import strategies as st

_DOMAIN = "S-1-5-21-1-2-3"
_GROUP = f"{_DOMAIN}-1105"
_OTHER = f"{_DOMAIN}-1106"
_UNRELATED = uuid.UUID("12345678-1234-1234-1234-123456789abc")

_SOME_SIDS = st.sampled_from([_GROUP, _OTHER, f"{_DOMAIN}-512", f"{_DOMAIN}-519", "S-1-5-18"])
_SOME_MASKS = st.sampled_from([0x100, 0x94, 0x20094, 0xF01FF, 0xF00FF, 0x130, d.GENERIC_ALL, 0x20])
_TYPES = st.sampled_from([None, p.ENROL, p.AUTO_ENROL, _UNRELATED, uuid.UUID(int=0)])
_ACES = st.builds(
    d.Ace,
    st.sampled_from([d.ALLOW_OBJECT, d.DENY_OBJECT, d.ALLOW_CALLBACK_OBJECT]),
    _SOME_MASKS,
    _SOME_SIDS,
    st.sampled_from([0, d.INHERIT_ONLY, d.INHERITED]),
    _TYPES,
) | st.builds(d.Ace, st.sampled_from([d.ALLOW, d.DENY]), _SOME_MASKS, _SOME_SIDS)


@pytest.mark.parametrize(
    ("ace", "enrols"),
    [
        (d.Ace(d.ALLOW_OBJECT, 0x100, _GROUP, object_type=p.ENROL), True),
        (d.Ace(d.ALLOW_OBJECT, 0x100, _GROUP, object_type=p.AUTO_ENROL), True),
        (d.Ace(d.ALLOW_OBJECT, 0x100, _GROUP), True),
        (d.Ace(d.ALLOW_OBJECT, 0x100, _GROUP, object_type=uuid.UUID(int=0)), True),
        (d.Ace(d.ALLOW, 0x100, _GROUP), True),
        (d.Ace(d.ALLOW, 0xF01FF, _GROUP), True),
        (d.Ace(d.ALLOW, d.GENERIC_ALL, _GROUP), True),
        (d.Ace(d.ALLOW_CALLBACK, 0x100, _GROUP), True),
        (d.Ace(d.ALLOW_OBJECT, 0x130, _GROUP, object_type=p.ENROL), True),
        (d.Ace(d.ALLOW_OBJECT, 0x100, _GROUP, object_type=_UNRELATED), False),
        (d.Ace(d.ALLOW, d.FULL_BUT_ENROL, _GROUP), False),
        (d.Ace(d.ALLOW, d.READ, _GROUP), False),
        (d.Ace(d.ALLOW, 0x100, _GROUP, d.INHERIT_ONLY), False),
        (d.Ace(d.DENY, 0x100, _GROUP), False),
        (d.Ace(17, 0, "", tail=b"x" * 20), False),
    ],
)
def test_what_lets_enrol(ace: d.Ace, enrols: bool) -> None:
    assert p.lets_enrol(ace) is enrols
    assert (ace.sid in p.read_permissions(d.protected_dacl(ace)).enrolling) is enrols


@pytest.mark.parametrize("mask", [0x20, 0x8, 0x40000, 0x80000, d.GENERIC_ALL, d.GENERIC_WRITE, 0xF00FF])
def test_what_lets_write(mask: int) -> None:
    assert p.lets_write(d.Ace(d.ALLOW, mask, _GROUP))
    assert not p.lets_write(d.Ace(d.DENY, mask, _GROUP))
    assert not p.lets_write(d.Ace(d.ALLOW, mask, _GROUP, d.INHERIT_ONLY))


def test_what_ad_cs_ships_lets_only_administrators_enrol_and_write() -> None:
    shipped = d.protected_dacl(
        d.Ace(d.ALLOW, 0x20094, "S-1-5-11"),
        *(d.Ace(d.ALLOW, 0xF00FF, f"{_DOMAIN}-{rid}") for rid in (512, 519)),
        *(d.Ace(d.ALLOW_OBJECT, 0x130, f"{_DOMAIN}-{rid}", object_type=p.ENROL) for rid in (512, 519)),
    )
    found = p.read_permissions(shipped)
    assert set(found.enrolling) == set(found.writing) == {f"{_DOMAIN}-512", f"{_DOMAIN}-519"}
    assert all(map(p.is_administrator, found.enrolling))


def test_the_owner_may_write_and_no_list_lets_everybody() -> None:
    owned = replace(d.protected_dacl(), owner=_OTHER)
    assert p.read_permissions(owned).writing == (_OTHER,)
    nothing = p.read_permissions(d.Descriptor(0x8004, None, None, None))
    assert nothing.enrolling == nothing.writing == (p.EVERYONE,)


@pytest.mark.parametrize(
    "sid",
    ["S-1-1-0", "S-1-5-7", "S-1-5-11", "S-1-5-32-545", "S-1-5-32-546", "S-1-5-32-554", "S-1-5-4", "S-1-5-2"]
    + [f"S-1-5-21-7-8-9-{relative}" for relative in (513, 514, 515)],
)
def test_wide_principals(sid: str) -> None:
    assert p.is_wide(sid)
    assert p.usual_name(sid)
    assert not p.is_administrator(sid)


@pytest.mark.parametrize(
    "sid", [_GROUP, "S-1-5-32-544", "S-1-5-18", "S-1-5-9", "S-1-5-21-7-8-9-512", "S-1-5-21-7-8-9-1513"]
)
def test_narrow_principals(sid: str) -> None:
    assert not p.is_wide(sid)


def test_a_new_template_lets_one_group_enrol_and_administrators_write() -> None:
    found = p.read_permissions(p.safe_descriptor(domain_sid=_DOMAIN, enrol_sid=_GROUP))
    assert found.enrolling == (_GROUP,)
    assert set(found.writing) == {f"{_DOMAIN}-512", f"{_DOMAIN}-519"}
    assert next(item.sid for item in found.principals if item.read) == p.AUTHENTICATED_USERS


@given(st.lists(_ACES, max_size=8))
def test_after_correcting_only_the_group_and_administrators_enrol(aces: list[d.Ace]) -> None:
    before = d.protected_dacl(*aces)
    after = before.with_dacl(p.corrected_dacl(before, enrol_sid=_GROUP))
    inherited = {ace.sid for ace in aces if ace.flags & d.INHERITED}
    enrolling = {sid for sid in p.read_permissions(after).enrolling if not p.is_administrator(sid)}
    # What a container hands down cannot be taken away in the object.
    assert enrolling - (inherited - {_GROUP}) == {_GROUP}
    # A second time there is nothing to correct.
    assert p.corrected_dacl(after, enrol_sid=_GROUP) == after.dacl


@given(st.lists(_ACES, max_size=8))
def test_correcting_gives_nobody_else_a_right_and_keeps_the_rest(aces: list[d.Ace]) -> None:
    before = d.protected_dacl(*aces)
    corrected = p.corrected_dacl(before, enrol_sid=_GROUP)
    after = p.read_permissions(before.with_dacl(corrected))
    found = p.read_permissions(before)
    assert set(after.enrolling) <= {*found.enrolling, _GROUP}
    assert set(after.writing) == set(found.writing)
    untouched = [ace for ace in aces if not p.lets_enrol(ace)]
    assert [ace for ace in corrected if not p.lets_enrol(ace) and ace in aces] == untouched
    # Entries of the object itself stand before inherited ones, where they did before.
    marks = [bool(ace.flags & d.INHERITED) for ace in aces]
    if marks == sorted(marks):
        after_marks = [bool(ace.flags & d.INHERITED) for ace in corrected]
        assert after_marks == sorted(after_marks)


def test_wide_entries_are_left_for_somebody_to_decide() -> None:
    wide = d.Ace(d.ALLOW_OBJECT, 0x100, "S-1-5-11", object_type=p.ENROL)
    assert wide in p.corrected_dacl(d.protected_dacl(wide), enrol_sid=_GROUP)
