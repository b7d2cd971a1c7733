# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate with its key goes from one Edge to another in a job; nothing of it may be in what AWX keeps of that job."""

from __future__ import annotations

import typing as t
from pathlib import Path

from awx.runner import Controller
from integration.fleet import Fleet
from integration.leaks import files_of, leaks, secrets_of
from integration.renewal import CA, uses


def test_job_events_hold_no_key_and_no_password(
    start: t.Callable[..., Fleet], controller: Controller, tmp_path: Path
) -> None:
    fleet = start("renewal_pools")
    variables = {
        "sfb_kb4023993_strategy": "certificates",
        "sfb_kb4023993_hosts": "all:!pki01",
        "sfb_kb4023993_ca_host": "pki01",
        "sfb_kb4023993_ca_config": CA,
        "sfb_kb4023993_poll_interval": 0,
        "sfb_kb4023993_gate_pause": 0,
        "sfb_kb4023993_quiet_wait": False,
    }
    job = controller.run(fleet, "remediate", variables=variables, state=tmp_path / "mounted", verbosity=6)
    assert job.code == 0, job.text
    assert uses(fleet, "edge15a")["Internal"] == uses(fleet, "edge15b")["Internal"]
    # The task that hands the key over has its events.
    handed = [event for event in job.events if "the other members" in str(event.get("event_data", {}).get("task"))]
    assert any(event["event"] == "runner_on_ok" for event in handed)

    secrets = secrets_of(fleet.lab.deployment.hosts.values(), fleet.lab.outside.journal())
    assert {name.split()[0] for name in secrets} == {"key", "password", "PFX"}
    places = {str(path): path.read_bytes() for path in job.files()}
    assert len(places) > 100
    assert leaks({**places, **files_of(tmp_path, job.directory.parents[1] / "tmp")}, secrets) == []
