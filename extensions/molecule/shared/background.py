# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start and end a lab in the background: ``background.py start SCENARIO DIRECTORY`` and ``background.py stop DIRECTORY``.

Both say ``changed`` or ``unchanged``, for the playbooks that call them. ``DIRECTORY`` then holds ``ready`` (the inventory and
the address of the control port, a line each), ``lab.pid`` and ``lab.log``.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_SECONDS = 60
_LOOK_SECONDS = 0.05


def start(scenario: str, directory: Path) -> bool:
    """Start a lab and wait until it answers; False if it runs already.

    :raises SystemExit: with what the lab said, if it ended or did not answer in time.
    """
    if _running(directory):
        return False
    # A new lab has new servers, of which old evidence tells nothing true.
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    ready, log = directory / "ready", directory / "lab.log"
    paths = os.pathsep.join((str(ROOT / "tests"), str(ROOT / "playbooks" / "collections")))
    command = [sys.executable, "-m", "lab", "--scenario", scenario, "--directory", str(directory)]
    with log.open("w", encoding="utf-8") as output:
        # In a session of its own, so that what interrupts the playbook does not end the lab behind molecule's back.
        lab = subprocess.Popen(
            [*command, "--background-ready-file", str(ready)],
            env={**os.environ, "PYTHONPATH": paths},
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    (directory / "lab.pid").write_text(f"{lab.pid}\n", encoding="ascii")
    end = time.monotonic() + _SECONDS
    while not ready.exists():
        if lab.poll() is not None or time.monotonic() > end:
            stop(directory)
            raise SystemExit(f"The lab does not answer. It said:\n{log.read_text('utf-8')}")
        time.sleep(_LOOK_SECONDS)
    return True


def stop(directory: Path) -> bool:
    """End the lab of this directory; False if none runs.

    :raises SystemExit: if it does not end in time.
    """
    number = _running(directory)
    if number:
        os.kill(number, signal.SIGTERM)
        end = time.monotonic() + _SECONDS
        while _running(directory):
            if time.monotonic() > end:
                raise SystemExit(f"The lab (process {number}) does not end. See {directory / 'lab.log'}")
            time.sleep(_LOOK_SECONDS)
    for name in ("ready", "lab.pid"):
        (directory / name).unlink(missing_ok=True)
    return bool(number)


def _running(directory: Path) -> int:
    """The process of this directory's lab, 0 if there is none. A number may long belong to somebody else, so its command line counts."""
    try:
        number = int((directory / "lab.pid").read_text("ascii"))
        words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return 0
    return number if {b"lab", os.fsencode(directory)} <= set(words) else 0


def _main(arguments: list[str]) -> int:
    match arguments:
        case ["start", scenario, directory]:
            changed = start(scenario, Path(directory).resolve())
        case ["stop", directory]:
            changed = stop(Path(directory).resolve())
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    print("changed" if changed else "unchanged")
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
