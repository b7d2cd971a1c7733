# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a CA said to a request, as values: never as localised text.

Result codes: MS-WCCE, and winerror.h of the Windows SDK. Who asks gets one of these answers; `Unclear` is the one that must never
lead to asking again by itself, because the CA may hold the request already.
"""

from __future__ import annotations

import dataclasses
import typing as t


class SigningError(ValueError):
    """Signing cannot go on, and the CA was not asked for anything; the text says why and what to do."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Issued:
    """The CA issued it. ``certificate`` is DER; ``chain``: CA certificates as DER, in any order, perhaps with strangers."""

    request_id: int | None
    certificate: bytes
    chain: tuple[bytes, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Taken:
    """The CA issued it, and the certificate is still to be fetched."""

    request_id: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pending:
    """The CA has the request and has not decided. ``request_id`` is None where the CA is only known by files."""

    request_id: int | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Denied:
    """The CA refused it for good. ``code`` is its HRESULT, 0 where it gave none."""

    request_id: int | None
    code: int

    @property
    def text(self) -> str:
        return f"the CA denied the request{_code(self.code)}: {_explained(self.code)}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class NotTaken:
    """The CA certainly holds no request of this attempt, so asking again does no harm. ``reason``: what happened, what to do."""

    reason: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unclear:
    """Nobody knows whether the CA holds the request. ``request_id`` if at least that is known."""

    reason: str
    request_id: int | None = None


Response = Issued | Taken | Pending | Denied | NotTaken | Unclear


# Code -> what it means, and the remedy.
_MEANINGS: t.Final[dict[int, str]] = {
    0x80094800: (
        "the CA does not offer this template. Publish it on this CA (or give the right CA or template name); after "
        "publishing it in the directory it can take some time, or a restart of the CA's service, until the CA knows it."
    ),
    0x80094012: (
        "the account may not enrol for this template. Give it the right Enroll on the template, through the group made "
        "for this, and let it sign in again so that the new membership counts."
    ),
    0x80094011: 'the account may not request certificates from this CA at all. A CA administrator has to grant "Request Certificates".',
    0x80094801: "the request named no template. Give the template's name (not its display name).",
    0x80094802: "the request names two different templates. Make a new request without a template in it.",
    0x80094811: "the key of the request is shorter than the template allows. Make a new request with a longer key.",
    0x80094014: "a CA manager denied it. Ask the CA's administrators why, then make a new request.",
    0x80094001: "the CA does not accept the subject of the request, or it is too long.",
    0x8009480F: "the template wants a DNS name from the directory. It has to take the subject from the request instead.",
    0x80094809: "the template wants the request signed by another certificate (enrolment agent). Use one that does not.",
    0x8009480A: "the template wants the request signed by another certificate (enrolment agent). Use one that does not.",
    0x80094808: "the template needs a policy that the request does not have. Use the template made for this.",
    0x80094807: "the CA knows an older version of the template. Wait for replication of the directory, then ask again.",
    0x80094813: "the template is unknown to the CA. Check its name, and wait for replication of the directory.",
    0x80094006: "the CA is being stopped. Ask again when it runs.",
    0x80094005: "the CA's own certificate is not valid. Its administrators have to renew it.",
    0x800B0101: "a certificate is expired, most likely the CA's own. Its administrators have to renew it.",
    0x800B0114: "the CA may not issue for one of the names (name constraints). Compare the names with what this CA may issue.",
    0x80090006: "the signature of the request does not fit its key: it was damaged on the way. Make a new request.",
    0x8009310B: "the CA cannot read the request. Make a new one.",
    0x80070057: "the CA cannot read the request or one of its attributes. Check the template name, or make a new request.",
    0x80092013: "the CA cannot check a revocation list that it needs. Its administrators have to publish one.",
    0x80070005: "access is denied on the CA. The account may not use it, or it may not be used from here.",
}
# The call ended before it reached the CA: nothing can be held there.
_NOT_REACHED: t.Final[dict[int, str]] = {
    0x800706BA: "the CA cannot be reached (its service does not run, or a firewall is between). Start it and run again.",
    0x800706D9: "the CA's service does not listen. Start it and run again.",
    0x80070490: "there is no CA of that name. Check the name (HOST\\CA name).",
    0x80080005: "the CA's service could not be started. Look at it on the CA and run again.",
}
# CERTSRV_E_PROPERTY_EMPTY and CERTSRV_E_NO_REQUEST: what asking for an id that is not there leads to.
_NO_SUCH_REQUEST: t.Final = frozenset({0x80094004, 0x80094002})


def refusal(code: int, request_id: int | None) -> Response:
    """What a failure code (HRESULT, as a signed or unsigned number) of the CA amounts to."""
    code &= 0xFFFFFFFF
    if code in _NOT_REACHED and request_id is None:
        return NotTaken(reason=f"The CA was not asked{_code(code)}: {_NOT_REACHED[code]}")
    if code in _NO_SUCH_REQUEST:
        return Unclear(reason=f"The CA does not know a request of this id{_code(code)}", request_id=request_id)
    if code in _MEANINGS or code >> 16 in (0x8009, 0x800B):
        return Denied(request_id=request_id, code=code)
    return Unclear(reason=f"The CA or the way to it failed{_code(code)}", request_id=request_id)


def _code(code: int) -> str:
    return f" (0x{code:08X})" if code else ""


def _explained(code: int) -> str:
    unknown = "look at the request among the failed requests of the CA, or at the event log of the CA, for the reason."
    return _MEANINGS.get(code, unknown)
