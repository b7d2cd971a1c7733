# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated registry behaves as Windows does where the product relies on it."""

from __future__ import annotations

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from lab import client
from lab.deployment import Deployment
from lab.scenario import load
from lab.world.registry import Registry

KEY = r"SOFTWARE\Contoso\Settings"


@pytest.fixture
def deployment() -> Deployment:
    return Deployment(load("small"))


def test_names_are_found_without_case_and_kept_as_written() -> None:
    registry = Registry()
    registry.write(r"SOFTWARE\Contoso", "Näme", "dword", 1)
    registry.write(r"software\CONTOSO", "NÄME", "dword", 2)
    assert registry.subkeys("SOFTWARE") == ("Contoso",)
    assert [(value.name, value.data) for value in registry.values(r"Software\contoso")] == [("Näme", 2)]


def test_the_32_bit_view_is_the_wow6432node_side() -> None:
    registry = Registry()
    registry.write(r"SOFTWARE\Contoso", "x", "dword", 1, view="32")
    assert registry.read(r"SOFTWARE\Contoso", "x") is None
    assert registry.read(r"SOFTWARE\Wow6432Node\Contoso", "x") == registry.read(r"SOFTWARE\Contoso", "x", view="32")
    registry.write(r"SYSTEM\Contoso", "x", "dword", 2, view="32")
    assert registry.read(r"SYSTEM\Contoso", "x") is not None


def test_setting_creates_missing_keys_and_keeps_the_others_values(deployment: Deployment) -> None:
    registry = deployment.hosts["fe01"].registry
    registry.write(KEY, "other", "string", "stays")
    reply = client.ask(deployment, "fe01", op.RegistrySet(path=KEY, name="New", kind="dword", data=("7",)))
    assert (reply.changed, reply.refused, reply.before, reply.key_existed) == (True, False, None, True)
    assert reply.after == op.RegistryValue(name="New", kind="dword", data=7)
    assert registry.read(KEY, "other") is not None
    again = client.ask(deployment, "fe01", op.RegistrySet(path=KEY, name="NEW", kind="dword", data=("7",)))
    assert not again.changed


@pytest.mark.parametrize(
    ("found", "expectation", "refused"),
    [
        (None, {"expect": "absent"}, False),
        (None, {"expect": "value", "expect_kind": "dword", "expect_data": ("0",)}, True),
        (("dword", 0), {"expect": "absent"}, True),
        (("dword", 0), {"expect": "value", "expect_kind": "dword", "expect_data": ("0",)}, False),
        (("dword", 1), {"expect": "value", "expect_kind": "dword", "expect_data": ("0",)}, True),
        (("string", "0"), {"expect": "value", "expect_kind": "dword", "expect_data": ("0",)}, True),
        (("dword", 1), {"expect": "anything"}, False),
    ],
)
def test_a_change_happens_only_if_what_is_found_is_expected(
    deployment: Deployment, found: tuple[str, str | int] | None, expectation: dict[str, str], refused: bool
) -> None:
    registry = deployment.hosts["fe01"].registry
    registry.create(KEY)
    if found:
        registry.write(KEY, "x", *found)
    before = registry.dump()
    operation = op.RegistrySet(path=KEY, name="X", kind="dword", data=("9",), **expectation)  # type: ignore[arg-type]
    reply = client.ask(deployment, "fe01", operation)
    assert reply.refused is refused
    assert (registry.dump() == before) is refused
    assert (reply.before.kind, reply.before.data) == found if found else reply.before is None


def test_deleting_prunes_only_an_empty_key(deployment: Deployment) -> None:
    registry = deployment.hosts["fe01"].registry
    registry.write(KEY, "a", "dword", 1)
    registry.write(KEY, "b", "dword", 1)
    assert client.ask(deployment, "fe01", op.RegistryDelete(path=KEY, name="A", prune=True)).key_exists
    reply = client.ask(deployment, "fe01", op.RegistryDelete(path=KEY, name="b", prune=True))
    assert (reply.changed, reply.key_exists) == (True, False)
    assert not client.ask(deployment, "fe01", op.RegistryDelete(path=KEY, name="b", prune=True)).changed


def test_without_prune_an_empty_key_stays(deployment: Deployment) -> None:
    deployment.hosts["fe01"].registry.write(KEY, "a", "dword", 1)
    reply = client.ask(deployment, "fe01", op.RegistryDelete(path=KEY, name="a"))
    assert (reply.changed, reply.after, reply.key_exists) == (True, None, True)


def test_a_private_key_and_the_time_stamp(deployment: Deployment) -> None:
    host = deployment.hosts["fe01"]
    operation = op.RegistrySet(path=KEY, name="t", kind="string", data=("at @now@",), private=True, stamp=True)
    reply = client.ask(deployment, "fe01", operation)
    assert reply.after.data.startswith("at 20")
    assert reply.after.data.endswith("Z")
    assert host.registry.is_private(KEY)
    assert not host.registry.is_private("SOFTWARE")


def test_a_denied_key_and_a_foreign_hive_are_errors(deployment: Deployment) -> None:
    host = deployment.hosts["fe01"]
    host.registry.denied.add(r"SOFTWARE\Secret")
    below = op.RegistryRead(path=r"software\SECRET\Deep", name="x")
    beside = op.RegistryRead(path=r"SOFTWARE\Secrets", name="x")
    other = op.RegistryRead(path=r"SAM\x", name="x")
    denied, fine, invalid = client.replies(deployment, "fe01", below, beside, other)
    assert denied.error is not None
    assert denied.error.type == "denied"
    assert fine.value == op.RegistryReadReply(key_exists=False, value=None)
    assert invalid.error is not None
    assert invalid.error.type == "invalid"


def test_all_kinds_survive_the_way(deployment: Deployment) -> None:
    values: list[tuple[op.RegistryKind, tuple[str, ...], object]] = [
        ("string", ("a b\tü",), "a b\tü"),
        ("expand_string", ("%windir%",), "%windir%"),
        ("multi_string", ("a", "", "b"), ("a", "", "b")),
        ("multi_string", (), ()),
        ("dword", ("4294967295",), 2**32 - 1),
        ("qword", ("18446744073709551615",), 2**64 - 1),
        ("binary", ("AAECAw==",), "AAECAw=="),
    ]
    for kind, data, expected in values:
        reply = client.ask(deployment, "fe01", op.RegistrySet(path=KEY, name=kind, kind=kind, data=data))
        assert (reply.after.kind, reply.after.data) == (kind, expected)
    too_big = client.replies(deployment, "fe01", op.RegistrySet(path=KEY, name="x", kind="dword", data=("4294967296",)))
    assert too_big[0].error is not None


def test_a_list_is_cut_at_its_limit(deployment: Deployment) -> None:
    registry = deployment.hosts["fe01"].registry
    for number in range(5):
        registry.write(KEY, f"v{number}", "dword", number)
        registry.create(rf"{KEY}\k{number}")
    reply = client.ask(deployment, "fe01", op.RegistryList(path=KEY, limit=3))
    assert (len(reply.values), len(reply.subkeys), reply.truncated) == (3, 3, True)
    assert not client.ask(deployment, "fe01", op.RegistryList(path=KEY, limit=5)).truncated
