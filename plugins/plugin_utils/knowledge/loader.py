# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of products, .NET updates, events and CA dates, as typed records.

The knowledge itself is in the YAML files beside this module, each fact with its source and how sure it is; the comments there say
what a field means. This module only reads them: one function a table, each returning the rows in the order of the file, read once a
process. Nothing is looked up or decided here.

Every function raises :class:`KnowledgeError` when its file is missing or damaged; the message names file, table, row and field.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import typing as t

import yaml

from ..codec import CodecError, decode
from ..own_yaml import parse_yaml

Confidence = t.Literal["verified", "secondary", "inferred", "plausible"]
Clr = t.Literal["v2.0.50727", "v4.0.30319"]
Role = t.Literal["front_end", "edge"]
ConnectionKind = t.Literal["edge", "front_end"]


class KnowledgeError(RuntimeError):
    """A data file of this collection is missing or damaged: the installation is broken, not the input."""


@dataclasses.dataclass(frozen=True)
class Fact:
    """What all rows have. ``confidence`` is that of the row's weakest part; ``source`` says where it was read."""

    confidence: Confidence
    source: str


@dataclasses.dataclass(frozen=True)
class Product(Fact):
    """A product, told by the file version of DataMCUSvc.exe. Versions are dotted numbers as text."""

    id: str
    name: str
    file_major: int
    version_from: str
    base_build: str | None
    clr: Clr
    default_directory: str | None
    in_article: bool
    modules: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Service(Fact):
    """A Windows service and the role it stands for; ``image`` is the file name of its process."""

    name: str
    role: t.Literal["front_end", "edge", "director", "mediation", "other"]
    decisive: bool
    image: str | None
    meaning: str


@dataclasses.dataclass(frozen=True)
class ProductService(Fact):
    """A further service of the product, which a restart of the whole product concerns."""

    name: str
    meaning: str


@dataclasses.dataclass(frozen=True)
class Port(Fact):
    """A TCP port of a connection that DataMCUSvc judges, or one where the certificate of a host can be seen."""

    number: int
    purpose: t.Literal["connection", "probe"]
    connection: ConnectionKind | None
    listener_roles: tuple[Role, ...]
    certificate_use: str
    meaning: str


@dataclasses.dataclass(frozen=True)
class CertificateUse(Fact):
    """A certificate type of Get-CsCertificate on a role, and how this collection treats it."""

    role: Role
    use: str
    handling: t.Literal["judged", "together", "never"]
    meaning: str


@dataclasses.dataclass(frozen=True)
class OperatingSystem(Fact):
    """A Windows release; ``build`` is its CurrentBuild."""

    id: str
    name: str
    build: int


@dataclasses.dataclass(frozen=True)
class Update(Fact):
    """An update that brought the check, on one Windows release. KB numbers are seven digits without the letters."""

    kb: str
    os: str
    dotnet: tuple[str, ...]
    clr: tuple[Clr, ...]
    type: t.Literal["rollup", "security_only", "quality", "lcu", "parent_rollup", "parent_security_only"]
    parents: tuple[str, ...]
    record: t.Literal["cbs", "msi", "lcu", "none", "unknown"]
    in_article: bool


@dataclasses.dataclass(frozen=True)
class Successor(Fact):
    """The first updates that replaced an umbrella update."""

    kb: str
    by: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class UpdateRecord(Fact):
    """A registry place (below HKEY_LOCAL_MACHINE) where Windows records updates; ``installed`` is the data that says so."""

    record: t.Literal["cbs", "msi"]
    key: str
    value: str
    installed: str | None


@dataclasses.dataclass(frozen=True)
class CbsState(Fact):
    """A CurrentState of Component Based Servicing."""

    value: int
    name: str
    carries_check: bool


@dataclasses.dataclass(frozen=True)
class CertainSign(Fact):
    """A number that is reached only where the check is present, for processes of these CLRs."""

    id: str
    clr: tuple[Clr, ...]
    release: int | None
    build: int | None
    revision: int | None
    meaning: str


@dataclasses.dataclass(frozen=True)
class ReleaseKey(Fact):
    """The lowest Release value of a .NET Framework 4 version, and all values that Microsoft lists for it."""

    version: str
    minimum: int
    exact: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class SystemDll(Fact):
    """A copy of System.dll; the path holds ``%windir%``."""

    clr: Clr
    place: t.Literal["framework", "gac"]
    path: str


@dataclasses.dataclass(frozen=True)
class Marker(Fact):
    """A text that System.dll holds, in this encoding, when the check is in it."""

    id: str
    text: str
    encoding: t.Literal["utf-16-le", "ascii"]
    clr: tuple[Clr, ...]


@dataclasses.dataclass(frozen=True)
class LastVersionWithoutCheck(Fact):
    """The last file version of System.dll without the check. Third-party, for a cross-check only."""

    clr: Clr
    dotnet: tuple[str, ...]
    os: tuple[str, ...]
    version: str


@dataclasses.dataclass(frozen=True)
class OptOut(Fact):
    """A place where the check can be turned off. Keys are below HKEY_LOCAL_MACHINE, 64-bit view, and may hold ``{clr}``."""

    id: t.Literal["executable", "global", "appcontext_registry", "appcontext_config"]
    medium: t.Literal["registry", "config_file"]
    clr: tuple[Clr, ...]
    release: int | None
    key: str
    name: str | None
    kind: t.Literal["REG_DWORD", "REG_SZ"] | None
    data: str
    writable: bool
    meaning: str


