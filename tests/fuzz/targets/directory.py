# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an LDAP server answers while a certificate template is looked at and changed: messages, entries, permissions."""

from __future__ import annotations

import functools
import typing as t
from unittest import mock

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory import _ber, template_task
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.descriptor import encode, encode_sid
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.errors import DirectoryError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.ldap import Connection, Server
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.messages import read_message
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.permissions import safe_descriptor
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.template import Wanted
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.template_state import Request
from atheris import FuzzedDataProvider

from fuzz.harness import Target
from fuzz.mutation import some_bytes

_SERVER: t.Final = Server(host="dc01", method="ntlm", user="u", password="p")  # noqa: S106
_DOMAIN_SID: t.Final = "S-1-5-21-1-2-3"
_GROUP: t.Final = f"{_DOMAIN_SID}-1105"
_NAMES: t.Final = (
    "configurationNamingContext",
    "defaultNamingContext",
    "rootDomainNamingContext",
    "objectSid",
    "cn",
    "certificateTemplates",
)
# Nobody asks that often: a server that says "there is more" for ever has to be left.
_MOST_ANSWERS: t.Final = 5000


@functools.cache
def _entry() -> dict[str, list[bytes]]:
    """One entry that is a bit of everything, so that it fits whatever is asked."""
    descriptor = encode(safe_descriptor(domain_sid=_DOMAIN_SID, enrol_sid=_GROUP))
    return {
        "configurationNamingContext": [b"CN=Configuration,DC=contoso,DC=example"],
        "defaultNamingContext": [b"DC=contoso,DC=example"],
        "rootDomainNamingContext": [b"DC=contoso,DC=example"],
        "objectSid": [encode_sid(_GROUP)],
        "sAMAccountName": [b"enrollers"],
        "objectClass": [b"top", b"group", b"pKICertificateTemplate"],
        "groupType": [b"-2147483646"],
        "cn": [b"WebServer"],
        "certificateTemplates": [b"WebServer"],
        "displayName": [b"Web Server"],
        "nTSecurityDescriptor": [descriptor],
        "msPKI-Cert-Template-OID": [b"1.3.6.1.4.1.311.21.8.1.2.3"],
        "msPKI-Template-Schema-Version": [b"2"],
        "msPKI-Template-Minor-Revision": [b"1"],
        "revision": [b"100"],
        "flags": [b"131649"],
        "msPKI-Certificate-Name-Flag": [b"1"],
        "msPKI-Enrollment-Flag": [b"0"],
        "msPKI-Private-Key-Flag": [b"16842752"],
        "msPKI-RA-Signature": [b"0"],
        "msPKI-Minimal-Key-Size": [b"2048"],
        "pKIDefaultKeySpec": [b"1"],
        "pKIKeyUsage": [b"\xa0\x00"],
        "pKIMaxIssuingDepth": [b"0"],
        "pKIExpirationPeriod": [bytes.fromhex("0040396d25cfffff")],
        "pKIOverlapPeriod": [bytes.fromhex("00800a6925ffffff")],
        "pKIExtendedKeyUsage": [b"1.3.6.1.5.5.7.3.1", b"1.3.6.1.5.5.7.3.2"],
        "msPKI-Certificate-Application-Policy": [b"1.3.6.1.5.5.7.3.1", b"1.3.6.1.5.5.7.3.2"],
        "pKICriticalExtensions": [b"2.5.29.15"],
        "pKIDefaultCSPs": [b"1,Microsoft RSA SChannel Cryptographic Provider"],
    }


