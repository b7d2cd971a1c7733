# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real ansible-rulebook with the shipped rulebooks, as a user starts it, and senders of events."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import time
import typing as t
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from integration.fleet import COLLECTIONS, Fleet, Played

TOKEN = "not-a-secret-" + "0123456789abcdef" * 2
_DEADLINE_SECONDS = 90

Body = bytes | dict[str, t.Any] | list[t.Any] | str | None


def event(computer: str, event_id: t.Any = 41026, **more: t.Any) -> dict[str, t.Any]:
    """What docs/event-driven.md tells a server to send."""
    return {"event_id": event_id, "provider": "LS Data MCU", "log": "Lync Server", "computer": computer, **more}


class Rulebook:
    """A process of ansible-rulebook while it is a context. ``inventory`` is a directory, as docs/event-driven.md asks for."""

    def __init__(
        self,
        programs: Path,
        directory: Path,
        *,
        inventory: Path | None,
        rulebook: str | Path = "sfb.kb4023993.data_mcu_events",
        variables: Mapping[str, t.Any] | None = None,
        arguments: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = _free_port()
        self._log = directory / "ansible-rulebook.log"
        settings = {"sfb_kb4023993_eda_token": TOKEN, "sfb_kb4023993_eda_port": self.port, **(variables or {})}
        file = directory / "settings.yml"
        file.write_text(json.dumps({name: value for name, value in settings.items() if value is not None}), "utf-8")
        file.chmod(0o600)
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "EDA_", "XDG_"))}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [str(programs / "ansible-rulebook"), "-r", str(rulebook), "--vars", str(file), *arguments],
                cwd=directory,
                env={
                    **clean,
                    "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
                    "TMPDIR": str(directory),
                    "ANSIBLE_HOME": str(directory / "home"),
                    "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
                    "ANSIBLE_NOCOLOR": "1",
                    "ANSIBLE_LOCALHOST_WARNING": "false",
                    **({"ANSIBLE_INVENTORY": str(inventory)} if inventory else {}),
                    **(environment or {}),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Rulebook:
        self.wait(self._listens, "it listens")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is not None:
            return
        # A playbook that it runs is in a group of its own, and may be left behind.
        others = _descendants(self._process.pid)
        self._process.terminate()
        try:
            self._process.wait(_DEADLINE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            raise
        finally:
            for number in others:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)

    @property
    def output(self) -> str:
        return self._log.read_text("utf-8", errors="replace")

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def ended(self) -> int:
        """With which exit code it ends by itself."""
        try:
            return self._process.wait(_DEADLINE_SECONDS)
        finally:
            self.__exit__(None, None, None)

    def wait(self, fact: Callable[[], bool], what: str) -> None:
        """Until something is so.

        :raises AssertionError: it did not come to be in time, or the process ended; with all its output.
        """
        end = time.monotonic() + _DEADLINE_SECONDS
        while not fact():
            assert self.alive, f"ansible-rulebook ended before this: {what}\n{self.output}"
            assert time.monotonic() < end, f"not within {_DEADLINE_SECONDS} s: {what}\n{self.output}"
            time.sleep(0.05)

    def post(
        self,
        body: Body,
        *,
        token: str | None = TOKEN,
        headers: Mapping[str, str] | None = None,
        path: str = "",
        tls: ssl.SSLContext | None = None,
    ) -> int:
        """The status of the answer.

        :raises OSError: there was none.
        """
        request = urllib.request.Request(
            f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/{path}",
            data=body if isinstance(body, bytes) else json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                **({"Authorization": f"Bearer {token}"} if token is not None else {}),
                **(headers or {}),
            },
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls))
        try:
            with opener.open(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def inventory_of(fleet: Fleet, *, allowed: t.Iterable[str] = ()) -> Path:
    """The fleet's inventory as a directory with its variables. ``allowed``: groups whose pools may be remediated."""
    place = fleet.directory / "inventory"
    groups = place / "group_vars"
    groups.mkdir(parents=True, exist_ok=True)
    (place / "hosts.yml").write_text(fleet.inventory.read_text("utf-8"), "utf-8")
    (groups / "all.yml").write_text(json.dumps({"sfb_kb4023993_state_dir": str(fleet.state)}), "utf-8")
    for group in allowed:
        (groups / f"{group}.yml").write_text("sfb_kb4023993_eda_remediate: true\n", "utf-8")
    return place


def runs(fleet: Fleet) -> list[Played]:
    """The runs in the fleet's state directory that have reported, the earliest first."""
    reports = sorted((fleet.state / "runs").glob("*/report.json"), key=lambda path: path.stat().st_mtime_ns)
    return [Played(code=0, output="", run_directories=(path.parent,)) for path in reports]


def read(run: Played) -> set[str]:
    """The hosts that a run read."""
    return {name for name, host in run.hosts.items() if host["in_run"]}


def _descendants(process: int) -> list[int]:
    """The processes that a process started, and those that they started."""
    children: list[int] = []
    # By thread: each has those that it started itself.
    for listed in Path("/proc").glob(f"{process}/task/*/children"):
        with contextlib.suppress(OSError):
            children += map(int, listed.read_text("ascii").split())
    return [number for child in children for number in (child, *_descendants(child))]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
