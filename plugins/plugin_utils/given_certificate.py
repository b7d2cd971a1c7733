# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate in a file on the controller, that a host is supposed to present."""

from __future__ import annotations

import pathlib
import typing as t
from contextlib import suppress

from .files import read_text
from .what_if import WhatIfError
from .what_if_certificates import HostCertificate

with suppress(ImportError):
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

_MAX_FILE: t.Final = 1024 * 1024


def given_certificate(host: str, file: str) -> HostCertificate:
    """The certificate of a PEM file, and those of its chain that follow it. A private key in the file is not looked at.

    :raises StateError: the file cannot be read.
    :raises WhatIfError: there is no certificate in it.
    """
    path = pathlib.Path(file).expanduser()
    text = read_text(path, limit=_MAX_FILE, what="a certificate in PEM")
    try:
        found = [each.public_bytes(Encoding.DER) for each in x509.load_pem_x509_certificates(text.encode("utf-8"))]
    except ValueError:
        raise WhatIfError(
            f"{path} holds no certificate in PEM, or a damaged one. "
            "Export it as Base-64 encoded X.509, with the certificates of its CAs below it."
        ) from None
    return HostCertificate(host=host, leaf=found[0], others=tuple(found[1:]))
