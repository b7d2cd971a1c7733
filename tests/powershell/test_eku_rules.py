# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our usage rules against .NET's own: every case is a TLS connection to a real SslStream that judges the peer.

It is .NET on the machine of the tests, not .NET Framework on Windows; docs/usage-rules.md says where they may differ.
"""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.certificates import Usage
from powershell import eku_cases, eku_dotnet, eku_random
from powershell.runner import Engine

RANDOM_CHAINS = 160


def test_rules_are_those_of_sslstream(engine: Engine, record_property: Callable[[str, object], None]) -> None:
    cases = eku_cases.made_by_hand() | eku_random.by_chance(RANDOM_CHAINS)
    answers = eku_dotnet.ask_sslstream(engine, cases)
    verdicts = {name: eku_dotnet.judge(cases[name]) for name in answers}
    differences = {name: eku_dotnet.difference(cases[name], verdicts[name], answers[name]) for name in answers}
    wrong = [f"{name}: {what}" for name, what in differences.items() if what]
    assert not wrong, f"random chains of seed {eku_random.SEED}\n" + "\n".join(wrong)
    count = {usage: sum(verdict.usage is usage for verdict in verdicts.values()) for usage in Usage}
    assert len(answers) >= 300
    # The check is worth nothing if nearly all cases are of one kind, or if most stay undecided.
    assert min(count[Usage.GOOD], count[Usage.BAD]) >= 80
    assert count[Usage.UNDECIDED] < len(answers) / 3
    record_property(
        "figure",
        f"usage rules against .NET's SslStream (on Linux): {len(answers)} chains, of which {count[Usage.GOOD]} good and "
        f"{count[Usage.BAD]} bad by our rules, and .NET agrees on all of these; {count[Usage.UNDECIDED]} left undecided, "
        f"all of documented kinds (random chains of seed {eku_random.SEED})",
    )
