# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that answers without end, slowly or fast, costs its own time limit and a bounded piece of memory, and no other server anything."""

from __future__ import annotations

import time
import typing as t
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from integration.fleet import Fleet, Played
from lab.protocol import Fault
from lab.protocol.faults import Stage
from lab.scenario import parse

EACH = {"product": "sfb2015", "os": "server2012r2", "dotnet": {"version": "4.5.2", "update": "KB4014512"}}
SECONDS = 6
MEGABYTE = 1024 * 1024


def _drops(*stages: Stage, after: int = 0, times: int | None = None) -> tuple[Fault, ...]:
    return tuple(Fault(stage=stage, kind="trickle", seconds=0.2, after_commands=after, times=times) for stage in stages)


_LINES = (Fault(stage="receive", kind="endless", seconds=0.3, keep_bytes=60),)
# By server: how it is reached, and what it does for ever.
SLOW: dict[str, tuple[str, Sequence[Fault]]] = {
    "connecting": ("winrm http basic", _drops("connect")),
    # Not even the end of the command, or that of the shell, is answered.
    "nothing-ends": ("winrm http basic", _drops("receive", "signal", "delete")),
    "nothing-ends-psrp": ("psrp http basic", _drops("receive", "delete")),
    "lines": ("winrm http basic", _LINES),
    "lines-psrp": ("psrp http basic", _LINES),
    "lines-ssh": ("ssh", _LINES),
    "silent": ("psrp http basic", (Fault(stage="receive", kind="delay", seconds=60, after_commands=1),)),
}
# The batch of the cmdlets, and that about the peers.
LATER: dict[str, tuple[str, Sequence[Fault]]] = {
    "cmdlets": ("winrm http basic", _drops("receive", after=2, times=1)),
    "peers": ("psrp http basic", _drops("receive", after=3, times=1)),
}
WELL = ("well", "edge")
# By server: how it is reached, and its time limit. The clients of psrp and ssh take as much as that of winrm, but more slowly.
FLOODS = {"flood": ("winrm http basic", 120), "flood-psrp": ("psrp http basic", 8), "flood-ssh": ("ssh", 8)}


@dataclass(frozen=True, kw_only=True)
class Limited:
    """A run with a time limit of its own: how it ended, how long it took, and the memory of its largest worker in bytes."""

    played: Played
    seconds: float
    peak: int


def _play(
    start: t.Callable[..., Fleet],
    servers: dict[str, t.Any],
    faults: dict[str, Sequence[Fault]],
    *,
    seconds: dict[str, int],
) -> Limited:
    pools = {name: {"edge_pool": "edge"} if "edge" in servers and name != "edge" else {} for name in servers}
    fleet = start(parse({"pools": pools, "servers": servers}))
    for name, found in faults.items():
        fleet.lab.set_faults(name, found)
    inventory = yaml.safe_load(fleet.inventory.read_text("utf-8"))
    for name, limit in seconds.items():
        inventory["all"]["hosts"][name]["sfb_kb4023993_timeout"] = limit
    fleet.inventory.write_text(yaml.safe_dump(inventory), "utf-8")
    measured = fleet.directory / "peak"
    began = time.monotonic()
    played = fleet.play(
        "audit",
        environment={
            "ANSIBLE_FORKS": "16",
            "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "peak_memory",
            "SFB_PEAK_MEMORY": str(measured),
        },
    )
    took = time.monotonic() - began
    assert measured.exists(), played.output
    return Limited(played=played, seconds=took, peak=int(measured.read_text("utf-8")))


@pytest.fixture(scope="module")
def slow(start: t.Callable[..., Fleet]) -> Limited:
    servers: dict[str, t.Any] = {
        name: {**EACH, "pool": name, "connection": connection}
        for name, (connection, _faults) in {**SLOW, **LATER}.items()
    }
    for name in WELL:
        kind = {"role": "edge"} if name == "edge" else {}
        servers[name] = {**EACH, **kind, "pool": name, "connection": "winrm http basic"}
    faults = {name: found for name, (_connection, found) in {**SLOW, **LATER}.items()}
    return _play(start, servers, faults, seconds=dict.fromkeys(servers, SECONDS))


@pytest.fixture(scope="module")
def flooded(start: t.Callable[..., Fleet]) -> Limited:
    connections = {name: connection for name, (connection, _limit) in FLOODS.items()} | {"well": "winrm http basic"}
    servers = {name: {**EACH, "pool": name, "connection": connection} for name, connection in connections.items()}
    endless = (Fault(stage="receive", kind="endless"),)
    limits = {name: limit for name, (_connection, limit) in FLOODS.items()}
    return _play(start, servers, dict.fromkeys(FLOODS, endless), seconds=limits)


@pytest.mark.matrix
@pytest.mark.parametrize("name", SLOW)
def test_server_that_never_comes_to_an_end_is_not_assessed_after_the_time_limit(slow: Limited, name: str) -> None:
    assert slow.played.verdicts[name] == "not_assessed", slow.played.output
    (finding,) = slow.played.findings(name).values()
    assert finding["evidence"] == [f"reading the server: the server did not answer within {SECONDS} seconds."]
    assert "sfb_kb4023993_timeout" in finding["next_step"]


@pytest.mark.matrix
@pytest.mark.parametrize("name", LATER)
def test_what_was_read_before_the_time_limit_is_kept(slow: Limited, name: str) -> None:
    assert slow.played.verdicts[name] == "broken"
    assert slow.played.hosts[name]["certificate"]["source"] == ("presented" if name == "cmdlets" else "assigned")
    lines = slow.played.findings(name)["KB4023993-EVIDENCE-MISSING"]["evidence"]
    section = "lync" if name == "cmdlets" else "peers"
    assert [line for line in lines if f"{section}, batch: timed_out: the server did not answer within" in line] == lines


@pytest.mark.matrix
def test_others_are_judged_and_the_run_ends_well(slow: Limited) -> None:
    assert slow.played.code == 0, slow.played.output
    assert slow.played.failed == set()
    assert set(slow.played.hosts) == {*SLOW, *LATER, *WELL}
    assert "Traceback" not in slow.played.output
    for name in WELL:
        assert slow.played.verdicts[name] == "broken"
        assert "KB4023993-EVIDENCE-MISSING" not in slow.played.findings(name)


def test_run_does_not_hang_on_a_server_that_does_not_even_end_its_session(slow: Limited) -> None:
    # Two tasks, each with its limit and some seconds to let go of the server; the rest is the run itself on a busy machine.
    assert slow.seconds < 2 * (SECONDS + 6) + 25


def test_answer_without_end_is_not_kept(flooded: Limited, record_property: t.Callable[[str, object], None]) -> None:
    assert flooded.played.code == 0, flooded.played.output
    for name in FLOODS:
        assert flooded.played.verdicts[name] == "not_assessed"
    assert flooded.played.verdicts["well"] == "broken"
    # 64 MB have all workers; 128 MB more may a reply take, and what comes in between two looks.
    assert flooded.peak < 320 * MEGABYTE
    figure = f"A server whose answer has no end costs a worker {flooded.peak // MEGABYTE} MB at most."
    record_property("figure", figure)


def test_answer_without_end_is_named_with_what_to_look_for(flooded: Limited) -> None:
    (finding,) = flooded.played.findings("flood").values()
    assert finding["evidence"] == [
        "reading the server: the server sent more than the controller can take as one answer."
    ]
    assert "prints without end" in finding["next_step"]
