# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases in the PowerShell engine on Linux, as far as Linux has what they need.

Files lie in a folder of the test, whose path stands for ``C:\\Contract`` there. Services are scripted: objects with the members of
``ServiceController`` take the place of the two functions of batch.ps1 that reach Windows. Stores are those of the account, for Linux
has none of a machine. Everything else of the script is as shipped. The product is a stand-in module, certreq a program and a CA's
object a class of the tests.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import subprocess
import typing as t
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import wire
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from powershell.certreq_program import write_certreq
from powershell.runner import Engine, Printed, batch_text, functions_text, pack

from contract import check, stand_ins, tls
from contract.case import NONCE, Asked, Case, Wrong, batch_data, typed, with_field
from contract.world import ROOT_FOLDER, World, merged

_LACKS = {
    "registry_read": "Linux has no registry",
    "registry_list": "Linux has no registry",
    "registry_set": "Linux has no registry",
    "registry_delete": "Linux has no registry",
    "certificates": "Linux has no LocalMachine stores",
    "events": "Linux has no event log",
    "updates": "Linux has no registry",
}


def reason(case: Case) -> str | None:
    """Why a case cannot run here; None when it can. What an operation refuses before it looks, it refuses here too."""
    if case.left_out.get("linux"):
        return case.left_out["linux"]
    for step in case.steps:
        lacking = _LACKS.get(step.operation)
        if lacking and step.expected != Wrong("invalid"):
            return lacking
        if isinstance(step.expected, op.ServicesReply):
            if any(state.executable for state in step.expected.services):
                return "scripted services have no files"
            if not case.world.services:
                return "Linux has no service manager, so services are scripted"
        if isinstance(step.asked, op.FileInfo | op.FileRead) and step.asked.service:
            return "Linux has no services"
    return None


def batches(cases: t.Sequence[Case]) -> list[list[Case]]:
    """Cases that run in one start of the engine. Restarts wait most of the time, so they run beside the others."""
    found = []
    for group in check.groups(cases):
        restarts = [case for case in group if any(step.operation == "service_restart" for step in case.steps)]
        found += [restarts, [case for case in group if case not in restarts]]
    return [group for group in found if group]


def run(engine: Engine, cases: t.Sequence[Case], folder: Path) -> list[wire.Reply]:
    """The replies of all steps of these cases, in one start of the engine."""
    world = merged([each.world for each in cases])
    with contextlib.ExitStack() as stack:
        ports = stack.enter_context(tls.servers(world.tls, folder))
        _write_files(world, folder)
        variables = {"CONTRACT": str(folder), **_trusted(world, folder)}
        variables |= _stores(folder)
        variables["PATH"] = f"{write_certreq(folder / 'bin')}:{os.environ['PATH']}"
        if world.product:
            variables["PSModulePath"] = str(stand_ins.product_module(world.product, folder / "modules"))
            variables |= stand_ins.product_variables(world.product, folder)
        for process in world.processes:
            stack.enter_context(_running(Path(_local(process.path, folder))))
        asked = [_there(step.asked, folder, ports) for each in cases for step in each.steps]
        printed = execute(
            dataclasses.replace(engine, variables={**engine.variables, **variables}), batch_data(asked), world
        )
    assert (printed.stderr, printed.exit_code) == ("", 0)
    replies, failure = wire.decode_reply(printed.stdout, list(map(typed, asked)), nonce=NONCE)
    assert failure is None, failure
    return [_back(reply, folder) for reply in replies]


def execute(engine: Engine, data: str, world: World | None = None) -> Printed:
    """Run the shipped script with this data; scripted services in place of the system's where the world has some."""
    script = batch_text()
    if world and world.services:
        head = functions_text()
        script = head + stand_ins.service_functions(world.services) + script.removeprefix(head)
    if world and world.ca:
        script = stand_ins.ca_object(world.ca) + script
    script = script.replace("'LocalMachine')", "'CurrentUser')")
    return engine.execute(pack(script, data))


def _local(path: str, folder: Path) -> str:
    """A path of the table on this machine: ``C:\\Contract\\x\\y``; other paths as they are."""
    if not path.lower().startswith(ROOT_FOLDER.lower()):
        return path
    return str(folder) + path[len(ROOT_FOLDER) :].replace("\\", "/")


def _there(asked: Asked, folder: Path, ports: t.Mapping[int, int]) -> Asked:
    if isinstance(asked, op.TlsPeer):
        return with_field(asked, "port", lambda port: ports.get(port, port))
    if isinstance(asked, op.FileInfo | op.FileRead | op.FileSearch):
        return with_field(asked, "path", lambda path: _local(path, folder))
    return asked


def _back(reply: wire.Reply, folder: Path) -> wire.Reply:
    """Paths of this machine as the table has them."""

    def windows(path: str) -> str:
        return path.replace(str(folder), ROOT_FOLDER).replace("/", "\\")

    value = reply.value
    if isinstance(value, op.FileInfoReply | op.FileReadReply):
        value = dataclasses.replace(value, path=windows(value.path))
    if isinstance(value, op.ProcessesReply):
        # Only Windows has programs that end with .exe, and leaves that out of the name. Programs elsewhere on this machine, such as
        # those of a Wine prefix, are no part of the world.
        own = (process for process in value.processes if (process.path or "").startswith(f"{folder}/"))
        states = (dataclasses.replace(process, path=windows(process.path or "") + ".exe") for process in own)
        value = op.ProcessesReply(processes=tuple(states))
    return dataclasses.replace(reply, value=value)


def _write_files(world: World, folder: Path) -> None:
    for each in world.folders:
        Path(_local(each.path, folder)).mkdir(parents=True, exist_ok=True)
    for file in world.files:
        path = Path(_local(file.path, folder))
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            stream.write(file.content)
            stream.truncate(len(file.content) + file.padding)
        os.utime(path, (file.modified.timestamp(), file.modified.timestamp()))


def _stores(folder: Path) -> dict[str, str]:
    """Empty stores of an account of its own."""
    for name in ("my", "ca", "root"):
        (folder / ".dotnet" / "corefx" / "cryptography" / "x509stores" / name).mkdir(parents=True, mode=0o700)
    return {"HOME": str(folder)}


def _trusted(world: World, folder: Path) -> dict[str, str]:
    """The roots of the world as those that .NET trusts."""
    roots = [stored.certificate for stored in world.stored if stored.store == "Root"]
    bundle = folder / "roots.pem"
    bundle.write_bytes(b"".join(x509.load_der_x509_certificate(each).public_bytes(Encoding.PEM) for each in roots))
    return {"SSL_CERT_FILE": str(bundle), "SSL_CERT_DIR": str(folder / "none")}


@contextlib.contextmanager
def _running(path: Path) -> Iterator[None]:
    """A running program of this name."""
    program = path.with_suffix("")
    program.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    with subprocess.Popen([program, "100"]) as process:
        yield
        process.kill()