class _Answered(Connection):
    """A connection whose server answers what the bytes say."""

    def __init__(self, server: Server, provider: FuzzedDataProvider) -> None:
        self.server = server
        self._provider = provider
        self._sealed = None
        self._last_id = 0
        self._pending: list[bytes] = []
        self._answers = 0
        self._endless = not provider.ConsumeIntInRange(0, 15)

    def __exit__(self, *_exception: object) -> None:
        pass

    def _send(self, operation: bytes, controls: t.Sequence[bytes]) -> None:
        del controls
        self._last_id += 1
        self._answers += 1
        assert self._answers < _MOST_ANSWERS, "it asks without end"
        result = {0x63: 0x65, 0x66: 0x67, 0x68: 0x69, 0x4A: 0x6B}[operation[0]]
        provider = self._provider
        count = provider.ConsumeIntInRange(0, 2) if provider.remaining_bytes() else 1
        entries = [self._entry() for _ in range(count)] if result == 0x65 else []
        code = provider.PickValueInList([0, 0, 0, 0, 0, 0, 0, 32, 50, 68, 4]) if provider.remaining_bytes() else 0
        parts = [_ber.encode_integer(code, _ber.ENUMERATED), _ber.encode_text(""), _ber.encode_text("no\x1b[31m")]
        tail = []
        if self._endless or (provider.remaining_bytes() > 1 and not provider.ConsumeIntInRange(0, 20)):
            page = _ber.encode(_ber.SEQUENCE, _ber.encode_integer(0), _ber.encode_text(b"more"))
            tail = [
                _ber.encode(
                    0xA0, _ber.encode(_ber.SEQUENCE, _ber.encode_text("1.2.840.113556.1.4.319"), _ber.encode_text(page))
                )
            ]
        done = _ber.encode(result, *parts)
        self._pending = [self._message(entry) for entry in entries] + [self._message(done, *tail)]

    def _message(self, operation: bytes, *tail: bytes) -> bytes:
        return _ber.encode(_ber.SEQUENCE, _ber.encode_integer(self._last_id), operation, *tail)

    def _entry(self) -> bytes:
        provider, attributes = self._provider, {name: list(values) for name, values in _entry().items()}
        for _ in range(provider.ConsumeIntInRange(0, 2)):
            name = provider.PickValueInList(list(attributes))
            kind = provider.ConsumeIntInRange(0, 3)
            if kind == 0:
                del attributes[name]
            elif kind == 1:
                attributes[name] = []
            elif kind == 2:
                attributes[name] = [provider.ConsumeBytes(provider.ConsumeIntInRange(0, 40))]
            else:
                value = attributes[name][0] if attributes[name] else b""
                at = provider.ConsumeIntInRange(0, len(value))
                attributes[name] = [
                    value[:at] + provider.ConsumeBytes(provider.ConsumeIntInRange(0, 4)) + value[at + 1 :]
                ]
        listed = [
            _ber.encode(_ber.SEQUENCE, _ber.encode_text(name), _ber.encode(_ber.SET, *map(_ber.encode_text, values)))
            for name, values in attributes.items()
        ]
        return _ber.encode(0x64, _ber.encode_text("CN=x,DC=contoso,DC=example"), _ber.encode(_ber.SEQUENCE, *listed))

    def _receive(self) -> bytes:
        return self._pending.pop(0)


def _seeds() -> t.Iterator[bytes]:
    yield b"\0" + _ber.encode(_ber.SEQUENCE, _ber.encode_integer(1), _ber.encode(0x73, _ber.encode_text("ldap://x")))
    yield from (b"\0" + data for data in some_bytes(4))
    yield from (b"\1" + data for data in some_bytes(40))


def _read(data: bytes) -> None:
    if data[:1] != b"\1":
        message = read_message(data[1:])
        assert message.entry is None or message.outcome is None
        return
    provider = FuzzedDataProvider(data[1:])
    name = provider.PickValueInList(["WebServer", "KB4023993"])
    request = Request(
        wanted=Wanted(name=name, display_name="Web Server"),
        present=provider.ConsumeBool(),
        source="WebServer" if name != "WebServer" else "Other",
        enrol_group=provider.PickValueInList([_GROUP, "enrollers", "CONTOSO\\enrollers"]),
        publish_on=("WebServer",) if provider.ConsumeBool() else (),
    )
    mode = template_task.Mode(check=provider.ConsumeBool(), diff=provider.ConsumeBool())
    with mock.patch.object(template_task, "Connection", lambda server: _Answered(server, provider)):
        template_task.run(request, _SERVER, mode)


TARGET: t.Final = Target(
    read=_read,
    seeds=_seeds,
    refusals=(_ber.BerError, DirectoryError, template_task.TemplateTaskError),
    words=(b"\x30\x84\x00\x00\x00", b"\x64", b"\x65\x07\x0a\x01\x00\x04\x00\x04\x00", b"1.2.840.113556.1.4.319"),
)
