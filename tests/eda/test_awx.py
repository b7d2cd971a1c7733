# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rulebook for AWX: what ansible-rulebook asks of an API with AWX's addresses. No AWX is here."""

from __future__ import annotations

import http.server
import json
import threading
import typing as t
from pathlib import Path

import yaml
from eda.rulebook import Rulebook, event
from integration.fleet import ROOT

TEMPLATE = "KB4023993 audit"


class _Api:
    """As much as ansible-rulebook asks for to launch one template; ``launches`` has the bodies of the launches."""

    def __init__(self) -> None:
        self.launches: list[dict[str, t.Any]] = []
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found: dict[str, t.Any] = {"version": "0"}
                if "unified_job_templates" in self.path:
                    asks = {
                        f"ask_{what}_on_launch": what == "limit"
                        for what in ("limit", "labels", "inventory", "variables")
                    }
                    found = {
                        "id": 1,
                        "type": "job_template",
                        "name": TEMPLATE,
                        "related": {"launch": "/launch/"},
                        **asks,
                    }
                    found = {"results": [{**found, "summary_fields": {"organization": {"name": "Windows"}}}]}
                elif "id__in=7" in self.path:
                    found = {"results": [{"id": 7, "status": "successful", "created": "", "artifacts": {}}]}
                self._answer(found)

            def do_POST(self) -> None:
                api.launches.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self._answer({"id": 7, "url": "/api/v2/jobs/7/"})

            def _answer(self, found: dict[str, t.Any]) -> None:
                content = json.dumps(found).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: t.Any) -> None:  # noqa: A002
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def test_a_burst_launches_the_audit_template_once_with_nothing_of_the_events(programs: Path, tmp_path: Path) -> None:
    api = _Api()
    arguments = ("--controller-url", f"http://127.0.0.1:{api.server.server_port}", "--controller-token", "x", "-v")
    with Rulebook(
        programs,
        tmp_path / "eda",
        inventory=None,
        rulebook="sfb.kb4023993.data_mcu_events_awx",
        arguments=arguments,
        environment={"EDA_JOB_TEMPLATE_REFRESH_DELAY": "0.1"},
    ) as rulebook:
        assert rulebook.post(event("a1"), token="wrong") == 401  # noqa: S106
        assert rulebook.post(event("{{ 7 * 7 }}")) == 200
        for name in ("a1", "b1", "a1", "c1.contoso.example"):
            assert rulebook.post(event(name, message="text-of-a-sender")) == 200
        rulebook.wait(lambda: "completed successfully" in rulebook.output, "the job was launched and is done")
        assert rulebook.post(event("a1")) == 200
    api.server.shutdown()
    api.server.server_close()
    assert [launch["limit"] for launch in api.launches] == ["all"]
    assert not api.launches[0]["extra_vars"]
    assert "text-of-a-sender" not in json.dumps(api.launches)


def test_the_template_is_the_one_that_the_objects_for_awx_have() -> None:
    folder = ROOT / "extensions"
    (ruleset,) = yaml.safe_load((folder / "eda" / "rulebooks" / "data_mcu_events_awx.yml").read_text("utf-8"))
    action = ruleset["rules"][0]["action"]["run_job_template"]
    objects = (folder / "awx" / "objects.yml").read_text("utf-8")
    assert action["name"] == TEMPLATE
    assert f"- name: {TEMPLATE}\n" in objects
    settings = yaml.safe_load((folder / "awx" / "settings.yml").read_text("utf-8"))
    assert f"default('{settings['awx_organization']}')" in action["organization"]
