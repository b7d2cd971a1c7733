# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-test from one environment: ``ansible_test.py {sanity|units} NAME`` (see environments.py).

``sanity`` runs all of its tests on what the artefact ships; ``units`` those unit tests that judge, plan and record, which are
what has to work alike on the oldest Python of a controller. Its environments hold no more than the collection needs: a test that
starts a simulated server cannot be among them.

ansible-test makes virtual environments of its own and starts each with a pip bootstrap script that it downloads from
an address of the Ansible project. To need nothing but a package index, a stand-in that uses Python's own ensurepip
is put where ansible-test caches that script. All this lives in home folders under build/, not in the user's.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import checkout
from environments import ENVIRONMENTS, ROOT, Environment, python_version

_HOMES = ROOT / "build" / "ansible-test-home"
# The versions of the script that ansible-core 2.16, 2.17 to 2.19, and 2.20 onwards ask for.
_PIP_VERSIONS = ("23_1_2", "24_2", "25_2")
_UNITS = (
    "test_certificates.py",
    "test_co*.py",
    "test_evaluate.py",
    "test_history.py",
    "test_peer_certificates.py",
    "test_plan.py",
    "test_plan_file.py",
    "test_records.py",
    "test_re*_plan.py",
    "test_ro*_plan.py",
    "test_topology.py",
    "test_usage_extensions.py",
    "test_ver*.py",
    "test_waivers.py",
    "test_wire.py",
)
_STAND_IN = """\
import subprocess, sys
# As a subprocess: in-process, ensurepip would hide the pip configuration from what follows.
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
# The pip that came with Python will do; fetching another one into each of the environments takes longer than the tests.
wanted = [word for word in sys.argv[1:] if not word.startswith(("-", "pip=="))]
if wanted:
    sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", *wanted]))
"""


def _write_home(home: Path, python: Path) -> None:
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in _PIP_VERSIONS:
        (cache / f"get_pip_{version}.py").write_text(_STAND_IN, encoding="ascii")
    # ansible-test drops the environment, PIP_* too: what pip is told by any means goes into a file.
    answer = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    settings = {"quiet": "2"}
    for line in sorted(answer.stdout.splitlines(), key=lambda line: line.startswith(":env:")):
        name, _, value = line.partition("=")
        # The environment comes last, because it wins. A value of several lines is indented in an ini file.
        settings[name.rpartition(".")[2]] = str(ast.literal_eval(value)).replace("\n", "\n  ")
    lines = ["[global]", *(f"{name} = {value}" for name, value in settings.items())]
    config = home / ".config" / "pip" / "pip.conf"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.touch(mode=0o600)  # an index address may hold a password
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _sanity(name: str) -> int:
    environment = ENVIRONMENTS[name]
    home = _HOMES / name
    _write_home(home, environment.bin / "python")
    return _run("sanity", environment, checkout.refresh(f"sanity-{name}"), home)


def _units(name: str) -> int:
    place = checkout.refresh(f"units-{name}", with_tests=True)
    home = _HOMES / f"units-{name}"
    home.mkdir(parents=True, exist_ok=True)
    tests = sorted(str(path.relative_to(place)) for pattern in _UNITS for path in place.glob(f"tests/unit/{pattern}"))
    return _run("units", ENVIRONMENTS[name], place, home, *tests)


def _run(command: str, environment: Environment, place: Path, home: Path, *arguments: str) -> int:
    return subprocess.run(
        [
            *(environment.bin / "ansible-test", command, "--local", "--color", "no"),
            *("--python", python_version(environment), *arguments),
        ],
        cwd=place,
        env={**os.environ, "HOME": str(home), "PATH": f"{environment.bin}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit({"sanity": _sanity, "units": _units}[sys.argv[1]](sys.argv[2]))
