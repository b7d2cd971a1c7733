# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""certreq_new with a program of the name certreq.exe that reads the INF and makes a real request, as certreq would."""

from __future__ import annotations

import os
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as c
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as o
from cryptography import x509
from powershell.certreq_program import write_certreq
from powershell.runner import Engine

_INF = '[Version]\r\nSignature="$Windows NT$"\r\n[NewRequest]\r\nSubject = "CN=会議 $(exit 9) `x%PATH%"\r\nKeyLength = 2048\r\n'


@pytest.fixture
def ask(engine: Engine, tmp_path: Path) -> t.Callable[..., t.Any]:
    """Run certreq_new where there is such a program; nothing may stay on disk."""
    programs = write_certreq(tmp_path / "bin")
    # A quotation mark of the path would end the argument; a blank must not.
    temporary = tmp_path / "tempo rary"
    temporary.mkdir()

    def run(*, trouble: str = "", seconds: int = 40, path: str | None = None) -> t.Any:
        variables = {
            "PATH": path or f"{programs}:{os.environ['PATH']}",
            "TMPDIR": str(temporary),
            "CERTREQ_TROUBLE": trouble,
            "CERTREQ_PID": str(tmp_path / "pid"),
            "DOTNET_EnableDiagnostics": "0",
        }
        there = Engine(engine.program, variables)
        reply, after = there.run(c.CertreqNew(inf=_INF, seconds=seconds), o.System())
        assert after.error is None
        assert list(temporary.iterdir()) == []
        return reply

    return run


Ask = t.Callable[..., t.Any]


@pytest.mark.parametrize("trouble", ["", "asks"])
def test_a_request(ask: Ask, trouble: str) -> None:
    """What it prints does not get between the words of the reply, and a question of it finds nobody."""
    value = ask(trouble=trouble).value
    assert (value.module, value.denied, value.failure, value.exit_code) == (None, False, None, 0)
    assert value.csr.startswith("-----BEGIN NEW CERTIFICATE REQUEST-----\r\n")
    csr = x509.load_pem_x509_csr(value.csr.encode("ascii"))
    assert csr.is_signature_valid
    assert csr.subject.rfc4514_string() == "CN=会議 $(exit 9) `x%PATH%"


def test_its_words_are_for_people(ask: Ask) -> None:
    assert ask(trouble="fails").value == c.RequestReply(
        module=None,
        denied=False,
        failure="Zertifikatsanforderungsprozessor: Falscher Parameter. 0x80070057",
        exit_code=87,
        csr=None,
    )


def test_it_is_ended_when_its_time_is_over(ask: Ask, tmp_path: Path) -> None:
    started = time.monotonic()
    error = ask(trouble="hangs", seconds=3).error
    assert (error.type, error.message) == ("deadline", "certreq did not end in time")
    assert time.monotonic() - started < 30
    # What is left of a process that ended has no command line.
    left = Path("/proc", (tmp_path / "pid").read_text(encoding="ascii"), "cmdline")
    assert not left.exists() or left.read_bytes() == b""


def test_no_such_program(ask: Ask, tmp_path: Path) -> None:
    assert ask(path=str(tmp_path)).error.type == "not_found"
