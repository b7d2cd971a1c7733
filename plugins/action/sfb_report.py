# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the report of a run: prints it, saves it, and gives its counts to AWX. Runs on the controller, once a fleet."""

from __future__ import annotations

import pathlib
import typing as t

from ansible.utils.display import Display

from ..plugin_utils.files import remove_temporary, write_private
from ..plugin_utils.history import since_last_run
from ..plugin_utils.renewal_report import renewal_of
from ..plugin_utils.report.document import Playbook, failing_hosts, make_report
from ..plugin_utils.report.formats import DEFAULT_FORMATS, FORMATS
from ..plugin_utils.report.text import report_text
from ..plugin_utils.rules.verdict import ORDER
from ..plugin_utils.run import Run, RunError
from ..plugin_utils.task import Result, SfbAction, release_changes

_AUDITS: t.Final = ("audit", "compliance")


class ActionModule(SfbAction):
    ENDS_RUN = True
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "state_dir": {"type": "path", "required": True},
        "run_id": {"type": "str", "required": True},
        "temporary": {"type": "bool", "default": False},
        "report_dir": {"type": "path"},
        "formats": {"type": "list", "elements": "str", "choices": list(FORMATS), "default": list(DEFAULT_FORMATS)},
        "playbook": {"type": "str", "choices": list(t.get_args(Playbook)), "default": "audit"},
        "fail_on": {"type": "list", "elements": "str", "choices": list(ORDER), "default": []},
    }

    def perform(self, arguments: dict[str, t.Any], task_vars: dict[str, t.Any]) -> Result:
        del task_vars
        run = Run(arguments["state_dir"], arguments["run_id"])
        before = run.judgement("before")
        if before is None:
            raise RunError(f"There is no judgement in {run.directory}. Run sfb_evaluate first.")
        plan, sha256 = run.plan() or (None, None)
        report = make_report(
            playbook=arguments["playbook"],
            check_mode=self.check_mode,
            before=before,
            after=run.judgement("after"),
            plan=plan,
            plan_sha256=sha256,
            results=run.results(),
            renewal=renewal_of(run, arguments["state_dir"]),
            waivers=run.waivers(),
            since=since_last_run(arguments["state_dir"], before) if arguments["playbook"] in _AUDITS else None,
        )
        text = report_text(report)
        directory = pathlib.Path(arguments["report_dir"]) if arguments["report_dir"] else run.directory
        files: dict[str, pathlib.Path] = {}
        if arguments["report_dir"] or not arguments["temporary"]:
            files = {kind: directory / FORMATS[kind].file for kind in FORMATS if kind in arguments["formats"]}
        try:
            for kind, path in files.items():
                write_private(path, FORMATS[kind].render(report))
                text += f"{path}\n"
        finally:
            # What was done is told, also where there is no room for a file.
            Display().display("\n" + text)
        release_changes(arguments["state_dir"])
        if arguments["temporary"]:
            remove_temporary(pathlib.Path(arguments["state_dir"]))
        # Under the names of the playbook variables, because AWX gives them to the next jobs of a workflow as extra variables. Of a
        # preview alone: a plan that was carried out, or that ends with the job, is none to approve.
        approvable = {}
        if plan is not None and self.check_mode and not arguments["temporary"]:
            approvable = {"sfb_kb4023993_plan": str(run.plan_path), "sfb_kb4023993_plan_sha256": sha256}
        return {
            "changed": False,
            "sentence": report.sentence,
            "counts": report.counts,
            "files": {kind: str(path) for kind, path in files.items()},
            "failing": failing_hosts(report, arguments["fail_on"]),
            "ansible_stats": {
                "data": {"sfb_kb4023993": {"sentence": report.sentence, **report.counts}, **approvable},
                "per_host": False,
                "aggregate": False,
            },
        }
