# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real .NET SslStream that judges TLS clients by their certificates: for the tests of the usage rules, and for the demo.

It is .NET on this machine, not .NET Framework on Windows.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12
from lab import pki

_SCRIPT = Path(__file__).with_name("sslstream.ps1")


class SslStreamError(Exception):
    """The server did not start, or ended before it answered."""


@dataclass(frozen=True)
class Answer:
    """How a connection ended: what .NET had against the client's certificate, or why it got no further than that.

    `errors` is an SslPolicyErrors, `statuses` are X509ChainStatusFlags of the client's chain, `failure` is the message of
    the exception that ended the handshake.
    """

    accepted: bool
    errors: str
    statuses: tuple[str, ...]
    failure: str

    @property
    def judged(self) -> bool:
        """Whether .NET came as far as judging the certificate."""
        return bool(self.errors)


def engine_program() -> str | None:
    """The PowerShell engine of this machine: SFB_PWSH, else pwsh on PATH; None without one."""
    return os.environ.get("SFB_PWSH") or shutil.which("pwsh")


class SslStreamServer:
    """The server's process, as a context manager. `trusted` are root certificates in PEM.

    After `time_limit` seconds the process is ended, so nothing here can hang.
    """

    def __init__(self, program: str, *, trusted: bytes, time_limit: float = 120.0) -> None:
        self._program = program
        self._trusted = trusted
        self._time_limit = time_limit

    def __enter__(self) -> SslStreamServer:
        self._folder = tempfile.TemporaryDirectory(prefix="sfb-sslstream-")
        folder = Path(self._folder.name)
        own = pki.root_authority("Contoso Validator CA").issue("localhost")
        pfx = pkcs12.serialize_key_and_certificates(b"own", own.key, own.certificate, None, NoEncryption())
        (folder / "own.pfx").write_bytes(pfx)
        (folder / "roots.pem").write_bytes(self._trusted)
        self._client_file = folder / "client.pem"
        self._process = subprocess.Popen(
            [self._program, "-NoProfile", "-NonInteractive", "-File", str(_SCRIPT), str(folder / "own.pfx")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "SSL_CERT_FILE": str(folder / "roots.pem"), "SSL_CERT_DIR": str(folder / "none")},
        )
        self._watchdog = threading.Timer(self._time_limit, self._process.kill)
        self._watchdog.start()
        first = self._read_line()
        if not first.isdigit():
            self.__exit__(None, None, None)
            raise SslStreamError(f"The TLS server of {self._program} did not start: {first}")
        self._port = int(first)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watchdog.cancel()
        self._process.kill()
        self._process.communicate()
        self._folder.cleanup()

    def connect(self, certificates: bytes, key: bytes) -> Answer:
        """Connect as a TLS client with a certificate, the CA certificates that go with it, and its key, all in PEM."""
        self._client_file.write_bytes(certificates + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        # OpenSSL on the client's side would not even send certificates that are signed with SHA-1.
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.load_cert_chain(self._client_file)
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=10) as plain, context.wrap_socket(plain):
                pass
        except OSError:
            pass  # a refused client sees no more than an alert or a closed connection; the server knows why
        line = self._read_line()
        parts = line.split("|")
        if len(parts) != 4:
            raise SslStreamError(f"The TLS server gave no answer within {self._time_limit:.0f} seconds: {line}")
        answer, errors, statuses, failure = parts
        return Answer(answer == "accepted", errors, tuple(status for status in statuses.split(",") if status), failure)

    def _read_line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()
