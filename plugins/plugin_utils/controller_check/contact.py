# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""First contact with one host, stage by stage; the first that fails ends it with one sentence and the remedy.

Name, port, TLS and what WinRM offers are looked at without an account; then one batch goes over the play's own connection, which asks
for version and clock alone. Nothing of Lync is needed on the host, and nothing is changed there.
"""

from __future__ import annotations

import dataclasses
import datetime
import socket
import typing as t

from ..host.operations import System, SystemReply
from ..host.reasons import CONNECTION_KINDS
from ..host.session import Session, SessionError
from ..rules.times import parse_time
from ..words import one_line
from . import probe
from .advice import told
from .check import Check, failed, ok, warning
from .controller import check_host_clock, check_ticket
from .libraries import check as check_library
from .libraries import needed
from .probe import Offer, ProbeError
from .variables import can_connect, check_way
from .way import Way

if t.TYPE_CHECKING:
    from ansible.plugins.action import ActionBase

_STAGE: t.Final = "first contact"
_DEADLINE_SECONDS: t.Final = 30
_EXPIRES_SOON: t.Final = datetime.timedelta(days=21)
_MEMORY: t.Final = 'winrm set winrm/config/winrs @{MaxMemoryPerShellMB="1024"}'


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Asked:
    """What the stages before the logon found. ``checks`` has those that went well."""

    checks: tuple[Check, ...]
    offer: Offer | None


def contact(action: ActionBase, host: str, way: Way, *, now: t.Callable[[], datetime.datetime]) -> tuple[Check, ...]:
    """Check the way to a host on the controller, and then go it.

    :param now: the clock of the controller.
    """
    before = (
        *check_way(host, way),
        *(check_library(library, (host,)) for library in needed(way)),
        *(check for check in [check_ticket(host, way)] if check),
    )
    if not can_connect(before):
        return before
    try:
        asked = _ask(host, way, now())
    except ProbeError as error:
        return (*before, error.check)
    return (*before, *asked.checks, *_log_on(action, host, way, asked.offer, now=now))


def _ask(host: str, way: Way, now: datetime.datetime) -> _Asked:
    """The stages without an account. ssh (its own configuration may name a host or a jump host) and proxies do them themselves.

    :raises ProbeError: the first that fails.
    """
    if not way.over_http:
        return _Asked(checks=(), offer=None)
    where = (host,)
    probe.resolve(host, way)
    passed = [ok("CONTACT-NAME", where)]
    connection: socket.socket = probe.reach(host, way)
    try:
        passed.append(ok("CONTACT-PORT", where))
        if way.scheme == "https":
            connection, end = probe.secure(host, way, connection)
            passed.append(_certificate_ends(where, end, now) or ok("CONTACT-TLS", where))
        offer = probe.ask(host, way, connection)
    finally:
        connection.close()
    return _Asked(checks=tuple(passed), offer=offer)


def _certificate_ends(where: tuple[str, ...], end: datetime.datetime | None, now: datetime.datetime) -> Check | None:
    if end is None or end - now > _EXPIRES_SOON:
        return None
    over = "is over since" if end < now else "ends on"
    what = f"The certificate of the listener {over} {end:%Y-%m-%d}."
    return warning("CONTACT-TLS", where, what, "Give the listener a new one in time.")


def _log_on(
    action: ActionBase, host: str, way: Way, offer: Offer | None, *, now: t.Callable[[], datetime.datetime]
) -> tuple[Check, ...]:
    """Authentication, PowerShell and rights, in one batch; and the clock."""
    where = (host,)
    clock = (check_host_clock(host, way, theirs=offer.date, ours=now()),) if offer and offer.date else ()
    try:
        (reply,) = Session(action, host=host).run((System(),), stage=_STAGE, deadline_seconds=_DEADLINE_SECONDS)
    except SessionError as error:
        # A clock that is wrong may be why.
        return (*_failure(where, way, offer, error), *(check for check in clock if check.status != "ok"))
    passed = (ok("CONTACT-AUTH", where), ok("CONTACT-RIGHTS", where))
    if not isinstance(reply.value, SystemReply):
        message = reply.error.message if reply.error else "no answer"
        what = f"PowerShell starts, and cannot say what system this is: {one_line(message)}."
        return (
            *passed,
            failed("CONTACT-POWERSHELL", where, what, "Look at the event logs of the host; run again with -vvvv."),
        )
    told_time = parse_time(reply.value.time_utc)
    if told_time is not None:
        clock = (check_host_clock(host, way, theirs=told_time, ours=now()),)
    return (*passed, _powershell(where, reply.value.powershell_version), *clock)


def _powershell(where: tuple[str, ...], version: str) -> Check:
    if version.startswith("2."):
        what = "PowerShell 2.0: a shell of WinRM 2.0 has 150 MB by default, in which the product's own module may not load."
        return warning("CONTACT-POWERSHELL", where, what, f"On the host: {_MEMORY}")
    if version.startswith("3."):
        what = "PowerShell 3.0: without the update KB2842230 its WinRM ignores MaxMemoryPerShellMB, and the product's own module may not load."
        return warning(
            "CONTACT-POWERSHELL",
            where,
            what,
            "Install KB2842230 or a later Windows Management Framework that the product supports.",
        )
    return ok("CONTACT-POWERSHELL", where)


def _failure(where: tuple[str, ...], way: Way, offer: Offer | None, error: SessionError) -> tuple[Check, ...]:
    """The stage at which a session failed; those before it went well."""
    subject, what, step = _told(way, offer, error)
    before = {
        "CONTACT-POWERSHELL": ("CONTACT-AUTH",),
        "CONTACT-RIGHTS": ("CONTACT-AUTH", "CONTACT-POWERSHELL"),
    }.get(subject, ())
    return (*(ok(name, where) for name in before), failed(subject, where, what, step))


def _told(way: Way, offer: Offer | None, error: SessionError) -> tuple[str, str, str]:
    message = f"{error.message[:1].upper()}{error.message[1:]}"
    if error.kind in CONNECTION_KINDS:
        # The session shortens what the connection said, for people; the number of a fault may stand behind the cut.
        whole = f"{error.__context__ or ''} {error.message}"
        known = told(whole, way, offer, refused=error.kind == "authentication")
        if known:
            return known
        subject = "CONTACT-POWERSHELL" if way.over_http else "CONTACT-PORT"
        return subject, f"The connection ends: {message}", error.advice
    if error.kind == "timed_out":
        return (
            "CONTACT-POWERSHELL",
            f"The host hung after the first contact: {error.message}",
            "Look at the load of the host and at its service WinRM (Event Viewer, Windows Remote Management), and run again.",
        )
    if error.kind == "not_elevated":
        return "CONTACT-RIGHTS", "The account has no full administrator's token on the host.", error.advice
    if error.kind in ("reply_cut", "reply_missing"):
        what = "The answer of the host ends in the middle" if error.kind == "reply_cut" else "The host gave no answer"
        what += f": {error.message[:160].rstrip('.')}. Often WinRM ended the shell for its memory quota (MaxMemoryPerShellMB)."
        return (
            "CONTACT-POWERSHELL",
            what,
            f"On the host: {_MEMORY}; if that was not it, run again with -vvvv to see what it printed.",
        )
    if error.kind in ("become", "delegated", "not_windows", "connection_type"):
        return "CONNECTION", message, error.advice
    return "CONTACT-POWERSHELL", message, error.advice
