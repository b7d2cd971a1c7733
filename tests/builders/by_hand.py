# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person at a simulated server who starts collect.ps1: the lab runs the kit's own batches with the batch.ps1 beside them.

What collect.ps1 itself does is the matter of tests/powershell/test_offline_kit.py; here it is done in its place.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
import typing as t
from pathlib import Path

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop
from lab import client
from lab.agent import shipped_bootstrap
from lab.deployment import Deployment
from lab.protocol.handler import Invocation

_VALUE = r"^\${} = '([^'\r\n]*)'\r$"
_RESTART: t.Final[tuple[cop.ServicesAction, ...]] = ("stop", "start")
_DATA = r"^\${} = @'\r\n(.*?)\r\n'@\r$"


def start_kit(deployment: Deployment, host: str, folder: Path) -> Path:
    """Start the kit in this folder on a server; gives the file that it leaves there.

    :raises AssertionError: batch.ps1 is not the one that collect.ps1 expects, or the server refused a batch.
    """
    script = (folder / "collect.ps1").read_bytes().decode("ascii")
    batch = (folder / "batch.ps1").read_bytes()
    assert hashlib.sha256(batch).hexdigest() == _find(_VALUE, "batchHash", script)
    text = f"sfb.kb4023993 offline evidence 1\nkit {_find(_VALUE, 'kit', script)}\nbatch {_find(_VALUE, 'batchHash', script)}\n"
    for name in ("firstOperations", "cmdletOperations"):
        parts = (batch, _find(_DATA, name, script).replace("\r", "").encode("ascii"))
        packed = ".".join(base64.b64encode(gzip.compress(part)).decode("ascii") for part in parts)
        execution = client.execute(
            deployment,
            Invocation(
                host=host, transport="winrm", script="\n".join(shipped_bootstrap()), stdin=f"{packed}\r\n", processes=1
            ),
        )
        reply = execution.stdout.decode("ascii").replace("\r\n", "\n").strip()
        assert '[{"failure":null,' in reply, reply[:300]
        text += f"{reply}\n"
    path = folder / _find(_VALUE, "resultName", script)
    path.write_bytes(with_hash(text))
    return path


def with_hash(text: str) -> bytes:
    """The content of a file with its hash, as whoever knows how can write it."""
    return f"{text}sha256 {hashlib.sha256(text.encode('ascii')).hexdigest()}\n".encode("ascii")


def _find(pattern: str, name: str, script: str) -> str:
    found = re.search(pattern.format(name), script, re.MULTILINE | re.DOTALL)
    assert found, f"collect.ps1 has no {name}"
    return found.group(1)


def start_request(deployment: Deployment, host: str, folder: Path) -> Path:
    """Start request.ps1 of this folder on a server; gives the request that it leaves there."""
    script = (folder / "request.ps1").read_bytes().decode("ascii")
    request = cop.LyncRequest(
        modules=_list("modules", script),
        use="Internal",
        friendly_name=_find(r"^\${} = '([^']*)' \+ ", "friendlyName", script),
        names=_list("names", script),
        key_size=int(_find(r"^\${} = \[int\]'(\d+)'\r$", "keySize", script)),
        exportable=_flag("exportable", script),
    )
    reply = client.ask(deployment, host, request)
    assert reply.csr, reply
    path = folder / "request.req"
    path.write_text(reply.csr, "ascii", newline="\r\n")
    return path


def start_install(deployment: Deployment, host: str, folder: Path, *, restart: bool = True) -> Path | None:
    """Start install.ps1 of this folder on a server, and answer its question; gives the evidence that it leaves in the folder above."""
    script = (folder / "install.ps1").read_bytes().decode("ascii")
    modules = _list("modules", script)
    for name, store in zip(_list("authorityFiles", script), _list("authorityStores", script), strict=True):
        add = cop.StoreAdd(store="Root" if store == "Root" else "CA", certificate=(folder / name).read_bytes())
        client.ask(deployment, host, add)
    certificate = (folder / "certificate.cer").read_bytes()
    for operation in (
        cop.LyncImport(modules=modules, certificate=certificate, exportable=_flag("exportable", script)),
        cop.LyncAssign(modules=modules, uses=("Internal",), thumbprint=_find(_VALUE, "thumbprint", script)),
        *(cop.LyncServices(modules=modules, action=action) for action in _RESTART if restart),
    ):
        reply = client.ask(deployment, host, operation)
        assert reply.failure is None, reply
        with deployment.lock:
            deployment.clock.advance(60)
    return start_kit(deployment, host, folder.parent) if restart else None


def _list(name: str, script: str) -> tuple[str, ...]:
    return tuple(re.findall(r"'([^']*)'", _find(r"^\${} = @\(([^)\r\n]*)\)\r$", name, script)))


def _flag(name: str, script: str) -> bool:
    return _find(r"^\${} = \$(true|false)\r$", name, script) == "true"
