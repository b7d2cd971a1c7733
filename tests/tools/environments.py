# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual environments of this repository: which there are, and how one comes to be.

As a script: ``python3 tests/tools/environments.py NAME...`` creates or updates the named ones.
An environment that is up to date costs one comparison: a stamp in it holds the hash of what was asked for.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_STAMP = "sfb-requirements.sha256"


class UnavailableError(Exception):
    """This machine cannot have the environment; the text says why and what to install."""


class InstallError(Exception):
    """Creating the environment failed; the text is what the failing command printed."""


@dataclass(frozen=True)
class Environment:
    """One virtual environment.

    ``pythons`` are the versions that may carry it, the preferred first; with ``any_python`` the one that runs this
    script is preferred (``make PYTHON=python3.12`` is a choice). ``files`` are requirement files and ``packages``
    further requirements; ``lowest`` installs the lower bounds of the files themselves. ``ready_made`` is a package that is never built
    from source: without a wheel for Python and machine there is no such environment.
    """

    folder: str
    pythons: tuple[str, ...]
    files: tuple[str, ...]
    packages: tuple[str, ...] = ()
    any_python: bool = False
    lowest: bool = False
    ready_made: str = ""

    @property
    def bin(self) -> Path:
        return ROOT / self.folder / "bin"


# ansible-core names the Python versions of a controller; the matrix keeps to them. The oldest core runs on the oldest
# Python found, because plugin code promises 3.10, and with the lower bounds that requirements.txt promises.
ENVIRONMENTS = {
    "main": Environment(
        folder=".venv",
        pythons=("3.11", "3.12", "3.13", "3.14"),
        files=("requirements.txt", "tests/requirements.txt"),
        any_python=True,
    ),
    "quality": Environment(
        folder=".venvs/quality",
        pythons=("3.11", "3.12", "3.13", "3.14"),
        files=("tests/requirements-quality.txt",),
        any_python=True,
    ),
    "docs": Environment(
        folder=".venvs/docs",
        pythons=("3.11", "3.12", "3.13", "3.14"),
        files=("tests/requirements-docs.txt",),
        any_python=True,
    ),
    # An outside judge of the certificate template; its requirements fit no other environment.
    "certipy": Environment(
        folder=".venvs/certipy",
        pythons=("3.12", "3.13", "3.14"),
        files=(),
        packages=("certipy-ad>=5.1",),
    ),
    # The log-on to a directory with Kerberos; its libraries are built from source, so they are not asked of everybody.
    "kerberos": Environment(
        folder=".venvs/kerberos",
        pythons=("3.11", "3.12", "3.13", "3.14"),
        files=("requirements.txt",),
        packages=("pyspnego[kerberos]",),
        any_python=True,
    ),
    # The tools around AWX, and the package "ansible", which carries the modules awx.awx. 12 is the newest for Python 3.11.
    "awx": Environment(
        folder=".venvs/awx",
        pythons=("3.11", "3.12", "3.13"),
        files=(),
        packages=("ansible~=12.3", "ansible-builder~=3.2", "ansible-runner~=2.4"),
        any_python=True,
    ),
    # Runs the collection and the lab as the main one does; molecule brings much that nobody else needs.
    "molecule": Environment(
        folder=".venvs/molecule",
        pythons=("3.11", "3.12", "3.13", "3.14"),
        files=("requirements.txt", "tests/requirements.txt"),
        packages=("molecule~=26.10",),
        any_python=True,
    ),
    # Event-Driven Ansible with the main ansible-core; 1.3 is the first with the webhook that the collection's own is made of.
    "eda": Environment(
        folder=".venvs/eda",
        pythons=("3.11", "3.12", "3.13"),
        files=("requirements.txt",),
        packages=("ansible-rulebook~=1.3", "ansible-core~=2.19.0"),
        any_python=True,
    ),
    # atheris is libFuzzer built for one Python and machine, the newest for each chosen by pip; from source it would need LLVM's.
    "fuzz": Environment(
        folder=".venvs/fuzz",
        pythons=("3.11", "3.12", "3.13", "3.14"),
        files=("requirements.txt", "tests/requirements.txt"),
        packages=("atheris>=2.3",),
        ready_made="atheris",
        any_python=True,
    ),
    "core-2.16": Environment(
        folder=".venvs/core-2.16",
        pythons=("3.10", "3.11", "3.12"),
        files=("requirements.txt",),
        # The unit tests that ansible-test runs with it need the rest.
        packages=("ansible-core~=2.16.0", "hypothesis~=6.130", "pytest~=8.3", "pytest-xdist~=3.6"),
        lowest=True,
    ),
    "core-2.18": Environment(
        folder=".venvs/core-2.18",
        pythons=("3.11", "3.12", "3.13"),
        files=("requirements.txt",),
        packages=("ansible-core~=2.18.0",),
    ),
    "core-2.21": Environment(
        folder=".venvs/core-2.21",
        pythons=("3.14", "3.13", "3.12"),
        files=("requirements.txt",),
        packages=("ansible-core~=2.21.0",),
    ),
}
MATRIX = tuple(name for name in ENVIRONMENTS if name.startswith("core-"))


