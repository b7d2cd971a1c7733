# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verdict of a connection and of a host: the order of the rules, nothing else."""

from __future__ import annotations

import typing as t

Verdict = t.Literal["broken", "not_assessed", "latent", "mitigated", "compliant", "not_applicable"]
PeerCertificate = t.Literal["good", "bad", "unknown"]
Enforcement = t.Literal["enforces", "not_yet", "unknown"]

# Worst first. A missing answer is worse than a danger that is known and not acute.
ORDER: t.Final[tuple[Verdict, ...]] = (
    "broken",
    "not_assessed",
    "latent",
    "mitigated",
    "compliant",
    "not_applicable",
)


def connection_verdict(
    *,
    peer_certificate: PeerCertificate,
    opt_out_in_effect: bool,
    enforcement: Enforcement,
    failures_since_start: bool,
) -> Verdict:
    """Judge one directed connection.

    :param peer_certificate: whether the peer's certificate is good for clientAuth, by its extensions and its chain.
    :param opt_out_in_effect: an opt-out that the validator's running process is known to have read.
    :param enforcement: whether the validator's loaded .NET has the check (leaving opt-outs aside).
    :param failures_since_start: events of this connection's failure since the validator's process started.
    """
    if peer_certificate == "good":
        return "compliant"
    if opt_out_in_effect:
        return "mitigated"
    if peer_certificate == "bad":
        return {"enforces": "broken", "not_yet": "latent", "unknown": "not_assessed"}[enforcement]  # type: ignore[return-value]
    return "broken" if failures_since_start else "not_assessed"


def worst(verdicts: t.Iterable[Verdict]) -> Verdict:
    """The worst of several verdicts; ``not_applicable`` of none."""
    return min(verdicts, key=ORDER.index, default="not_applicable")
