# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The prefixes themselves: what the other tests of this folder stand on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations

from wine.prefix import Prefix, ServerLook
from wine.registry_file import Raw, dword, multi_string, qword, string

pytestmark = pytest.mark.wine

KEY = r"SOFTWARE\Contoso [x]\Größe"
GERMAN = ServerLook(
    name="SERVER",
    language="de_DE",
    time_zone="Europe/Berlin",
    version="6.3",
    build=17763,
    ubr=678,
    product="Windows Server 2019",
)


@pytest.fixture(scope="module")
def german(base_prefix: Prefix, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prefix]:
    with base_prefix.clone(tmp_path_factory.mktemp("german") / "prefix", look=GERMAN) as server:
        server.start()
        yield server


def test_values_of_every_kind_come_back_from_reg_exe_as_they_were(german: Prefix) -> None:
    values = {
        "": string("default"),
        'a\\b "q" ü 会議\r\n\\n': string('C:\\x "y"\r\n=\\'),
        "[x]=dword:1": dword(2**32 - 1),
        "quad": qword(2**64 - 1),
        "many": multi_string("a", "b c"),
        "expand": string("%windir%", kind=2),
        "none": Raw(kind=0, data=b""),
        "odd": Raw(kind=0x2A, data=b"\0\1\2"),
    }
    german.import_registry({KEY: values, KEY + r"\empty": {}})
    assert german.export_registry(KEY) == {KEY: values, KEY + r"\empty": {}}
    assert german.value(KEY.replace("Contoso", "CONTOSO"), "QUAD") == qword(2**64 - 1)
    assert german.export_registry(KEY + r"\missing") == {}


def test_the_look_reaches_the_server_with_its_language(german: Prefix) -> None:
    (reply,) = german.engine().run(operations.System())
    system = reply.value
    assert isinstance(system, operations.SystemReply)
    assert (system.computer_name, system.dns_domain) == ("SERVER", "contoso.com")
    assert (system.os_version, system.os_ubr, system.product_type) == ("10.0.17763", 678, "ServerNT")
    assert (system.culture, system.ui_culture) == ("de-DE", "de-DE")
    assert system.utc_offset_minutes in (60, 120)
    # Messages of Windows' programs, in Wine's translation.
    assert "Der angegebene" in german.reg("query", r"HKLM\SOFTWARE\missing").text


def test_a_clone_leaves_the_original_alone(base_prefix: Prefix, german: Prefix) -> None:
    def hives(prefix: Prefix) -> dict[str, tuple[int, bytes]]:
        return {file.name: (file.stat().st_ino, file.read_bytes()) for file in prefix.folder.glob("*.reg")}

    before = hives(base_prefix)
    german.import_registry({KEY + r"\here": {"only": dword(1)}})
    german.restart()
    assert german.value(KEY + r"\here", "only") == dword(1)
    assert hives(base_prefix) == before
    assert {inode for inode, _ in hives(german).values()} & {inode for inode, _ in before.values()} == set()


def test_denied_rights_are_refused_and_can_be_given_back(german: Prefix) -> None:
    path = r"SOFTWARE\Contoso Rights"
    german.import_registry({path: {"a": dword(1)}})
    german.deny(path, "QueryValues")
    (denied,) = german.engine().run(operations.RegistryRead(path=path, name="a"))
    german.allow(path)
    (allowed,) = german.engine().run(operations.RegistryRead(path=path, name="a"))
    assert denied.error is not None
    assert denied.error.type == "denied"
    assert allowed.error is None
