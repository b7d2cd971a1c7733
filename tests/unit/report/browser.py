# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium, spoken to through its debugging pipe: no port, no driver, no further package."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pathlib
import select
import shutil
import subprocess
import time
import typing as t

_PATIENCE: t.Final = 60.0


def program() -> str | None:
    """Chromium or Chrome on PATH, None without one."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Page:
    """One page. ``messages`` are what the page wrote to its console, and what its policy refused."""

    def __init__(self, write: int, read: int) -> None:
        self._write, self._read = write, read
        self._number, self._rest = 0, b""
        self._session: str | None = None
        self._events: list[str] = []
        self.messages: list[str] = []

    def open(
        self, file: pathlib.Path, *, width: int = 1280, height: int = 900, dark: bool = False, script: bool = True
    ) -> float:
        """Load a file and wait until it is drawn; returns the seconds that took. ``script`` False: as if the page had none."""
        if self._session is None:
            target = self.ask("Target.createTarget", url="about:blank")["targetId"]
            self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log"):
                self.ask(f"{domain}.enable")
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask("Emulation.setScriptExecutionDisabled", value=not script)
        self._events.clear()
        start = time.monotonic()
        self.ask("Page.navigate", url=file.as_uri())
        while "Page.loadEventFired" not in self._events:
            self._receive()
        if script:
            self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return time.monotonic() - start

    def evaluate(self, expression: str) -> t.Any:
        """The value of an expression in the page."""
        found = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def screenshot(self, file: pathlib.Path, *, whole: bool = True) -> None:
        """A picture of the page, down to its end if ``whole``."""
        found = self.ask("Page.captureScreenshot", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(found["data"]))

    def print(self, file: pathlib.Path) -> None:
        """The page as a PDF, in the paper sizes that it asks for itself."""
        found = self.ask("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        file.write_bytes(base64.b64decode(found["data"]))

    def ask(self, method: str, **parameters: t.Any) -> dict[str, t.Any]:
        """Send one command of the DevTools protocol and wait for its answer."""
        self._number += 1
        message: dict[str, t.Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        with open(self._write, "wb", closefd=False) as pipe:
            pipe.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer["error"])
                return t.cast(dict[str, t.Any], answer["result"])

    def _receive(self) -> dict[str, t.Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._read], [], [], _PATIENCE)
            assert ready, "the browser does not answer"
            data = os.read(self._read, 1 << 20)
            assert data, "the browser ended"
            self._rest += data
        text, _, self._rest = self._rest.partition(b"\0")
        message = t.cast(dict[str, t.Any], json.loads(text))
        method = message.get("method", "")
        self._events.append(method)
        if method in (
            "Runtime.consoleAPICalled",
            "Runtime.exceptionThrown",
            "Log.entryAdded",
            "Page.javascriptDialogOpening",
        ):
            self.messages.append(json.dumps(message["params"])[:2000])
        return message


@contextlib.contextmanager
def browser(profile: pathlib.Path) -> t.Iterator[Page]:
    """Start Chromium with a profile folder of its own, and end it."""
    name = program()
    assert name, "there is no Chromium"
    to_child, write = os.pipe()
    read, from_child = os.pipe()

    def move() -> None:
        # The pipe of the protocol is file descriptor 3 for commands and 4 for answers.
        high_in, high_out = os.dup(to_child), os.dup(from_child)
        os.dup2(high_in, 3)
        os.dup2(high_out, 4)

    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    child = subprocess.Popen(
        [
            name,
            "--headless=new",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--no-first-run",
            *sandbox,
        ],
        close_fds=False,
        preexec_fn=move,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_child)
    os.close(from_child)
    try:
        yield Page(write, read)
    finally:
        child.terminate()
        child.wait(timeout=20)
        os.close(write)
        os.close(read)
