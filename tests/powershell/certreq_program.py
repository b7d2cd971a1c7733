# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program of the name certreq.exe that reads an INF and makes a real request, as certreq would.

What it prints would spoil the reply of a batch. CERTREQ_TROUBLE: what goes wrong; CERTREQ_PID: a file for its number when it hangs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.wire import markers
from powershell.runner import NONCE

_PROGRAM = """#!{python}
import configparser, os, sys, time
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

trouble = os.environ.get("CERTREQ_TROUBLE", "")
new, quiet, source, target = sys.argv[1:]
assert (new, quiet) == ("-new", "-q")
raw = open(source, "rb").read()
assert raw[:2] == bytes([0xFF, 0xFE])
inf = configparser.RawConfigParser(strict=False)
try:
    inf.read_string(raw.decode("utf-16"))
except configparser.Error:
    trouble = "fails"
if trouble == "asks":
    print("Overwrite?", sys.stdin.read() or "nobody answers")
if trouble == "hangs":
    open(os.environ["CERTREQ_PID"], "w").write(str(os.getpid()))
    open(target, "w").write("half")
    time.sleep(600)
if trouble == "fails":
    print("Zertifikatsanforderungsprozessor: Falscher Parameter. 0x80070057")
    sys.exit(87)
subject = inf["NewRequest"]["Subject"].strip('"').removeprefix("CN=")
request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
key = rsa.generate_private_key(65537, int(inf["NewRequest"]["KeyLength"]))
pem = request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode().replace(" CERT", " NEW CERT")
open(target, "w", encoding="ascii", newline="\\r\\n").write(pem)
print("CertReq: Anforderung erstellt {words}")
"""


def write_certreq(folder: Path) -> Path:
    """Write the program into a folder, which is made, and which it gives back."""
    folder.mkdir()
    program = folder / "certreq.exe"
    program.write_text(
        _PROGRAM.replace("{python}", sys.executable).replace("{words}", markers(NONCE)[0]), encoding="utf-8"
    )
    program.chmod(0o755)
    return folder
