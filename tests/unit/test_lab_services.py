# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services and processes of the lab: states, deadlines, dependents, and what goes wrong on real servers."""

from __future__ import annotations

import typing as t
from datetime import datetime, timezone

import pytest
import yaml
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from lab import client
from lab.clock import Clock
from lab.deployment import Deployment
from lab.scenario import SCENARIOS, parse

MCU = "RTCDATAMCU"


def front_end(**entries: t.Any) -> Deployment:
    data = yaml.safe_load((SCENARIOS / "small.yml").read_text(encoding="utf-8"))
    data["servers"]["fe01"].update(entries)
    return Deployment(parse(data), clock=Clock(start=datetime.now(timezone.utc)))


def restart(deployment: Deployment, **fields: t.Any) -> op.ServiceRestartReply:
    operation = op.ServiceRestart(**{"name": MCU, "stop": True, **fields})
    return t.cast("op.ServiceRestartReply", client.ask(deployment, "fe01", operation))


def state(deployment: Deployment, name: str = MCU) -> op.ServiceState:
    reply: op.ServicesReply = client.ask(deployment, "fe01", op.Services(names=(name,)))
    return reply.services[0]


def process(deployment: Deployment) -> op.ProcessState:
    reply: op.ProcessesReply = client.ask(deployment, "fe01", op.Processes(names=("datamcusvc",)))
    assert len(reply.processes) == 1
    return reply.processes[0]


def test_a_restart_gives_a_new_process_that_is_younger() -> None:
    deployment = front_end()
    before = process(deployment)
    reply = restart(deployment)
    after = process(deployment)
    assert (reply.phase, reply.status) == ("done", "running")
    assert before.pid != after.pid
    assert before.started_utc is not None
    assert after.started_utc is not None
    assert before.started_utc < after.started_utc
    assert after.path == r"C:\Program Files\Skype for Business Server 2015\Web Conferencing\DataMCUSvc.exe"


def test_a_slow_stop_is_finished_by_later_calls() -> None:
    deployment = front_end(services={MCU: {"stop_seconds": 50, "start_seconds": 10}})
    first = restart(deployment, seconds=20)
    assert (first.phase, first.status) == ("stopping", "stop_pending")
    assert restart(deployment, seconds=20).phase == "stopping"
    third = restart(deployment, seconds=12, stop=False)
    assert (third.phase, third.status) == ("starting", "start_pending")
    assert restart(deployment, stop=False).phase == "done"


def test_a_service_stuck_in_stopping_never_ends() -> None:
    deployment = front_end(services={MCU: {"stuck": True}})
    for _ in range(3):
        assert restart(deployment).phase == "stopping"
    assert state(deployment).status == "stop_pending"
    assert process(deployment)


def test_a_service_that_fails_to_start_stays_stopped() -> None:
    deployment = front_end(services={MCU: {"fails_to_start": True}})
    assert state(deployment).status == "running"
    reply = client.replies(deployment, "fe01", op.ServiceRestart(name=MCU, stop=True))[0]
    assert reply.error is not None
    assert reply.error.type == "failed"
    assert state(deployment).status == "stopped"


@pytest.mark.parametrize("stopped", [True, False])
def test_a_disabled_service_is_not_touched(stopped: bool) -> None:
    deployment = front_end(services={MCU: {"start_mode": "disabled", "stopped": stopped}})
    before = state(deployment)
    reply = client.replies(deployment, "fe01", op.ServiceRestart(name=MCU, stop=True))[0]
    assert reply.error is not None
    assert reply.error.type == "disabled"
    assert state(deployment) == before
    assert before.start_mode == "disabled"


def test_dependents_stop_with_it_and_start_again() -> None:
    deployment = front_end(dependents=["ARCHIVER", "RECORDER"], services={"RECORDER": {"stopped": True}})
    assert {d.name: d.status for d in state(deployment).dependents} == {"ARCHIVER": "running", "RECORDER": "stopped"}
    reply = restart(deployment)
    assert (reply.dependents_started, reply.dependents_not_started) == (("ARCHIVER",), ())
    assert state(deployment, "ARCHIVER").status == "running"
    assert state(deployment, "RECORDER").status == "stopped"


def test_a_dependent_that_does_not_start_is_named() -> None:
    deployment = front_end(dependents=["ARCHIVER"], services={"ARCHIVER": {"fails_to_start": True}})
    reply = restart(deployment, dependents=("ARCHIVER", "NOSUCH"))
    assert (reply.phase, reply.dependents_not_started) == ("done", ("ARCHIVER", "NOSUCH"))


def test_a_dependent_that_somebody_disabled_is_not_started() -> None:
    deployment = front_end(dependents=["ARCHIVER"], services={"ARCHIVER": {"start_mode": "disabled", "stopped": False}})
    assert state(deployment, "ARCHIVER").status == "running"
    assert restart(deployment).dependents_not_started == ("ARCHIVER",)
    assert state(deployment, "ARCHIVER").status == "stopped"


def test_a_service_that_is_not_there() -> None:
    deployment = front_end()
    assert not state(deployment, "NOSUCH").exists
    reply = client.replies(deployment, "fe01", op.ServiceRestart(name="NOSUCH", stop=True))[0]
    assert reply.error is not None
    assert reply.error.type == "not_found"


@pytest.mark.parametrize(
    ("form", "image_path"),
    [
        ("quoted", r'"D:\Lync Files\Web Conferencing\DataMCUSvc.exe"'),
        ("plain", r"D:\Lync Files\Web Conferencing\DataMCUSvc.exe"),
        ("arguments", r'"D:\Lync Files\Web Conferencing\DataMCUSvc.exe" -service'),
        ("short", r"D:\LYNCFI~1\WEBCON~1\DATAMC~1.EXE"),
    ],
)
def test_the_executable_is_found_in_every_form_of_image_path(form: str, image_path: str) -> None:
    deployment = front_end(install_directory=r"D:\Lync Files", image_path=form)
    found = state(deployment)
    assert found.image_path == image_path
    assert found.executable == r"D:\Lync Files\Web Conferencing\DataMCUSvc.exe"
    config: op.FileInfoReply = client.ask(deployment, "fe01", op.FileInfo(path=".config", service=MCU))
    assert (config.path, config.exists) == (found.executable + ".config", False)


def test_hidden_processes_show_no_times() -> None:
    found = process(front_end(quirks={"hidden_processes": True}))
    assert (found.path, found.started_utc) == (None, None)
