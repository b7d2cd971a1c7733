# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges saved evidence as it would be after a change. Runs on the controller, once a fleet; asks no server."""

from __future__ import annotations

import pathlib
import typing as t

from ansible.utils.display import Display

from ..plugin_utils.codec import encode
from ..plugin_utils.files import default_state_directory, write_files
from ..plugin_utils.given_certificate import given_certificate
from ..plugin_utils.judging import foresee
from ..plugin_utils.report.sections import forecast_forms
from ..plugin_utils.task import Result, SfbAction, collection_version, controller_now, fleet_hosts
from ..plugin_utils.what_if import Supposition


class ActionModule(SfbAction):
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "state_dir": {"type": "str", "default": ""},
        "merge_state_dirs": {"type": "list", "elements": "path", "default": []},
        "hosts": {"type": "list", "elements": "str", "required": True},
        "override_gone": {"type": "list", "elements": "str", "default": []},
        "certificates": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {"host": {"type": "str", "required": True}, "file": {"type": "path", "required": True}},
        },
        "update_installed": {"type": "list", "elements": "str", "default": []},
        "public_renewal": {"type": "bool", "default": False},
        "report_dir": {"type": "str", "default": ""},
    }

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        what = Supposition(
            override_gone=_names(arguments["override_gone"]),
            certificates=tuple(given_certificate(each["host"], each["file"]) for each in arguments["certificates"]),
            update_installed=_names(arguments["update_installed"]),
            public_renewal=arguments["public_renewal"],
        )
        place = arguments["state_dir"] or str(default_state_directory())
        forecast = foresee(
            str(pathlib.Path(place).expanduser().absolute()),
            fleet_hosts(arguments["hosts"], task_vars),
            [other for other in arguments["merge_state_dirs"] if other],
            what,
            now=controller_now(),
            version=collection_version(),
        )
        forms = forecast_forms(forecast)
        files = write_files(arguments["report_dir"], forms)
        Display().display("\n" + forms["what_if.txt"] + "".join(f"{path}\n" for path in files))
        return {
            "changed": False,
            "sentence": forecast.sentence,
            "counts": forecast.counts,
            "connections": encode(forecast.connections),
            "notes": list(forecast.notes),
            "files": files,
        }


def _names(given: list[str]) -> tuple[str, ...]:
    # A survey of AWX that nobody answered gives an empty text, which is a list of one empty name.
    return tuple(dict.fromkeys(name for name in given if name))
