# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of services and service_restart."""

from __future__ import annotations

import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op

from contract.case import Case, Runner, Step, Wrong, case
from contract.world import PROGRAM, SZ, File, Service, World, folder

_FOLDER = folder("services")
_PROGRAM = rf"{_FOLDER}\Program One.exe"
_SYSTEM_FILE = r"C:\Windows\system32\contract one.exe"
_FILES = (File(path=_PROGRAM, content=PROGRAM), File(path=rf"{_FOLDER}\Driver.sys", content=b"x"))

_STATUSES: tuple[op.ServiceStatus, ...] = t.get_args(op.ServiceStatus)
_NO_DEPENDENTS: dict[Runner, str] = {"wine": "Wine knows no dependents of a service (EnumDependentServices gives none)"}

_PATHS: tuple[tuple[str, str, str | None], ...] = (
    ("quoted", f'"{_PROGRAM}"', _PROGRAM),
    ("quoted-arguments", f'"{_PROGRAM}" -k "x y"', _PROGRAM),
    ("quoted-no-end", f'"{_PROGRAM}', _PROGRAM),
    ("quoted-no-exe", f'"{_PROGRAM[:-4]}"', _PROGRAM),
    ("quoted-beginning", f'"{_FOLDER}\\Program" One.exe', None),
    ("quoted-variable", '"%SystemDrive%' + _PROGRAM[2:] + '"', _PROGRAM),
    ("blanks-around", f"  {_PROGRAM}  ", _PROGRAM),
    ("plain", _PROGRAM, _PROGRAM),
    ("plain-arguments", f"{_PROGRAM} -service", _PROGRAM),
    ("plain-tab", f"{_PROGRAM}\t-service", _PROGRAM),
    ("plain-no-exe", _PROGRAM[:-4], _PROGRAM),
    ("plain-no-exe-arguments", f"{_PROGRAM[:-4]} -service", _PROGRAM),
    ("plain-other-case", _PROGRAM.upper(), _PROGRAM.upper()),
    ("plain-slashes", _PROGRAM.replace("\\", "/").replace("/", "\\", 1), _PROGRAM),
    ("plain-dots", rf"{_FOLDER}\x\..\Program One.exe", _PROGRAM),
    ("plain-folder", _FOLDER, None),
    ("device", rf"\??\{_PROGRAM}", _PROGRAM),
    ("device-driver", rf"\??\{_FOLDER}\Driver.sys", rf"{_FOLDER}\Driver.sys"),
    ("system-root", r"\SystemRoot\system32\contract one.exe", _SYSTEM_FILE),
    ("system-root-case", r"\systemroot\system32\contract one", _SYSTEM_FILE),
    ("system-root-variable", r"%SystemRoot%\system32\contract one.exe -k x", _SYSTEM_FILE),
    ("system32", r"system32\contract one.exe", _SYSTEM_FILE),
    ("system32-case", r"System32\contract one.exe", r"C:\Windows\System32\contract one.exe"),
    ("program-files", r"%ProgramFiles%\Contract\none.exe", None),
    ("missing", rf"{_FOLDER}\none.exe", None),
    ("no-folder", "svchost.exe -k netsvcs", None),
    ("unknown-variable", r"%NoSuchVariable%\Program One.exe", None),
    ("blank", " ", None),
    ("quotes-only", '"', None),
    ("two-quotes", '""', None),
)


def state(
    name: str,
    image_path: str | None = None,
    executable: str | None = None,
    *,
    status: op.ServiceStatus = "stopped",
    start_mode: op.StartMode = "manual",
    dependents: tuple[op.Dependent, ...] = (),
) -> op.ServiceState:
    return op.ServiceState(
        name=name,
        exists=True,
        status=status,
        start_mode=start_mode,
        image_path=image_path,
        executable=executable,
        dependents=dependents,
    )


def absent(name: str) -> op.ServiceState:
    return op.ServiceState(
        name=name, exists=False, status=None, start_mode=None, image_path=None, executable=None, dependents=()
    )


