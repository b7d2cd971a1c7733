# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a case finds on its host: plain descriptions, which each runner turns into the things of its system.

Everything of a world lies in places of its own (:func:`key`, :func:`folder`, names of services and stores), so that many worlds
share one host and one start of the engine.
"""

from __future__ import annotations

import struct
import typing as t
from dataclasses import dataclass
from datetime import datetime, timezone

from lab.pki import Authority, Issued

ROOT_KEY = r"SOFTWARE\Contract"
ROOT_FOLDER = "C:\\Contract"
WRITTEN = datetime(2024, 5, 6, 7, 8, 9, 125000, tzinfo=timezone.utc)

POOL = ("host.contoso.example", "other.contoso.example")
"""The Front Ends of a pool, the first of which is the host that is asked."""

PROGRAM = b"MZ program"
"""The content of a file that has to be a program where it can run."""

NONE, SZ, EXPAND_SZ, BINARY, DWORD, DWORD_BIG_ENDIAN, LINK, MULTI_SZ = range(8)
QWORD = 11
"""Types of registry values, by their numbers in Windows (winnt.h)."""


def key(case: str, *below: str) -> str:
    """The path of a case's own registry key."""
    return "\\".join((ROOT_KEY, case, *below))


def folder(case: str, *below: str) -> str:
    """The path of a case's own folder, or of something in it."""
    return "\\".join((ROOT_FOLDER, case, *below))


@dataclass(frozen=True, kw_only=True)
class Value:
    """One registry value as it is stored."""

    name: str
    type: int
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Key:
    """One registry key: its real path below HKEY_LOCAL_MACHINE (with Wow6432Node where that is meant).

    ``denied``: nobody may open it.
    """

    path: str
    values: tuple[Value, ...] = ()
    denied: bool = False


def utf16(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def text_value(name: str, text: str, *, type: int = SZ) -> Value:  # noqa: A002
    """A string, ended as Windows ends it."""
    return Value(name=name, type=type, data=utf16(text + "\0"))


def texts_value(name: str, *texts: str) -> Value:
    return Value(name=name, type=MULTI_SZ, data=utf16("".join(text + "\0" for text in texts) + "\0"))


def dword(name: str, number: int) -> Value:
    return Value(name=name, type=DWORD, data=struct.pack("<I", number))


def qword(name: str, number: int) -> Value:
    return Value(name=name, type=QWORD, data=struct.pack("<Q", number))


@dataclass(frozen=True, kw_only=True)
class File:
    """``padding`` zero bytes follow the content (on disk as a hole)."""

    path: str
    content: bytes = b""
    padding: int = 0
    modified: datetime = WRITTEN


@dataclass(frozen=True, kw_only=True)
class Folder:
    path: str


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service as it stands when the batch begins. ``start``: number of the start mode, 2 automatic, 3 manual, 4 disabled.

    ``image_path`` None: the registry has none. ``stuck``: what it was asked to do never ends. ``fails``: it ends at once when it is started.
    """

    name: str
    image_path: str | None
    image_type: int = EXPAND_SZ
    start: int = 3
    status: str = "stopped"
    depends_on: tuple[str, ...] = ()
    stuck: bool = False
    fails: bool = False


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A certificate in a store of LocalMachine."""

    store: str
    certificate: bytes
    private_key: bool = False
    usage_property: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class TlsServer:
    """A server on this host. ``port`` is its number in the table; the runners put the real one in its place.

    ``kind``: ``tls``, ``mutual`` (demands a certificate), ``silent``, ``other`` (another protocol), ``closed`` (nobody listens).
    """

    port: int
    kind: str
    identity: Issued | None = None


@dataclass(frozen=True, kw_only=True)
class Process:
    """A running program. ``path`` as in Windows, with ``.exe``."""

    path: str


@dataclass(frozen=True, kw_only=True)
class Logged:
    """An event in the log of the product."""

    provider: str
    id: int
    strings: tuple[str, ...] = ()
    age_seconds: int = 60
    count: int = 1


@dataclass(frozen=True, kw_only=True)
class Product:
    """The product's PowerShell module. ``certificates``: what Get-CsCertificate gives; ``topology``: what Get-CsTopology gives.

    ``denied``: none of its commands may be used; ``failing``: none works. ``pool``: this host is a Front End of a pool of two, the
    other one of which runs or not; None: it is in no pool.
    """

    module: str
    certificates: tuple[dict[str, str], ...] = ()
    topology: str | None = None
    denied: bool = False
    failing: bool = False
    pool: t.Literal["other runs", "other is down"] | None = None


@dataclass(frozen=True, kw_only=True)
class Ca:
    """A CA that issues by one template, and how far a session of this host gets to it."""

    config: str
    template: str
    authority: Authority
    reach: t.Literal["delegated", "not_delegated", "none"] = "delegated"


@dataclass(frozen=True, kw_only=True)
class World:
    keys: tuple[Key, ...] = ()
    files: tuple[File, ...] = ()
    folders: tuple[Folder, ...] = ()
    services: tuple[Service, ...] = ()
    stored: tuple[Stored, ...] = ()
    tls: tuple[TlsServer, ...] = ()
    processes: tuple[Process, ...] = ()
    logged: tuple[Logged, ...] = ()
    product: Product | None = None
    ca: Ca | None = None


def merged(worlds: list[World]) -> World:
    """One host with everything of these worlds; they have to keep out of each other's way."""
    products = [world.product for world in worlds if world.product]
    cas = [world.ca for world in worlds if world.ca]
    if len(products) > 1 or len(cas) > 1:
        raise ValueError("a host has one product and one CA")
    return World(
        keys=tuple(each for world in worlds for each in world.keys),
        files=tuple(each for world in worlds for each in world.files),
        folders=tuple(each for world in worlds for each in world.folders),
        services=tuple(each for world in worlds for each in world.services),
        stored=tuple(each for world in worlds for each in world.stored),
        tls=tuple(each for world in worlds for each in world.tls),
        processes=tuple(each for world in worlds for each in world.processes),
        logged=tuple(each for world in worlds for each in world.logged),
        product=products[0] if products else None,
        ca=cas[0] if cas else None,
    )
