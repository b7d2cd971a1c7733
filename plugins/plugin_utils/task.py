# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all action plugins of this collection share: arguments in, plain errors out, one line of progress."""

from __future__ import annotations

import datetime
import functools
import importlib.util
import os
import pathlib
import socket
import sys
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from . import run_lock
from .claims import Others
from .evidence import EvidenceError, InventoryFacts
from .files import StateError, remove_temporary
from .host.session import SessionError
from .judging import Hosts
from .knowledge.loader import KnowledgeError
from .own_yaml import parse_yaml
from .plan import PlanError
from .preload import prepare_workers
from .run import Run, RunError
from .waivers import WaiverError
from .what_if import WhatIfError
from .words import one_line

# At the import of the action, which is before the workers.
prepare_workers()

Result = dict[str, t.Any]
_EXPECTED: t.Final = (
    SessionError,
    EvidenceError,
    StateError,
    PlanError,
    RunError,
    KnowledgeError,
    WaiverError,
    WhatIfError,
)
PREFIX: t.Final = "sfb_kb4023993_"
_OFFLINE_DAYS: t.Final = 7


class SfbAction(ActionBase):  # type: ignore[misc]
    """Base of the actions: subclasses give ``SPEC`` and ``perform``."""

    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = False
    SPEC: t.ClassVar[dict[str, t.Any]] = {}
    # Whether an error of this task ends the run of the whole fleet (it runs once, and has ``state_dir``).
    ENDS_RUN: t.ClassVar[bool] = False
    NEEDS_CRYPTOGRAPHY: t.ClassVar[bool] = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        result: Result = super().run(tmp, task_vars)
        del tmp
        if self.NEEDS_CRYPTOGRAPHY and importlib.util.find_spec("cryptography") is None:
            raise AnsibleActionFail(
                f"The Python library cryptography is not there for {sys.executable} on the controller. "
                "Install it (pip install cryptography) and run again."
            )
        _validation, arguments = self.validate_argument_spec(argument_spec=self.SPEC)
        try:
            result.update(self.perform(arguments, task_vars or {}))
        except _EXPECTED as error:
            if self.ENDS_RUN:
                # Nothing comes after this task any more that would give back or remove what only this run needed.
                release_changes(arguments["state_dir"])
                remove_temporary(pathlib.Path(arguments["state_dir"]))
            raise AnsibleActionFail(str(error)) from None
        return result

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        """Do the work; what is returned becomes the result of the task."""
        raise NotImplementedError

    @property
    def check_mode(self) -> bool:
        return bool(self._task.check_mode)

    @property
    def diff_mode(self) -> bool:
        return bool(self._task.diff)


def progress(host: str, text: str) -> None:
    """One line of progress, as it happens."""
    Display().display(one_line(f"{host}: {text}", 1000))


def hold_for_changes(run: Run, state_dir: str) -> None:
    """Keep other runs from changing servers with this state directory, until the report or the end of ansible-playbook.

    :raises StateError: another one does already.
    """
    # This is a worker; what lives as long as the run is the process that started it.
    dead = run_lock.hold(state_dir, run.run_id, process=os.getppid())
    if dead:
        progress("plan", f"run {dead.run_id} did not come to its end; this one goes on from there")


def other_runs(state_dir: str, *, take_over: bool) -> Others:
    """What this run knows of the runs whose claims it finds on servers: those of its own state directory, it can look after."""
    process = os.getppid()
    return Others(
        ended=lambda run_id: run_lock.has_ended(state_dir, run_id, process=process),
        take_over=take_over,
    )


def controller_name() -> str:
    """What this controller is called where other controllers read it."""
    return socket.gethostname()


def release_changes(state_dir: str) -> None:
    """Let other runs change servers again."""
    run_lock.release(state_dir, process=os.getppid())


def controller_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def inventory_facts(variables: t.Mapping[str, t.Any]) -> InventoryFacts:
    """What a host's variables say of its pool. Empty text counts as nothing."""

    def text(name: str) -> str | None:
        value = variables.get(PREFIX + name)
        return str(value).strip() or None if value is not None else None

    return InventoryFacts(pool=text("pool"), edge_pool=text("edge_pool"), paired_pool=text("paired_pool"))


def offline_days(variables: t.Mapping[str, t.Any]) -> int | None:
    """How old the evidence of a host that is read by hand may be, in days; None for a host that runs may connect to.

    :raises AnsibleActionFail: one of its two variables has no usable value.
    """
    name = f"{PREFIX}offline"
    days = offline_max_age_days(variables)
    value = variables.get(name, False)
    try:
        return days if boolean(value) else None
    except TypeError:
        raise AnsibleActionFail(f"{name} has to be true or false, not {one_line(str(value), 40)!r}.") from None


def offline_max_age_days(variables: t.Mapping[str, t.Any]) -> int:
    """For how many days evidence that was read by hand counts.

    :raises AnsibleActionFail: the variable is no number of days.
    """
    name = f"{PREFIX}offline_max_age_days"
    value = variables.get(name, _OFFLINE_DAYS)
    try:
        days = int(value)
    except (TypeError, ValueError):
        days = 0
    if days < 1:
        raise AnsibleActionFail(f"{name} has to be a number of days from 1 on, not {one_line(str(value), 40)!r}.")
    return days


def fleet_hosts(names: t.Iterable[str], task_vars: t.Mapping[str, t.Any]) -> Hosts:
    """The hosts of the fleet by name, those of this play among them, and what the inventory says of each."""
    in_run = frozenset(task_vars["ansible_play_hosts_all"])
    hostvars = task_vars["hostvars"]

    # Ansible puts the variables of a host together anew each time that somebody asks.
    @functools.cache
    def variables(name: str) -> t.Mapping[str, t.Any]:
        return t.cast("t.Mapping[str, t.Any]", hostvars[name]) if name in hostvars else {}

    return Hosts(
        all=tuple(dict.fromkeys([*names, *sorted(in_run)])),
        in_run=in_run,
        inventory=lambda name: inventory_facts(variables(name)),
        offline=lambda name: offline_days(variables(name)),
        variables=variables,
    )


@functools.cache
def collection_version() -> str:
    """The version of this collection: from the manifest of an installed one, else from galaxy.yml of a clone."""
    root = pathlib.Path(__file__).parent.parent.parent
    for name, path in (("MANIFEST.json", ("collection_info", "version")), ("galaxy.yml", ("version",))):
        try:
            data = parse_yaml((root / name).read_text("utf-8"))
        except OSError:
            continue
        for key in path:
            data = data[key]
        return str(data)
    return "unknown"
