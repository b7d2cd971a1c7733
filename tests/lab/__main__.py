# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m lab``: runs a scenario in the foreground and writes an inventory to try things on."""

from __future__ import annotations

import argparse
import signal
import sys
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lab import trust
from lab.protocol.control import ControlError
from lab.reader import ScenarioError
from lab.running import Lab
from lab.world.host import PORTS


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 0 after a clean end, 2 when the lab could not start."""
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    parser.add_argument("--scenario", required=True, help="a scenario file, or the name of one that the lab brings")
    parser.add_argument("--directory", required=True, type=Path, help="where inventory.yml and run files are written")
    parser.add_argument(
        "--background-ready-file",
        type=Path,
        help="a file to make when the lab answers, with the inventory and the address of the control port",
    )
    options = parser.parse_args(arguments)
    # Blocked here and taken by sigwait below: a handler could come in the middle of whatever this thread is doing.
    stopping = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, stopping)
    directory = options.directory.resolve()
    try:
        lab = Lab(options.scenario, run_directory=directory / "run").start()
    except (ScenarioError, OSError) as error:
        print(f"The lab did not start: {error}", file=sys.stderr)
        return 2
    serve_identities(lab)
    with lab:
        inventory = lab.inventory(directory)
        ends = lab.server.endpoints
        print(f"The lab plays {len(lab.scenario.servers)} servers: {lab.scenario.description}")
        print(f"  inventory     {inventory}")
        print(f"  WinRM         http port {ends.http_port}, https port {ends.https_port}, on {ends.address}")
        control = f"http://127.0.0.1:{ends.control_port}"
        print(f"  control       {control}")
        print("                (GET /hosts/NAME/registry, GET /hosts/NAME/identity, POST /clock/advance)")
        print("Stop it with ctrl-c, or end the process with SIGTERM.", flush=True)
        if options.background_ready_file:
            # Who waits for it may read it at once, so it comes into being whole.
            unfinished = options.background_ready_file.with_suffix(".unfinished")
            unfinished.write_text(f"{inventory}\n{control}\n", encoding="utf-8")
            unfinished.rename(options.background_ready_file)
        signal.sigwait(stopping)
    print("The lab has ended.")
    return 0


def serve_identities(lab: Lab) -> None:
    """Add ``GET /hosts/NAME/identity`` to the control port: who a server is in TLS, with its key.

    For programs that play such a server themselves, as the demo does. The keys are test keys, made when the lab started.
    """
    for name in lab.deployment.hosts:
        lab.server.control.route("GET", f"/hosts/{name}/identity", partial(_identity, lab, name))


def _identity(lab: Lab, name: str, _: dict[str, Any]) -> dict[str, str]:
    """The certificate that the server's services hold, with its intermediates, its key and its root, all in PEM."""
    with lab.deployment.lock:
        host = lab.host(name)
        answers = [answer for port in PORTS.get(host.role, {}) if (answer := host.presents(port))]
        if not answers:
            raise ControlError(f"Nothing on {name} answers TLS.", status=HTTPStatus.NOT_FOUND)
        presented = answers[0][1]
        chain = trust.build(presented.certificate, presented.issuers, host.stores.anchors())
        entry = host.stores.find(trust.thumbprint(presented.certificate))
        # Certificates of the start come from the lab's own issuer, later ones have their key in the store.
        held = entry.key if entry else None
        key = held.private if held else lab.deployment.issuer.issued(presented.certificate).key
    certificates = [link.certificate for link in chain.links]
    return {
        "name": host.fqdn,
        "certificates": "".join(map(_pem, certificates[:-1])),
        "key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "root": _pem(certificates[-1]),
    }


def _pem(certificate: bytes) -> str:
    return trust.parse(certificate).public_bytes(Encoding.PEM).decode()


if __name__ == "__main__":
    sys.exit(main())
