# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files for renewing the certificate of an Edge by hand: a request, and later the installation. Pure: records in, files out."""

from __future__ import annotations

import hashlib
import typing as t

from .._certificate import Certificate
from ..renewal.inf import request_inf
from ..renewal.replacements import Replacement
from ..signing.bundle import read_bundle
from ..signing.chain import is_root
from ..signing.records import New, Record
from ..words import one_line
from .collecting import Files, folder_name, result_name, script, windows
from .literals import literal, literals

REQUEST_FOLDER: t.Final = "1-request"
INSTALL_FOLDER: t.Final = "3-install"
REQUEST_FILE: t.Final = "request.req"

_REQUEST_README: t.Final = """\
STEP 1: A REQUEST FOR A NEW CERTIFICATE, on {host}
for workaround 1 of Microsoft KB4023993 (collection sfb.kb4023993).

What it does
  request.ps1 makes a key on this server, and a request for a certificate with the names of the one that the use Internal has now:
{names}
  by Request-CsCertificate, or, where the server has no PowerShell module of the product, by certreq and request.inf.
  Nothing is assigned, restarted or removed. Users notice nothing. The key never leaves the server{export}.

Rights
  A local administrator, on the server itself.

How to start it
  1. Copy the whole folder of this server to a local disk of it, where only administrators may write.
  2. Check the files, if you like: certutil -hashfile request.ps1 SHA256, and so on, against SHA256SUMS.
  3. In Windows PowerShell (not the one named x86), started with "Run as administrator", in this folder:
         powershell.exe -NoProfile -ExecutionPolicy Bypass -File request.ps1

Or by hand, in the Management Shell
         Request-CsCertificate -New -Type Internal -FriendlyName "{friendly_name}" -KeySize {key_size}{exportable}
             -ClientEKU $true -DomainName "{domain_names}" -Output C:\\request.req
     or  certreq -new request.inf request.req

What to bring back
  request.req, into this folder on the controller ({folder}). It holds no secret. Then, on the controller:
         ansible-playbook sfb.kb4023993.certificate_kit -e sfb_kb4023993_offline_dir=...      (takes it up)
         ansible-playbook sfb.kb4023993.certificate_sign ...                                  (step 2: has it signed)
         ansible-playbook sfb.kb4023993.certificate_kit -e sfb_kb4023993_offline_dir=...      (writes step 3)

How to take it back
  Delete the request in the certificates of the computer (mmc, snap-in Certificates, computer account): Certificate Enrollment Requests.
"""

_INSTALL_README: t.Final = """\
STEP 3: THE NEW CERTIFICATE INTO USE, on {host}
for workaround 1 of Microsoft KB4023993 (collection sfb.kb4023993).

New certificate  {new}, valid until {not_after}
                 {subject}
Old certificate  {old}

What it does, in this order; it stops at the first error, and may be started again after any stop
  1. Adds the CA certificates of the new one to their stores, where they are missing:
{authorities}
  2. {import_step}
  3. Set-CsCertificate -Type Internal -Thumbprint {new}
     No other use is touched: external uses, OAuthTokenIssuer and AudioVideoAuthentication stay as they are. The old certificate stays.
  4. Asks whether to restart. With "yes": Stop-CsWindowsService, Start-CsWindowsService.
  5. Starts collect.ps1 of the folder above, which reads the server again and changes nothing.

What users notice
  The restart ends all sessions through this Edge: calls, meetings and sign-ins of external users and of partners. They may have to sign in
  again. Where the pool has other Edges, do one at a time.

Before you start
  Every Front End that uses this Edge has to trust the root of the new certificate. The playbook has checked that, or somebody has vouched for it.

Rights
  A local administrator, on the server itself. Set-CsCertificate gives the services access to the key.

How to start it
  1. Copy the whole folder of this server (with this one in it) to a local disk, where only administrators may write.
  2. Check the files, if you like: certutil -hashfile install.ps1 SHA256, and so on, against SHA256SUMS.
  3. In Windows PowerShell (not the one named x86), started with "Run as administrator", in this folder:
         powershell.exe -NoProfile -ExecutionPolicy Bypass -File install.ps1
{other_members}
What to bring back
  {result}, which lies in the folder above, into the same folder on the controller ({folder}). Then, on the controller:
         ansible-playbook sfb.kb4023993.offline_import -e sfb_kb4023993_offline_dir=...
         ansible-playbook sfb.kb4023993.certificate_kit -e sfb_kb4023993_offline_dir=...
  The renewal counts as done when this reading shows the new certificate assigned, and presented on the server's ports. If it is not presented
  yet, services were still starting: start collect.ps1 once more a few minutes later.

How to take it back, in the Management Shell, as administrator
         Set-CsCertificate -Type Internal -Thumbprint {old}
         Stop-CsWindowsService
         Start-CsWindowsService
  The override on the Front Ends (the registry value of KB4023993) has to be there before that, because the old certificate breaks them.
  The new certificate and the CA certificates do no harm where they are; delete them by their thumbprints in the computer's stores if you like.
"""

