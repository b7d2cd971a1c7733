# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fleet of the lab in which Wine runs the server fe01, and what is read there without the collection's own code."""

from __future__ import annotations

import copy
import json
import operator
import typing as t
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations
from integration.fleet import Fleet, Played
from lab import scenario as scenarios
from lab.clock import Clock
from lab.install import install, new_host
from lab.scenario import Scenario
from lab.world.host import WEB_CONFERENCING
from lab.world.services import SERVICES

from wine import server
from wine.prefix import Prefix, ServerLook
from wine.registry_file import Raw

SCENARIOS = Path(__file__).parent / "scenarios"
NAME = "fe01"
_OF_THE_ENGINE = {"powershell_version", "clr_version", "time_utc"}
_OF_THE_FILE = {"size", "created_utc", "modified_utc"}
SOFTWARE = (r"SOFTWARE\Microsoft", r"SOFTWARE\Wow6432Node\Microsoft")


class WineFleet(Fleet):
    """A fleet of one of the scenarios beside this file. ``prefix`` is what Wine runs; all other servers are the lab's model."""

    def __init__(self, name: str, directory: Path, *, base: Prefix) -> None:
        path = SCENARIOS / f"{name}.yml"
        self.prefix = base.clone(directory / "prefix", look=_look(path))
        self.prefix.start()
        super().__init__(path, directory, live={NAME: server.program(self.prefix)})
        around = self.lab.deployment.surroundings
        server.materialise(self.lab.host(NAME), self.prefix, topology=around.topology())
        # When a program first opens a store after the start, Wine writes this machine's public authorities into the registry.
        self.prefix.engine().run(*(operations.Certificates(store=store) for store in ("My", "CA", "Root")))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self.prefix.stop()

    def software(self) -> dict[str, dict[str, Raw]]:
        """The registry below Microsoft, both views, as reg.exe exports it."""
        return {key: values for path in SOFTWARE for key, values in self.prefix.export_registry(path).items()}

    def noted(self, name: str) -> int:
        """What the Web Conferencing process noted about itself when it started (service.c)."""
        value = self.prefix.value(rf"{SERVICES}\{WEB_CONFERENCING}\Parameters", name)
        assert value is not None
        return value.number

    def process(self) -> tuple[int, str | None]:
        """Process id and start time of Web Conferencing, which runs exactly once."""
        (reply,) = self.prefix.engine().run(operations.Processes(names=("DataMCUSvc",)))
        (found,) = reply.value.processes
        return found.pid, found.started_utc


@dataclass(frozen=True, kw_only=True)
class Audit:
    """An audit, and what it kept of fe01."""

    played: Played
    evidence: dict[str, t.Any]

    def comparable(self) -> dict[str, t.Any]:
        """What does not depend on when and in which engine it was read, nor on certificates, which each lab makes anew."""
        evidence = copy.deepcopy(self.evidence)
        for name in _OF_THE_ENGINE:
            del evidence["system"][name]
        for dll in evidence["dotnet"]["system_dlls"]:
            # Wine's folder is called windows.
            dll["path"] = dll["path"].lower()
        for key in evidence["opt_outs"]["keys"]:
            key["executables"]["values"].sort(key=operator.itemgetter("name"))
        for file in (*evidence["executables"].values(), *evidence["dotnet"]["system_dlls"]):
            for name in _OF_THE_FILE & set(file):
                del file[name]
        return {
            "processes": [(process["name"], process["path"]) for process in evidence["processes"]],
            "problems": [(problem["section"], problem["type"]) for problem in evidence["problems"]],
            **{name: evidence[name] for name in ("system", "services", "executables", "dotnet", "opt_outs")},
        }


def audit(fleet: Fleet) -> Audit:
    played = fleet.play("audit")
    assert (played.code, played.failed) == (0, set()), played.output
    return Audit(played=played, evidence=json.loads((fleet.state / "evidence" / f"{NAME}.json").read_text("utf-8")))


def audit_of_the_model(scenario: Scenario, directory: Path) -> Audit:
    """An audit of a scenario in which the lab plays all servers."""
    with Fleet(scenario, directory) as model:
        return audit(model)


def _look(path: Path) -> ServerLook:
    scenario = scenarios.load(path)
    described, clock = scenario.by_name[NAME], Clock()
    host = new_host(described, scenario.domain, clock, lambda _: None)
    install(host, described, clock.now())
    return server.look(host)
