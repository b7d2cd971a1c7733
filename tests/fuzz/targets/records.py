# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of changes that stand on a server: whoever is administrator there can have written them."""

from __future__ import annotations

import functools
import json
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificate_records import (
    CertificateRecord,
    HandedIn,
    ServicesRecord,
    TrustRecord,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.claims import Others, obstacle, passed_over
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import RegistryListReply, RegistryValue
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.records import (
    AnyRecord,
    ClaimRecord,
    can_be_read_back,
    is_override_target,
    read_records,
    record_text,
)
from atheris import FuzzedDataProvider
from builders import evidence as e

from fuzz.harness import Target
from fuzz.mutation import changed, places, some_bytes, text

_RUN: t.Final = "20260308T120010Z-abcdef"
_MARK: t.Final = "A" * 40


@functools.cache
def _records() -> tuple[AnyRecord, ...]:
    handed_in = HandedIn(method="certreq", ca="ca01\\Contoso CA", template="T", at_utc=e.EARLIER, request_id=7)
    return (
        e.change_record(),
        e.restart_record(begun=e.LATER, dependents=("RTCX",)),
        ClaimRecord(controller="controller", since_utc=e.EARLIER, seconds=900, run_id=_RUN),
        CertificateRecord(
            use="Default",
            uses=("Default", "WebServicesInternal"),
            replaces=_MARK,
            step="pending",
            handed_in=handed_in,
            before={"Default": _MARK, "WebServicesInternal": _MARK},
            new=_MARK,
            csr="x",
            time_utc=e.EARLIER,
            run_id=_RUN,
        ),
        ServicesRecord(failover=True, running=("RTCSRV",), begun_utc=e.EARLIER, run_id=_RUN),
        TrustRecord(store="CA", thumbprint=_MARK, time_utc=e.EARLIER, run_id=_RUN),
    )


def _seeds() -> t.Iterator[bytes]:
    for record in _records():
        assert can_be_read_back(record), record
        yield record_text(record).encode("ascii")
    yield from some_bytes()


def _values(data: bytes) -> t.Iterator[RegistryValue]:
    """The bytes as the text of a record, and records with what the bytes say in some of their places."""
    for record in _records():
        yield RegistryValue(name=record.value_name, kind="string", data=data.decode("utf-8", "surrogateescape"))
    provider = FuzzedDataProvider(data)
    for record in _records():
        document = json.loads(record_text(record))
        other = changed(provider, document, list(places(document)))
        name = record.value_name if provider.ConsumeBool() else text(provider)
        yield RegistryValue(name=name, kind="string", data=json.dumps(other))
        if isinstance(other, dict) and {"path", "name", "view"} <= other.keys():
            # Under the name that belongs to what it says.
            own = f"change|{other['view']}|{other['path']}|{other['name']}".lower()
            yield RegistryValue(name=own, kind="string", data=json.dumps(other))


def _read(data: bytes) -> None:
    values = tuple(_values(data))
    for listed in (values, *((value,) for value in values)):
        found = read_records(RegistryListReply(key_exists=True, values=listed, subkeys=(), truncated=False))
        # What counts could have been written by this collection, and is written and read back as it is.
        for record in (*found.changes, found.restart, found.claim, *found.certificates, found.services, *found.trust):
            assert record is None or can_be_read_back(record), record
        for change in found.changes:
            assert is_override_target(change.path, change.name), change
            str(change.before)
        for ended in (True, False):
            others = Others(ended=lambda _run, ended=ended: ended)  # type: ignore[misc]
            for now in (e.LATER, None):
                for said in (
                    obstacle(found, run_id=_RUN, now_utc=now, others=others),
                    passed_over(found, run_id="x", now_utc=now, others=others),
                ):
                    assert said is None or said.isprintable(), said


TARGET: t.Final = Target(
    read=_read, seeds=_seeds, stretched=200_000, words=(b'"type": "change"', b'{"schema": 1, ', b"9999-12-31T23:59:59Z")
)