_LEAD: t.Final = """
This server has made the key for its whole Edge pool. The other members: {others}.
  After step 2 (the script asks before the restart, so it can wait there), export the certificate with its key and carry it to each of them:
         mmc, snap-in Certificates, computer account, Personal: All Tasks, Export, with the private key, a long password, to a PFX file.
         Do not choose to delete the key. Carry file and password on different ways, and delete the file afterwards.
         There:  Import-CsCertificate -Path X:\\pool.pfx -Password "..." -PrivateKeyExportable $true
  Then start install.ps1 of that server's own folder there.
"""
_FOLLOWER: t.Final = """
This server gets the certificate of its Edge pool from {lead}, with its key.
  Before install.ps1, import the PFX file that was exported there:
         Import-CsCertificate -Path X:\\pool.pfx -Password "..." -PrivateKeyExportable $true
"""


def friendly_name(chosen: Replacement) -> str:
    """By what the certificate is recognised in consoles; the same for the same replacement."""
    return f"KB4023993 Internal {chosen.thumbprint[:12]}"


def request_files(chosen: Replacement, *, key_size: int) -> Files:
    """The folder of step 1 for the server that makes the key.

    :raises InfError: the names or the subject cannot be written down.
    :raises LiteralError: a value may not become part of a script.
    """
    name = friendly_name(chosen)
    inf = request_inf(chosen, friendly_name=name, key_size=key_size)
    # Windows reads letters beyond ASCII only in this form.
    data = inf.encode("ascii") if inf.isascii() else inf.encode("utf-16")
    values = [
        "# Makes a key and a certificate request on this server, for workaround 1 of Microsoft KB4023993. README.txt says more.",
        "#",
        "# The values of this request.",
        f"$names = {literals(chosen.names, 'dns_name')}",
        # Each certificate of a computer needs a name of its own, also when the script is started once more.
        f"$friendlyName = {literal(name, 'friendly_name')} + [DateTime]::UtcNow.ToString(' yyyyMMddHHmmss')",
        f"$keySize = [int]{literal(str(key_size), 'number')}",
        f"$exportable = ${'true' if chosen.exportable else 'false'}",
        f"$modules = {literals(chosen.modules, 'module')}",
        f"$infHash = {literal(hashlib.sha256(data).hexdigest(), 'sha256')}",
    ]
    readme = _REQUEST_README.format(
        host=one_line(chosen.servers[0]),
        names="\n".join(f"      {one_line(entry)}" for entry in chosen.names),
        export=", until you export it for the other members of the pool" if chosen.exportable else "",
        friendly_name=name,
        key_size=key_size,
        exportable=" -PrivateKeyExportable $true" if chosen.exportable else "",
        domain_names=",".join(chosen.names),
        folder=f"{folder_name(chosen.servers[0])}/{REQUEST_FOLDER}",
    )
    return {
        "README.txt": windows(readme).encode("utf-8"),
        "request.ps1": script(values, "head.ps1", "product.ps1", "request_body.ps1"),
        "request.inf": data,
    }


def install_files(record: Record, host: str, *, old: str, modules: t.Sequence[str]) -> Files:
    """The folder of step 3 for one server of a record.

    :param old: thumbprint of the certificate that this server has now.
    :raises LiteralError: a value may not become part of a script.
    """
    new = t.cast(New, record.new)
    certificate, *chain = (read_bundle(pem.encode("ascii"))[0] for pem in (new.certificate, *new.chain))
    authorities = [(f"ca-{number}.cer", der, _store(der)) for number, der in enumerate(reversed(chain), 1)]
    lead, shared = record.servers[0], len(record.servers) > 1
    values = [
        "# Gets the new certificate of this Edge into use, for workaround 1 of Microsoft KB4023993. README.txt says more.",
        "#",
        "# The values of this certificate.",
        f"$thumbprint = {literal(new.thumbprint, 'thumbprint')}",
        f"$oldThumbprint = {literal(old, 'thumbprint')}",
        f"$certificateHash = {literal(hashlib.sha256(certificate).hexdigest(), 'sha256')}",
        f"$authorityFiles = {literals([name for name, _der, _store in authorities], 'file_name')}",
        f"$authorityHashes = {literals([hashlib.sha256(der).hexdigest() for _name, der, _store in authorities], 'sha256')}",
        f"$authorityStores = {literals([store for _name, _der, store in authorities], 'file_name')}",
        f"$exportable = ${'true' if shared else 'false'}",
        f"$lead = ${'true' if host == lead else 'false'}",
        f"$modules = {literals(modules, 'module')}",
    ]
    others = ", ".join(one_line(name) for name in record.servers if name != host)
    members = (_LEAD.format(others=others) if host == lead else _FOLLOWER.format(lead=one_line(lead))) if shared else ""
    export = " -PrivateKeyExportable $true" if shared else ""
    readme = _INSTALL_README.format(
        host=one_line(host),
        new=new.thumbprint,
        subject=one_line(new.subject, 200),
        not_after=new.not_after_utc,
        old=old,
        authorities="\n".join(
            f"       {name} into {store}: {one_line(Certificate(der).subject, 100)}" for name, der, store in authorities
        ),
        import_step=f"Import-CsCertificate -Path certificate.cer{export}"
        if host == lead
        else "Nothing: the certificate of the pool has to be here already, with its key (see below).",
        other_members=members,
        result=result_name(host),
        folder=folder_name(host),
    )
    return {
        "README.txt": windows(readme).encode("utf-8"),
        "install.ps1": script(values, "head.ps1", "product.ps1", "install_body.ps1"),
        "certificate.cer": certificate,
        **{name: der for name, der, _store in authorities},
    }


def _store(der: bytes) -> str:
    """Only what signed itself may go into Root: anything else there stops services of Front Ends."""
    return "Root" if is_root(der) else "CA"
