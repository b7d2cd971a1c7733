# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Method `files`: requests go into a folder, certificates come back into it. For any CA, also one that only people can ask.

::

    FOLDER/index.txt         what each request is, and what the certificate has to be; for the people who carry it
    FOLDER/requests/         one .req file each
    FOLDER/certificates/     whatever the CA gave: PEM, DER or PKCS #7, under any name, CA certificates too

A certificate is known by its public key, never by the name of its file.
"""

from __future__ import annotations

import pathlib
import re
import typing as t

from ..files import StateError, write_private
from ..words import one_line
from .answer import pick, public_key_sha256
from .bundle import MAX_BYTES, BundleError, read_bundle
from .csr import Csr, CsrError, read_csr
from .records import Record
from .responses import Issued, Pending, Response, SigningError

_MAX_FILES: t.Final = 2000
_OPEN: t.Final = ("requested", "submitting", "pending", "denied", "refused")
_UNSAFE: t.Final = re.compile(r"[^A-Za-z0-9.-]+")
_INTRODUCTION: t.Final = """\
Certificate requests of Lync Server / Skype for Business Server, to be signed by your CA.

Every certificate needs BOTH usages:
    server authentication  1.3.6.1.5.5.7.3.1
    client authentication  1.3.6.1.5.5.7.3.2
in Extended Key Usage, and, where the CA writes them, in Application Policies too. The requests themselves may ask for less: the
CA (its template) decides. Names have to stay exactly as they are in the request. No wildcard names.

Put what the CA gives back (PEM, DER or PKCS #7, any file name) into the folder "certificates" beside this file, with the CA
certificates up to the self-signed root. Never put a private key there. Then run the signing again.
"""


class FilesMethod:
    """A folder as the way to a CA."""

    name = "files"
    repeatable = True
    waiting = (
        'Have it signed as its index.txt says, put what the CA gives into its folder "certificates", and run again.'
    )

    def __init__(self, folder: str) -> None:
        self._folder = pathlib.Path(folder)
        self._found: tuple[bytes, ...] | None = None
        self.ca = str(self._folder)
        self.unusable: list[str] = []
        """Files that hold no certificate, each with the reason."""

    def ca_certificates(self) -> tuple[bytes, ...]:
        return ()

    def submit(self, csr: Csr, template: str) -> Response:
        del template
        self._write(self._folder / "requests" / request_file(csr), csr.pem)
        return self.retrieve(csr, None)

    def retrieve(self, csr: Csr, request_id: int | None) -> Response:
        del request_id
        certificates = self._certificates()
        if any(public_key_sha256(der) == csr.public_key_sha256 for der in certificates):
            return Issued(request_id=None, certificate=pick(certificates, csr), chain=certificates)
        return Pending(request_id=None)

    def write_index(self, records: t.Iterable[Record]) -> bool:
        """Write the list of all requests of these records; whether it changed."""
        text = _INTRODUCTION + "".join(_entry(record) for record in records if record.csr and _by_files(record))
        path = self._folder / "index.txt"
        try:
            if path.read_text("utf-8") == text:
                return False
        except (OSError, UnicodeDecodeError):
            pass
        self._write(path, text)
        (self._folder / "certificates").mkdir(exist_ok=True)
        return True

    def _write(self, path: pathlib.Path, text: str) -> None:
        try:
            write_private(path, text)
        except StateError as error:
            raise SigningError(str(error)) from None

    def _certificates(self) -> tuple[bytes, ...]:
        """All certificates of the folder, each once; read once."""
        if self._found is None:
            found: dict[bytes, None] = {}
            for path in self._paths():
                try:
                    found.update(dict.fromkeys(read_bundle(_bounded(path))))
                except BundleError as error:
                    self.unusable.append(f"{path} is not used: {error}.")
                except OSError as error:
                    self.unusable.append(f"{path} cannot be read: {error.strerror}.")
            self._found = tuple(found)
        return self._found

    def _paths(self) -> list[pathlib.Path]:
        folder = self._folder / "certificates"
        try:
            paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise SigningError(f"{folder} cannot be read: {error.strerror}.") from None
        if len(paths) > _MAX_FILES:
            raise SigningError(f"{folder} holds {len(paths)} files, more than {_MAX_FILES}. Is this the right folder?")
        return paths


def request_file(csr: Csr) -> str:
    """The file name of a request: the name it is for, and a part of the hash of its key."""
    name = _UNSAFE.sub("_", csr.names.common_name or min(csr.names.all)).strip("._")[:80] or "request"
    return f"{name}-{csr.public_key_sha256[:12]}.req"


def _bounded(path: pathlib.Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(MAX_BYTES + 1)


def _by_files(record: Record) -> bool:
    return record.submission is not None and record.submission.method == FilesMethod.name


def _entry(record: Record) -> str:
    try:
        csr = read_csr(record.csr or "")
    except CsrError as error:
        return f"\n{record.id}: {error}\n"
    lines = [
        f"requests/{request_file(csr)}",
        f"    servers   {', '.join(map(one_line, record.servers))}",
        f"    uses      {', '.join(map(one_line, record.uses))}",
        f"    subject   {csr.subject}",
        *(f"    name      {name}" for name in sorted(csr.names.all)),
        f"    key       RSA {csr.key_bits} bits, SHA-256 of the public key {csr.public_key_sha256}",
        f"    request   SHA-256 {csr.sha256}",
        # What became of a certificate on the servers is nothing for the people who carry files.
        f"    state     {record.step if record.step in _OPEN else 'signed'}",
    ]
    return "\n" + "\n".join(lines) + "\n"
