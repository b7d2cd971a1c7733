# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The execution environment: what ansible-builder makes of the collection as it is built. No container is built."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from integration.fleet import ROOT

# Import names of the distributions that requirements name, where the two differ.
_DISTRIBUTIONS = {"winrm": "pywinrm", "spnego": "pyspnego", "yaml": "pyyaml", "jinja2": "jinja2"}
# What every ansible-core brings with it.
_CORE = {"ansible", "jinja2", "markupsafe", "pyyaml", "packaging"}
# What one of the requirements brings with it: the controller check looks at what the connections themselves use.
_BROUGHT = {"requests": "pywinrm", "urllib3": "requests"}


@dataclass(frozen=True, kw_only=True)
class Context:
    """A build context, the collection installed from it as the image would have it, and what introspection found in that."""

    directory: Path
    recipe: str
    installed: Path
    python: list[str]
    system: list[str]


@pytest.fixture(scope="module")
def context(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Context:
    place = tmp_path_factory.mktemp("builder")

    def run(*command: str | Path, cwd: Path = place) -> None:
        variables = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "HOME": str(place)}
        done = subprocess.run(
            list(map(str, command)), cwd=cwd, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    # The definition names the artefact beside it; both stand in a folder of their own, so that a test builds nothing into the tree.
    definition = place / "clone" / "extensions" / "ee" / "execution-environment.yml"
    definition.parent.mkdir(parents=True)
    shutil.copy2(ROOT / "extensions" / "ee" / "execution-environment.yml", definition)
    run("ansible-galaxy", "collection", "build", "--output-path", place / "clone" / "build" / "galaxy", cwd=ROOT)
    run("ansible-builder", "create", "-f", definition, "-c", place / "context", "--output-filename", "Containerfile")
    # The command of the recipe's galaxy stage, in the folder where it stands there.
    galaxy = ("ansible-galaxy", "collection", "install", "--offline", "-r", "requirements.yml")
    run(*galaxy, "--collections-path", place / "collections", cwd=place / "context" / "_build")
    written = ("--write-pip", place / "pip.txt", "--write-bindep", place / "bindep.txt")
    run("ansible-builder", "introspect", *written, place / "collections")
    return Context(
        directory=place / "context",
        recipe=(place / "context" / "Containerfile").read_text("utf-8"),
        installed=place / "collections" / "ansible_collections" / "sfb" / "kb4023993",
        python=_lines(place / "pip.txt"),
        system=_lines(place / "bindep.txt"),
    )


def test_the_image_holds_the_collection_at_its_version(context: Context) -> None:
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text("utf-8"))["version"]
    name = f"collection/sfb-kb4023993-{version}.tar.gz"
    assert (context.directory / "_build" / name).is_file()
    assert name in (context.directory / "_build" / "requirements.yml").read_text("utf-8")
    assert (context.installed / "playbooks" / "audit.yml").is_file()


def test_the_recipe_installs_core_runner_and_what_was_found(context: Context) -> None:
    assert 'ANSIBLE_INSTALL_REFS="ansible-core~=2.19.0 ansible-runner~=2.4"' in context.recipe
    assert "ansible-galaxy collection install" in context.recipe
    assert "introspect.py introspect" in context.recipe
    assert "install-from-bindep" in context.recipe


def test_python_requirements_are_those_of_a_controller_and_kerberos(context: Context) -> None:
    controller = _lines(ROOT / "requirements.txt")
    kerberos = ["pypsrp[kerberos]>=0.8.1", "pywinrm[kerberos]>=0.4.3", "pyspnego[kerberos]>=0.10.2"]
    assert context.python == [*controller, *kerberos]
    # The bounds with Kerberos are those without it.
    assert {line.replace("[kerberos]", "") for line in kerberos} <= set(controller)


def test_every_import_of_the_plugins_is_required(context: Context) -> None:
    required = {re.split(r"[\[><=~ ]", line)[0].lower() for line in context.python} | _CORE
    found = {name: files for name, files in _imports(context.installed / "plugins").items() if name not in required}
    assert set(found) <= set(_BROUGHT), "imported, and in no requirement of meta/ee-requirements.txt"


@pytest.mark.parametrize(("library", "bringer"), _BROUGHT.items())
def test_what_is_not_named_comes_with_what_is(library: str, bringer: str) -> None:
    assert any(re.match(rf"{library}\b", line) for line in importlib.metadata.requires(bringer) or ())


def test_kerberos_finds_its_headers_its_libraries_and_kinit(context: Context) -> None:
    for family, headers, tools in (("rpm", "krb5-devel", "krb5-workstation"), ("dpkg", "libkrb5-dev", "krb5-user")):
        assert f"{headers} [compile platform:{family}]" in context.system
        assert f"gcc [compile platform:{family}]" in context.system
        assert f"{tools} [platform:{family}]" in context.system


def test_nothing_pins_ansible_or_an_upper_bound(context: Context) -> None:
    """The image of a company has many collections; each may only say what it needs at least."""
    for line in context.python:
        assert re.fullmatch(r"[a-z0-9-]+(\[[a-z]+\])?>=[\d.]+", line), line


def _lines(path: Path) -> list[str]:
    lines = (re.split(r"\s+#", line)[0].strip() for line in path.read_text("utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _imports(folder: Path) -> dict[str, set[str]]:
    """By distribution the files that import it; what Python itself has, and relative imports, are left out."""
    found: dict[str, set[str]] = {}
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [t.cast("str", node.module)]
            for name in names:
                top = name.split(".")[0]
                if top not in sys.stdlib_module_names and top != "ansible_collections":
                    found.setdefault(_DISTRIBUTIONS.get(top, top), set()).add(file.name)
    return found
