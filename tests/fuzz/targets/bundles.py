# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a CA hands over (DER, PEM, PKCS #7), and whether it is what was asked for."""

from __future__ import annotations

import base64
import datetime
import functools
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.answer import (
    Expected,
    pick,
    public_key_sha256,
    verify_answer,
)
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.bundle import BundleError, read_bundle, to_pem
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.signing.csr import Csr, read_csr
from lab import pki
from lab.ca.enterprise import bundle
from lab.ca.request import make_request, request_key

from fuzz.harness import Target

_NAME: t.Final = "edgepool.contoso.example"
_NOW: t.Final = datetime.datetime.now(datetime.timezone.utc)


@functools.cache
def _csr() -> Csr:
    return read_csr(make_request(_NAME))


@functools.cache
def _root() -> pki.Authority:
    return pki.root_authority("Contoso Root CA")


@functools.cache
def _issued() -> pki.Issued:
    return _root().issue(_NAME, key=request_key())


def _seeds() -> t.Iterator[bytes]:
    both = [_issued().der, _root().der]
    yield _issued().pem
    yield _issued().pem + _root().pem
    yield bundle(both)
    yield base64.encodebytes(bundle(both))
    yield _issued().der


def _read(data: bytes) -> None:
    certificates = read_bundle(data)
    assert certificates
    assert read_bundle("".join(map(to_pem, certificates)).encode("ascii")) == certificates
    chosen = pick(certificates, _csr())
    found = verify_answer(chosen, certificates, expected=Expected(csr=_csr(), minimum_days=1), now=_NOW)
    # A certificate that passes has the key that was asked for; every sentence is fit for people.
    assert not found.ok or public_key_sha256(chosen) == _csr().public_key_sha256
    for problem in found.problems:
        assert problem.text.isprintable(), problem


TARGET: t.Final = Target(
    read=_read,
    seeds=_seeds,
    refusals=(BundleError,),
    words=(
        b"-----BEGIN CERTIFICATE-----\n",
        b"-----BEGIN PKCS7-----\n",
        b"\n-----END CERTIFICATE-----\n",
        b"PRIVATE KEY-----",
    ),
)