def _image_paths() -> list[Case]:
    world = World(
        files=(*_FILES, File(path=_SYSTEM_FILE, content=b"x")),
        services=tuple(Service(name=f"Contract-{name}", image_path=path) for name, path, _ in _PATHS),
    )
    return [
        Case(
            name="services-image-paths",
            world=world,
            steps=tuple(
                Step(
                    op.Services(names=(f"Contract-{name}",)),
                    op.ServicesReply(services=(state(f"Contract-{name}", path, executable),)),
                )
                for name, path, executable in _PATHS
            ),
        )
    ]


def _states() -> list[Case]:
    modes: tuple[op.StartMode, ...] = ("boot", "system", "automatic", "manual", "disabled")
    program = f'"{_PROGRAM}"'
    several = World(
        files=_FILES,
        services=(
            *(Service(name=f"ContractMode{number}", image_path=program, start=number) for number in (2, 3, 4)),
            Service(name="ContractString", image_path=program, image_type=SZ),
        ),
    )
    return [
        Case(
            name="services-states",
            world=several,
            steps=(
                Step(
                    op.Services(names=("ContractMode3", "NoSuchService", "CONTRACTMODE4", "ContractString")),
                    op.ServicesReply(
                        services=(
                            state("ContractMode3", program, _PROGRAM),
                            absent("NoSuchService"),
                            state("CONTRACTMODE4", program, _PROGRAM, start_mode=modes[4]),
                            state("ContractString", program, _PROGRAM),
                        )
                    ),
                ),
                Step(op.Services(names=()), op.ServicesReply(services=())),
                Step(
                    op.Services(names=("ContractMode3 Display",)),
                    op.ServicesReply(services=(absent("ContractMode3 Display"),)),
                ),
            ),
        ),
        case(
            "services-dependents",
            op.Services(names=("ContractBase", "ContractAbove")),
            op.ServicesReply(
                services=(
                    state(
                        "ContractBase",
                        program,
                        _PROGRAM,
                        status="running",
                        start_mode="automatic",
                        dependents=(
                            op.Dependent(name="ContractTop", status="stopped"),
                            op.Dependent(name="ContractAbove", status="running"),
                            op.Dependent(name="ContractBeside", status="stopped"),
                        ),
                    ),
                    state(
                        "ContractAbove",
                        program,
                        _PROGRAM,
                        status="running",
                        start_mode="automatic",
                        dependents=(op.Dependent(name="ContractTop", status="stopped"),),
                    ),
                )
            ),
            world=World(
                files=_FILES,
                services=(
                    Service(name="ContractBase", image_path=program, status="running", start=2),
                    Service(
                        name="ContractAbove",
                        image_path=program,
                        depends_on=("ContractBase",),
                        status="running",
                        start=2,
                    ),
                    Service(name="ContractBeside", image_path=program, depends_on=("ContractBase",)),
                    Service(name="ContractTop", image_path=program, depends_on=("CONTRACTABOVE",)),
                ),
            ),
            left_out=_NO_DEPENDENTS,
        ),
        case(
            "services-drivers",
            op.Services(names=("ContractBoot", "ContractSystem")),
            op.ServicesReply(
                services=(
                    state("ContractBoot", None, None, start_mode="boot"),
                    state(
                        "ContractSystem", rf"\??\{_FOLDER}\Driver.sys", rf"{_FOLDER}\Driver.sys", start_mode="system"
                    ),
                )
            ),
            world=World(
                services=(
                    Service(name="ContractBoot", image_path=None, start=0),
                    Service(name="ContractSystem", image_path=rf"\??\{_FOLDER}\Driver.sys", start=1),
                ),
            ),
            left_out={"wine": "Wine would load them as drivers"},
        ),
        case(
            "services-empty-path",
            op.Services(names=("ContractEmpty",)),
            op.ServicesReply(services=(state("ContractEmpty", "", None),)),
            world=World(services=(Service(name="ContractEmpty", image_path=""),)),
            left_out={"wine": "Wine takes no key with an empty path for a service"},
        ),
        case(
            "services-states-on-the-way",
            op.Services(
                names=(
                    "ContractPaused",
                    "ContractStarting",
                    "ContractStopping",
                    "ContractContinuing",
                    "ContractPausing",
                )
            ),
            op.ServicesReply(
                services=(
                    state("ContractPaused", "x", status="paused"),
                    state("ContractStarting", "x", status="start_pending"),
                    state("ContractStopping", "x", status="stop_pending"),
                    state("ContractContinuing", "x", status="continue_pending"),
                    state("ContractPausing", "x", status="pause_pending"),
                )
            ),
            world=World(
                services=(
                    Service(name="ContractPaused", image_path="x", status="paused"),
                    Service(name="ContractStarting", image_path="x", status="start_pending", stuck=True),
                    Service(name="ContractStopping", image_path="x", status="stop_pending", stuck=True),
                    Service(name="ContractContinuing", image_path="x", status="continue_pending", stuck=True),
                    Service(name="ContractPausing", image_path="x", status="pause_pending", stuck=True),
                )
            ),
        ),
        case(
            "services-dependents-on-the-way",
            op.Services(names=("ContractRoot",)),
            op.ServicesReply(
                services=(
                    state(
                        "ContractRoot",
                        "x",
                        dependents=tuple(
                            op.Dependent(name=f"ContractRoot-{status}", status=status) for status in _STATUSES
                        ),
                    ),
                )
            ),
            world=World(
                services=(
                    Service(name="ContractRoot", image_path="x"),
                    *(
                        Service(
                            name=f"ContractRoot-{status}",
                            image_path="x",
                            depends_on=("ContractRoot",),
                            status=status,
                            stuck=True,
                        )
                        for status in _STATUSES
                    ),
                )
            ),
        ),
        Case(
            name="services-names",
            steps=(
                Step(op.Services(names=("",)), Wrong("invalid")),
                Step(op.Services(names=("x" * 300,)), op.ServicesReply(services=(absent("x" * 300),))),
            ),
            left_out={"linux": "Linux has no services, so no class that could refuse a name"},
        ),
    ]


