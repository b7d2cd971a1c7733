# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that come as packages of Debian or Ubuntu: looked for, and installed where the account may do that."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass

from environments import InstallError, UnavailableError


@dataclass(frozen=True)
class System:
    """``programs`` have to be on PATH; ``packages`` bring them."""

    programs: tuple[str, ...]
    packages: tuple[str, ...]


SYSTEMS = {
    "wine": System(
        programs=("wine", "wineserver", "x86_64-w64-mingw32-gcc", "x86_64-w64-mingw32-windres"),
        packages=("wine64", "wine", "gcc-mingw-w64-x86-64-win32"),
    ),
    # For the rules engine of ansible-rulebook, which takes 17 or newer: the default of all supported systems.
    "java": System(programs=("java",), packages=("default-jre-headless",)),
    "chromium": System(programs=("chromium",), packages=("chromium",)),
    # To build the Python libraries for Kerberos.
    "kerberos-headers": System(
        programs=("krb5-config", "gcc"), packages=("libkrb5-dev", "gcc", "libc6-dev", "python3-dev")
    ),
    "samba": System(
        programs=("samba", "samba-tool"),
        packages=("samba-ad-dc", "samba-ad-provision", "samba-dsdb-modules", "python3-samba"),
    ),
}


def ensure_system(name: str) -> None:
    """Have the programs there; root installs what is missing, nobody else is asked for a password.

    :raises UnavailableError: they are missing, and this account or system cannot install them.
    :raises InstallError: apt-get failed.
    """
    system = SYSTEMS[name]
    missing = _missing(system)
    if not missing:
        return
    packages = " ".join(system.packages)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise UnavailableError(
            f"{', '.join(missing)} not found. On Debian and Ubuntu: "
            f"sudo apt-get install --no-install-recommends {packages}"
        )
    print(f"system packages: installing {packages} (missing: {', '.join(missing)})", flush=True)
    started = time.monotonic()
    # The lists of a new machine may be empty or old; an update costs seconds and only happens here.
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", *system.packages]):
        _apt_get(arguments)
    missing = _missing(system)
    if missing:
        raise InstallError(f"{packages} were installed, but {', '.join(missing)} are still not on PATH.")
    print(f"system packages: ready ({time.monotonic() - started:.0f} s)", flush=True)


def _missing(system: System) -> list[str]:
    # Servers lie in a folder that is not on the PATH of ordinary accounts.
    path = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin"
    return [program for program in system.programs if not shutil.which(program, path=path)]


def _apt_get(arguments: list[str]) -> None:
    command = ["apt-get", "-q", *arguments]
    variables = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=variables,
        check=False,
    )
    if done.returncode:
        raise InstallError(
            f"This command failed with exit code {done.returncode}: {' '.join(command)}\n{done.stdout[-2000:]}"
        )
