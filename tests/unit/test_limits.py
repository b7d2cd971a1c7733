# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bounds around a connection: memory, and the alarm of a task that rings until it is heard."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
import typing as t

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.limits import (
    TooMuchError,
    alarm_that_repeats,
    close_within,
    is_timeout_of_task,
    memory_bound,
)

MEGABYTE: t.Final = 1024 * 1024


class TaskTimeoutError(BaseException):
    """As ansible-core calls it."""


@pytest.fixture
def alarm() -> t.Iterator[None]:
    """The handler that a task with a timeout has."""

    def ring(_signal: int, _frame: object) -> None:
        raise TaskTimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def _collect(megabytes: int) -> list[bytes]:
    """What a connection plugin does, with libraries that let no Exception through."""
    pieces: list[bytes] = []
    for number in range(megabytes * 16):
        with contextlib.suppress(Exception):
            pieces.append(bytes([number % 255 + 1]) * (MEGABYTE // 16))
    return pieces


def test_process_that_grows_too_much_is_stopped_and_one_that_does_not_is_left_alone() -> None:
    before = signal.getsignal(signal.SIGPROF)
    with memory_bound(400 * MEGABYTE):
        assert len(_collect(60)) == 60 * 16
    with pytest.raises(TooMuchError), memory_bound(60 * MEGABYTE):
        _collect(4000)
    assert signal.getsignal(signal.SIGPROF) == before
    assert signal.getitimer(signal.ITIMER_PROF) == (0, 0)


def test_alarm_rings_again_while_something_does_not_end(alarm: None) -> None:
    del alarm
    rang = []
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    with alarm_that_repeats(0.1):
        for _attempt in range(3):
            with contextlib.suppress(TaskTimeoutError):
                time.sleep(20)
            rang.append(time.monotonic())
    assert rang[2] - rang[0] < 10
    # What comes after it, such as saving what was read, is not disturbed.
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_alarm_that_did_not_ring_keeps_its_time(alarm: None) -> None:
    del alarm
    signal.setitimer(signal.ITIMER_REAL, 100)
    with alarm_that_repeats(0.1):
        pass
    left, again = signal.getitimer(signal.ITIMER_REAL)
    assert 90 < left <= 100
    assert again == 0


def test_task_without_a_time_limit_gets_none() -> None:
    with alarm_that_repeats(0.1):
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_connection_that_does_not_close_is_given_up(alarm: None) -> None:
    del alarm
    began = time.monotonic()
    close_within(0.2, lambda: time.sleep(20))
    assert time.monotonic() - began < 10
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_other_threads_are_left_alone() -> None:
    ended = []

    def work() -> None:
        with alarm_that_repeats(1), memory_bound(MEGABYTE):
            ended.append(len(_collect(8)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [8 * 16]


def test_only_the_alarm_of_a_task_counts_as_one() -> None:
    assert is_timeout_of_task(TaskTimeoutError())
    assert not is_timeout_of_task(TimeoutError())
    assert not is_timeout_of_task(KeyboardInterrupt())
