# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of workaround 1 do with the fleet of scenario renewal, and see of it."""

from __future__ import annotations

import itertools
import json
import signal
import typing as t
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from integration.fleet import OWN_KEY, Fleet, Played
from lab import trust
from lab.ca.enterprise import UNDER_SUBMISSION

CA = r"ca01.contoso.example\Contoso Issuing CA 2"
"""Its template wants the approval of a CA manager; only the Front Ends of 2013 know it."""
CA_AT_ONCE = r"ca02.contoso.example\Contoso Issuing CA 1"
"""Issues at once, and everybody knows it."""
EDGES = ("edge10", "edge13a", "edge13b", "edge15")
FRONT_ENDS = ("fe10", "fe13a", "fe13b", "fe13c", "fe15a", "fe15b")
ROLE = "sfb.kb4023993.workaround_certificates : "
_OPENED, _LOST = (41025, 41029), (41024, 41026, 41031)
_KEY = r"SOFTWARE\Microsoft\.NETFramework\{}\System.Net.ServicePointManager.RequireCertificateEKUs"


def play(
    fleet: Fleet,
    playbook: str = "remediate",
    *arguments: str,
    strategy: str = "certificates",
    state: Path | None = None,
    end_at: str = "",
    environment: Mapping[str, str] | None = None,
    **variables: t.Any,
) -> Played:
    """Run a playbook with the CA of the scenario; names of ``variables`` without their prefix.

    :param end_at: name of the task of this role before which ansible-playbook is killed.
    """
    common = {
        "strategy": strategy,
        "ca_host": "pki01",
        "ca_config": CA,
        # Of the lab's time passes what a look at it takes; of ours as little as possible.
        "poll_interval": 0,
        "gate_pause": 0,
        "quiet_wait": False,
        # The host that asks the CA is none of the fleet, and reports in other forms are tested elsewhere.
        "hosts": "all:!pki01",
        "report_formats": ["json"],
    }
    given = {f"sfb_kb4023993_{name}": value for name, value in {**common, **variables}.items()}
    killer = {
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "end_at",
        "SFB_END_AT": ROLE + end_at,
    }
    played = fleet.play(
        playbook,
        *arguments,
        state=state,
        variables=given,
        environment={**(environment or {}), **(killer if end_at else {})},
    )
    assert (played.code == -signal.SIGKILL) == bool(end_at), played.output
    return played


def outcomes(played: Played) -> dict[str, tuple[str, str]]:
    """By server how its certificate ended in this run, and what the report says of it."""
    reports = [json.loads((run / "report.json").read_text("utf-8")) for run in played.run_directories]
    (renewal,) = [report["renewal"] for report in reports if report["renewal"]]
    refused = {row["host"]: ("refused", row["reason"]) for row in renewal["refused"]}
    return refused | {row["host"]: (row["result"], row["message"]) for row in renewal["results"]}


def approve_all(fleet: Fleet) -> int:
    """The CA manager issues everything that waits; gives how many."""
    pending = [row for row in fleet.lab.outside.requests() if row["disposition"] == UNDER_SUBMISSION]
    for row in pending:
        fleet.lab.outside.approve(row["config"], row["request_id"])
    return len(pending)


def uses(fleet: Fleet, name: str) -> dict[str, str]:
    return fleet.lab.outside.uses(name)


def override_of(fleet: Fleet, name: str) -> int | None:
    """What the per-executable value of DataMCUSvc.exe is on a server, None where there is none."""
    clr = "v2.0.50727" if name == "fe10" else "v4.0.30319"
    values = fleet.registries()[name].get(_KEY.format(clr), {})
    found = [data for value, (_kind, data) in values.items() if value.lower().endswith("datamcusvc.exe")]
    assert len(found) < 2, found
    return t.cast("int | None", found[0] if found else None)


def handed_in(fleet: Fleet) -> list[int]:
    """How the requests stand that any CA ever got."""
    return [row["disposition"] for row in fleet.lab.outside.requests()]


def issued(fleet: Fleet) -> dict[str, bytes]:
    """By thumbprint the certificates (DER) that the CAs of the scenario gave for requests."""
    rows = [r for row in fleet.lab.scenario.enterprise_cas for r in fleet.lab.outside.ca(row.config).requests]
    return {trust.thumbprint(row.certificate): row.certificate for row in rows if row.certificate}


def records(state: Path) -> dict[str, dict[str, t.Any]]:
    """The controller's records of certificates, by their id."""
    found = [json.loads(path.read_text("utf-8")) for path in (state / "certificates").glob("[!.]*.json")]
    return {record["id"]: record for record in found}


def snapshot(fleet: Fleet) -> dict[str, t.Any]:
    """Everything about the servers that a run could change, and what the CAs have."""
    outside = fleet.lab.outside
    looks = {"uses": outside.uses, "stores": outside.stores, "services": outside.services}
    seen = {name: {word: look(name) for word, look in looks.items()} for name in fleet.names}
    return {"servers": seen, "registries": fleet.registries(), "requests": outside.requests()}


def own_records(fleet: Fleet, name: str) -> dict[str, dict[str, t.Any]]:
    """What the collection has on record on a server, by the name of the value."""
    values = fleet.registries()[name].get(OWN_KEY, {})
    return {value: json.loads(data) for value, (_kind, data) in values.items()}


def ended(fleet: Fleet, state: Path | None = None) -> dict[str, t.Any]:
    """How a fleet stands in the end, in words that are the same for two fleets with the same past."""
    outside = fleet.lab.outside
    names = [name for name in fleet.names if outside.uses(name)]
    return {
        "records": {key: record["step"] for key, record in records(state or fleet.state).items()},
        "requests": sorted(handed_in(fleet)),
        "servers": {name: _server(fleet, name) for name in names},
    }


def _server(fleet: Fleet, name: str) -> dict[str, t.Any]:
    outside = fleet.lab.outside
    stores = outside.stores(name)
    new = issued(fleet)
    issuers = {row["thumbprint"]: (row["issuer"], row["thumbprint"] in new) for row in stores["My"]}
    kept = ("step", "type", "uses", "store", "failover")
    return {
        "uses": {use: issuers[mark] for use, mark in outside.uses(name).items()},
        "presented": {port: issuers[mark] for port, mark in outside.presented(name).items() if mark},
        "services": {service: (row["status"], row["start_mode"]) for service, row in outside.services(name).items()},
        "stores": {
            store: sorted((row["subject"], row["issuer"], row["has_private_key"], row["exportable"]) for row in rows)
            for store, rows in stores.items()
            if store != "REQUEST"
        },
        "override": override_of(fleet, name),
        # Thumbprints are in the names of some.
        "records": sorted(
            (value.partition("|")[0], *(str(record.get(key)) for key in kept))
            for value, record in own_records(fleet, name).items()
        ),
    }


def rejections(fleet: Fleet, name: str, *, after: int) -> list[tuple[int, int]]:
    """Connections that this Front End ended right after they had been opened: what it does where it does not accept a certificate.

    A peer that is merely away is lost without having been opened.

    :param after: the record id of the last event that does not count.
    """
    events = [event for event in fleet.lab.outside.events(name) if event["record_id"] > after]
    found = []
    for first, second in itertools.pairwise(events):
        gap = datetime.fromisoformat(second["time"]) - datetime.fromisoformat(first["time"])
        if first["id"] in _OPENED and second["id"] in _LOST and gap < timedelta(seconds=1):
            found.append((first["id"], second["id"]))
    return found


def last_event(fleet: Fleet, name: str) -> int:
    return max((event["record_id"] for event in fleet.lab.outside.events(name)), default=0)
