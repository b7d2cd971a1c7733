# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user gets: build the artefact, import it as Galaxy would, install it, render its documentation.

``artefact.py build | import | doc``, in this order; run with the Python of the quality environment.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import yaml
from checkout import shipped_files
from environments import ENVIRONMENTS, ROOT

_COLLECTION = "sfb.kb4023993"
_BUILT = ROOT / "build" / "galaxy"
_INSTALLED = ROOT / "build" / "installed"
_IMPORTER_CONFIG = """[galaxy-importer]
RUN_ANSIBLE_TEST = False
RUN_ANSIBLE_LINT = True
CHECK_REQUIRED_TAGS = True
"""


def _build() -> list[str]:
    # From the working tree, not from a clean copy: that is where a person builds, beside .venv and build.
    shutil.rmtree(_BUILT, ignore_errors=True)
    _run(["ansible-galaxy", "collection", "build", "--output-path", str(_BUILT)])
    with tarfile.open(_artefact()) as archive:
        packed = {member.name for member in archive.getmembers() if not member.isdir()}
    packed -= {"MANIFEST.json", "FILES.json"}
    wanted = set(shipped_files())
    print(f"{_artefact().name}: {len(packed)} files, {_artefact().stat().st_size // 1024} KiB")
    return [f"in the artefact, should not be: {name}" for name in sorted(packed - wanted)] + [
        f"not in the artefact, should be: {name}" for name in sorted(wanted - packed)
    ]


def _import() -> list[str]:
    config = _BUILT / "galaxy-importer.cfg"
    config.write_text(_IMPORTER_CONFIG, encoding="ascii")
    output = _run(
        [sys.executable, "-m", "galaxy_importer.main", str(_artefact())], GALAXY_IMPORTER_CONFIG=str(config), cwd=_BUILT
    )
    # The importer ends 0 with warnings, and every finding of ansible-lint is one.
    return [line for line in output.splitlines() if line.startswith(("WARNING", "ERROR"))]


def _doc() -> list[str]:
    shutil.rmtree(_INSTALLED, ignore_errors=True)
    install = ["ansible-galaxy", "collection", "install", "--offline", "-p", str(_INSTALLED), str(_artefact())]
    _run(install, ANSIBLE_COLLECTIONS_PATH=str(_INSTALLED))
    content = _INSTALLED / "ansible_collections" / "sfb" / "kb4023993"
    groups = yaml.safe_load((content / "meta" / "runtime.yml").read_text(encoding="utf-8"))["action_groups"]
    grouped = {name for group in groups.values() for name in group}
    modules = {file.stem for file in content.glob("plugins/modules/*.py") if not file.stem.startswith("_")}
    actions = {file.stem for file in content.glob("plugins/action/*.py") if not file.stem.startswith("_")}
    roles = {folder.name for folder in content.glob("roles/*") if folder.is_dir()}
    problems = [f"action without a documented module: {name}" for name in sorted(actions - modules)]
    problems += [f"in no action group of meta/runtime.yml: {name}" for name in sorted(modules - grouped)]
    problems += [f"in an action group, but no module: {name}" for name in sorted(grouped - modules)]
    for kind, names in (("module", modules), ("role", roles)):
        documented = _documented(kind, names)
        print(f"ansible-doc: {len(documented)} of {len(names)} {kind}s rendered")
        problems += [f"ansible-doc does not know the {kind} {name}" for name in sorted(names - documented)]
    return problems


def _documented(kind: str, names: set[str]) -> set[str]:
    if not names:
        return set()
    full_names = [f"{_COLLECTION}.{name}" for name in sorted(names)]
    command = ["ansible-doc", "--type", kind, *full_names]
    entries = json.loads(_run([*command, "--json"], ANSIBLE_COLLECTIONS_PATH=str(_INSTALLED)))
    # Once more as a person reads it: rendering can fail where parsing did not.
    _run(command, ANSIBLE_COLLECTIONS_PATH=str(_INSTALLED))
    return {
        name for name in names if any(entries.get(f"{_COLLECTION}.{name}", {}).get(k) for k in ("doc", "entry_points"))
    }


def _artefact() -> Path:
    found = sorted(_BUILT.glob("*.tar.gz"))
    if not found:
        raise SystemExit("There is no artefact in build/galaxy: run `artefact.py build` first and see why it failed.")
    return found[0]


def _run(command: list[str], cwd: Path = ROOT, **variables: str) -> str:
    path = f"{ENVIRONMENTS['quality'].bin}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, "PATH": path, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout if command[0] == "ansible-doc" else done.stdout + done.stderr


def _main(step: str) -> int:
    problems = {"build": _build, "import": _import, "doc": _doc}[step]()
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
