# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the connection of one host says that will bite: each rule looks at one thing, and says it in one sentence."""

from __future__ import annotations

import difflib
import ipaddress
import pathlib
import typing as t

from .check import Check, failed, warning
from .way import Way

_WINRM: t.Final = ("winrm", "psrp")
_PLAIN: t.Final = frozenset({"basic", "plaintext", "ssl"})
_USUAL_PORTS: t.Final = {5985: "http", 5986: "https"}


def check_way(host: str, way: Way, *, exists: t.Callable[[str], bool] | None = None) -> tuple[Check, ...]:
    """Everything that is wrong or unwise with the way to one host; nothing where all is well.

    :param exists: whether a file or folder is there.
    """
    there = exists or (lambda path: pathlib.Path(path).expanduser().exists())
    rules = (_become, _connection, _credentials, _transport, _plain_http, _port_and_scheme, _timeouts, _names, _proxy)
    found = [check for rule in rules for check in rule((host,), way)]
    return (*found, *_certificates((host,), way, there))


def can_connect(checks: t.Iterable[Check]) -> bool:
    """Whether it makes sense to try a host of which this was said."""
    return not any(check.status == "failed" for check in checks)


def nearest(name: str, known: t.Iterable[str], *, likeness: float = 0.8) -> str:
    """The known name that somebody may have meant, empty when none is near.

    :param likeness: from 0 to 1, how near it has to be.
    """
    found = difflib.get_close_matches(name, sorted(known), n=1, cutoff=likeness)
    return found[0] if found else ""


def _become(where: tuple[str, ...], way: Way) -> t.Iterator[Check]:
    if way.become:
        what = "become is set, and Ansible ignores it for the commands of this collection."
        yield failed("BECOME", where, what, "Remove ansible_become, and connect with the account that is meant.")


def _connection(where: tuple[str, ...], way: Way) -> t.Iterator[Check]:
    if way.connection == "ssh" and not way.windows:
        if "ansible_connection" in way.sets:
            what = "The connection is ssh, and ansible_shell_type does not say that a Windows shell answers."
            step = "Set ansible_shell_type: powershell (or cmd, if that is the default shell of the host's sshd)."
        else:
            what = "ansible_connection is not set, so Ansible would use ssh to a Unix host."
            step = "Set ansible_connection to winrm or psrp (for ssh set ansible_shell_type: powershell as well)."
        yield failed("CONNECTION", where, what, step)
    elif way.connection == "local":
        what = "ansible_connection is local: the controller itself would be asked, and it is no Windows server."
        yield failed("CONNECTION", where, what, "Set ansible_connection to winrm, psrp or ssh, or leave the host out.")
    elif way.connection not in (*_WINRM, "ssh"):
        what = f"The connection {way.connection} is not one that this collection works over."
        yield failed("CONNECTION", where, what, "Set ansible_connection to winrm, psrp or ssh.")


def _credentials(where: tuple[str, ...], way: Way) -> t.Iterator[Check]:
    if way.connection not in _WINRM:
        return
    by_certificate = "certificate" in way.methods
    if by_certificate:
        if len(way.client_certificate) < 2:
            names = (
                "ansible_winrm_cert_pem and ansible_winrm_cert_key_pem"
                if way.connection == "winrm"
                else "ansible_psrp_certificate_pem and ansible_psrp_certificate_key_pem"
            )
            what = "The account is to be proved by a certificate, and certificate or key is not named."
            yield failed("CREDENTIALS", where, what, f"Set {names} to files on the controller.")
        return
    if set(way.methods) & {"kerberos", "negotiate"}:
        # A ticket of the cache may stand in for both.
        return
    missing = [
        name for name, there in (("ansible_user", way.user), ("ansible_password", way.has_password)) if not there
    ]
    if missing:
        what = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set."
        step = "Set it in the inventory (the password in a vault), or by a credential of AWX."
        yield failed("CREDENTIALS", where, what, step)


def _transport(where: tuple[str, ...], way: Way) -> t.Iterator[Check]:
    if way.connection not in _WINRM:
        return
    name = f"ansible_{way.connection}_{'transport' if way.connection == 'winrm' else 'auth'}"
    unknown = [method for method in way.methods if way.known_methods and method not in way.known_methods]
    for method in unknown:
        # Short words: two letters that changed places are much already.
        meant = nearest(method, way.known_methods, likeness=0.7)
        what = f"{name} is {method}, which does not exist" + (f"; {meant} may be meant." if meant else ".")
        yield failed("TRANSPORT", where, what, f"Set it to one of {', '.join(sorted(way.known_methods))}.")
    if unknown:
        return
    if len(way.methods) > 1:
        what = f"{name} names several ways ({', '.join(way.methods)}): each is tried in turn, and a wrong password counts for each."
        yield warning("TRANSPORT", where, what, "Name one way. Failed logons may lock the account.")
    if "kerberos" in way.methods and _is_address(way.address):
        what = f"Kerberos knows servers by name, and the host is reached by the address {way.address}."
        step = "Set ansible_host to the full name of the server"
        other = (
            ", or ansible_winrm_kerberos_hostname_override."
            if way.connection == "winrm"
            else ", or ansible_psrp_negotiate_hostname_override."
        )
        override = f"ansible_{other.partition('ansible_')[2].rstrip('.')}"
        if override not in way.sets:
            yield failed("TRANSPORT", where, what, step + other)
    if set(way.methods) & _PLAIN and ("\\" in way.user or "@" in way.user):
        what = "Basic authentication is for local accounts, and ansible_user names one of a domain."
        yield failed("TRANSPORT", where, what, f"Set {name} to ntlm or kerberos.")
    if "kerberos" in way.methods and "@" in way.user and way.user != _with_capital_realm(way.user):
        what = "The realm in ansible_user is not in capital letters, and Kerberos takes it for another one."
        yield warning("TRANSPORT", where, what, f"Write {_with_capital_realm(way.user)}.")


