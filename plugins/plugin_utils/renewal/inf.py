# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The INF file for ``certreq -new``: the keys of Microsoft's reference of certreq, in a form that needs no guessing.

Two rules of quoting lie in each other. In the subject (``CertStrToName``) a value with a separator in it stands in quotation marks. In
an INF file a text stands in quotation marks, each quotation mark and percent sign in it twice. So ``O=Contoso, Inc.`` becomes
``"...,O=""Contoso, Inc."",..."``. Windows reads an INF file with letters beyond ASCII only as UTF-16 with a byte order mark.
"""

from __future__ import annotations

import re
import typing as t

from ..certificates import CLIENT_AUTH, SERVER_AUTH
from .replacements import Replacement
from .subject import Subject, unfit

_LINE: t.Final = "\r\n"
_MAX_FRIENDLY_NAME: t.Final = 64
_FRIENDLY_NAME: t.Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]*\Z")
# What CertNameToStr quotes, and the apostrophe, which other readers of such names quote too.
_QUOTED: t.Final = frozenset(",+=<>#;'")


class InfError(ValueError):
    """The request cannot be written down without guessing; the text says why."""


def friendly_name(use: str, run_id: str) -> str:
    """A name for the certificate of this use from this run: one that no other has, as the product wants it."""
    return f"KB4023993 {use} {run_id}"


def request_inf(replacement: Replacement, *, friendly_name: str, key_size: int) -> str:
    """The text of the INF file.

    :raises InfError: names, subject or friendly name hold something that has no safe form.
    """
    problem = unfit(replacement.subject, replacement.names)
    if problem:
        raise InfError(f"{replacement.id}: {problem}")
    if len(friendly_name) > _MAX_FRIENDLY_NAME or not _FRIENDLY_NAME.match(friendly_name):
        raise InfError(
            f"{replacement.id}: the friendly name is not plain text of at most {_MAX_FRIENDLY_NAME} characters"
        )
    *others, last = replacement.names
    lines = [
        "[Version]",
        f"Signature = {_quoted('$Windows NT$')}",
        "",
        "[NewRequest]",
        f"Subject = {_quoted(_subject_text(replacement.subject))}",
        f"FriendlyName = {_quoted(friendly_name)}",
        # AT_KEYEXCHANGE; the provider and its type are those that the product makes keys with.
        "KeySpec = 1",
        f"KeyLength = {key_size}",
        f"Exportable = {'TRUE' if replacement.exportable else 'FALSE'}",
        "MachineKeySet = TRUE",
        "SMIME = FALSE",
        "PrivateKeyArchive = FALSE",
        "UserProtected = FALSE",
        "UseExistingKeySet = FALSE",
        f"ProviderName = {_quoted('Microsoft RSA SChannel Cryptographic Provider')}",
        "ProviderType = 12",
        "RequestType = PKCS10",
        # Digital signature and key encipherment.
        "KeyUsage = 0xa0",
        "",
        "[EnhancedKeyUsageExtension]",
        f"OID = {SERVER_AUTH}",
        f"OID = {CLIENT_AUTH}",
        "",
        "[Extensions]",
        f"2.5.29.17 = {_quoted('{text}')}",
        *(f"_continue_ = {_quoted(f'dns={name}&')}" for name in others),
        f"_continue_ = {_quoted(f'dns={last}')}",
    ]
    return _LINE.join(lines) + _LINE


def _subject_text(subject: Subject) -> str:
    parts = {
        "CN": subject.common_name,
        "OU": subject.unit,
        "O": subject.organization,
        "L": subject.city,
        "S": subject.state,
        "C": subject.country,
    }
    return ",".join(f"{key}={_value(text)}" for key, text in parts.items() if text)


def _value(text: str) -> str:
    return f'"{text}"' if _QUOTED.intersection(text) else text


def _quoted(text: str) -> str:
    return '"' + text.replace("%", "%%").replace('"', '""') + '"'
