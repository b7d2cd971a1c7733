# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the texts of connection libraries mean: for the well-known failures one sentence and the remedy.

Messages of a server are in its language, so its failures are known by number alone. The libraries (pywinrm, pypsrp, requests, MIT Kerberos,
OpenSSH) write English, on every system.
"""

from __future__ import annotations

import re
import typing as t

from ..host.reasons import DENIED, ENVELOPE, QUOTAS, fault_number
from .probe import Offer
from .way import Way

Told = tuple[str, str, str]
"""Subject, what happened, what to do."""

_NO_REMOTE: t.Final = frozenset({0x803381AC, 0x803381E3})
_LOCAL_ADMINISTRATOR: t.Final = (
    "Use a member of the local Administrators; for a local account other than the built-in Administrator set "
    "LocalAccountTokenFilterPolicy to 1 on the host."
)

# Kerberos, as MIT's library says it; then CredSSP, ssh, and the rest.
_KNOWN: t.Final[tuple[tuple[str, str, str, str], ...]] = (
    (
        r"server (?:\S+ )?not found in kerberos database",
        "CONTACT-AUTH",
        "The domain controller knows no service for the name under which the host is reached.",
        "Set ansible_host to the full name that the host has in the domain, no address and no alias; or correct its SPN (setspn -L HOST).",
    ),
    (
        r"clock skew too great",
        "CONTACT-AUTH",
        "The clocks of controller and domain controller differ by more than the five minutes that Kerberos bears.",
        "Set the controller's clock by NTP, from the domain controllers if there is no other source.",
    ),
    (
        r"no kerberos credentials available|no credentials cache found|matching credential not found|ticket expired",
        "CONTACT-AUTH",
        "There is no valid Kerberos ticket.",
        "Run kinit USER@REALM as the account that runs Ansible, or set ansible_password so that Ansible gets one.",
    ),
    (
        r"preauthentication failed|password incorrect",
        "CONTACT-AUTH",
        "The domain controller refuses the password.",
        "Check ansible_user and ansible_password; further attempts may lock the account.",
    ),
    (
        r"client .*not found in kerberos database",
        "CONTACT-AUTH",
        "The domain has no account of this name.",
        "Check ansible_user: NAME@REALM, the realm in capital letters.",
    ),
    (
        r"credentials have been revoked",
        "CONTACT-AUTH",
        "The account is locked or disabled in the domain.",
        "Have it unlocked, and find out what keeps using an old password.",
    ),
    (
        r"kdc reply did not match expectations",
        "CONTACT-AUTH",
        "The realm is not written as the domain controller has it.",
        "Write the realm in ansible_user and in krb5.conf in capital letters.",
    ),
    (
        r"cannot (?:find|contact any) kdc",
        "CONTACT-AUTH",
        "No domain controller answers for the realm.",
        "Check the realm in ansible_user, [realms] or dns_lookup_kdc in krb5.conf, and the way to port 88 of a domain controller.",
    ),
    (
        r"pykerberos is not installed|python kerberos library is not installed|credssp is not installed|ntlm is not installed"
        r"|pypsrp or dependencies are not installed|winrm or requests is not installed",
        "LIBRARY",
        "A Python library that this way to authenticate needs is not there for the Python that runs Ansible.",
        "Install what the check of the libraries names, for that Python and in the execution environment.",
    ),
    (
        r"credssp token after|credssp being an available",
        "CONTACT-AUTH",
        "The host does not take CredSSP, or refuses the account in it.",
        "On the host: Enable-WSManCredSSP -Role Server; or use kerberos or ntlm, unless a step needs the second hop.",
    ),
    (
        r"host key verification failed|remote host identification has changed",
        "CONTACT-AUTH",
        "ssh does not know the host's key, or it is another one than before.",
        "Compare the key with the host's own, then put it into known_hosts of the account that runs Ansible (ssh-keyscan).",
    ),
    (
        r"permission denied \(|permission denied, please try again",
        "CONTACT-AUTH",
        "sshd of the host refuses the account.",
        "Check ansible_user and its key; keys of administrators stand in C:\\ProgramData\\ssh\\administrators_authorized_keys.",
    ),
    (
        r"sshpass",
        "CREDENTIALS",
        "ssh is to use a password, and the program sshpass for that is not there.",
        "Install sshpass, or better use a key (ansible_ssh_private_key_file).",
    ),
    (
        r"could not resolve hostname",
        "CONTACT-NAME",
        "ssh does not know the name of the host.",
        "Correct the name, or set ansible_host to a name or address that the controller knows.",
    ),
    (
        r"ssh: connect to host .*connection refused",
        "CONTACT-PORT",
        "Nothing listens on the port of sshd.",
        "Start the service sshd on the host, or correct ansible_port.",
    ),
    (
        r"ssh: connect to host .*(?:timed out|no route)",
        "CONTACT-PORT",
        "The port of sshd does not answer: a firewall drops it, or the host is off.",
        "Let the controller through to this port in all firewalls on the way and in that of Windows.",
    ),
    (
        r"certificate verify failed",
        "CONTACT-TLS",
        "The certificate of the listener is not accepted.",
        "Name a file with the CA certificates (PEM) in ansible_winrm_ca_trust_path (psrp: ansible_psrp_ca_cert).",
    ),
    (
        r"bad http response returned from server\. code 5\d\d|operation timed out|read timed out|connection attempt timed out",
        "CONTACT-POWERSHELL",
        "The host took the account and then gave no answer in time, or none that WinRM gives.",
        "See that the service WinRM is well on the host (Event Viewer, Windows Remote Management), and run again.",
    ),
)


def told(text: str, way: Way, offer: Offer | None, *, refused: bool) -> Told | None:
    """What is known of a failure, None when it is none of the well-known.

    :param text: what the connection said, whole.
    :param offer: what the service offered before.
    :param refused: the connection says that the account was refused.
    """
    code = fault_number(None, text)
    if code in DENIED:
        return "CONTACT-RIGHTS", "The host let the account in and denies it access to WinRM.", _LOCAL_ADMINISTRATOR
    if code in QUOTAS:
        what = "A quota of WinRM on the host is used up: too many shells, users or operations at once."
        return (
            "CONTACT-POWERSHELL",
            what,
            (
                "Wait, or end what is left over (restart the service WinRM); raise MaxShellsPerUser or MaxConcurrentUsers in "
                "winrm/config/winrs if it comes back."
            ),
        )
    if code in _NO_REMOTE:
        what = "A policy of the host forbids remote shells."
        return (
            "CONTACT-POWERSHELL",
            what,
            "Set AllowRemoteShellAccess to true on the host (winrm/config/winrs, or by group policy).",
        )
    if code == ENVELOPE:
        what = "The message is larger than WinRM of the host takes (MaxEnvelopeSizekb)."
        return (
            "CONTACT-POWERSHELL",
            what,
            "Set MaxEnvelopeSizekb on the host to its default, 500 (on Windows Server 2008 R2 150).",
        )
    lower = text.lower()
    for pattern, subject, what, step in _KNOWN:
        if re.search(pattern, lower):
            return subject, what, step
    return ("CONTACT-AUTH", *refusal(way, offer)) if refused else None


def refusal(way: Way, offer: Offer | None) -> tuple[str, str]:
    """Why an account was refused, as far as what the service offers tells, and what to do."""
    basic = bool(set(way.methods) & {"basic", "plaintext", "ssl"}) and not way.client_certificate
    offered = offer.methods if offer else frozenset()
    others = ", ".join(sorted(offered - {"basic"})) or "nothing else"
    if basic and offered and "basic" not in offered:
        where = (
            "over HTTP, where Windows takes it only with AllowUnencrypted" if way.scheme == "http" else "on the host"
        )
        what = f"Basic authentication is not allowed {where}; it offers {others}."
        return what, f"Set {_method_variable(way)} to ntlm (or kerberos); both encrypt the messages over HTTP too."
    if offered and "credssp" in way.methods and "credssp" not in offered:
        return (
            f"CredSSP is not allowed on the host; it offers {others}.",
            "On the host: Enable-WSManCredSSP -Role Server; or use kerberos.",
        )
    if (
        offered
        and set(way.methods) & {"ntlm", "kerberos", "negotiate"}
        and not offered & {"negotiate", "kerberos", "ntlm"}
    ):
        what = f"Neither NTLM nor Kerberos is allowed on the host; it offers {', '.join(sorted(offered))}."
        return what, 'On the host: winrm set winrm/config/service/auth @{Negotiate="true"; Kerberos="true"}.'
    if way.client_certificate:
        what = "The host refuses the client certificate."
        return (
            what,
            "Check the mapping of the certificate to a local account (WSMan:\\localhost\\ClientCertificate), and that Certificate is allowed.",
        )
    if way.connection == "psrp" and "negotiate" in way.methods:
        what = (
            "The host refuses the account: user or password is wrong, or neither NTLM nor Kerberos is possible for it."
        )
    else:
        what = "The host refuses the account: user or password is wrong, it is locked, or it may not log on over the network."
    local = "A local account is written without domain, one of the domain as DOMAIN\\user or user@domain."
    return what, f"Check ansible_user and ansible_password, but not too often, because that locks accounts. {local}"


def _method_variable(way: Way) -> str:
    return "ansible_winrm_transport" if way.connection == "winrm" else "ansible_psrp_auth"
