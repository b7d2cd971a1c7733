# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python libraries of the controller: which ones the connections of the inventory need, and whether they are there and new enough."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import importlib.metadata
import pathlib
import re
import sys
import typing as t

from .check import Check, failed, ok, warning
from .way import Way

# Comes with ansible-core; its sanity tests import every plugin without libraries.
with contextlib.suppress(ImportError):
    from packaging.version import InvalidVersion, Version

_REQUIREMENTS: t.Final = pathlib.Path(__file__).parents[3] / "requirements.txt"
_REQUIREMENT: t.Final = re.compile(r"^([a-z0-9-]+)>=([0-9.]+)", re.MULTILINE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Library:
    """One library: the name for pip, the module to import, for what it is, and the oldest version that does."""

    name: str
    module: str
    purpose: str
    oldest: str = "0"
    install: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Found:
    """A library that was looked for. ``version`` is empty where it does not tell; ``problem`` says why it cannot be used."""

    version: str = ""
    problem: str = ""


@functools.cache
def _oldest() -> dict[str, str]:
    """The lower bounds of this collection's own requirements, by name."""
    return dict(_REQUIREMENT.findall(_REQUIREMENTS.read_text("utf-8")))


def always() -> tuple[Library, ...]:
    """What this collection needs whatever the inventory says."""
    return (
        Library(
            name="cryptography",
            module="cryptography",
            purpose="to judge certificates",
            oldest=_oldest()["cryptography"],
        ),
        Library(name="jinja2", module="jinja2", purpose="for the HTML report", oldest="3.1"),
    )


def needed(way: Way) -> tuple[Library, ...]:
    """What a connection needs."""
    if way.connection == "winrm":
        base = Library(name="pywinrm", module="winrm", purpose="for the connection winrm", oldest=_oldest()["pywinrm"])
        return (base, *_winrm(way))
    if way.connection == "psrp":
        base = Library(name="pypsrp", module="pypsrp", purpose="for the connection psrp", oldest=_oldest()["pypsrp"])
        spnego = Library(
            name="pyspnego", module="spnego", purpose="for the connection psrp", oldest=_oldest()["pyspnego"]
        )
        return (base, spnego, *_psrp(way))
    return ()


def _winrm(way: Way) -> t.Iterator[Library]:
    if "ntlm" in way.methods:
        yield Library(name="requests-ntlm", module="requests_ntlm", purpose="for winrm with ntlm", oldest="1.1.0")
    if "credssp" in way.methods:
        install = "pywinrm[credssp]"
        purpose = "for winrm with credssp"
        yield Library(
            name="requests-credssp", module="requests_credssp", purpose=purpose, oldest="1.0.0", install=install
        )
    if "kerberos" in way.methods:
        install = "pywinrm[kerberos]"
        purpose = "for winrm with kerberos"
        yield Library(name="pykerberos", module="kerberos", purpose=purpose, oldest="1.2.1", install=install)


def _psrp(way: Way) -> t.Iterator[Library]:
    if "credssp" in way.methods:
        install = "pypsrp[credssp]"
        purpose = "for psrp with credssp"
        yield Library(
            name="requests-credssp", module="requests_credssp", purpose=purpose, oldest="2.0.0", install=install
        )
    if "kerberos" in way.methods:
        purpose, install = "for psrp with kerberos", "pypsrp[kerberos]"
        yield Library(name="gssapi", module="gssapi", purpose=purpose, oldest="1.6.0", install=install)
        yield Library(name="krb5", module="krb5", purpose=purpose, oldest="0.3.0", install=install)


def look(library: Library) -> Found:
    """Import a library, as its connection plugin will."""
    try:
        importlib.import_module(library.module)
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name == library.module
        return Found(problem="is not there" if missing else f"cannot be loaded ({error})")
    try:
        return Found(version=importlib.metadata.version(library.name))
    except importlib.metadata.PackageNotFoundError:
        return Found()


def check(library: Library, where: t.Iterable[str], *, found: Found | None = None) -> Check:
    """Whether a library is there and new enough, for these hosts."""
    result = found or look(library)
    install = f'Install it for the Python that runs Ansible: {sys.executable} -m pip install "{_wanted(library)}".'
    if result.problem:
        what = f"The Python library {library.name}, needed {library.purpose}, {result.problem}."
        needs_headers = library.name in ("pykerberos", "gssapi", "krb5")
        hint = " It is compiled then: it needs a C compiler and the Kerberos headers (Debian: gcc libkrb5-dev)."
        return failed("LIBRARY", where, what, install + (hint if needs_headers else ""))
    if not result.version:
        return ok("LIBRARY", where, f"{library.name} is there ({library.purpose}).")
    try:
        old = Version(result.version) < Version(library.oldest)
    except InvalidVersion:
        what = f"{library.name} has the version {result.version}, which cannot be compared with {library.oldest}."
        return warning("LIBRARY", where, what, install)
    if old:
        what = (
            f"{library.name} {result.version} is too old {library.purpose}: {library.oldest} is the oldest that does."
        )
        return failed("LIBRARY", where, what, install)
    return ok("LIBRARY", where, f"{library.name} {result.version} ({library.purpose}).")


def _wanted(library: Library) -> str:
    return library.install or f"{library.name}>={library.oldest}"
