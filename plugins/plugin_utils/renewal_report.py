# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report needs of workaround 1: from the files of a run and the records of certificates."""

from __future__ import annotations

from .renewal_run import RenewalRun
from .report.certificates import Renewal, certificate_states
from .run import Run
from .signing.records import read_records


def renewal_of(run: Run, state_dir: str) -> Renewal | None:
    """The certificates, where this run worked on them.

    :raises RecordError: a record cannot be used.
    """
    results = RenewalRun(run).results()
    if results is None:
        return None
    return Renewal(
        certificates=certificate_states(read_records(state_dir).values()),
        results=results.results,
        refused=results.refused,
        waiting=results.waiting,
        warnings=results.warnings,
    )
