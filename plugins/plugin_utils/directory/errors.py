# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with a directory, as exceptions whose texts say what happened, where, and what to do next."""

from __future__ import annotations

import typing as t

# RFC 4511, section 4.1.9, and RFC 4511 appendix A for their meaning.
_RESULT_NAMES: t.Final = {
    0: "success",
    1: "operationsError",
    2: "protocolError",
    3: "timeLimitExceeded",
    4: "sizeLimitExceeded",
    7: "authMethodNotSupported",
    8: "strongerAuthRequired",
    10: "referral",
    11: "adminLimitExceeded",
    12: "unavailableCriticalExtension",
    13: "confidentialityRequired",
    14: "saslBindInProgress",
    16: "noSuchAttribute",
    17: "undefinedAttributeType",
    18: "inappropriateMatching",
    19: "constraintViolation",
    20: "attributeOrValueExists",
    21: "invalidAttributeSyntax",
    32: "noSuchObject",
    34: "invalidDNSyntax",
    48: "inappropriateAuthentication",
    49: "invalidCredentials",
    50: "insufficientAccessRights",
    51: "busy",
    52: "unavailable",
    53: "unwillingToPerform",
    64: "namingViolation",
    65: "objectClassViolation",
    66: "notAllowedOnNonLeaf",
    67: "notAllowedOnRDN",
    68: "entryAlreadyExists",
    69: "objectClassModsProhibited",
    71: "affectsMultipleDSAs",
    80: "other",
}

_ADVICE: t.Final = {
    3: "The server did not have enough time; try again, or ask another domain controller.",
    8: "The server demands signing or TLS: connect with TLS, or with NTLM or Kerberos.",
    10: "Ask a domain controller that holds this part of the directory.",
    13: "The server demands an encrypted connection: connect with TLS, or with NTLM or Kerberos.",
    17: "The schema of this forest does not know the attribute; AD CS and its schema are needed.",
    19: "The directory does not allow this value.",
    49: "Check the user name and the password, and that the account may log on to this domain controller.",
    51: "Try again later.",
    52: "Try again later, or ask another domain controller.",
    65: "The object lacks an attribute or has one too many for the schema of this forest.",
}


def result_name(code: int) -> str:
    """The name that RFC 4511 gives a result code, with the number."""
    return f"{_RESULT_NAMES.get(code, 'an unknown result code')} ({code})"


class DirectoryError(Exception):
    """A directory could not be asked or changed. The text is a complete message for people."""


class ConnectionFailedError(DirectoryError):
    """No connection, a connection that was lost, or one that cannot be trusted."""


class AuthenticationError(DirectoryError):
    """The directory does not accept the account, or the library for this way of authentication is missing."""


class ProtocolError(DirectoryError):
    """The server sent what LDAP does not allow, or more than is accepted."""


class ResultError(DirectoryError):
    """The directory answered an operation with a result code that is not success."""

    def __init__(self, *, doing: str, where: str, code: int, detail: str = "") -> None:
        self.code = code
        self.doing = doing
        advice = _ADVICE.get(code, "")
        said = f" The server says: {detail}." if detail else ""
        super().__init__(f"{where}: {doing} failed with {result_name(code)}.{said}{' ' if advice else ''}{advice}")


class NotFoundError(ResultError):
    """noSuchObject (32)."""


class NoRightsError(ResultError):
    """insufficientAccessRights (50)."""


class AlreadyThereError(ResultError):
    """entryAlreadyExists (68) or attributeOrValueExists (20)."""


class ConflictError(ResultError):
    """noSuchAttribute (16): a value that was to be replaced is not there any more; somebody else changed it."""


_BY_CODE: t.Final[dict[int, type[ResultError]]] = {
    16: ConflictError,
    20: AlreadyThereError,
    32: NotFoundError,
    50: NoRightsError,
    68: AlreadyThereError,
}


def result_error(*, doing: str, where: str, code: int, detail: str = "") -> ResultError:
    """The exception for a result code other than success."""
    return _BY_CODE.get(code, ResultError)(doing=doing, where=where, code=code, detail=detail)
