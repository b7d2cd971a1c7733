# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order and the ends of service_restart, with services that are scripted: here no system has any."""

from __future__ import annotations

import json
import typing as t

import pytest
from powershell.runner import Engine, functions_text, pack

_SERVICES = """
class Service {
    [string]$ServiceName; [string]$Status; [Service[]]$DependentServices = @(); [int]$Polls = 0; [string]$Next; [int]$Slow; [bool]$Fails
    [void] Refresh() {
        if ($this.Next -and --$this.Polls -lt 0) { $this.Status = $this.Next; $this.Next = '' }
    }
    [void] Move([string]$verb, [string]$pending, [string]$final) {
        $script:calls.Add("$verb $($this.ServiceName)")
        $this.Status = $pending; $this.Next = $final; $this.Polls = $this.Slow
    }
    [void] Start() { $final = 'Running'; if ($this.Fails) { $final = 'Stopped' }; $this.Move('start', 'StartPending', $final) }
    [void] Stop() { $this.Move('stop', 'StopPending', 'Stopped') }
    [void] Continue() { $this.Move('continue', 'ContinuePending', 'Running') }
}
$script:calls = [Collections.Generic.List[string]]::new()
function New-Service([string]$name, [string]$status) { $made = [Service]::new(); $made.ServiceName = $name; $made.Status = $status; $made }
$main = New-Service 'MAIN' 'Running'
$near = New-Service 'NEAR' 'Running'
$far = New-Service 'FAR' 'Running'
$idle = New-Service 'IDLE' 'Stopped'
$main.DependentServices = @($far, $near, $idle)
function Get-ServiceControl([string]$name) { foreach ($one in @($main, $near, $far, $idle)) { if ($one.ServiceName -eq $name) { return $one } } }
function Get-MachineValue { return 2 }
"""
_ASK = """
$fields = @{{ name = 'MAIN'; stop = '{stop}'; seconds = '{seconds}'{dependents} }}
$reply = $null
$failure = $null
try {{ $reply = service_restart @fields }} catch {{ $failure = Get-Failure $_ }}
ConvertTo-JsonText @{{ reply = $reply; failure = $failure; calls = $script:calls }}
"""


@pytest.fixture
def restart(engine: Engine) -> t.Callable[..., t.Any]:
    def ask(scene: str = "", *, stop: bool = True, seconds: int = 10, dependents: tuple[str, ...] = ()) -> t.Any:
        names = ", ".join(f"'{name}'" for name in dependents)
        question = _ASK.format(
            stop=int(stop), seconds=seconds, dependents=f"; dependents = @({names})" if dependents else ""
        )
        printed = engine.execute(pack(f"{functions_text()}\n{_SERVICES}\n{scene}\n{question}", ""))
        assert (printed.stderr, printed.exit_code) == ("", 0)
        return json.loads(printed.stdout)

    return ask


Restart = t.Callable[..., t.Any]


def test_running_dependents_stop_first_and_start_again(restart: Restart) -> None:
    """Those that ran, whoever named them; what was stopped stays so unless it is asked for."""
    answer = restart(dependents=("FAR",))
    assert answer["calls"] == ["stop FAR", "stop NEAR", "stop MAIN", "start MAIN", "start NEAR", "start FAR"]
    assert answer["reply"] == {
        "phase": "done",
        "status": "running",
        "dependents_started": ["NEAR", "FAR"],
        "dependents_not_started": [],
    }


def test_a_dependent_that_does_not_start_is_named(restart: Restart) -> None:
    answer = restart("$near.Fails = $true", dependents=("NEAR", "GONE", "IDLE"))
    assert answer["reply"]["phase"] == "done"
    assert answer["reply"]["dependents_started"] == ["FAR", "IDLE"]
    assert answer["reply"]["dependents_not_started"] == ["NEAR", "GONE"]


@pytest.mark.parametrize(
    ("scene", "phase", "status", "calls"),
    [
        ("$far.Slow = 1000", "stopping", "running", ["stop FAR"]),
        ("$main.DependentServices = @(); $main.Slow = 1000", "stopping", "stop_pending", ["stop MAIN"]),
        (
            "$main.DependentServices = @(); $main.Status = 'StopPending'",
            "stopping",
            "stop_pending",
            [],
        ),
    ],
)
def test_time_over_while_stopping(restart: Restart, scene: str, phase: str, status: str, calls: list[str]) -> None:
    answer = restart(scene, seconds=1)
    assert (answer["reply"]["phase"], answer["reply"]["status"], answer["calls"]) == (phase, status, calls)


def test_asking_again_goes_on(restart: Restart) -> None:
    """Still stopping is waited for; with stop off, nothing is stopped, and a start on its way is not started twice."""
    answer = restart(
        "$main.Status = 'StopPending'; $main.Next = 'Stopped'; $main.Polls = 2; $main.DependentServices = @()"
    )
    assert (answer["reply"]["phase"], answer["calls"]) == ("done", ["start MAIN"])
    answer = restart("$main.Status = 'StartPending'; $main.Next = 'Running'; $main.Polls = 2", stop=False)
    assert (answer["reply"]["phase"], answer["calls"]) == ("done", [])
    answer = restart("$main.Status = 'Stopped'; $main.Slow = 1000", stop=False, seconds=1)
    assert (answer["reply"]["phase"], answer["reply"]["status"]) == ("starting", "start_pending")


def test_a_service_that_falls_over_is_an_error(restart: Restart) -> None:
    answer = restart("$main.Fails = $true; $main.DependentServices = @()")
    assert answer["reply"] is None
    assert answer["failure"] == {"type": "failed", "message": "the service MAIN was started and is stopped again"}


def test_a_disabled_service_is_not_touched(restart: Restart) -> None:
    answer = restart("function Get-MachineValue { return 4 }")
    assert (answer["failure"]["type"], answer["calls"]) == ("disabled", [])


_BROKEN = """
class Broken {
    [string]$ServiceName; [int]$Code
    [void] Refresh() { }
    [string] get_Status() { throw [InvalidOperationException]::new('no', [ComponentModel.Win32Exception]::new($this.Code)) }
}
"""


@pytest.mark.parametrize(("code", "expected"), [(1060, "absent"), (5, "denied"), (1722, "failed")])
def test_a_service_that_cannot_be_read_is_not_taken_for_one_that_is_not_there(
    engine: Engine, code: int, expected: str
) -> None:
    """PowerShell swallows what a property throws, so a state that nobody may read could look like no service."""
    made = "New-Object ServiceProcess.ServiceController $name"
    script = functions_text()
    assert made in script
    script = script.replace(made, f"[Broken]@{{ ServiceName = $name; Code = {code} }}")
    question = (
        "try { $found = services @('MAIN'); \"$($found['services'][0]['exists'])\" } catch { (Get-Failure $_)['type'] }"
    )
    printed = engine.execute(pack(f"{_BROKEN}\n{script.split('$data = $args[0]')[1]}\n{question}", ""))
    assert (printed.stderr, printed.exit_code) == ("", 0)
    assert printed.stdout.split()[-1] == {"absent": "False"}.get(expected, expected)
