# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our usage rules against X509Chain, and the verdict on a connection against the same chain as batch.ps1 builds it."""

from __future__ import annotations

import dataclasses
import itertools
import typing as t
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificates import CLIENT_AUTH, SERVER_AUTH, Usage
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.evidence import ChainCheckFact
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from builders import certificates as c
from builders import evidence as e
from builders import fleets as f
from powershell import eku_cases, eku_dotnet, eku_random
from powershell.eku_cases import Case
from powershell.runner import Engine

Record = Callable[[str, object], None]

RANDOM_CHAINS = 160
_OTHER_SEED = eku_random.SEED + 1
_BATCH = 120
EDGE_POOL: t.Final = "edgepool.contoso.example"
GOOD_ONE: t.Final = c.certificate("both", "fe01.contoso.example")


def test_rules_are_those_of_x509chain_for_both_usages(engine: Engine, tmp_path: Path, record_property: Record) -> None:
    cases = eku_cases.made_by_hand() | eku_random.by_chance(RANDOM_CHAINS)
    usages = (CLIENT_AUTH, SERVER_AUTH)
    answers = eku_dotnet.ask_chains(engine, cases, usages, tmp_path)
    wrong: list[str] = []
    count: Counter[Usage] = Counter()
    for (name, case), (number, usage) in itertools.product(cases.items(), enumerate(usages)):
        verdict = eku_dotnet.judge(case, usage)
        count[verdict.usage] += 1
        what = eku_dotnet.difference(case, verdict, answers[name][number], usage)
        wrong += [f"{name}, {usage}: {what}"] if what else []
    assert not wrong, f"random chains of seed {eku_random.SEED}\n" + "\n".join(wrong)
    assert min(count[Usage.GOOD], count[Usage.BAD]) >= 200
    record_property(
        "figure",
        f"usage rules against .NET's X509Chain (on Linux), for clientAuth and serverAuth: {len(cases)} chains, "
        f"{count[Usage.GOOD] + count[Usage.BAD]} answers decided and all agree, {count[Usage.UNDECIDED]} undecided",
    )


def test_verdicts_follow_the_chain_that_batch_ps1_builds(
    engine: Engine, tmp_path: Path, record_property: Record
) -> None:
    cases = eku_cases.made_by_hand() | eku_random.by_chance(RANDOM_CHAINS // 2, seed=_OTHER_SEED)
    replies = dict(check_chains(engine, cases, tmp_path))
    wrong: list[str] = []
    for name, case in cases.items():
        reply = replies[name]
        verdict, disagree = judged_connection(case, reply)
        expected = expected_verdict(case, reply)
        if verdict != expected or disagree:
            wrong.append(f"{name}: {verdict} instead of {expected}, disagreement: {disagree}, .NET: {reply}")
    assert not wrong, f"random chains of seed {_OTHER_SEED}\n" + "\n".join(wrong)
    built = sum(reply is not None for reply in replies.values())
    assert built > len(cases) * 0.9
    record_property(
        "figure",
        f"verdicts on a connection against the chain that batch.ps1 built in .NET (on Linux): {len(cases)} certificates, "
        f"{len(cases) - built} that .NET cannot read; no verdict contradicts the chain",
    )


def check_chains(
    engine: Engine, cases: dict[str, Case], folder: Path
) -> Iterator[tuple[str, op.ChainCheckReply | None]]:
    """The product's own operation for each case; None where .NET cannot read the certificates."""
    (folder / "roots.pem").write_bytes(eku_dotnet.roots(cases.values()))
    variables = {"SSL_CERT_FILE": str(folder / "roots.pem"), "SSL_CERT_DIR": str(folder / "none")}
    trusting = dataclasses.replace(engine, variables=variables)
    names = list(cases)
    for start in range(0, len(names), _BATCH):
        part = names[start : start + _BATCH]
        asked = [
            op.ChainCheck(certificate=cases[name].peer.der, issuers=tuple(cases[name].peer.chain), oid=CLIENT_AUTH)
            for name in part
        ]
        for name, reply in zip(part, trusting.run(*asked), strict=True):
            yield name, t.cast("op.ChainCheckReply | None", reply.value)


def judged_connection(case: Case, reply: op.ChainCheckReply | None) -> tuple[str, bool]:
    """The verdict on the connection of a Front End to an Edge with this certificate, and whether a disagreement is found."""
    mark = c.mark(case.peer)
    checks = (ChainCheckFact(thumbprint=mark, reply=reply),) if reply else ()
    assessment = f.judge(
        e.front_end(cert=GOOD_ONE, edge_pool=EDGE_POOL, chain_checks=checks),
        e.edge(cert=case.peer, pool=EDGE_POOL),
    )
    return f.connection(assessment, "fe01", "edge01").verdict, "CHAIN-DISAGREEMENT" in f.finding_ids(assessment, "fe01")


def expected_verdict(case: Case, reply: op.ChainCheckReply | None) -> str:
    """What the validator's chain comes to. Only a list that lacks the usage is known to be bad where there is no chain."""
    if reply is None:
        return "broken" if eku_dotnet.judge(case).usage is Usage.BAD else "not_assessed"
    answer = eku_dotnet.heard(reply.statuses)
    if answer.outcome == "refused":
        return "broken"
    return "not_assessed" if "PartialChain" in answer.faults else "compliant"
