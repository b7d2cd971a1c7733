# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether RTCDATAMCU has to be restarted, and whether a recorded restart is unfinished."""

from __future__ import annotations

import typing as t

from .times import is_after

if t.TYPE_CHECKING:
    from ..fleet import HostView


def recorded_restart_is_pending(view: HostView) -> bool:
    """The server's own record says that a restart is needed, and the process has not been restarted since."""
    record = view.records.restart
    return bool(record and not _restarted_since(view, record.begun_utc or record.since_utc))


def restart_is_begun(view: HostView) -> bool:
    """A restart was begun by this collection and not ended: the service may be down, or what depends on it."""
    record = view.records.restart
    return bool(record and record.begun_utc)


def restart_is_unfinished(view: HostView) -> bool:
    """A restart was begun by this collection, and the service has not come up since."""
    record = view.records.restart
    return bool(record and record.begun_utc and not _restarted_since(view, record.begun_utc))


def opt_out_awaits_restart(view: HostView) -> bool:
    """There is a valid opt-out, but the running process may have started before it was there."""
    return bool(view.opt_outs and view.opt_outs.unproven and view.role.running)


def _restarted_since(view: HostView, moment: str) -> bool:
    process = view.role.process
    return process is not None and is_after(process.started_utc, moment)