def _plain_http(where: tuple[str, ...], way: Way) -> t.Iterator[Check]:
    if way.connection not in _WINRM or way.scheme != "http":
        return
    if set(way.methods) & _PLAIN:
        what = "The password and all messages go over the network in plain text: Basic over HTTP."
        step = "Use HTTPS, or ntlm or kerberos, which encrypt the messages. Windows refuses Basic over HTTP by default."
        yield warning("PLAIN-HTTP", where, what, step)
    elif way.encryption == "never":
        what = "The messages go over the network in plain text: message encryption is turned off, over HTTP."
        step = f"Remove ansible_{way.connection}_message_encryption. Windows refuses plain messages by default."
        yield warning("PLAIN-HTTP", where, what, step)
    if "certificate" in way.methods:
        what = "An account is proved by a certificate over HTTPS only, and the scheme is http."
        yield failed("PLAIN-HTTP", where, what, "Set the scheme to https and the port to 5986.")


def _certificates(where: tuple[str, ...], way: Way, exists: t.Callable[[str], bool]) -> t.Iterator[Check]:
    if way.connection not in _WINRM or way.scheme != "https":
        return
    ca_name = "ansible_winrm_ca_trust_path" if way.connection == "winrm" else "ansible_psrp_ca_cert"
    if not way.verifies:
        what = (
            "The certificate of the HTTPS listener is not checked, so anybody in between can take the account's place."
        )
        step = f"Remove ansible_{way.connection}_{_VALIDATION[way.connection]}, and name the CA's certificate in {ca_name}."
        yield warning("CERT-VALIDATION", where, what, step)
    elif way.ca_file and not exists(way.ca_file):
        what = f"{ca_name} names {way.ca_file}, which is not there."
        yield failed("CERT-VALIDATION", where, what, "Put the CA certificates there (PEM), or correct the path.")
    for path in way.client_certificate:
        if not exists(path):
            yield failed(
                "CREDENTIALS", where, f"The file {path} of the client certificate is not there.", "Correct the path."
            )


_VALIDATION: t.Final = {"winrm": "server_cert_validation", "psrp": "cert_validation"}


def _port_and_scheme(where: tuple[str, ...], way: Way) -> t.Iterator[Check]:
    usual = _USUAL_PORTS.get(way.port)
    if way.connection in _WINRM and usual and usual != way.scheme:
        variable = "ansible_winrm_scheme" if way.connection == "winrm" else "ansible_psrp_protocol"
        right = {scheme: port for port, scheme in _USUAL_PORTS.items()}[way.scheme]
        what = f"Port {way.port} is that of {usual}, and the scheme is {way.scheme}."
        yield warning("PORT-SCHEME", where, what, f"Set ansible_port to {right}, or {variable} to {usual}.")


def _timeouts(where: tuple[str, ...], way: Way) -> t.Iterator[Check]:
    if way.connection not in _WINRM or 0 < way.operation_timeout < way.read_timeout:
        return
    what = (
        f"The read timeout ({way.read_timeout} s) is not longer than the operation timeout ({way.operation_timeout} s): "
        "the controller gives up before the host has answered."
    )
    end = "_sec" if way.connection == "winrm" else ""
    names = f"ansible_{way.connection}_read_timeout{end}", f"ansible_{way.connection}_operation_timeout{end}"
    yield failed("TIMEOUTS", where, what, f"Set {names[0]} to at least 10 more than {names[1]}.")


def _names(where: tuple[str, ...], way: Way) -> t.Iterator[Check]:
    for name in way.unknown:
        meant = nearest(name, way.known_variables)
        what = f"{name} is a variable that the connection {way.connection} does not read"
        step = f"Rename it to {meant}." if meant else "Remove it, or correct its name."
        yield warning("VARIABLE-NAME", where, f"{what}; {meant} may be meant." if meant else f"{what}.", step)


def _proxy(where: tuple[str, ...], way: Way) -> t.Iterator[Check]:
    if way.proxy:
        what = "The connection goes through a proxy, which NTLM and Kerberos seldom survive."
        step = "Put the host into the environment variable no_proxy"
        other = "ansible_psrp_ignore_proxy: true" if way.connection == "psrp" else "ansible_winrm_proxy: null"
        yield warning("PROXY", where, what, f"{step}, or set {other}.")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def _with_capital_realm(user: str) -> str:
    name, _at, realm = user.rpartition("@")
    return f"{name}@{realm.upper()}"
