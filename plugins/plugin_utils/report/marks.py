# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words and symbols of reports for people: a verdict is never told by colour alone."""

from __future__ import annotations

import typing as t

from ..findings import HostJudgement
from ..rules.verdict import Verdict

# Characters that no system draws as a coloured picture, and that the usual fonts have.
SYMBOL: t.Final[dict[Verdict, str]] = {
    "broken": "✕",
    "not_assessed": "?",
    "latent": "▲",
    "mitigated": "◐",
    "compliant": "✓",
    "not_applicable": "–",
}
WORD: t.Final[dict[Verdict, str]] = {
    "broken": "broken",
    "not_assessed": "not assessed",
    "latent": "latent",
    "mitigated": "mitigated",
    "compliant": "compliant",
    "not_applicable": "not applicable",
}
MEANING: t.Final[dict[Verdict, str]] = {
    "broken": "the check refuses a certificate; external users lose whiteboard, polls and PowerPoint",
    "not_assessed": "a missing answer; never counted as good",
    "latent": "a certificate is bad, but the .NET of the Front End does not check it yet",
    "mitigated": "a certificate is bad, and the check is turned off on the Front End",
    "compliant": "all certificates are good for both usages",
    "not_applicable": "no Web Conferencing and no Web Conferencing Edge on the server",
}
USAGE: t.Final[dict[str, str]] = {
    "good": "both usages",
    "bad": "no clientAuth",
    "undecided": "usage undecided",
    "unreadable": "unreadable",
}
ROLE: t.Final[dict[str, str]] = {
    "front_end": "Front End",
    "edge": "Edge",
    "none": "other",
    "unknown": "unknown role",
}


def check_words(host: HostJudgement) -> str:
    """Whether .NET on the server checks the usages, in two or three words for a table."""
    if host.dotnet is None:
        return "-"
    words = {"present": "yes", "absent": "no", "unknown": "not known"}[host.dotnet.check]
    return words if host.dotnet.loaded else f"{words}, not loaded yet"


def opt_out_words(host: HostJudgement) -> str:
    """Whether the check is turned off there, in two or three words for a table."""
    words = "-" if host.role != "front_end" else "none"
    if host.opt_outs:
        words = "in effect" if any(opt_out.in_effect for opt_out in host.opt_outs) else "unproven"
    elif host.wrong_overrides:
        words = "wrong"
    return f"{words}, restart pending" if host.restart_pending else words