@dataclasses.dataclass(frozen=True)
class EventSource(Fact):
    """Where the events are written."""

    log: str
    provider: str


@dataclasses.dataclass(frozen=True)
class Event(Fact):
    """An event that bears on the fault. ``repeat_minutes``: how often it may be logged while the state lasts."""

    id: int
    connection: ConnectionKind
    ports: tuple[int, ...]
    outcome: t.Literal["failure", "success", "undirected"]
    repeat_minutes: int | None
    meaning: str


@dataclasses.dataclass(frozen=True)
class UnrelatedEvent(Fact):
    """An event of the same log that must not be counted."""

    id: int
    meaning: str


@dataclasses.dataclass(frozen=True)
class CaDate(Fact):
    """When a public CA stops issuing for clientAuth. Days are ISO dates as text (YYYY-MM-DD)."""

    id: str
    name: str
    issuer_patterns: tuple[str, ...]
    off_by_default: str
    removed: str


_Row = t.TypeVar("_Row", bound=Fact)


def products() -> tuple[Product, ...]:
    """Return the products, oldest first."""
    return _table("products.yml", "products", Product)


def services() -> tuple[Service, ...]:
    """Return the services, in the order to ask."""
    return _table("products.yml", "services", Service)


def product_services() -> tuple[ProductService, ...]:
    """Return the further services that a restart of the whole product concerns."""
    return _table("products.yml", "product_services", ProductService)


def ports() -> tuple[Port, ...]:
    """Return the ports; a number may occur once a role."""
    return _table("products.yml", "ports", Port)


def certificate_uses() -> tuple[CertificateUse, ...]:
    """Return the certificate uses of both roles."""
    return _table("products.yml", "certificate_uses", CertificateUse)


def operating_systems() -> tuple[OperatingSystem, ...]:
    """Return the Windows releases that the updates are for."""
    return _table("dotnet_updates.yml", "operating_systems", OperatingSystem)


def updates() -> tuple[Update, ...]:
    """Return the updates of May 2017. That none of them is installed proves nothing."""
    return _table("dotnet_updates.yml", "updates", Update)


def successors() -> tuple[Successor, ...]:
    """Return what replaced the umbrella updates."""
    return _table("dotnet_updates.yml", "successors", Successor)


def update_records() -> tuple[UpdateRecord, ...]:
    """Return the registry places where Windows records updates."""
    return _table("dotnet_updates.yml", "update_records", UpdateRecord)


def cbs_states() -> tuple[CbsState, ...]:
    """Return the states of a CBS package."""
    return _table("dotnet_updates.yml", "cbs_states", CbsState)


def certain_signs() -> tuple[CertainSign, ...]:
    """Return the version numbers that prove the check."""
    return _table("dotnet_check.yml", "certain_signs", CertainSign)


def release_keys() -> tuple[ReleaseKey, ...]:
    """Return the Release values, oldest version first."""
    return _table("dotnet_check.yml", "release_keys", ReleaseKey)


def system_dlls() -> tuple[SystemDll, ...]:
    """Return the copies of System.dll."""
    return _table("dotnet_check.yml", "system_dlls", SystemDll)


def markers() -> tuple[Marker, ...]:
    """Return the texts to search in System.dll."""
    return _table("dotnet_check.yml", "markers", Marker)


def last_versions_without_check() -> tuple[LastVersionWithoutCheck, ...]:
    """Return the third-party version thresholds of System.dll."""
    return _table("dotnet_check.yml", "last_versions_without_check", LastVersionWithoutCheck)


def opt_outs() -> tuple[OptOut, ...]:
    """Return every way to turn the check off; exactly one is writable."""
    return _table("dotnet_check.yml", "opt_outs", OptOut)


def event_sources() -> tuple[EventSource, ...]:
    """Return the logs and providers of the events."""
    return _table("events.yml", "event_sources", EventSource)


def events() -> tuple[Event, ...]:
    """Return the events that bear on the fault."""
    return _table("events.yml", "events", Event)


def unrelated_events() -> tuple[UnrelatedEvent, ...]:
    """Return the events that must not be counted."""
    return _table("events.yml", "unrelated_events", UnrelatedEvent)


def ca_dates() -> tuple[CaDate, ...]:
    """Return the public CAs and their days."""
    return _table("ca_dates.yml", "ca_dates", CaDate)


@functools.cache
def _table(file: str, table: str, row: type[_Row]) -> tuple[_Row, ...]:
    rows = _document(file).get(table)
    if not isinstance(rows, list) or not rows:
        raise _damaged(file, f"table {table!r} is missing or empty")
    try:
        return tuple(decode(row, value, where=f"{table}[{index}]") for index, value in enumerate(rows))
    except CodecError as error:
        raise _damaged(file, str(error)) from error


@functools.cache
def _document(file: str) -> dict[str, t.Any]:
    # importlib.resources: it reads alike in plain Python and through Ansible's collection loader.
    try:
        text = importlib.resources.files(__package__ or "").joinpath(file).read_text(encoding="utf-8")
        document = parse_yaml(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise _damaged(file, str(error)) from error
    if not isinstance(document, dict):
        raise _damaged(file, "it does not hold named tables")
    return document


def _damaged(file: str, reason: str) -> KnowledgeError:
    return KnowledgeError(
        f"The data file plugins/plugin_utils/knowledge/{file} of the collection sfb.kb4023993 cannot be used: {reason}. "
        "Install the collection again."
    )
