# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``certreq -new``: a key and a request by an INF file.

Which numbers certreq ends with is not known beyond 0 for success; the others here stand for "not 0". Assumed, each time the answer
that is worse for the caller: without a provider the key is one of the newer kind (CNG), which the product cannot use; nor can it use
one whose KeySpec is not that of key exchange, or is not given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop
from cryptography import x509
from cryptography.x509.oid import NameOID

from lab import inf, requests
from lab.answers.context import Surroundings
from lab.world.host import Host
from lab.world.keys import HeldKey

_BAD_INF = -536870656
_BAD_VALUE = -2147024809

_SUBJECT_ALTERNATIVE_NAME, _EXTENDED_KEY_USAGE = "2.5.29.17", "2.5.29.37"

# By name the type of the providers that make keys for the older interface, which the product uses.
_PROVIDERS = {
    "microsoft rsa schannel cryptographic provider": "12",
    "microsoft enhanced rsa and aes cryptographic provider": "24",
    "microsoft strong cryptographic provider": "1",
    "microsoft enhanced cryptographic provider v1.0": "1",
}
_NEWER_PROVIDER = "microsoft software key storage provider"
_FLAGS = {"true": True, "false": False}
_KEY_SPECS = {"1": True, "at_keyexchange": True, "2": False, "at_signature": False}
_RDNS = {
    "CN": NameOID.COMMON_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "L": NameOID.LOCALITY_NAME,
    "S": NameOID.STATE_OR_PROVINCE_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "C": NameOID.COUNTRY_NAME,
    "DC": NameOID.DOMAIN_COMPONENT,
}
_DNS_NAME = re.compile(r"[A-Za-z0-9*_](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?\Z")
_OID = re.compile(r"[0-2](?:\.[0-9]+)+\Z")
# What a request may say beside what is read below, and the only values that change nothing here.
_WITHOUT_EFFECT: dict[str, tuple[str, ...]] = {
    "requesttype": ("pkcs10", "1"),
    "keyalgorithm": ("rsa",),
    "hashalgorithm": ("sha256", "sha384", "sha512", "sha1"),
    "keyusage": ("0xa0", "cert_digital_signature_key_usage | cert_key_encipherment_key_usage"),
    "smime": ("false",),
    "privatekeyarchive": ("false",),
    "userprotected": ("false",),
    "useexistingkeyset": ("false",),
    "silent": ("true", "false"),
    "suppressdefaults": ("true", "false"),
}
_READ = (
    "subject",
    "keylength",
    "exportable",
    "machinekeyset",
    "providername",
    "providertype",
    "keyspec",
    "friendlyname",
)


def certreq_new(host: Host, asked: cop.CertreqNew, _: Surroundings) -> cop.RequestReply:
    try:
        file = inf.parse(asked.inf)
    except inf.InfError as error:
        return _ended(_BAD_INF, str(error))
    try:
        return _ended(0, None, _make(host, file))
    except inf.InfError as error:
        return _ended(_BAD_VALUE, str(error))


def _ended(code: int, failure: str | None, csr: str | None = None) -> cop.RequestReply:
    return cop.RequestReply(module=None, denied=False, failure=failure, exit_code=code, csr=csr)


def _make(host: Host, file: inf.Inf) -> str:
    wanted = file.request
    for name, value in wanted.items():
        if name not in _READ and value.lower() not in _WITHOUT_EFFECT.get(name, ()):
            raise inf.InfError(f"the lab does not know {name} = {value}")
    subject = x509.Name(_rdns(wanted.get("subject", "")))
    names = _names(file.extensions.get(_SUBJECT_ALTERNATIVE_NAME, ""))
    if file.usages and _EXTENDED_KEY_USAGE in file.extensions:
        raise inf.InfError("the usages stand there twice")
    usages = _usages(file.extensions.get(_EXTENDED_KEY_USAGE, ",".join(file.usages)))
    for oid in file.extensions:
        if oid not in (_SUBJECT_ALTERNATIVE_NAME, _EXTENDED_KEY_USAGE):
            raise inf.InfError(f"the lab does not know the extension {oid}")
    bits = wanted.get("keylength", "2048")
    if bits not in ("1024", "2048", "3072", "4096"):
        raise inf.InfError(f"no provider makes keys of {bits} bits")
    key = HeldKey(private=host.keys.make(int(bits)), exportable=_flag(wanted, "exportable"), usable=_usable(wanted))
    csr = requests.make(key.private, subject, names=names, usages=usages)
    if _flag(wanted, "machinekeyset"):
        requests.wait(host, csr, key, friendly_name=wanted.get("friendlyname", ""))
    # Else the key is the account's own, and its request waits in the account's store: for the machine there is nothing.
    return requests.pem(csr)


def _flag(wanted: Mapping[str, str], name: str) -> bool:
    text = wanted.get(name, "false").lower()
    if text not in _FLAGS:
        raise inf.InfError(f"{name} can only be TRUE or FALSE")
    return _FLAGS[text]


def _usable(wanted: Mapping[str, str]) -> bool:
    provider, number = wanted.get("providername", _NEWER_PROVIDER).lower(), wanted.get("providertype")
    spec = wanted.get("keyspec", "at_none").lower()
    if spec not in (*_KEY_SPECS, "0", "at_none"):
        raise inf.InfError(f"there is no KeySpec {spec}")
    if provider == _NEWER_PROVIDER:
        if number not in (None, "0"):
            raise inf.InfError(f"the provider is not of the type {number}")
        return False
    if provider not in _PROVIDERS:
        raise inf.InfError(f"there is no provider {provider}")
    if number not in (None, _PROVIDERS[provider]):
        raise inf.InfError(f"the provider is not of the type {number}")
    return _KEY_SPECS.get(spec, False)


def _rdns(subject: str) -> list[x509.NameAttribute[str]]:
    """An X.500 name as CertStrToName reads it: parts between commas, values in quotation marks where they hold signs."""
    found = []
    for part in _parts(subject):
        key, equals, value = part.partition("=")
        oid = _RDNS.get(key.strip().upper())
        if not equals or oid is None:
            raise inf.InfError(f"{part} is no part of a subject")
        text = value.strip()
        if text.startswith('"'):
            if len(text) < 2 or not text.endswith('"'):
                raise inf.InfError("a quotation mark of the subject is not closed")
            text = text[1:-1].replace('""', '"')
        try:
            found.append(x509.NameAttribute(oid, text))
        except ValueError as error:
            raise inf.InfError(f"{part} cannot be encoded: {error}") from None
    return found


def _parts(subject: str) -> list[str]:
    parts, quoted = [""], False
    for character in subject:
        if character == '"':
            quoted = not quoted
        if character in ",;+" and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return [part for part in map(str.strip, parts) if part]


def _names(text: str) -> list[str]:
    found = []
    for part in filter(None, (part.strip() for part in text.split("&"))):
        kind, equals, name = part.partition("=")
        if not equals or kind.strip().lower() != "dns" or not _DNS_NAME.match(name):
            raise inf.InfError(f"{part} is no DNS name")
        found.append(name)
    return found


def _usages(text: str) -> list[str]:
    found = [part.strip() for part in text.split(",") if part.strip()]
    for oid in found:
        if not _OID.match(oid):
            raise inf.InfError(f"{oid} is no usage")
    return found
