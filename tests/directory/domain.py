# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A domain controller of Samba for the tests, on this machine's loopback network."""

from __future__ import annotations

import base64
import functools
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import time
import typing as t

from directory import relay
from lab.pki import root_authority

HERE: t.Final = pathlib.Path(__file__).parent
DOMAIN: t.Final = "DC=lab,DC=example"
PASSWORD: t.Final = "Passw0rd.Lab1"  # noqa: S105  # of a forest that lives as long as a test run
LDAP, LDAPS, KERBEROS = 389, 636, 88
_PACKAGES: t.Final = "samba-ad-dc samba-ad-provision samba-dsdb-modules python3-samba"
_START_SECONDS: t.Final = 30
# Samba's packages serve the Python of the distribution, not that of the tests.
_PYTHON: t.Final = "/usr/bin/python3"


class MissingError(Exception):
    """This machine cannot run the domain controller; the text says why and what to install."""


def _samba() -> str:
    found = shutil.which("samba", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    check = "import samba.provision, samba.samdb, pathlib; assert pathlib.Path(samba.param.setup_dir()).is_dir()"
    if not found or subprocess.run([_PYTHON, "-I", "-c", check], capture_output=True, check=False).returncode:
        raise MissingError(
            "Samba's domain controller is not installed, so nothing was tested against a real directory. On Debian "
            f"and Ubuntu: sudo apt-get install --no-install-recommends {_PACKAGES}"
        )
    return found


def _may_bind(address: str) -> bool:
    try:
        with socket.socket() as probe:
            probe.bind((address, LDAP))
    except OSError:
        return False
    # Samba itself wants to be root, whatever the ports.
    return os.geteuid() == 0


class DomainController:
    """A running forest. ``address`` and ``port`` say how to reach it; ``ca_file`` makes its TLS trusted."""

    def __init__(self, folder: pathlib.Path) -> None:
        """Make the forest and start it.

        :raises MissingError: this machine cannot.
        """
        samba = _samba()
        self.folder = folder
        self._relays: list[socket.socket] = []
        self._ports: dict[int, int] = {}
        # Any address of the loopback network can be bound: no two runs meet on the fixed ports.
        inside = f"127.{secrets.randbelow(250) + 1}.{secrets.randbelow(250) + 1}.{secrets.randbelow(250) + 2}"
        direct = _may_bind(inside)
        self.address = inside if direct else "127.0.0.1"
        self._write_certificates()
        subprocess.run(
            [_PYTHON, "-I", str(HERE / "provision.py"), str(folder / "dc"), self.address],
            input=PASSWORD + "\n",
            text=True,
            check=True,
            capture_output=True,
        )
        command = [samba, "--foreground", "--model=single", f"--configfile={folder}/dc/etc/smb.conf", "--debug-stdout"]
        if not direct:
            command = self._in_own_network(command)
        self._log = (folder / "samba.out").open("wb")
        # Samba ends when its standard input does: it does not outlive tests that are killed.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=self._log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    @property
    def ca_file(self) -> str:
        return str(self.folder / "ca.pem")

    def port(self, usual: int) -> int:
        """The port to connect to for one of the usual ports."""
        return self._ports.get(usual, usual)

    def look(self, dn: str) -> tuple[dict[str, list[bytes]], str]:
        """An object as Samba itself reads it: its attributes, and its permissions as SDDL."""
        command = [_PYTHON, "-I", str(HERE / "look.py"), f"{self.folder}/dc/etc/smb.conf", dn]
        answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        values = {name: [base64.b64decode(value) for value in texts] for name, texts in answer["attributes"].items()}
        return values, answer["sddl"]

    def stop(self) -> None:
        for server in self._relays:
            server.close()
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._log.close()

    def _write_certificates(self) -> None:
        authority = root_authority("Directory Test CA")
        issued = authority.issue("dc1.lab.example", dns_names=("dc1.lab.example", self.address))
        (self.folder / "ca.pem").write_bytes(authority.pem)
        (self.folder / "dc.pem").write_bytes(issued.pem)
        (self.folder / "dc.key").write_bytes(issued.key_pem)
        # Samba refuses a key that others may read.
        (self.folder / "dc.key").chmod(0o600)

    def _in_own_network(self, command: list[str]) -> list[str]:
        namespace = ["unshare", "--user", "--map-root-user", "--net", "--kill-child"]
        if subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode:
            raise MissingError(
                "Samba's ports are below 1024. This account may not bind them, and it may not make a network namespace "
                "of its own (unshare --user --net), so nothing was tested against a real directory. Run the tests as "
                "root, in a container for example."
            )
        sockets = self.folder / "sockets"
        sockets.mkdir()
        ports = (LDAP, LDAPS, KERBEROS)
        for port in ports:
            server = relay.listen_tcp(self.address)
            relay.carry(server, functools.partial(relay.connect_file, sockets / str(port)))
            self._relays.append(server)
            self._ports[port] = server.getsockname()[1]
        script = [_PYTHON, "-I", str(HERE / "relay.py"), str(sockets), self.address, *map(str, ports), "--"]
        return [*namespace, *script, *command]

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                # A relay accepts before Samba does: only a byte of TLS or its end tells.
                with socket.create_connection((self.address, self.port(LDAPS)), 1) as probe:
                    probe.settimeout(0.3)
                    if probe.recv(1) != b"":
                        return
            except TimeoutError:
                return
            except OSError:
                pass
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = (self.folder / "samba.out").read_text("utf-8", "replace")[-2000:]
                raise RuntimeError(f"Samba did not start:\n{text}")
            time.sleep(0.05)