def done(
    *started: str,
    not_started: tuple[str, ...] = (),
    phase: op.RestartPhase = "done",
    status: op.ServiceStatus = "running",
) -> op.ServiceRestartReply:
    return op.ServiceRestartReply(
        phase=phase, status=status, dependents_started=started, dependents_not_started=not_started
    )


def _restart(name: str, services: t.Sequence[Service], *steps: Step, because: str = "", **left_out: str) -> Case:
    return Case(
        name=f"restart-{name}",
        world=World(files=_FILES, services=tuple(services)),
        steps=steps,
        because=because,
        left_out=t.cast("t.Any", left_out),
    )


def _ask(name: str, *, stop: bool = True, dependents: tuple[str, ...] = (), seconds: int = 20) -> op.ServiceRestart:
    return op.ServiceRestart(name=name, stop=stop, dependents=dependents, seconds=seconds)


def _service(name: str, **fields: t.Any) -> Service:
    return Service(name=name, image_path=f'"{_PROGRAM}"', **fields)


def _restarts() -> list[Case]:
    running = {"status": "running", "start": 2}
    return [
        _restart(
            "running",
            [_service("RsRun", **running)],
            Step(_ask("RsRun"), done()),
            Step(_ask("rsrun", stop=False), done()),
        ),
        _restart("stopped", [_service("RsStop")], Step(_ask("RsStop"), done())),
        _restart("stopped-only-start", [_service("RsStart")], Step(_ask("RsStart", stop=False), done())),
        _restart("not-there", [], Step(_ask("RsNone"), Wrong("not_found")), linux="the scripted services replace all"),
        _restart(
            "disabled",
            [_service("RsDisabled", start=4)],
            Step(_ask("RsDisabled"), Wrong("disabled")),
            Step(_ask("RsDisabled", stop=False), Wrong("disabled")),
        ),
        _restart(
            "no-file",
            [Service(name="RsNoFile", image_path=rf"{_FOLDER}\none.exe")],
            Step(_ask("RsNoFile"), Wrong("not_found")),
            linux="scripted services have no files",
            because="StartService gives ERROR_FILE_NOT_FOUND",
        ),
        _restart("fails", [_service("RsFails", fails=True)], Step(_ask("RsFails"), Wrong("failed"))),
        _restart(
            "dependents",
            [
                _service("RsBase", **running),
                _service("RsNear", depends_on=("RsBase",), **running),
                _service("RsFar", depends_on=("RsNear",), **running),
                _service("RsIdle", depends_on=("RsBase",)),
            ],
            Step(_ask("RsBase"), done("RsNear", "RsFar")),
            Step(_ask("RsBase", dependents=("RSFAR",)), done("RsNear", "RSFAR")),
            Step(_ask("RsBase", stop=False, dependents=("RsIdle", "RsNear")), done("RsIdle", "RsNear")),
            **_NO_DEPENDENTS,
        ),
        _restart(
            "dependents-that-fail",
            [_service("RsBase2", **running), _service("RsBad", depends_on=("RsBase2",), fails=True)],
            Step(_ask("RsBase2", dependents=("RsBad", "RsGone")), done(not_started=("RsBad", "RsGone"))),
        ),
        _restart(
            "stuck",
            [_service("RsStuck", stuck=True, **running)],
            Step(_ask("RsStuck", seconds=1), done(phase="stopping", status="stop_pending")),
            Step(_ask("RsStuck", seconds=1), done(phase="stopping", status="stop_pending")),
            Step(_ask("RsStuck", stop=False, seconds=1), done(phase="stopping", status="stop_pending")),
        ),
        _restart(
            "stuck-dependent",
            [_service("RsUnder", **running), _service("RsHeld", stuck=True, depends_on=("RsUnder",), **running)],
            Step(_ask("RsUnder", seconds=1), done(phase="stopping", status="running")),
            **_NO_DEPENDENTS,
        ),
        _restart(
            "stuck-dependent-of-others",
            [
                _service("RsUnder2", status="paused"),
                _service("RsHeld2", stuck=True, depends_on=("RsUnder2",), status="stop_pending"),
                _service("RsUnder3"),
                _service("RsHeld3", stuck=True, depends_on=("RsUnder3",), status="stop_pending"),
            ],
            Step(_ask("RsUnder2", seconds=1), done(phase="stopping", status="paused")),
            Step(_ask("RsUnder3", seconds=1), done(phase="stopping", status="stopped")),
        ),
        _restart(
            "stuck-starting",
            [_service("RsLate", status="start_pending", stuck=True)],
            Step(_ask("RsLate", stop=False, seconds=1), done(phase="starting", status="start_pending")),
            Step(_ask("RsLate", seconds=1), done(phase="stopping", status="start_pending")),
        ),
        _restart(
            "on-its-way",
            [_service("RsStopping", status="stop_pending"), _service("RsStarting", status="start_pending")],
            Step(_ask("RsStopping"), done()),
            Step(_ask("RsStarting", stop=False), done()),
        ),
        _restart(
            "paused",
            [
                _service("RsPaused", status="paused"),
                _service("RsPaused2", status="paused"),
                _service("RsPausing", status="pause_pending"),
            ],
            Step(_ask("RsPaused", stop=False), done()),
            Step(_ask("RsPaused2"), done()),
            Step(_ask("RsPausing"), done()),
        ),
        _restart(
            "stuck-on-the-way",
            [
                _service("RsContinuing", status="continue_pending", stuck=True),
                _service("RsPausingStuck", status="pause_pending", stuck=True),
                _service("RsPausedStuck", status="paused", stuck=True),
            ],
            Step(_ask("RsContinuing", stop=False, seconds=1), done(phase="starting", status="continue_pending")),
            Step(_ask("RsPausingStuck", stop=False, seconds=1), done(phase="stopping", status="pause_pending")),
            Step(_ask("RsPausedStuck", stop=False, seconds=1), done(phase="starting", status="continue_pending")),
        ),
        _restart("no-name", [], Step(_ask(""), Wrong("invalid"))),
    ]


def services() -> list[Case]:
    return [*_image_paths(), *_states(), *_restarts()]
