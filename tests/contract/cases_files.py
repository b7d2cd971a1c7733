# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of file_info, file_read and file_search."""

from __future__ import annotations

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op

from contract.case import Case, Runner, Step, Wrong, case
from contract.world import PROGRAM, WRITTEN, File, Folder, Service, World, folder

_TIME = "2024-05-06T07:08:09.125Z"
_BYTES = bytes(range(256))
_LINUX_PATHS: dict[Runner, str] = {"linux": "paths of Linux are others"}
assert f"{WRITTEN:%Y-%m-%dT%H:%M:%S}" in _TIME


def info(path: str, size: int | None = None, *, version: str | None = None) -> op.FileInfoReply:
    there = size is not None
    return op.FileInfoReply(
        path=path,
        exists=there,
        size=size,
        version=version,
        created_utc=_TIME if there else None,
        modified_utc=_TIME if there else None,
    )


def read(path: str, content: bytes | None, *, truncated: bool = False) -> op.FileReadReply:
    return op.FileReadReply(path=path, exists=content is not None, content=content, truncated=truncated)


def _plain() -> list[Case]:
    odd = folder("odd", "会議 \U0001f512 'a' 100% `x` $(exit 9) %25.txt")
    missing = folder("missing", "no", "such.file")
    return [
        Case(
            name="file-odd-name",
            world=World(files=(File(path=odd, content=_BYTES),)),
            steps=(
                Step(op.FileInfo(path=odd), info(odd, 256)),
                Step(op.FileRead(path=odd), read(odd, _BYTES)),
                Step(op.FileRead(path=odd, limit=256), read(odd, _BYTES)),
                Step(op.FileRead(path=odd, limit=255), read(odd, _BYTES[:255], truncated=True)),
                Step(op.FileRead(path=odd, limit=0), read(odd, b"", truncated=True)),
                Step(op.FileRead(path=odd, limit=-1), Wrong("invalid")),
                Step(
                    op.FileSearch(path=odd, patterns=(b"\x00", _BYTES, b"\xff\x00", b"", b"\xfe\xff")),
                    op.FileSearchReply(exists=True, found=(True, True, False, True, True)),
                ),
            ),
        ),
        Case(
            name="file-missing",
            steps=(
                Step(op.FileInfo(path=missing), info(missing)),
                Step(op.FileRead(path=missing), read(missing, None)),
                Step(op.FileRead(path=missing, limit=-1), read(missing, None)),
                Step(
                    op.FileSearch(path=missing, patterns=(b"a", b"")),
                    op.FileSearchReply(exists=False, found=(False, False)),
                ),
                Step(op.FileSearch(path=missing, patterns=()), op.FileSearchReply(exists=False, found=())),
            ),
        ),
        Case(
            name="file-empty",
            world=World(files=(File(path=folder("empty", "e.bin")),)),
            steps=(
                Step(op.FileInfo(path=folder("empty", "e.bin")), info(folder("empty", "e.bin"), 0)),
                Step(op.FileRead(path=folder("empty", "e.bin")), read(folder("empty", "e.bin"), b"")),
                Step(op.FileRead(path=folder("empty", "e.bin"), limit=0), read(folder("empty", "e.bin"), b"")),
                Step(
                    op.FileSearch(path=folder("empty", "e.bin"), patterns=(b"", b"a")),
                    op.FileSearchReply(exists=True, found=(True, False)),
                ),
            ),
        ),
        Case(
            name="file-folder",
            world=World(folders=(Folder(path=folder("folder", "sub")),)),
            steps=(
                Step(op.FileInfo(path=folder("folder", "sub")), info(folder("folder", "sub"))),
                Step(op.FileRead(path=folder("folder", "sub")), read(folder("folder", "sub"), None)),
                Step(
                    op.FileSearch(path=folder("folder", "sub"), patterns=(b"",)),
                    op.FileSearchReply(exists=False, found=(False,)),
                ),
                Step(op.FileInfo(path=folder("folder", "sub") + "\\"), info(folder("folder", "sub") + "\\")),
            ),
        ),
        case("file-no-path", op.FileInfo(path=""), Wrong("invalid")),
        case("file-read-no-path", op.FileRead(path=""), Wrong("invalid")),
        case("file-search-no-path", op.FileSearch(path="", patterns=()), Wrong("invalid")),
    ]


