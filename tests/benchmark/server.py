# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the script takes on a server: the PowerShell engine under Wine, whose registry, stores and files are those of Windows in form.

Windows PowerShell is another engine on another system; these figures say where the time goes, not how long a server takes.
"""

from __future__ import annotations

import secrets
import time
import typing as t
from pathlib import Path

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from lab import pki
from lab.world.stores import StoreEntry
from powershell.runner import reading_text
from wine.prefix import Prefix, ServerLook, missing
from wine.store_blob import store_keys

_CERTIFICATES: t.Final = 500
_SYSTEM_DLL: t.Final = r"C:\windows\Microsoft.NET\Framework64\v4.0.30319\System.dll"
# System.dll of .NET Framework 4.x has some 3.5 MB.
_SYSTEM_DLL_BYTES: t.Final = 3_500_000
_MARKER: t.Final = "RequireCertificateEKUs".encode("utf-16-le")


def measure(directory: Path) -> dict[str, t.Any]:
    """Milliseconds by operation, of the first batch after the start and of the next.

    :raises RuntimeError: there is no Wine, or no engine for it.
    """
    if reason := missing():
        raise RuntimeError(reason)
    batch = [
        op.System(),
        op.Certificates(store="My", limit=_CERTIFICATES + 1),
        op.FileSearch(path=_SYSTEM_DLL, patterns=(_MARKER,)),
        op.Services(names=("RTCDATAMCU", "RTCSRV")),
        op.Processes(names=("DataMCUSvc",)),
        op.RegistryList(path=r"SOFTWARE\sfb.kb4023993"),
    ]
    with Prefix.create(directory / "prefix", look=ServerLook(name="FE01")) as prefix:
        prefix.import_registry(_stores())
        # Random bytes with the marker at the end: the search has to look at all of them.
        prefix.write(_SYSTEM_DLL, secrets.token_bytes(_SYSTEM_DLL_BYTES) + _MARKER)
        engine, runs = prefix.engine(), []
        for _ in range(2):
            started = time.monotonic()
            replies = engine.run_script(reading_text(), *batch)
            whole = round((time.monotonic() - started) * 1000)
            values = {reply.operation.NAME: reply.value for reply in replies}
            if len(values["certificates"].certificates) != _CERTIFICATES or values["file_search"].found != (True,):
                raise RuntimeError(f"The engine did not read what it was asked for: {replies}")
            runs.append({"whole_process": whole, **{reply.operation.NAME: reply.ms for reply in replies}})
    return {
        "certificates": _CERTIFICATES,
        "system_dll_bytes": _SYSTEM_DLL_BYTES,
        "first_ms": runs[0],
        "second_ms": runs[1],
    }


def _stores() -> dict[str, dict[str, t.Any]]:
    root = pki.root_authority("Benchmark Root")
    issuing = root.subordinate("Benchmark Issuing CA")
    keys: dict[str, dict[str, t.Any]] = {}
    for store, certificates in (
        ("My", [issuing.issue(f"fe{number}.contoso.example").der for number in range(_CERTIFICATES)]),
        ("CA", [issuing.der]),
        ("Root", [root.der]),
    ):
        keys |= store_keys(store, tuple(StoreEntry(certificate=each) for each in certificates))
    return keys
