# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NTLM and Kerberos for a connection to a directory, by pyspnego: the log-on, and sealed messages after it.

pyspnego is imported when it is used: a simple bind over TLS works without it, and its absence gets a plain message.
"""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Iterator

if t.TYPE_CHECKING:
    import spnego


class SecurityError(Exception):
    """The log-on or a sealed message failed on this side; the text is the reason alone."""


class Security:
    """One log-on. ``sealed`` asks for signing and encryption, ``binding`` ties it to a TLS channel (RFC 5929)."""

    def __init__(
        self, *, method: str, user: str, password: str, host: str, sealed: bool, binding: bytes | None
    ) -> None:
        try:
            import spnego
            from spnego.channel_bindings import GssChannelBindings
        except ImportError:
            raise SecurityError("the Python package pyspnego is not there (pip install pyspnego)") from None
        self._sealing = spnego.ContextReq.integrity | spnego.ContextReq.confidentiality
        wanted = spnego.ContextReq.mutual_auth
        if sealed:
            wanted |= self._sealing | spnego.ContextReq.sequence_detect | spnego.ContextReq.replay_detect
        else:
            # Active Directory refuses a security layer of its own inside TLS.
            wanted |= spnego.ContextReq.no_integrity
        with _as_security_error():
            self._context: spnego.ContextProxy = spnego.client(
                user or None,
                password or None,
                hostname=host,
                service="ldap",
                protocol=method,
                context_req=wanted,
                channel_bindings=GssChannelBindings(application_data=binding) if binding else None,
            )

    def step(self, token: bytes | None) -> bytes:
        """The next token for the server; empty where there is none."""
        with _as_security_error():
            return self._context.step(token) or b""

    @property
    def complete(self) -> bool:
        return self._context.complete

    @property
    def agreed_to_seal(self) -> bool:
        return self._context.context_attr & self._sealing == self._sealing

    def wrap(self, data: bytes) -> bytes:
        """Signed and encrypted bytes."""
        with _as_security_error():
            return self._context.wrap(data, encrypt=True).data

    def unwrap(self, data: bytes) -> bytes:
        """The bytes in what the server signed and encrypted.

        :raises SecurityError: it was changed on the way, or sent before.
        """
        with _as_security_error():
            unwrapped = self._context.unwrap(data)
        if not unwrapped.encrypted:
            raise SecurityError("a message was not encrypted")
        return unwrapped.data


@contextlib.contextmanager
def _as_security_error() -> Iterator[None]:
    from spnego.exceptions import SpnegoError

    try:
        yield
    except (SpnegoError, ImportError, ValueError) as error:
        raise SecurityError(str(error)) from None
