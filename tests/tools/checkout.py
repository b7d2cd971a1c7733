# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The versioned files: which there are, which of them are shipped, and a copy of these where ansible-test wants them.

ansible-test wants a real folder .../ansible_collections/sfb/kb4023993 and refuses links to folders inside it. So it
gets what a user gets, without the link through which the playbooks of a clone find the collection.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from environments import ROOT

_CHECKOUTS = ROOT / "build" / "checkout"
_COLLECTION = Path("ansible_collections/sfb/kb4023993")
# Through this link the playbooks of a clone find the collection.
_LINK = "playbooks/collections/"

# What of the versioned files is no part of the artefact. tests/config.yml and tests/sanity are: they tell ansible-test
# how to treat the collection, wherever it is checked.
_NOT_SHIPPED = (
    ".",
    "Makefile",
    "docs/site/",
    "extensions/awx/",
    "extensions/ee/",
    "extensions/molecule/",
    "galaxy.yml",
    _LINK,
    "pyproject.toml",
    "tests/",
)
_SHIPPED_ALL_THE_SAME = ("tests/config.yml", "tests/sanity/")


def versioned_files() -> list[str]:
    """Paths, relative to the root, of what git tracks or would track (links included, ignored files not)."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise SystemExit("git is not installed. On Debian and Ubuntu: sudo apt-get install git") from None
    if done.returncode:
        raise SystemExit(
            f"git cannot list the files of {ROOT}, so this check works in a clone only: {done.stderr.strip()}"
        )
    return sorted(name for name in set(done.stdout.split("\0")) if name and (ROOT / name).exists())


def shipped_files() -> list[str]:
    """The versioned files that belong into the artefact."""
    return [
        name
        for name in versioned_files()
        if name.startswith(_SHIPPED_ALL_THE_SAME) or not name.startswith(_NOT_SHIPPED)
    ]


def refresh(purpose: str, *, with_tests: bool = False) -> Path:
    """Copy the shipped files and galaxy.yml anew and give the folder, a git repository with all of them added.

    :param purpose: names the copy, so that several may be worked on at the same time.
    :param with_tests: also what tests need that is not shipped.
    """
    place = _CHECKOUTS / purpose / _COLLECTION
    shutil.rmtree(place, ignore_errors=True)
    more = [name for name in versioned_files() if not name.startswith(_LINK)] if with_tests else []
    for name in {*shipped_files(), "galaxy.yml", *more}:
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
    subprocess.run(["git", "init", "--quiet"], cwd=place, check=True)
    subprocess.run(["git", "add", "--all"], cwd=place, check=True)
    return place
