# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be equal on two hosts, and is therefore taken out of replies before they are compared. All of it is here.

Beside these, the message of an error and the time an operation took are never compared: they are for people.
"""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils import codec
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.wire import Reply

from contract.case import Agreement, Asked, Wrong

Data = dict[str, t.Any]
_STAMP = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def _set(name: str, value: t.Any) -> t.Callable[[Data], None]:
    """The value of this entry, where there is one."""

    def change(data: Data) -> None:
        if data.get(name) is not None:
            data[name] = value

    return change


def _sorted(name: str) -> t.Callable[[Data], None]:
    def change(data: Data) -> None:
        data[name] = sorted(data[name], key=json.dumps)

    return change


def _each(name: str, *changes: t.Callable[[Data], None]) -> t.Callable[[Data], None]:
    def change(data: Data) -> None:
        for item in data[name]:
            for one in changes:
                one(item)

    return change


_TEXT = (_set("failure", "TEXT"), "it is for people, in the host's language")
_REQUEST = (_set("csr", "REQUEST"), "each run has its keys")
_BUNDLE = (_set("certificates", "PKCS7"), "each CA has its keys; the powershell tier compares bytes")


def _some_code(data: Data) -> None:
    if data["exit_code"]:
        data["exit_code"] = 1


CHANGES: dict[str, tuple[tuple[t.Callable[[Data], None], str], ...]] = {
    "system": (
        (_set("computer_name", "HOST"), "each host has its name"),
        (_set("dns_domain", "DOMAIN"), "each host has its domain"),
        (_set("culture", "CULTURE"), "the engine of the tests knows no languages"),
        (_set("ui_culture", "CULTURE"), "the engine of the tests knows no languages"),
        (_set("powershell_version", "VERSION"), "the engine of the tests is PowerShell 7"),
        (_set("clr_version", "VERSION"), "the engine of the tests has another .NET"),
        (_set("time_utc", "TIME"), "time goes on"),
        (_set("utc_offset_minutes", 0), "each host has its time zone"),
    ),
    "registry_list": (
        (_sorted("values"), "Windows promises no order (RegEnumValue)"),
        (_sorted("subkeys"), "Windows promises no order (RegEnumKeyEx)"),
    ),
    "file_info": ((_set("created_utc", "TIME"), "a file is new where the test has just made it"),),
    "services": ((_each("services", _sorted("dependents")), "services without a start order between them"),),
    "processes": (
        (_each("processes", _set("pid", 1), _set("started_utc", "TIME")), "each run has its number and time"),
        (_sorted("processes"), "Windows promises no order"),
    ),
    "certificates": (
        (_sorted("certificates"), "a store has no order; which ones come first is checked apart"),
        (_sorted("issuers"), "they are a set"),
    ),
    "chain_check": ((_sorted("statuses"), "they are a set"),),
    "tls_peer": ((_sorted("issuers"), "the class keeps what the peer sent in a store, which has no order"),),
    "events": (
        (_each("events", _set("record_id", 1), _set("time_utc", "TIME")), "each log has its numbers and times"),
    ),
    "updates": ((_sorted("cbs"), "the order of subkeys"), (_sorted("msi"), "the order of subkeys")),
    "lync_command": (_TEXT,),
    "lync_request": (_TEXT, _REQUEST),
    "lync_import": (_TEXT,),
    "lync_assign": (_TEXT,),
    "lync_services": (_TEXT,),
    "lync_failover": (_TEXT,),
    "lync_gate": (_TEXT,),
    "certreq_new": (_TEXT, _REQUEST, (_some_code, "which numbers certreq ends with beside 0 is not known")),
    "pfx_export": ((_set("pfx", "PFX"), "each run has its salt"),),
    "ca_submit": (_BUNDLE,),
    "ca_retrieve": (_BUNDLE,),
    "ca_chain": (_BUNDLE,),
}
"""By operation: what is changed in its reply, and why."""


def answer(reply: Reply) -> t.Any:
    """What of a reply is compared."""
    if reply.error is not None:
        return {"error": reply.error.type}
    return _normal(reply.operation.NAME, reply.value)


def expected(asked: Asked, value: t.Any) -> t.Any:
    """The same of what a case expects; None where the runners only have to agree."""
    if isinstance(value, Agreement):
        return None
    if isinstance(value, Wrong):
        return {"error": value.type}
    return _normal(asked.name if not isinstance(asked, op.Operation) else asked.NAME, value)


def _normal(name: str, value: t.Any) -> Data:
    # Halves of surrogate pairs may come apart or together; what counts are the UTF-16 units.
    data: Data = _units(codec.encode(value))
    for change, _reason in CHANGES.get(name, ()):
        change(data)
    return data


def _units(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: _units(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_units(each) for each in value]
    if isinstance(value, str):
        whole = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        # The time that an operation put in place of @now@.
        return _STAMP.sub("TIME", whole) if whole.startswith("at 2") else whole
    return value
