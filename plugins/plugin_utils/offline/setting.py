# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the arguments and variables of a task to the setting of the work with kits."""

from __future__ import annotations

import pathlib
import typing as t

from ansible.errors import AnsibleActionFail

from ..task import (
    PREFIX,
    collection_version,
    controller_now,
    inventory_facts,
    offline_days,
    offline_max_age_days,
)
from .work import Setting


def setting_of(arguments: t.Mapping[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> Setting:
    """What the actions for kits have in common. Hosts that the inventory does not know say nothing of themselves."""
    hostvars = task_vars["hostvars"]

    def variables(host: str) -> t.Mapping[str, t.Any]:
        # Not get: an unknown host is no KeyError there.
        known = host in hostvars
        return hostvars[host] if known else {}

    return Setting(
        state_dir=arguments["state_dir"],
        directory=pathlib.Path(arguments["directory"]).expanduser().absolute(),
        inventory=lambda host: inventory_facts(variables(host)),
        max_age_days=lambda host: offline_max_age_days(variables(host)),
        now=controller_now(),
        collection_version=collection_version(),
    )


def chosen_hosts(arguments: t.Mapping[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> list[str]:
    """The hosts of ``chosen``; where it is not given, those of ``hosts`` that the inventory marks as read by hand.

    :raises AnsibleActionFail: there is none.
    """
    if arguments["chosen"] is not None:
        chosen = sorted(set(arguments["chosen"]))
        if not chosen:
            raise AnsibleActionFail(f"{PREFIX}offline_hosts matches no host of the inventory.")
        return chosen
    hostvars = task_vars["hostvars"]
    marked = [name for name in arguments["hosts"] if name in hostvars and offline_days(hostvars[name]) is not None]
    if not marked:
        raise AnsibleActionFail(
            f"No host has {PREFIX}offline: true in the inventory. Set it for the servers that runs may not connect to, or name them "
            f"with {PREFIX}offline_hosts."
        )
    return sorted(set(marked))
