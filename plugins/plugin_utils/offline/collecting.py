# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a kit for reading a server by hand. Pure: text in, text out."""

from __future__ import annotations

import hashlib
import pathlib
import re
import typing as t

from ..files import file_name
from ..words import one_line
from .kits import Kit, batch_script, data
from .literals import literal

Files = dict[str, bytes]
_HERE: t.Final = pathlib.Path(__file__).parent
# In a here-string every line is taken as it is; a line that begins with '@ would end it.
_DATA: t.Final = re.compile(r"(?:[a-z_]+\t[\t\x20-\x7e]*\n)+\Z")
_RULE: t.Final = "# " + "-" * 100

_README: t.Final = """\
READING {host} BY HAND
for an audit of Microsoft KB4023993 (collection sfb.kb4023993). Made at {made}.

What this is
  collect.ps1   the script to start. At its beginning stand the operations as data: they are what is read.
  batch.ps1     the script that does the reading, the same that an audit over the network sends. collect.ps1 checks its SHA-256.
  SHA256SUMS    the SHA-256 of each file.

What it reads
  Version and name of Windows, services and processes of Lync or Skype for Business Server, versions of .NET and its updates, the
  registry values that turn the check of certificates off, the certificates of the computer (never a private key), what the server
  itself presents on its ports 5061 and 4443, events of LS Data MCU of the last week, our own record below
  HKLM\\SOFTWARE\\sfb.kb4023993, and what Get-CsCertificate{topology} say.

What it changes
  Nothing. It writes one file, {result}, into its own folder. It downloads nothing and talks to nobody but this server itself.
  To build chains Windows may download a missing CA certificate, as it always does.

How to start it
  1. Copy this folder as it is to a local disk of the server, where only administrators may write. Do not convert line ends.
  2. Check the files, if you like: compare the output of these commands with SHA256SUMS, and the last one with what the playbook printed.
         certutil -hashfile collect.ps1 SHA256
         certutil -hashfile batch.ps1 SHA256
         certutil -hashfile SHA256SUMS SHA256
  3. Log on with a local administrator. Start Windows PowerShell (not the one named x86) with "Run as administrator", go to the folder:
         powershell.exe -NoProfile -ExecutionPolicy Bypass -File collect.ps1
     It takes from seconds to a few minutes, and ends with "Done".
     If a policy of your company forbids scripts that are not signed, have both scripts allowed by their SHA-256.

What to bring back
  {result}
  into the folder on the controller from which this one was copied ({folder}); then
         ansible-playbook sfb.kb4023993.offline_import -e sfb_kb4023993_offline_dir=...
  The file holds names, versions and certificates of the server, no passwords and no keys. Treat it as internal.
  The folder on the server can then be deleted, or kept: the kit may be started again until a new one is made.

How far to trust it
  The file ends with a SHA-256 over its content. That shows damage and careless edits. It is a hash, not a signature: who can write
  the file and its hash, an administrator of this server above all, can make it say anything.
"""


def result_name(host: str) -> str:
    """The name of the file that a kit writes."""
    return "evidence-" + file_name(host, ".txt")


def folder_name(host: str) -> str:
    """The name of a host's folder."""
    return file_name(host, "")


def collecting_files(kit: Kit) -> Files:
    """The files for reading a host, by name."""
    readme = _README.format(
        host=one_line(kit.host),
        made=kit.made_utc,
        topology=" and Get-CsTopology -LocalStore" if kit.topology else "",
        result=result_name(kit.host),
        folder=folder_name(kit.host),
    )
    return {
        "README.txt": windows(readme).encode("utf-8"),
        "collect.ps1": collect_script(kit),
        "batch.ps1": batch_script(),
    }


def collect_script(kit: Kit) -> bytes:
    """``collect.ps1`` of a kit."""
    first, cmdlets = data(kit)
    for text in (first, cmdlets):
        if not _DATA.match(text):
            raise ValueError("operations that cannot stand in a script as data")
    values = [
        "# Reads this server for an audit of Microsoft KB4023993. It changes nothing; it writes one file beside itself. README.txt says more.",
        "#",
        "# The values of this kit. The operations are data for batch.ps1: what it is to read, never code.",
        f"$kit = {literal(kit.id, 'nonce')}",
        f"$batchHash = {literal(kit.batch_sha256, 'sha256')}",
        f"$resultName = {literal(result_name(kit.host), 'file_name')}",
        "$firstOperations = @'",
        f"{first}'@",
        "$cmdletOperations = @'",
        f"{cmdlets}'@",
    ]
    return script(values, "head.ps1", "collect_body.ps1")


def script(values: t.Sequence[str], *parts: str) -> bytes:
    """A script for a person: comment and values of its kit, then these files, which are the same in every kit."""
    texts = [(_HERE / part).read_text("ascii") for part in parts]
    text = "\n".join([*values, "", *(f"{_RULE}\n{text}" for text in texts)])
    # PowerShell 2.0 reads a file without a mark in the code page of its server, so nothing but ASCII may be in it.
    return windows(text).encode("ascii")


def with_sums(files: Files) -> Files:
    """The files of a folder with ``SHA256SUMS`` in the form that sha256sum reads."""
    sums = "".join(f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return {**files, "SHA256SUMS": sums.encode("ascii")}


def windows(text: str) -> str:
    """With the line ends that every editor of Windows shows."""
    return text.replace("\n", "\r\n")