def _paths() -> list[Case]:
    place = folder("paths", "Sub Folder", "File.Txt")
    world = World(files=(File(path=place, content=b"x"),))
    forms = (
        (folder("paths", "Sub Folder", "FILE.TXT"), folder("paths", "Sub Folder", "FILE.TXT")),
        (folder("PATHS", "sub folder", "file.txt"), folder("PATHS", "sub folder", "file.txt")),
        (place.replace("\\", "/"), place),
        (folder("paths", "x", "..", "Sub Folder", ".", "File.Txt"), place),
        (folder("paths", "Sub Folder", "", "File.Txt"), place),
        (place + " ", place),
        (place + ".", place),
        (place.replace("C:", "%SystemDrive%"), place),
        (place.replace("C:", "%SYSTEMDRIVE%"), place),
    )
    steps = [Step(op.FileInfo(path=asked), info(shown, 1)) for asked, shown in forms]
    steps += [
        Step(
            op.FileInfo(path=folder("paths", "%no such variable%", "x")),
            info(folder("paths", "%no such variable%", "x")),
        ),
        # Windows puts variables in up to the first zero character.
        Step(op.FileInfo(path=place + "\0x"), info(place, 1)),
        Step(op.FileInfo(path="   "), Wrong("invalid")),
        Step(
            op.FileRead(path="%SystemDrive%\\Contract\\paths\\Sub Folder\\..\\none"),
            read(folder("paths", "none"), None),
        ),
    ]
    return [Case(name="file-paths", world=world, steps=tuple(steps), left_out=_LINUX_PATHS)]


def _searches() -> list[Case]:
    large = folder("search", "large.bin")
    marker = "RequireCertificateEKUs".encode("utf-16-le")
    boundary = 65536
    whole = b"\xff" * (boundary - 7) + marker + b"\0" * boundary + b"Ab\r\n"
    huge, fits = folder("search", "huge.bin"), folder("search", "fits.bin")
    limit = 64 * 1024 * 1024
    return [
        Case(
            name="file-search",
            world=World(files=(File(path=large, content=whole),)),
            steps=(
                Step(
                    op.FileSearch(
                        path=large,
                        patterns=(
                            marker,
                            b"\xff" + marker[:3],
                            b"ab",
                            b"Ab",
                            b"\r\n",
                            b"\0" * boundary,
                            b"\0" * (boundary + 2),
                        ),
                    ),
                    op.FileSearchReply(exists=True, found=(True, True, False, True, True, True, False)),
                ),
                Step(op.FileRead(path=large, limit=10), read(large, b"\xff" * 10, truncated=True)),
            ),
        ),
        Case(
            name="file-search-too-large",
            world=World(
                files=(File(path=huge, content=b"x", padding=limit), File(path=fits, content=b"x", padding=limit - 1))
            ),
            steps=(
                Step(op.FileSearch(path=huge, patterns=(b"x",)), Wrong("too_large")),
                Step(
                    op.FileSearch(path=fits, patterns=(b"x", b"y")),
                    op.FileSearchReply(exists=True, found=(True, False)),
                ),
                Step(op.FileInfo(path=huge), info(huge, limit + 1)),
                Step(op.FileRead(path=huge, limit=1), read(huge, b"x", truncated=True)),
            ),
        ),
    ]


def _of_services() -> list[Case]:
    program = folder("service files", "Program One.exe")
    world = World(
        files=(File(path=program, content=PROGRAM), File(path=program + ".config", content=b"<x/>")),
        services=(
            Service(name="ContractFiles", image_path=f'"{program}" -service'),
            Service(name="ContractNoFile", image_path=folder("service files", "none.exe")),
            Service(name="ContractDriver", image_path="none.sys"),
        ),
    )
    config = program + ".config"
    return [
        Case(
            name="file-of-service",
            world=world,
            steps=(
                Step(op.FileInfo(path=".config", service="ContractFiles"), info(config, 4)),
                Step(op.FileInfo(path=".config", service="CONTRACTFILES"), info(config, 4)),
                Step(op.FileRead(path=".config", service="ContractFiles"), read(config, b"<x/>")),
                Step(
                    op.FileRead(path=".config", service="ContractFiles", limit=2), read(config, b"<x", truncated=True)
                ),
                Step(op.FileInfo(path=".none", service="ContractFiles"), info(program + ".none")),
                Step(op.FileInfo(path=".config", service="ContractNoFile"), info("")),
                Step(op.FileRead(path=".config", service="ContractNoFile"), read("", None)),
                Step(op.FileInfo(path=".config", service="ContractDriver"), info("")),
                Step(op.FileInfo(path="", service="ContractNoService"), info("")),
            ),
        )
    ]


def files() -> list[Case]:
    return [*_plain(), *_paths(), *_searches(), *_of_services()]
