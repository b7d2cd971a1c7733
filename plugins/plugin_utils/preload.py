# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every worker would do anew, done once: Ansible imports an action in its main process and forks a worker from it for each host."""

from __future__ import annotations

import contextlib

from .codec import prepare
from .evidence import Evidence
from .host.operations import OPERATIONS
from .host.session import pack_scripts
from .knowledge import loader

_TABLES = (
    loader.products,
    loader.services,
    loader.product_services,
    loader.ports,
    loader.certificate_uses,
    loader.operating_systems,
    loader.updates,
    loader.successors,
    loader.update_records,
    loader.cbs_states,
    loader.certain_signs,
    loader.release_keys,
    loader.system_dlls,
    loader.markers,
    loader.last_versions_without_check,
    loader.opt_outs,
    loader.event_sources,
    loader.events,
    loader.unrelated_events,
    loader.ca_dates,
)


def prepare_workers() -> None:
    """Read all that is known. A damaged file is told by whoever needs it: an action that cannot be imported would tell nothing."""
    pack_scripts()
    prepare(Evidence, *(operation.REPLY for operation in OPERATIONS))
    with contextlib.suppress(loader.KnowledgeError):
        for read in _TABLES:
            read()
