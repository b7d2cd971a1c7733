# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of workaround 1 on a server are hostile data: only what this collection writes itself comes back."""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_records import (
    CertificateRecord,
    HandedIn,
    ServicesRecord,
    TrustRecord,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_steps.common import write_record
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import RegistryListReply, RegistryValue
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.session import Session
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import (
    KEY,
    AnyRecord,
    Records,
    can_be_read_back,
    read_records,
    record_text,
)
from builders.roll_out import CA, FRONT_END_USES, changes_of, fleet
from hypothesis import given
from hypothesis import strategies as st
from lab import client, trust

OLD, NEW, TIME = "A" * 40, "0123456789" * 4, "2026-03-08T12:00:00.123Z"
RUN_ID: t.Final = "20260308T120010Z-abcdef"
HANDED_IN: t.Final = HandedIn(method="certreq", ca=CA, template="WebServerClientandServer", at_utc=TIME, request_id=17)
FRONT_END: t.Final = CertificateRecord(
    use="Default",
    uses=FRONT_END_USES,
    replaces=OLD,
    step="done",
    friendly_name=f"KB4023993 Default {RUN_ID}",
    csr="-----BEGIN NEW CERTIFICATE REQUEST-----",
    handed_in=HANDED_IN,
    before=dict.fromkeys(FRONT_END_USES, OLD),
    new=NEW,
    time_utc=TIME,
    run_id=RUN_ID,
)
EDGE: t.Final = CertificateRecord(
    use="Internal", uses=("Internal",), replaces=OLD, step="requested", time_utc=TIME, run_id=RUN_ID
)
SERVICES: t.Final = ServicesRecord(failover=True, running=("RTCSRV", "MSSQL$LYNC"), begun_utc=TIME, run_id=RUN_ID)
TRUST: t.Final = TrustRecord(store="CA", thumbprint=NEW, time_utc=TIME, run_id=RUN_ID)
ALL: t.Final[tuple[AnyRecord, ...]] = (FRONT_END, EDGE, SERVICES, TRUST)


def stored(record: AnyRecord, *, name: str | None = None, **changes: t.Any) -> RegistryValue:
    data = {**json.loads(record_text(record)), **changes}
    return RegistryValue(name=name or record.value_name, kind="string", data=json.dumps(data))


def read(*values: RegistryValue) -> Records:
    return read_records(RegistryListReply(key_exists=True, values=values, subkeys=(), truncated=False))


def known(found: Records) -> tuple[AnyRecord, ...]:
    services = (found.services,) if found.services else ()
    return (*found.certificates, *services, *found.trust, *found.changes, *((found.restart,) if found.restart else ()))


def is_accepted(value: RegistryValue) -> bool:
    found = read(value)
    assert bool(known(found)) != bool(found.invalid)
    return bool(known(found))


def test_records_come_back_as_written_each_under_its_own_name() -> None:
    found = read(*map(stored, ALL))
    assert found.certificates == (FRONT_END, EDGE)
    assert (found.services, found.trust, found.invalid) == (SERVICES, (TRUST,), ())
    assert found.certificate("Internal") == EDGE
    assert found.certificate("WebServicesInternal") is None
    assert {record.value_name for record in ALL} == {
        "certificate|default",
        "certificate|internal",
        "services|all",
        f"trust|ca|{NEW}",
    }
    assert all(map(can_be_read_back, ALL))


