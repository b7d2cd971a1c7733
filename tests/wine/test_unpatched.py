# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that has not got the update yet, and a key that may not be read there."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from wine.fleet import NAME, WineFleet, audit, audit_of_the_model

pytestmark = pytest.mark.wine


def test_without_the_update_the_server_is_latent_as_in_the_model(
    start: t.Callable[[str], WineFleet], tmp_path: Path
) -> None:
    fleet = start("unpatched")
    real = audit(fleet)
    model = audit_of_the_model(fleet.lab.scenario, tmp_path)
    assert real.comparable() == model.comparable()
    assert (real.played.verdicts, real.played.finding_ids) == (model.played.verdicts, model.played.finding_ids)
    assert real.played.verdicts[NAME] == "latent"
    assert [(problem["section"], problem["type"]) for problem in real.evidence["problems"]] == [("opt_outs", "denied")]
    assert (real.evidence["system"]["os_version"], real.evidence["system"]["os_ubr"]) == ("10.0.14393", 693)
    assert real.evidence["system"]["ui_culture"] == "ja-JP"
