# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The acceptor's side of NTLM (bare or inside SPNEGO), and the message encryption that it keys.

pyspnego's acceptor reads its accounts from the file that the environment variable NTLM_USER_FILE names, for the
whole process. Hosts of the lab have accounts of their own, so a file of ours is rewritten for each handshake, under a
lock. The variable is set once and stays, as others may iterate over the environment at any time.
"""

from __future__ import annotations

import atexit
import functools
import os
import struct
import tempfile
import threading
from pathlib import Path

import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

_PROTOCOL = "application/HTTP-SPNEGO-session-encrypted"
_BOUNDARY = b"--Encrypted Boundary"
_PAYLOAD_HEADER = b"\tContent-Type: application/octet-stream\r\n"

ENCRYPTED_CONTENT_TYPE = f'multipart/encrypted;protocol="{_PROTOCOL}";boundary="Encrypted Boundary"'

_lock = threading.Lock()


class LogonError(Exception):
    """The client did not prove that it knows the password."""


class BadMessageError(Exception):
    """An encrypted message does not have the form of [MS-WSMV] 2.2.9.1, or its signature is wrong."""


class NtlmAcceptor:
    """One handshake for one account, and afterwards the keys of its connection."""

    def __init__(self, *, user: str, password: str, channel_binding: bytes | None) -> None:
        domain, _, name = user.rpartition("\\")
        self._account = f"{domain}:{name}:{password}\n"
        bindings = GssChannelBindings(application_data=channel_binding) if channel_binding else None
        with _lock:
            self._select_account()
            self._context = spnego.server(
                protocol="negotiate", options=spnego.NegotiateOptions.use_negotiate, channel_bindings=bindings
            )

    @property
    def complete(self) -> bool:
        return self._context.complete

    def step(self, token: bytes) -> bytes | None:
        """Take the client's token; return the one to answer with, if any.

        :raises LogonError: wrong user, password or channel binding, or no NTLM token at all.
        """
        with _lock:
            self._select_account()
            try:
                return self._context.step(token)
            except (SpnegoError, ValueError, struct.error) as error:
                raise LogonError(str(error)) from error

    def _select_account(self) -> None:
        _account_file().write_text(self._account, encoding="utf-8")

    def decrypt(self, body: bytes) -> bytes:
        """The message inside a multipart/encrypted body.

        :raises BadMessageError: if it is not one, or was changed on the way.
        """
        head, separator, rest = body.partition(_PAYLOAD_HEADER)
        end = _BOUNDARY + b"--\r\n"
        if not separator or not rest.endswith(end) or len(rest) < 4 + len(end):
            raise BadMessageError("The body is not a multipart/encrypted message.")
        payload = rest[: -len(end)]
        (signature_length,) = struct.unpack("<I", payload[:4])
        signature, sealed = payload[4 : 4 + signature_length], payload[4 + signature_length :]
        try:
            message = self._context.unwrap_winrm(signature, sealed)
            stated_length = int(head.partition(b"Length=")[2].split()[0])
        except (SpnegoError, ValueError, IndexError) as error:
            raise BadMessageError(f"The message cannot be decrypted: {error}") from error
        if len(message) != stated_length:
            raise BadMessageError(f"The message has {len(message)} bytes, but says {stated_length}.")
        return message

    def encrypt(self, message: bytes) -> bytes:
        """``message`` as a multipart/encrypted body. (pywinrm relies on the tabs before the part headers.)"""
        wrapped = self._context.wrap_winrm(message)
        return b"".join(
            [
                _BOUNDARY + b"\r\n",
                f"\tContent-Type: {_PROTOCOL}\r\n".encode(),
                b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;"
                + f"Length={len(message) + wrapped.padding_length}\r\n".encode(),
                _BOUNDARY + b"\r\n",
                _PAYLOAD_HEADER,
                struct.pack("<I", len(wrapped.header)) + wrapped.header + wrapped.data,
                _BOUNDARY + b"--\r\n",
            ]
        )


@functools.cache
def _account_file() -> Path:
    descriptor, name = tempfile.mkstemp(prefix="lab-ntlm-")
    os.close(descriptor)
    atexit.register(Path(name).unlink, missing_ok=True)
    os.environ["NTLM_USER_FILE"] = name
    return Path(name)