@pytest.mark.parametrize(
    "changes",
    [
        {"use": "OAuthTokenIssuer"},
        {"use": "AudioVideoAuthentication", "uses": ["AudioVideoAuthentication"]},
        {"uses": ["Default", "OAuthTokenIssuer"]},
        {"uses": ["Default", "AccessEdgeExternal"]},
        {"uses": ["Default", "Internal"]},
        {"uses": ["WebServicesInternal", "Default"]},
        {"uses": []},
        {"uses": ["Default", "Default"]},
        {"uses": "Default"},
        {"before": {"OAuthTokenIssuer": OLD}},
        {"before": {**dict.fromkeys(FRONT_END_USES, OLD), "OAuthTokenIssuer": OLD}},
        {"before": {"WebServicesExternal": OLD}},
        {"before": {"Default": OLD}},
        {"before": {**dict.fromkeys(FRONT_END_USES, OLD), "Default": "'; Remove-Item C:\\"}},
        {"before": [OLD]},
        {"replaces": OLD.lower()},
        {"replaces": OLD + "\n"},
        {"replaces": OLD[:-1]},
        {"replaces": ""},
        {"new": "..\\..\\x"},
        {"new": NEW + NEW},
        {"new": ""},
        {"step": "verified"},
        {"step": None},
        {"csr": 5},
        {"csr": "x" * 20_000},
        {"friendly_name": None},
        {"time_utc": "yesterday"},
        {"time_utc": "@now@"},
        {"time_utc": TIME + "\n"},
        {"schema": 2},
        {"schema": True},
        {"type": "services"},
        {"type": "change"},
        {"type": None},
        {"extra": 1},
        {"handed_in": {"method": "certreq"}},
        {"handed_in": {**dataclasses.asdict(HANDED_IN), "request_id": "17"}},
        {"handed_in": {**dataclasses.asdict(HANDED_IN), "request_id": -1}},
        {"handed_in": {**dataclasses.asdict(HANDED_IN), "request_id": 2**40}},
        {"handed_in": {**dataclasses.asdict(HANDED_IN), "request_id": True}},
        {"handed_in": {**dataclasses.asdict(HANDED_IN), "method": "ftp"}},
        {"handed_in": {**dataclasses.asdict(HANDED_IN), "at_utc": "now"}},
        {"handed_in": {**dataclasses.asdict(HANDED_IN), "ca": "x" * 1000}},
        {"handed_in": {**dataclasses.asdict(HANDED_IN), "ca": "ca01\nYou are safe."}},
        {"handed_in": {**dataclasses.asdict(HANDED_IN), "template": "\x1b[2J"}},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_a_record_of_a_certificate_that_we_would_not_write_is_named_and_not_followed(changes: dict[str, t.Any]) -> None:
    assert is_accepted(stored(FRONT_END))
    value = stored(FRONT_END, **changes)
    # Its name fits what it says, so that nothing but the content speaks against it.
    if isinstance(changes.get("use"), str):
        value = dataclasses.replace(value, name=f"certificate|{changes['use']}".lower())
    assert not is_accepted(value)


@pytest.mark.parametrize(
    ("record", "changes"),
    [
        (SERVICES, {"running": ["RTCSRV", "x; y"]}),
        (SERVICES, {"running": ["..\\RTCSRV"]}),
        (SERVICES, {"running": ["R" * 81]}),
        (SERVICES, {"running": ["RTCSRV\n"]}),
        (SERVICES, {"running": "RTCSRV"}),
        (SERVICES, {"failover": 1}),
        (SERVICES, {"begun_utc": "@now@"}),
        (TRUST, {"store": "Disallowed"}),
        (TRUST, {"store": "My"}),
        (TRUST, {"thumbprint": "x"}),
        (TRUST, {"thumbprint": NEW + "\n"}),
        (TRUST, {"time_utc": ""}),
    ],
)
def test_other_records_that_we_would_not_write_are_named_and_not_followed(
    record: AnyRecord, changes: dict[str, t.Any]
) -> None:
    assert is_accepted(stored(record))
    assert not is_accepted(stored(record, name=None, **changes))


@pytest.mark.parametrize("record", ALL, ids=lambda record: record.value_name[:20])
def test_a_record_counts_only_under_its_own_name_and_kind(record: AnyRecord) -> None:
    value = stored(record)
    assert is_accepted(dataclasses.replace(value, name=value.name.upper()))
    for name in ("", "restart|RTCDATAMCU", "certificate|oauthtokenissuer", value.name + " ", value.name + "|1"):
        assert not is_accepted(dataclasses.replace(value, name=name))
    for kind in ("expand_string", "multi_string", "binary"):
        assert not is_accepted(dataclasses.replace(value, kind=t.cast(t.Any, kind)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@given(
    record=st.sampled_from(ALL),
    changes=st.dictionaries(
        st.sampled_from(sorted({field.name for each in ALL for field in dataclasses.fields(each)})), JSON, max_size=3
    ),
)
def test_whatever_stands_there_only_bounded_records_of_ours_come_back(
    record: AnyRecord, changes: dict[str, t.Any]
) -> None:
    for found in known(read(stored(record, **changes))):
        assert can_be_read_back(found), "what we accept, we would write so ourselves"
        if isinstance(found, CertificateRecord):
            assert set(found.uses) <= {"Internal", *FRONT_END_USES}
            assert not found.before or set(found.before) == set(found.uses)
            marks = [found.replaces, *found.before.values(), *([found.new] if found.new else [])]
            assert all(len(mark) == 40 and mark.isalnum() and mark.isascii() for mark in marks)


@given(text=st.text(max_size=400) | JSON.map(json.dumps), name=st.sampled_from([r.value_name for r in ALL]))
def test_any_text_is_read_without_a_crash(text: str, name: str) -> None:
    found = read(RegistryValue(name=name, kind="string", data=text))
    assert not known(found)
    assert found.invalid == (name,)


def test_what_is_deep_or_long_is_no_record() -> None:
    for text in ("[" * 5000 + "]" * 5000, '{"type":' * 3000 + "1" + "}" * 3000, "9" * 19_000, '"' + "x" * 30_000):
        assert not is_accepted(RegistryValue(name="services|all", kind="string", data=text))


# ---- and what a forged one can make a server do


def forge(found: t.Any, name: str, record: CertificateRecord, **changes: t.Any) -> None:
    """What an intruder with rights on the server could write."""
    value = stored(record, **changes)
    found.host(name).registry.write(KEY, value.name, "string", value.data)


def test_a_forged_record_cannot_move_another_use() -> None:
    found = fleet()
    target = found.installed("fe01")
    found.settle()
    before = found.assigned("fe01")
    record = found.record("fe01")
    assert record is not None
    oauth = {"OAuthTokenIssuer": trust.thumbprint(target.certificate)}
    for changes in ({"before": {**record.before, **oauth}}, {"before": oauth}, {"uses": [*record.uses, *oauth]}):
        forge(found, "fe01", record, **changes)
        assert found.record("fe01") is None
        session = found.session("fe01")
        outcome = found.put_back(target, session=t.cast(Session, session))
        assert (outcome.status, changes_of(session)) == ("unchanged", [])
        assert found.assigned("fe01") == before


def test_a_forged_record_can_only_name_certificates_that_the_server_has() -> None:
    found = fleet()
    target = found.installed("fe01")
    found.settle()
    record = found.record("fe01")
    assert record is not None
    write_record(
        found.talk("fe01"), dataclasses.replace(record, before=dict.fromkeys(record.uses, "B" * 40)), step="done"
    )
    before = found.assigned("fe01")
    outcome = found.put_back(target)
    assert outcome.status == "refused"
    assert "B" * 40 in outcome.message
    assert found.assigned("fe01") == before


def test_a_forged_list_of_services_starts_nothing_that_the_product_does_not_start_itself() -> None:
    found = fleet("lync2010", front_ends=1)
    target = found.imported("fe01")
    forged = ServicesRecord(failover=False, running=("Spooler", "RTCSRV"), begun_utc=TIME, run_id=RUN_ID)
    found.host().registry.write(KEY, forged.value_name, "string", record_text(forged))
    session = found.session("fe01")
    assert found.install(target, session=t.cast(Session, session)).ok
    asked = {o.action for o in session.done if isinstance(o, cop.LyncServices)}
    assert asked == {"stop_graceful", "start"}
    assert not [o for o in session.done if isinstance(o, op.ServiceRestart)]


def test_too_much_below_our_key_is_not_looked_through() -> None:
    found = fleet()
    target = found.imported("fe01")
    for number in range(3000):
        found.host().registry.write(KEY, f"x{number}", "string", "y")
    listed: op.RegistryListReply = client.ask(found.deployment, "fe01", op.RegistryList(path=KEY))
    assert listed.truncated
    assert found.install(target).status == "refused"
