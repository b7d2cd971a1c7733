# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipe: attributes of a template in, wanted attributes out."""

from __future__ import annotations

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory import template as r
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.instructions import (
    steps_to_create,
    steps_to_remove,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.messages import Attributes
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.steps import applied
from hypothesis import given
from hypothesis import strategies as st

_WANTED = r.Wanted(name="Both", display_name=None)
_SOURCE: dict[str, tuple[bytes, ...]] = {
    "flags": (b"66113",),
    "mspki-template-schema-version": (b"1",),
    "mspki-private-key-flag": (b"0",),
    "mspki-minimal-key-size": (b"2048",),
    "pkiextendedkeyusage": (b"1.3.6.1.5.5.7.3.1",),
    "pkikeyusage": (b"\xa0\x00",),
    "pkicriticalextensions": (b"2.5.29.15",),
    "pkidefaultcsps": (b"1,Microsoft RSA SChannel Cryptographic Provider",),
    "pkimaxissuingdepth": (b"0",),
    "pkiexpirationperiod": (bytes.fromhex("0080720e5dc2fdff"),),
    "pkioverlapperiod": (bytes.fromhex("0080a60affdeffff"),),
}


def _new(wanted: r.Wanted = _WANTED, **changed: tuple[bytes, ...]) -> dict[str, tuple[bytes, ...]]:
    made = r.new_template(wanted, {**_SOURCE, **changed}, oid="1.2.3", descriptor=b"d")
    return {name.lower(): values for name, values in made.items()}


# Values of real forests.
@pytest.mark.parametrize(
    ("days", "data"),
    [(365, "004039872ee1feff"), (730, "0080720e5dc2fdff"), (42, "0080a60affdeffff"), (1825, "00401ea4e865faff")],
)
def test_periods_are_those_of_real_forests(days: int, data: str) -> None:
    assert r.encode_period(days).hex() == data
    assert r.decode_period(bytes.fromhex(data)) == days


@given(st.integers(1, 3650))
def test_periods_are_read_as_they_were_written(days: int) -> None:
    assert r.decode_period(r.encode_period(days)) == days


def test_flags_of_the_source_become_those_of_a_duplicate() -> None:
    assert _new()["flags"] == (str(0x20241).encode(),)
    # A user's template with auto-enrolment: it becomes one for machines, without.
    assert _new(flags=(str(0x1023A).encode(),))["flags"] == (str(0x2025A).encode(),)


def test_the_site_s_own_settings_of_its_source_are_kept() -> None:
    made = _new(**{"mspki-minimal-key-size": (b"4096",), "mspki-private-key-flag": (str(0x05060010).encode(),)})
    assert made["mspki-minimal-key-size"] == (b"4096",)
    assert made["mspki-private-key-flag"] == (str(0x05060000).encode(),)
    assert made["pkidefaultcsps"] == _SOURCE["pkidefaultcsps"]


@pytest.mark.parametrize(
    ("found", "wanted"), [(b"\x20\x00", b"\xa0\x00"), (b"", b"\xa0\x00"), (b"\xe0\x00", b"\xe0\x00")]
)
def test_the_key_may_sign_and_encipher(found: bytes, wanted: bytes) -> None:
    assert _new(pkikeyusage=(found,))["pkikeyusage"] == (wanted,)


def test_numbers_are_signed_as_the_directory_holds_them() -> None:
    made = _new(flags=(b"-2147483071",))
    assert int(made["flags"][0]) == (0x80000241 | 0x20240) - (1 << 32)


def test_what_was_made_needs_no_change() -> None:
    for wanted in (
        _WANTED,
        r.Wanted(name="Both", display_name="Shown", manager_approval=False, exportable_key=True, validity_days=90),
    ):
        assert r.changes_to(wanted, _new(wanted)) == []


_ATTRIBUTES = st.fixed_dictionaries(
    {
        name: st.lists(values, max_size=2, unique=True).map(tuple)
        for name, values in {
            "flags": st.integers(-(1 << 31), (1 << 31) - 1).map(lambda value: str(value).encode()),
            "mspki-enrollment-flag": st.sampled_from([b"0", b"2", b"66", b"524288", b"x"]),
            "mspki-certificate-name-flag": st.sampled_from([b"1", b"-2113929216", b"9"]),
            "mspki-private-key-flag": st.sampled_from([b"0", b"16842752", b"16842769", b"-1"]),
            "mspki-ra-signature": st.sampled_from([b"0", b"1"]),
            "pkiextendedkeyusage": st.sampled_from([b"1.3.6.1.5.5.7.3.1", b"2.5.29.37.0"]),
            "pkikeyusage": st.binary(max_size=2),
            "displayname": st.sampled_from([b"x", b"y"]),
            "mspki-template-minor-revision": st.sampled_from([b"1", b"7"]),
        }.items()
    }
)


@given(_ATTRIBUTES, st.booleans(), st.booleans())
def test_changes_lead_to_what_is_wanted_and_name_what_they_replace(
    current: Attributes, approval: bool, exportable: bool
) -> None:
    wanted = r.Wanted(name="Both", display_name="z", manager_approval=approval, exportable_key=exportable)
    changes = r.changes_to(wanted, current)
    after = applied(current, changes)
    assert r.changes_to(wanted, after) == []
    shape = r.shape_of(after)
    assert (shape.names_from_request, shape.logs_on, shape.approval, shape.signatures) == (True, True, approval, 0)
    for change in changes:
        assert change.kind in ("add", "delete")
        found = set(current.get(change.attribute.lower(), ()))
        assert set(change.values) <= found if change.kind == "delete" else not set(change.values) & found


def test_each_change_raises_the_minor_revision_that_was_read() -> None:
    first, second = r.next_revision({"mspki-template-minor-revision": (b"7",)})
    assert (first.kind, first.values, second.kind, second.values) == ("delete", (b"7",), "add", (b"8",))
    assert [change.kind for change in r.next_revision({})] == ["add"]


@pytest.mark.parametrize(
    ("name", "source", "word"),
    [
        ("Web Server", "WebServer", "name: "),
        ("", "WebServer", "name: "),
        ("x" * 65, "WebServer", "name: "),
        ("X\r\nSAN:upn=a", "WebServer", "name: "),
        ("X,CN=Y", "WebServer", "name: "),
        ("-x", "WebServer", "name: "),
        ("Ünlaut", "WebServer", "name: "),
        ("Both", "Web)(Server", "source: "),
        ("webserver", "WebServer", "the source itself"),
    ],
)
def test_names_that_cannot_be_are_refused(name: str, source: str, word: str) -> None:
    with pytest.raises(r.TemplateError, match=word):
        r.check_wanted(r.Wanted(name=name, display_name=None), source)


@pytest.mark.parametrize(
    "options",
    [
        {"display_name": ""},
        {"display_name": "a\nb"},
        {"validity_days": 0},
        {"validity_days": 4000},
        {"renewal_overlap_days": -1},
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(r.TemplateError, match=next(iter(options))):
        r.check_wanted(r.Wanted(**{"name": "Both", "display_name": None, **options}), "WebServer")  # type: ignore[arg-type]


def test_a_renewal_before_the_beginning_is_refused_also_against_the_source() -> None:
    with pytest.raises(r.TemplateError, match="valid for 30 days cannot be renewed 42 days"):
        _new(r.Wanted(name="Both", display_name=None, validity_days=30))
    with pytest.raises(r.TemplateError, match="cannot be renewed"):
        r.changes_to(r.Wanted(name="Both", display_name=None, renewal_overlap_days=800), _new())


@pytest.mark.parametrize(
    ("changed", "unguarded"),
    [
        ({}, False),
        ({"mspki-enrollment-flag": (b"0",)}, True),
        ({"mspki-enrollment-flag": (b"0",), "mspki-ra-signature": (b"1",)}, False),
        ({"mspki-enrollment-flag": (b"0",), "mspki-certificate-name-flag": (b"0",)}, False),
        ({"mspki-enrollment-flag": (b"0",), "mspki-certificate-name-flag": (b"65536",)}, True),
        (
            {
                "mspki-enrollment-flag": (b"0",),
                "pkiextendedkeyusage": (b"1.3.6.1.5.5.7.3.1",),
                "mspki-certificate-application-policy": (b"1.3.6.1.5.5.7.3.1",),
            },
            False,
        ),
        (
            {
                "mspki-enrollment-flag": (b"0",),
                "pkiextendedkeyusage": (b"1.3.6.1.5.5.7.3.1",),
                "mspki-certificate-application-policy": (),
                "mspki-template-schema-version": (b"1",),
            },
            True,
        ),
        (
            {
                "mspki-enrollment-flag": (b"0",),
                "pkiextendedkeyusage": (),
                "mspki-certificate-application-policy": (),
            },
            True,
        ),
        ({"mspki-enrollment-flag": (b"nonsense",)}, True),
    ],
)
def test_the_shape_of_a_template(changed: dict[str, tuple[bytes, ...]], unguarded: bool) -> None:
    assert r.shape_of({**_new(), **changed}).unguarded is unguarded


def test_the_steps_by_hand_name_all_that_is_wanted() -> None:
    wanted = r.Wanted(name="Both", display_name="Shown", exportable_key=True, validity_days=90, renewal_overlap_days=9)
    text = " ".join(steps_to_create(wanted, source="WebServer", enrol_group="Requesters", publish_on=("My CA",)))
    for words in (
        "Web Server (template name WebServer)",
        "'Shown'; Template name 'Both'",
        "Validity period 90 days. Renewal period 9 days",
        "to be exported: ticked",
        "manager approval: ticked",
        "1.3.6.1.5.5.7.3.1",
        "1.3.6.1.5.5.7.3.2",
        "the group Requesters has Read and Enroll",
        "On the CA My CA",
    ):
        assert words in text
    other = r.Wanted(name="Both", display_name=None, manager_approval=False)
    text = " ".join(steps_to_create(other, source="Mine", enrol_group="G", publish_on=()))
    assert "manager approval: not ticked" in text
    assert "to be exported: not ticked" in text
    assert "the template Mine" in text
    assert "Both" in " ".join(steps_to_remove(other))
