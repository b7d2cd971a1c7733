# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What .NET says of cases, asked over TLS and without, and whether our rules say the same."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificates import (
    CLIENT_AUTH,
    EkuVerdict,
    Usage,
    judge_usage,
)
from lab import pki
from powershell.eku_cases import ANY, ANY_MS, ANY_POLICY, Case, Outcome
from powershell.runner import Engine
from powershell.sslstream import SslStreamServer

_CHAINS = Path(__file__).with_name("eku_chains.ps1")
_WRONG_USAGE = "NotValidForUsage"
DOCUMENTED = frozenset({"any_eku", "unreadable", "policy_translation", "paths_differ"})
"""The rules by which a case may stay undecided; each has its row in docs/usage-rules.md."""


@dataclass(frozen=True)
class Heard:
    """What .NET said: about the usage, and what else it has against the chain."""

    outcome: Outcome
    faults: frozenset[str] = frozenset()


def heard(statuses: Iterable[str], *, read: bool = True) -> Heard:
    """`statuses` are X509ChainStatusFlags; `read` is False where .NET failed to read the certificates."""
    found = frozenset(statuses)
    if not read:
        return Heard("unread")
    return Heard("refused" if _WRONG_USAGE in found else "accepted", found - {_WRONG_USAGE})


def roots(cases: Iterable[Case]) -> bytes:
    """All trusted roots in PEM."""
    return b"".join(sorted({case.root.pem for case in cases}))


def ask_sslstream(engine: Engine, cases: Mapping[str, Case]) -> dict[str, Heard]:
    """Connect to an SslStream server with each certificate that can be sent; see that it lets in whom it has nothing against."""
    answers: dict[str, Heard] = {}
    with SslStreamServer(_program(engine), trusted=roots(cases.values())) as server:
        for name, case in cases.items():
            if not case.sendable:
                continue
            answer = server.connect(case.peer.chain_pem, case.peer.key_pem)
            answers[name] = heard(answer.statuses, read=answer.judged)
            assert answer.accepted == (answers[name] == Heard("accepted")), f"{name}: {answer}"
    return answers


def ask_chains(
    engine: Engine, cases: Mapping[str, Case], usages: Sequence[str], folder: Path
) -> dict[str, list[Heard]]:
    """Have X509Chain build each chain for each usage; each case trusts its own root only."""
    lines = [
        " ".join(_base64(der) for der in (case.root.der, case.peer.der, *case.peer.chain)) for case in cases.values()
    ]
    file = folder / "chains.txt"
    file.write_text("\n".join(lines), encoding="ascii")
    options = ["-NoProfile", "-NonInteractive", "-File", str(_CHAINS), str(file), ",".join(usages)]
    done = subprocess.run(
        [_program(engine), *options], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
    )
    printed = done.stdout.splitlines()
    assert len(printed) == len(cases) * len(usages), f"{done.stdout[-500:]}{done.stderr[-2000:]}"
    answers = [heard(filter(None, line.split(",")), read=not line.startswith("failed ")) for line in printed]
    return {name: answers[i * len(usages) : (i + 1) * len(usages)] for i, name in enumerate(cases)}


def judge(case: Case, usage: str = CLIENT_AUTH) -> EkuVerdict:
    """Our own rules, with the same CA certificates."""
    return judge_usage(case.peer.der, case.peer.chain, oid=usage)


def difference(case: Case, verdict: EkuVerdict, answer: Heard, usage: str = CLIENT_AUTH) -> str | None:
    """What is wrong between our verdict and .NET's answer; None where they agree, or where .NET's answer is documented."""
    expected = {case.here} if usage == CLIENT_AUTH and case.here else {"accepted", "refused", "unread"}
    if verdict.usage is Usage.GOOD:
        expected = {"accepted"}
    elif verdict.usage is Usage.BAD:
        expected = {"refused", "unread"} if case.here == "unread" else {"refused"}
    elif verdict.rule not in DOCUMENTED:
        return f"undecided for a reason that is not documented: {verdict.rule}"
    elif verdict.rule != "any_eku" and case.here is None:
        return f"undecided although nothing is unusual here: {verdict.reason}"
    elif verdict.rule == "any_eku" and not _names_any(case):
        return "undecided for any usage, which no certificate of the chain names"
    if answer.outcome in expected and (answer.outcome == "unread" or answer.faults == case.faults):
        return None
    return f"ours {verdict.usage} ({verdict.reason}) .NET {answer}"


def _program(engine: Engine) -> str:
    # Only an engine under Wine is started by several words, and these rules are not those of Windows there either.
    assert isinstance(engine.program, str)
    return engine.program


def _names_any(case: Case) -> bool:
    chain = b"".join((case.peer.der, *case.peer.chain))
    return any(pki.der_oid(oid) in chain for oid in (ANY, ANY_MS, ANY_POLICY))


def _base64(der: bytes) -> str:
    return base64.b64encode(der).decode("ascii")
