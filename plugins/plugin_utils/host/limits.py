# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounds for a call of Ansible's connection, which collects all that a server sends before anybody else sees a byte of it.

Both work with signals, so only in the main thread of a process, which is where Ansible's workers run a task; elsewhere they do nothing.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import sys
import threading
import time
import types
import typing as t

# Of processor time: memory grows only where it is used.
_LOOK_SECONDS: t.Final = 0.05


class TooMuchError(BaseException):
    """The process took more memory than a call was given.

    No ``Exception``, as connection plugins and their libraries catch those and go on.
    """


@contextlib.contextmanager
def memory_bound(most_bytes: int) -> t.Iterator[None]:
    """End what runs inside when the process grows by more than ``most_bytes``.

    A limit of the system (RLIMIT_AS) would fail somewhere inside of a library, which may catch it or take it for something else.

    :raises TooMuchError: it did.
    """
    if not _in_main_thread():
        yield
        return
    most = _peak_bytes() + most_bytes

    def look(_signal: int, _frame: types.FrameType | None) -> None:
        if _peak_bytes() > most:
            signal.setitimer(signal.ITIMER_PROF, 0)
            raise TooMuchError

    before = signal.signal(signal.SIGPROF, look)
    try:
        signal.setitimer(signal.ITIMER_PROF, _LOOK_SECONDS, _LOOK_SECONDS)
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextlib.contextmanager
def alarm_that_repeats(seconds: float) -> t.Iterator[None]:
    """Let the alarm of a task with a timeout ring again each ``seconds`` after it rang.

    Ansible's rings once; what a connection plugin does to clean up then, which is to talk to the same server, has no bound. An alarm that
    did not ring yet is left as it was found.
    """
    left = _until_alarm()
    if not left:
        yield
        return
    end = time.monotonic() + left
    signal.setitimer(signal.ITIMER_REAL, left, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, max(end - time.monotonic(), 0))


def close_within(seconds: float, close: t.Callable[[], object]) -> None:
    """Close a connection whose server did not answer, and give up after ``seconds``. The handler of the alarm is the task's own."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    # What it says is of no use any more: that there was no answer is what is told.
    with contextlib.suppress(BaseException):
        close()
    signal.setitimer(signal.ITIMER_REAL, 0)


def is_timeout_of_task(error: BaseException) -> bool:
    """Whether this is what the alarm of a task raises; its class has no name that is the same in all versions of ansible-core."""
    return type(error).__name__ == "TaskTimeoutError"


def _until_alarm() -> float:
    return signal.getitimer(signal.ITIMER_REAL)[0] if _in_main_thread() else 0


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
