# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is: its role by its services, its product by the file version of the service's own executable."""

from __future__ import annotations

import dataclasses
import typing as t

from ..evidence import Evidence
from ..host.operations import ProcessState
from ..knowledge import loader as knowledge
from .times import is_after

Role = t.Literal["front_end", "edge", "none", "unknown"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RoleFacts:
    """``service`` is the one that gives the role. ``executable``: its full long path, the name that .NET looks up.

    ``running``: the service is not stopped; its ``process`` may all the same not have been seen.

    ``reason`` says why a host has no role, or why it is not known. ``clr`` None: the product is not known.
    """

    role: Role
    reason: str = ""
    service: str | None = None
    executable: str | None = None
    product: knowledge.Product | None = None
    version: str | None = None
    process: ProcessState | None = None
    running: bool = False

    @property
    def clr(self) -> str | None:
        return self.product.clr if self.product else None


def role_facts(evidence: Evidence) -> RoleFacts:
    """Tell role and product of a host that could be read."""
    if evidence.services is None:
        return RoleFacts(role="unknown", reason="the services of the server could not be read")
    for service in knowledge.services():
        state = evidence.service(service.name)
        if state is None:
            continue
        if not service.decisive:
            return RoleFacts(role="none", reason=f"service {service.name} only: {service.meaning}")
        role: Role = "front_end" if service.role == "front_end" else "edge"
        info = (evidence.executables or {}).get(service.name)
        version = info.version if info and info.exists else None
        return RoleFacts(
            role=role,
            service=service.name,
            executable=_executable(state.executable, service.image or ""),
            product=product_of(version),
            version=version,
            process=_process(evidence, service.image or "", state.executable),
            running=state.status != "stopped",
        )
    return RoleFacts(role="none", reason="no service of Lync Server or Skype for Business Server")


def product_of(version: str | None) -> knowledge.Product | None:
    """The product that a version of DataMCUSvc.exe or DataProxy.exe belongs to; None when it is none of the known."""
    found = None
    if version:
        numbers = version_numbers(version)
        for product in knowledge.products():
            if numbers >= version_numbers(product.version_from):
                found = product
    return found


def with_believable_start(process: ProcessState, now_utc: str | None) -> ProcessState:
    """A start later than the host's own clock was made by a clock that was set back since: nothing follows from such a time."""
    return dataclasses.replace(process, started_utc=None) if is_after(process.started_utc, now_utc) else process


def version_numbers(text: str) -> tuple[int, ...]:
    """``6.0.9319.102`` as comparable numbers; what is not a number ends them."""
    numbers: list[int] = []
    for part in text.split("."):
        if not (part.isascii() and part.isdigit()) or len(part) > 9:
            break
        numbers.append(int(part))
    return tuple(numbers)


def _executable(path: str | None, image: str) -> str | None:
    """The service's executable, if it is the one that the product installs."""
    return path if path and path.lower().endswith("\\" + image.lower()) else None


def _process(evidence: Evidence, image: str, executable: str | None) -> ProcessState | None:
    """The running process of the service: by name, and by path where Windows tells it."""
    name = image.rsplit(".", 1)[0].lower()
    now = evidence.system.time_utc if evidence.system else None
    for process in evidence.processes or ():
        if process.name.lower() != name:
            continue
        process = with_believable_start(process, now)
        if process.path is None or executable is None or process.path.lower() == executable.lower():
            return process
    return None
