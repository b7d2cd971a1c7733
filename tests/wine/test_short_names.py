# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service whose ImagePath holds an 8.3 name: it is found, and its process restarts.

.NET Framework expands such a name to the long one (``Path.GetFullPath``), the .NET of the engine leaves it. So what is shown here is that
the service is read and restarted by that name, and not the long name that the override gets on a server.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op

from wine import programs
from wine.prefix import Prefix
from wine.registry_file import dword, string

pytestmark = pytest.mark.wine

SERVICE = "RTCDATAMCU"
LONG = r"C:\Program Files\Skype for Business Server 2015\Web Conferencing\DataMCUSvc.exe"


@pytest.fixture(scope="module")
def server(base_prefix: Prefix, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefix]:
    with base_prefix.clone(tmp_path_factory.mktemp("short") / "prefix") as prefix:
        prefix.write(LONG, programs.service_program("6.0.9319.534"))
        prefix.start()
        yield prefix


def short_name(server: Prefix) -> str:
    """The 8.3 form that this Windows interface itself gives the file."""
    batch = server.write(r"C:\short.cmd", f'@for %%I in ("{LONG}") do @echo %%~sI\r\n'.encode("ascii"))
    found = server.wine("cmd.exe", "/c", r"C:\short.cmd").text.strip()
    batch.unlink()
    return found


def test_a_service_is_found_and_restarted_by_its_short_name(server: Prefix) -> None:
    path = short_name(server)
    assert "~" in path
    assert " " not in path
    values = {
        "ImagePath": string(path, kind=2),
        "Type": dword(0x10),
        "Start": dword(2),
        "ErrorControl": dword(1),
        "ObjectName": string("LocalSystem"),
    }
    server.import_registry({rf"SYSTEM\CurrentControlSet\Services\{SERVICE}": values})
    server.restart()
    parameters = rf"SYSTEM\CurrentControlSet\Services\{SERVICE}\Parameters"
    runs = server.value(parameters, "Runs")
    processes = op.Processes(names=("DataMCUSvc",))
    before, first, restarted, after = server.engine().run(
        op.Services(names=(SERVICE,)), processes, op.ServiceRestart(name=SERVICE, stop=True), processes
    )
    state = before.value.services[0]
    assert (state.exists, state.image_path) == (True, path)
    assert state.executable is not None
    assert state.executable.lower() == path.lower()
    assert restarted.error is None
    assert (restarted.value.phase, restarted.value.status) == ("done", "running")
    (old,), (new,) = first.value.processes, after.value.processes
    # Process ids may come again.
    assert (old.pid, old.started_utc) != (new.pid, new.started_utc)
    assert runs is not None
    assert server.value(parameters, "Runs") == dword(runs.number + 1)