def ensure(name: str) -> Environment:
    """Bring one environment up to date and give it back.

    :raises UnavailableError: no suitable Python here.
    :raises InstallError: creating it or installing into it failed.
    """
    environment = ENVIRONMENTS[name]
    python = environment.bin / "python"
    stamp = ROOT / environment.folder / _STAMP
    wanted = _hash(environment)
    if _version(python) is not None and stamp.is_file() and stamp.read_text(encoding="ascii") == wanted:
        return environment

    started = time.monotonic()
    if _version(python) not in environment.pythons or not _succeeds([python, "-m", "pip", "--version"]):
        base = _find_python(environment)
        _run([base, "-m", "venv", "--clear", ROOT / environment.folder])
    try:
        _run(
            [python, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", *_pip(environment)]
        )
    except InstallError as error:
        if f"No matching distribution found for {environment.ready_made or '?'}" not in str(error):
            raise
        raise UnavailableError(
            f"pip finds no wheel of {environment.ready_made} for Python {python_version(environment)} on this machine, and from source it "
            f"is not built. Begin with another Python: remove .venv and {environment.folder}, then make PYTHON=python3.12 test."
        ) from None
    stamp.write_text(wanted, encoding="ascii")
    print(f"environment {name}: ready in {environment.folder} ({time.monotonic() - started:.0f} s)", flush=True)
    return environment


def ensure_all(names: list[str]) -> dict[str, Environment | UnavailableError | InstallError]:
    """Bring several up to date, two at a time; what could not be had is the exception that says why."""

    def attempt(name: str) -> Environment | UnavailableError | InstallError:
        try:
            return ensure(name)
        except (UnavailableError, InstallError) as error:
            return error

    with ThreadPoolExecutor(max_workers=2) as pool:
        futures = {name: pool.submit(attempt, name) for name in names}
        return {name: future.result() for name, future in futures.items()}


def python_version(environment: Environment) -> str:
    """The ``major.minor`` of an environment that exists."""
    version = _version(environment.bin / "python")
    if version is None:
        raise UnavailableError(f"{environment.folder} has no working Python. Remove the folder and try again.")
    return version


def _hash(environment: Environment) -> str:
    digest = hashlib.sha256(repr((environment.packages, environment.lowest)).encode())
    for file in environment.files:
        digest.update((ROOT / file).read_bytes())
    return digest.hexdigest()


def _pip(environment: Environment) -> list[str]:
    arguments = list(environment.packages)
    if environment.ready_made:
        arguments += ["--only-binary", environment.ready_made]
    for file in environment.files:
        if environment.lowest:
            lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
            arguments += [line.replace(">=", "==") for line in lines if line and not line.startswith("#")]
        else:
            arguments += ["-r", str(ROOT / file)]
    return arguments


def _find_python(environment: Environment) -> Path:
    without_venv = []
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    for version in sorted(environment.pythons, key=lambda v: environment.any_python and v != running):
        for candidate in _candidates(version):
            if _version(candidate) != version:
                continue
            if _succeeds([candidate, "-c", "import ensurepip, venv"]):
                return candidate
            without_venv.append(version)
    if without_venv:
        raise UnavailableError(
            f"Python {without_venv[0]} is here but cannot create virtual environments. "
            f"On Debian and Ubuntu: sudo apt-get install python{without_venv[0]}-venv"
        )
    raise UnavailableError(
        f"No Python {' or '.join(environment.pythons)} is on PATH or under ~/.pyenv/versions. "
        f"On Debian and Ubuntu, where python3 is one of these: sudo apt-get install python3 python3-venv"
    )


def _candidates(version: str) -> list[Path]:
    found = [Path(sys.executable)]
    on_path = shutil.which(f"python{version}")
    if on_path:
        found.append(Path(on_path))
    return found + sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))


def _version(python: Path) -> str | None:
    # Asked, not read from the name: a pyenv shim of a version that is not active exists and fails.
    command = [str(python), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def _succeeds(command: list[str | Path]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _run(command: list[str | Path]) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=environment
    )
    if done.returncode:
        raise InstallError(
            f"This command failed with exit code {done.returncode}: {' '.join(map(str, command))}\n{done.stdout}"
        )


def _main(names: list[str]) -> int:
    failures = {name: result for name, result in ensure_all(names).items() if isinstance(result, Exception)}
    for name, failure in failures.items():
        print(f"{name}: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
