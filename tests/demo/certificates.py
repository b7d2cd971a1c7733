# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The second part of the demonstration: certificates with both usages, in all three products, and then the override goes."""

from __future__ import annotations

import json

from company import Company, changed
from dotnet import ask_dotnet
from screen import expect, title

# The CA manager has to approve; only some servers know this CA.
_CA = "ca01.contoso.example\\Contoso Issuing CA 2"
_VARIABLES = {
    "sfb_kb4023993_strategy": "auto",
    "sfb_kb4023993_ca_host": "pki01",
    "sfb_kb4023993_ca_config": _CA,
    # The lab's time goes on by itself when it is looked at, and nobody waits 25 minutes in front of a demonstration.
    "sfb_kb4023993_poll_interval": 0,
    "sfb_kb4023993_gate_pause": 0,
    "sfb_kb4023993_quiet_wait": False,
}
_QUIET_SECONDS = 26 * 60


def replace_certificates(company: Company) -> None:
    (company.place / "ca.yml").write_text(json.dumps(_VARIABLES, indent=1), encoding="utf-8")

    title("7. Another company: the override as a bridge, and certificates are requested")
    code, _output = company.playbook("remediate.yml", "-e", "@ca.yml")
    expect(code == 0, "that a CA manager has to approve is a normal end of a run")
    expect(_verdicts(company) == {"mitigated"}, "until then the override bridges: nothing is broken")

    title("8. The CA manager approves, and the same command is run again")
    waiting = _pending(company)
    for row in waiting:
        company.ask("ca/approve", {"config": row["config"], "request_id": row["request_id"]})
    code, _output = company.playbook("remediate.yml", "-e", "@ca.yml")
    expect(code == 0, f"{len(waiting)} certificates were issued and installed, one server of a pool down at a time")
    expect(_verdicts(company) == {"compliant"}, "every certificate in use is good, by a new reading of the servers")
    ask_dotnet(company.control, company.latest_hosts(), all_good=True)

    title("9. 26 quiet minutes later: the override goes everywhere")
    company.ask("clock/advance", {"seconds": _QUIET_SECONDS})
    code, _output = company.playbook("remediate.yml", "-e", "@ca.yml", quiet=True)
    expect(code == 0, "the run ended well")
    left = [host["name"] for host in company.latest_hosts() if host["opt_outs"]]
    expect(not left, "no server has the check turned off any more")
    expect(_verdicts(company) == {"compliant"}, "and nothing is broken")

    title("10. The same again")
    code, again = company.playbook("remediate.yml", "-e", "@ca.yml", quiet=True)
    expect(code == 0 and changed(again) == 0, "nothing had to be changed")


def _verdicts(company: Company) -> set[str]:
    return {host["verdict"] for host in company.latest_hosts()} - {"not_applicable"}


def _pending(company: Company) -> list[dict[str, object]]:
    """What waits at the CA."""
    under_submission = 5
    return [row for row in company.ask("ca/requests") if row["disposition"] == under_submission]
