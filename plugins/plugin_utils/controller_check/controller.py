# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller itself: Python and ansible-core, the state directory, Kerberos tickets, the clock."""

from __future__ import annotations

import datetime
import pathlib
import shutil
import subprocess
import typing as t

from ..files import StateError, check_state_directory
from .check import CONTROLLER, Check, failed, ok, warning
from .way import Way

_OLDEST_PYTHON: t.Final = (3, 10)
_OLDEST_CORE: t.Final = (2, 16)
_LEAST_SPACE: t.Final = 100 * 1024 * 1024
_HERE: t.Final = (CONTROLLER,)
# What Kerberos bears, and more than a certificate's or an event's time should be off.
CLOCK_TOLERANCE: t.Final = datetime.timedelta(minutes=5)


def check_python(version: tuple[int, ...], text: str) -> Check:
    """:param text: the version as people know it."""
    if version[:2] < _OLDEST_PYTHON:
        oldest = ".".join(map(str, _OLDEST_PYTHON))
        what = f"Python {text} is too old: the collection needs {oldest}."
        return failed("PYTHON", _HERE, what, "Install ansible-core with a newer Python, best in a virtual environment.")
    return ok("PYTHON", _HERE, f"Python {text}.")


def check_core(text: str) -> Check:
    """:param text: the version of ansible-core, ``2.19.14`` or ``2.20.0b1``."""
    version = tuple(int(part) for part in text.split(".")[:2])
    if version < _OLDEST_CORE:
        oldest = ".".join(map(str, _OLDEST_CORE))
        what = f"ansible-core {text} is too old: the collection needs {oldest}."
        return failed("ANSIBLE-CORE", _HERE, what, f'Install a newer one: pip install "ansible-core>={oldest}".')
    return ok("ANSIBLE-CORE", _HERE, f"ansible-core {text}.")


def check_state(directory: pathlib.Path | None, *, free: t.Callable[[pathlib.Path], int] | None = None) -> Check:
    """Whether runs can keep what they find.

    :param directory: None where none is named and the default would not outlive the run, as in a job of AWX.
    :param free: how many bytes are free there.
    """
    if directory is None:
        what = "sfb_kb4023993_state_dir is not set, and the container of this job keeps nothing: no saved evidence, no plan."
        step = "Mount a path into the execution environment and name it there."
        return warning("STATE-DIR", _HERE, what, step)
    try:
        check_state_directory(directory)
    except StateError as error:
        what, _stop, step = str(error).partition(". ")
        return failed("STATE-DIR", _HERE, f"{what}.", step)
    left = (free or _free)(directory)
    if left < _LEAST_SPACE:
        what = f"The state directory {directory} has only {left // 1024 // 1024} MB left."
        return warning("STATE-DIR", _HERE, what, "Make room, or set sfb_kb4023993_state_dir to another directory.")
    return ok("STATE-DIR", _HERE, f"The state directory {directory} can be written.")


def _free(directory: pathlib.Path) -> int:
    return shutil.disk_usage(directory).free


def check_controller_clock(now: datetime.datetime, *, installed: datetime.datetime) -> Check | None:
    """A clock that is before the time at which this collection was written to the disk is wrong.

    :returns: None when nothing speaks against it; the clocks of the hosts tell more.
    """
    if now < installed - datetime.timedelta(days=1):
        what = f"The clock of the controller says {now:%Y-%m-%d}, which is before this collection was installed there."
        return failed("CLOCK", _HERE, what, "Set the clock, best by NTP (timedatectl set-ntp true).")
    return None


def check_host_clock(host: str, way: Way, *, theirs: datetime.datetime, ours: datetime.datetime) -> Check:
    """Compare the clock of a host with that of the controller."""
    difference = theirs - ours
    if abs(difference) <= CLOCK_TOLERANCE:
        return ok("CLOCK", (host,), "The clocks of controller and host agree.")
    minutes = round(abs(difference).total_seconds() / 60)
    span = f"{minutes} minutes" if minutes < 180 else f"{round(minutes / 60)} hours"
    side = "ahead of" if difference > datetime.timedelta() else "behind"
    step = "Set the clock that is wrong, best by NTP: w32tm /resync on the host, timedatectl set-ntp true on the controller."
    kerberos = "kerberos" in way.methods
    what = f"The clock of the host is {span} {side} that of the controller" + (
        "; Kerberos bears five minutes." if kerberos else ", so times of findings and of certificates mislead."
    )
    return (failed if kerberos else warning)("CLOCK", (host,), what, step)


def check_ticket(
    host: str,
    way: Way,
    *,
    which: t.Callable[[str], str | None] = shutil.which,
    valid: t.Callable[[], bool] | None = None,
) -> Check | None:
    """Whether a connection by Kerberos has a ticket, or can get one.

    :param which: finds a program.
    :param valid: whether the cache holds a ticket that is not over.
    :returns: None where no Kerberos is used.
    """
    if "kerberos" not in way.methods:
        return None
    if way.managed_ticket:
        if which(way.ticket_program):
            return ok("TICKET", (host,), "Ansible itself gets the Kerberos ticket.")
        what = f"Ansible has to get the Kerberos ticket with {way.ticket_program}, which is not there."
        return failed("TICKET", (host,), what, "Install it (Debian: krb5-user, RHEL: krb5-workstation).")
    if way.connection == "psrp" and way.has_password:
        return ok("TICKET", (host,), "The Kerberos ticket is got with the password.")
    if valid is None and not which("klist"):
        what = "Whether there is a Kerberos ticket cannot be seen: klist is not there."
        return warning(
            "TICKET", (host,), what, "Install it (Debian: krb5-user, RHEL: krb5-workstation), and run kinit."
        )
    if not (valid or _ticket_is_valid)():
        what = (
            "There is no valid Kerberos ticket in the cache of the account that runs Ansible, and no password is set."
        )
        step = "Run kinit USER@REALM (the realm in capital letters), or set ansible_password."
        return failed("TICKET", (host,), what, step)
    return ok("TICKET", (host,), "A valid Kerberos ticket is in the cache.")


def _ticket_is_valid() -> bool:
    return subprocess.run(["klist", "-s"], check=False, capture_output=True, timeout=10).returncode == 0
