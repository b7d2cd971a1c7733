# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Ansible variables that reach a host of the lab."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lab.protocol.handler import Transport
from lab.protocol.hosts import HostSettings

Scheme = Literal["http", "https"]
Auth = Literal["basic", "ntlm"]

Variables = dict[str, "str | int"]


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """Where a running lab listens, and the files that its clients need."""

    address: str
    http_port: int
    https_port: int
    control_port: int
    certificate_path: Path
    ssh_program: Path


def variables(
    host: HostSettings, endpoints: Endpoints, *, connection: Transport, scheme: Scheme, auth: Auth
) -> Variables:
    """The host variables; ``scheme`` and ``auth`` do not matter to ssh.

    :raises ValueError: for a connection, scheme or auth that the lab does not speak.
    """
    if scheme not in ("http", "https") or auth not in ("basic", "ntlm"):
        raise ValueError(f"The lab speaks http and https with basic and ntlm, not {scheme} with {auth}.")
    if connection == "winrm":
        return _winrm(host, endpoints, scheme=scheme, auth=auth)
    if connection == "psrp":
        return _psrp(host, endpoints, scheme=scheme, auth=auth)
    if connection == "ssh":
        return {
            "ansible_connection": "ssh",
            "ansible_host": host.name,
            # The stand-in takes the lab's control port for the port of sshd.
            "ansible_port": endpoints.control_port,
            "ansible_user": host.user,
            "ansible_shell_type": "powershell",
            "ansible_ssh_executable": str(endpoints.ssh_program),
        }
    raise ValueError(f"The lab speaks winrm, psrp and ssh, not {connection!r}.")


def _common(host: HostSettings, endpoints: Endpoints, *, scheme: Scheme) -> Variables:
    return {
        "ansible_host": endpoints.address,
        "ansible_port": endpoints.https_port if scheme == "https" else endpoints.http_port,
        "ansible_user": host.user,
        "ansible_password": host.password,
    }


def _winrm(host: HostSettings, endpoints: Endpoints, *, scheme: Scheme, auth: Auth) -> Variables:
    return {
        "ansible_connection": "winrm",
        **_common(host, endpoints, scheme=scheme),
        "ansible_winrm_scheme": scheme,
        "ansible_winrm_path": f"/wsman/{host.name}",
        "ansible_winrm_transport": auth,
        **({"ansible_winrm_ca_trust_path": str(endpoints.certificate_path)} if scheme == "https" else {}),
    }


def _psrp(host: HostSettings, endpoints: Endpoints, *, scheme: Scheme, auth: Auth) -> Variables:
    return {
        "ansible_connection": "psrp",
        **_common(host, endpoints, scheme=scheme),
        "ansible_psrp_protocol": scheme,
        "ansible_psrp_path": f"wsman/{host.name}",
        "ansible_psrp_auth": auth,
        # Basic has no keys to encrypt with; over https there is nothing to add.
        "ansible_psrp_message_encryption": "always" if (scheme, auth) == ("http", "ntlm") else "never",
        **({"ansible_psrp_ca_cert": str(endpoints.certificate_path)} if scheme == "https" else {}),
    }
