# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to WinRM's port, step by step and without an account: name, port, TLS, and what the service offers.

Each step that fails ends it with one sentence and the remedy. What is sent is one empty request, as WinRM clients send it before they log
on; it counts as no failed logon.
"""

from __future__ import annotations

import dataclasses
import datetime
import email.utils
import http.client
import socket
import ssl
import typing as t

from .._certificate import Certificate, CertificateError
from .check import Check, failed
from .trust import look_at_certificate, trusting_context, untrusting_context
from .way import Way

_SECONDS: t.Final = 10.0
_FORBIDDEN_PORTS: t.Final = {5985: "5986", 5986: "5985"}
_NO_TLS: t.Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "UNKNOWN_PROTOCOL"})
_OLD_TLS: t.Final = frozenset({"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE"})
_WEAK: t.Final = frozenset({"DH_KEY_TOO_SMALL", "EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"})


class ProbeError(Exception):
    """The first step that failed."""

    def __init__(self, check: Check) -> None:
        super().__init__(check.what)
        self.check = check


@dataclasses.dataclass(frozen=True, kw_only=True)
class Offer:
    """What the service answers to an empty request. ``methods``: the ways to authenticate that it names, in lower case.

    ``date``: the clock of the host, where it is told. ``expires``: the end of the listener's certificate.
    """

    status: int
    methods: frozenset[str]
    date: datetime.datetime | None = None
    expires: datetime.datetime | None = None


def resolve(host: str, way: Way) -> None:
    """:raises ProbeError: the name is not known."""
    try:
        socket.getaddrinfo(way.address.strip("[]"), way.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        what = f"The name {way.address} is not known to the controller"
        if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
            what = f"No name server answered for {way.address}"
        step = "Correct the name, or set ansible_host to a name that the controller's DNS knows, or to an address."
        raise ProbeError(failed("CONTACT-NAME", (host,), f"{what}.", step)) from None


def reach(host: str, way: Way) -> socket.socket:
    """:raises ProbeError: the port does not answer."""
    place = f"Port {way.port} of {way.address}"
    try:
        return socket.create_connection((way.address.strip("[]"), way.port), timeout=_SECONDS)
    except ConnectionRefusedError:
        what = f"{place} refuses connections: nothing listens there."
        other = _FORBIDDEN_PORTS.get(way.port)
        step = "On the host: winrm enumerate winrm/config/listener shows what listens; winrm quickconfig makes the HTTP listener."
        raise ProbeError(
            failed("CONTACT-PORT", (host,), what, step + (f" Or set ansible_port to {other}." if other else ""))
        ) from None
    except TimeoutError:
        what = f"{place} does not answer within {_SECONDS:.0f} seconds: a firewall drops it, or the host is off."
        step = "Let the controller through to this port in all firewalls on the way and in that of Windows."
        raise ProbeError(failed("CONTACT-PORT", (host,), what, step)) from None
    except OSError as error:
        what = f"{place} cannot be reached: {error.strerror or error}."
        step = "Check address, routes and firewalls between controller and host."
        raise ProbeError(failed("CONTACT-PORT", (host,), what, step)) from None


def secure(host: str, way: Way, plain: socket.socket) -> tuple[ssl.SSLSocket, datetime.datetime | None]:
    """Speak TLS, as strictly as the connection will. Gives the end of the listener's certificate as well.

    :raises ProbeError: the handshake fails, or the certificate is not accepted.
    """
    name = way.address.strip("[]")
    context = trusting_context(way.ca_file) if way.verifies else untrusting_context()
    try:
        wrapped = context.wrap_socket(plain, server_hostname=name)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        what, step = look_at_certificate(_shown(way), error, name=name, ca_file=way.ca_file, connection=way.connection)
        raise ProbeError(failed("CONTACT-TLS", (host,), what, step)) from None
    except ssl.SSLError as error:
        plain.close()
        raise ProbeError(failed("CONTACT-TLS", (host,), *_tls_failure(way, error))) from None
    except OSError:
        plain.close()
        raise ProbeError(failed("CONTACT-TLS", (host,), *_no_tls(way))) from None
    return wrapped, _end_of(wrapped.getpeercert(binary_form=True))


def ask(host: str, way: Way, connection: socket.socket) -> Offer:
    """Send one empty request and read what the service offers.

    :raises ProbeError: what answers is not WinRM.
    """
    path = "/" + way.path.lstrip("/")
    request = (
        f"POST {path} HTTP/1.1\r\nHost: {way.address}:{way.port}\r\nContent-Type: application/soap+xml;charset=UTF-8\r\n"
        "User-Agent: sfb.kb4023993 controller check\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    try:
        connection.sendall(request.encode("ascii", "replace"))
        response = http.client.HTTPResponse(connection, method="POST")
        response.begin()
    except (OSError, http.client.HTTPException):
        raise ProbeError(failed("CONTACT-TLS", (host,), *_no_http(way))) from None
    with response:
        status, headers = response.status, response.headers
    if status in (404, 503):
        what = f"{way.address} answers on port {way.port}, but not at the path {path}: HTTP {status}."
        step = f"Set ansible_{way.connection}_path to wsman unless the host has another one, and see that the service WinRM runs there."
        raise ProbeError(failed("CONTACT-PORT", (host,), what, step))
    methods = _methods(headers.get_all("WWW-Authenticate") or ())
    return Offer(status=status, methods=methods, date=_date(headers.get("Date")))


def _methods(values: t.Iterable[str]) -> frozenset[str]:
    """The first words of what is offered: one header each, or several in one with commas between."""
    words = (piece.split()[0].lower() for value in values for piece in value.split(",") if piece.split())
    return frozenset(word for word in words if word.isalpha())


def _no_http(way: Way) -> tuple[str, str]:
    if way.scheme == "http" and _speaks_tls(way):
        what = f"Port {way.port} speaks HTTPS, and the connection is set to http."
        return (
            what,
            f"Set {_scheme_variable(way)} to https, or ansible_port to that of the HTTP listener (usually 5985).",
        )
    what = f"Port {way.port} of {way.address} took the connection and closed it without an answer: what listens there is not WinRM, or it is overloaded."
    return what, "Check the port, and that the service WinRM runs on the host (winrm enumerate winrm/config/listener)."


def _tls_failure(way: Way, error: ssl.SSLError) -> tuple[str, str]:
    """:returns: what happened, and what to do."""
    reason = str(error.reason or "")
    if reason in _NO_TLS:
        return _plain_instead(way)
    if reason in _OLD_TLS:
        what = f"The host speaks no TLS version that the controller accepts ({reason})."
        step = "Turn TLS 1.2 on for the host (SCHANNEL), which Windows Server 2008 R2 has off by default, or use HTTP with ntlm or kerberos."
        return what, step
    if reason in _WEAK:
        what = f"The certificate or key exchange of the listener is too weak for the controller ({reason})."
        return what, "Give the listener a certificate with an RSA key of 2048 bits and SHA-256."
    if "EOF" in reason:
        return _no_tls(way)
    what = f"Controller and host find no common TLS ({reason or error})."
    return what, "Compare the cipher suites of the host (SCHANNEL, policies) with those of the controller's OpenSSL."


def _plain_instead(way: Way) -> tuple[str, str]:
    what = f"Port {way.port} speaks plain HTTP, and the connection is set to https."
    step = f"Set ansible_port to that of the HTTPS listener (usually 5986), or {_scheme_variable(way)} to http with ntlm or kerberos."
    return what, step


def _no_tls(way: Way) -> tuple[str, str]:
    """The port ends the handshake without a word."""
    if _speaks_http(way):
        return _plain_instead(way)
    what = f"Port {way.port} closes the connection as soon as TLS begins: its listener has no usable certificate, or is none for HTTPS."
    step = "On the host: winrm enumerate winrm/config/listener shows the listener's certificate; it needs one with a private key."
    return what, step


def _speaks_http(way: Way) -> bool:
    try:
        with socket.create_connection((way.address.strip("[]"), way.port), timeout=_SECONDS) as plain:
            plain.sendall(
                f"GET / HTTP/1.1\r\nHost: {way.address}\r\nConnection: close\r\n\r\n".encode("ascii", "replace")
            )
            return plain.recv(5) == b"HTTP/"
    except OSError:
        return False


def _scheme_variable(way: Way) -> str:
    return "ansible_winrm_scheme" if way.connection == "winrm" else "ansible_psrp_protocol"


def _speaks_tls(way: Way) -> bool:
    try:
        with socket.create_connection((way.address.strip("[]"), way.port), timeout=_SECONDS) as plain:
            untrusting_context().wrap_socket(plain, server_hostname=way.address.strip("[]")).close()
    except (OSError, ValueError):
        return False
    return True


def _shown(way: Way) -> bytes:
    """The certificate that the listener shows to somebody who checks nothing; empty when it shows none."""
    try:
        with (
            socket.create_connection((way.address.strip("[]"), way.port), timeout=_SECONDS) as plain,
            untrusting_context().wrap_socket(plain, server_hostname=way.address.strip("[]")) as wrapped,
        ):
            return wrapped.getpeercert(binary_form=True) or b""
    except (OSError, ValueError):
        return b""


def _end_of(der: bytes | None) -> datetime.datetime | None:
    try:
        return Certificate(der).not_after if der else None
    except CertificateError:
        return None


def _date(text: str | None) -> datetime.datetime | None:
    try:
        found = email.utils.parsedate_to_datetime(text) if text else None
    except (ValueError, OverflowError):
        return None
    return found.replace(tzinfo=datetime.timezone.utc) if found and found.tzinfo is None else found
