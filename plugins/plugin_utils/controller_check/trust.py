# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the certificate of a WinRM listener is accepted, judged as the connections' HTTP library does it, and if not, why."""

from __future__ import annotations

import contextlib
import datetime
import os
import pathlib
import ssl
import typing as t

from .._certificate import SUBJECT_ALTERNATIVE_NAME, Certificate, CertificateError
from ..signing.names import NamesError, read_alternative_names

# Numbers of OpenSSL (X509_V_ERR_...), which Python passes on.
_NOT_YET_VALID: t.Final = 9
_EXPIRED: t.Final = 10
_SELF_SIGNED: t.Final = frozenset({18})
_UNKNOWN_ISSUER: t.Final = frozenset({2, 19, 20, 21})
_OTHER_NAME: t.Final = frozenset({62, 64})
_WRONG_PURPOSE: t.Final = 26
_CA_VARIABLE: t.Final = {"winrm": "ansible_winrm_ca_trust_path", "psrp": "ansible_psrp_ca_cert"}


def trusting_context(ca_file: str) -> ssl.SSLContext:
    """A context that trusts what the connection will trust.

    :param ca_file: file or folder of CA certificates; empty: those of the environment (REQUESTS_CA_BUNDLE), else of certifi.
    """
    from urllib3.util.ssl_ import create_urllib3_context

    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    # Whether the common name of the subject counts is as the library has set it.
    context.check_hostname = True
    place = pathlib.Path(ca_file or _default()).expanduser()
    where = {"capath" if place.is_dir() else "cafile": str(place)}
    # Where it cannot be read nothing is trusted, as in the connection itself; the variable is a check of its own.
    with contextlib.suppress(OSError, ssl.SSLError):
        context.load_verify_locations(**where)
    return context


def untrusting_context() -> ssl.SSLContext:
    """A context that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _default() -> str:
    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if named:
        return named
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    return str(DEFAULT_CA_BUNDLE_PATH)


def look_at_certificate(
    der: bytes, error: ssl.SSLCertVerificationError, *, name: str, ca_file: str, connection: str
) -> tuple[str, str]:
    """Why a certificate was not accepted, and what to do.

    :param der: the certificate; empty when it was not shown again.
    :param name: the name or address that was asked for.
    """
    code = error.verify_code
    facts = _facts(der)
    variable = _CA_VARIABLE[connection]
    if code == _EXPIRED:
        what = f"The certificate of the listener is over{f', since {facts.end:%Y-%m-%d}' if facts else ''}."
        return what, "Give the listener a new certificate (winrm set winrm/config/Listener?Address=*+Transport=HTTPS)."
    if code == _NOT_YET_VALID:
        begin = f", but only from {facts.begin:%Y-%m-%d %H:%M} UTC on" if facts else ""
        return (
            f"The certificate of the listener is not valid yet{begin}.",
            "Compare the clock of the controller with that of the host.",
        )
    if code in _OTHER_NAME:
        names = ", ".join(facts.names) if facts else ""
        what = f"The certificate of the listener is not for {name}" + (
            f", but for {names}." if names else ": it holds no name that counts."
        )
        step = "Set ansible_host to a name of the certificate, or give the listener one with this name as subject alternative name."
        return what, step
    trusted = (
        f"{variable} ({ca_file})" if ca_file else "the libraries' own list of CAs (certifi), not that of the system,"
    )
    if code in _SELF_SIGNED:
        what = f"The certificate of the listener is self-signed, and {trusted} does not hold it."
        step = (
            f"Give the listener a certificate of your CA, or put this one into a file (PEM) and name it in {variable}."
        )
        return what, step
    if code in _UNKNOWN_ISSUER:
        issuer = f" ({facts.issuer})" if facts else ""
        what = f"The CA of the listener's certificate{issuer} is not trusted: {trusted} does not hold it, or an intermediate is missing."
        return what, f"Name a file with the CA certificates (PEM) in {variable}."
    if code == _WRONG_PURPOSE:
        return "The certificate of the listener is not for server authentication.", "Give the listener one that is."
    return (
        f"The certificate of the listener is not accepted: {error.verify_message}.",
        "Give the listener another certificate.",
    )


class _Facts(t.NamedTuple):
    begin: datetime.datetime
    end: datetime.datetime
    issuer: str
    names: list[str]


def _facts(der: bytes) -> _Facts | None:
    try:
        certificate = Certificate(der)
    except CertificateError:
        return None
    try:
        values = certificate.raw.values(SUBJECT_ALTERNATIVE_NAME)
        found = read_alternative_names(values[0]) if values else ()
    except NamesError:
        found = ()
    names = [name.removeprefix("ip:") for name in found if name.startswith("ip:") or ":" not in name]
    return _Facts(certificate.not_before, certificate.not_after, certificate.issuer, names[:5])
