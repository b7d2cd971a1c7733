# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of the API of AWX as the modules awx.awx ask for, to see them create what extensions/awx describes.

It is no AWX: it keeps objects, refuses references to what is not there, a second object of a name, and surveys that AWX would refuse, and
knows nothing of permissions, launches or jobs. That a request is right in AWX's own eyes is not shown by it.
"""

from __future__ import annotations

import http.server
import json
import threading
import typing as t
import urllib.parse
from types import TracebackType

Object = dict[str, t.Any]
_ENDPOINTS: t.Final = {
    "organizations": "organization",
    "credential_types": "credential_type",
    "credentials": "credential",
    "execution_environments": "execution_environment",
    "instance_groups": "instance_group",
    "projects": "project",
    "inventories": "inventory",
    "inventory_sources": "inventory_source",
    "job_templates": "job_template",
    "workflow_job_templates": "workflow_job_template",
    "workflow_job_template_nodes": "workflow_job_template_node",
    "workflow_approval_templates": "workflow_approval_template",
    "schedules": "schedule",
}
_TEMPLATES: t.Final = ("projects", "inventory_sources", "job_templates", "workflow_job_templates")
# What a field with an id, or a list of associated objects, points to.
_REFERENCES: t.Final = {
    "organization": "organizations",
    "credential_type": "credential_types",
    "credential": "credentials",
    "execution_environment": "execution_environments",
    "project": "projects",
    "source_project": "projects",
    "inventory": "inventories",
    "workflow_job_template": "workflow_job_templates",
    "unified_job_template": "unified_job_templates",
}
_ASSOCIATIONS: t.Final = {
    "credentials": "credentials",
    "instance_groups": "instance_groups",
    **dict.fromkeys(("success_nodes", "failure_nodes", "always_nodes"), "workflow_job_template_nodes"),
}
_QUESTION_TYPES: t.Final = ("text", "textarea", "password", "multiplechoice", "multiselect", "integer", "float")


class RefusalError(Exception):
    """The answer to a request that cannot be: its status and why."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Api:
    """Runs while it is a context; ``objects`` has what was made, by endpoint, and ``requests`` what was asked (method and path)."""

    def __init__(self, token: str) -> None:
        self.objects: dict[str, list[Object]] = {endpoint: [] for endpoint in _ENDPOINTS}
        self.requests: list[tuple[str, str]] = []
        self._surveys: dict[str, Object] = {}
        self._associations: dict[str, list[int]] = {}
        self._next_id = 1
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or b"{}")
                address = urllib.parse.urlsplit(self.path)
                query = dict(urllib.parse.parse_qsl(address.query))
                try:
                    if self.headers.get("Authorization") != f"Bearer {token}":
                        raise RefusalError(401, "no token")
                    status, answer = api.answer(self.command, address.path, query, body)
                except RefusalError as refusal:
                    status, answer = refusal.status, {"detail": refusal.reason}
                content = b"" if status == 204 else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

            def log_message(self, format: str, *args: t.Any) -> None:  # noqa: A002
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Api:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def named(self, endpoint: str, name: str) -> Object:
        """The one object of a name (nodes: of an identifier)."""
        (found,) = [item for item in self.objects[endpoint] if name in (item.get("name"), item.get("identifier"))]
        return found

    def survey(self, template: Object) -> Object:
        return self._surveys.get(template["url"], {})

    def associated(self, item: Object, association: str) -> list[str]:
        """The names of what was associated (nodes: their identifiers)."""
        ids = self._associations.get(f"{item['url']}{association}/", [])
        return [str(self._find(_ASSOCIATIONS[association], an_id).get("name") or an_id) for an_id in ids]

    def followers(self, node: Object, association: str) -> list[str]:
        ids = self._associations.get(f"{node['url']}{association}/", [])
        return [str(self._find("workflow_job_template_nodes", an_id)["identifier"]) for an_id in ids]

    def answer(self, method: str, path: str, query: dict[str, str], body: Object) -> tuple[int, Object]:
        self.requests.append((method, path))
        words = path.removeprefix("/api/v2/").strip("/").split("/")
        match method, words:
            case "GET", [endpoint]:
                results = [item for item in self._all(endpoint) if _matches(item, query)]
                return 200, {"count": len(results), "next": None, "previous": None, "results": results}
            case "POST", [endpoint]:
                return 201, self._create(endpoint, body)
            case "GET", [endpoint, an_id]:
                return 200, self._find(endpoint, int(an_id))
            case "PATCH", [endpoint, an_id]:
                item = self._find(endpoint, int(an_id))
                self._check(endpoint, body)
                item.update(body)
                return 200, item
            case _, [endpoint, an_id, "survey_spec"]:
                return self._survey(method, self._find(endpoint, int(an_id)), body)
            case "POST", ["workflow_job_template_nodes", an_id, "create_approval_template"]:
                node = self._find("workflow_job_template_nodes", int(an_id))
                template = self._create("workflow_approval_templates", body)
                node["unified_job_template"] = template["id"]
                node["related"]["unified_job_template"] = template["url"]
                return 201, template
            case _, [endpoint, an_id, association] if association in _ASSOCIATIONS:
                return self._associate(method, association, self._find(endpoint, int(an_id)), body)
        raise RefusalError(404, f"{method} {path} is not played")

    def _all(self, endpoint: str) -> list[Object]:
        if endpoint == "unified_job_templates":
            return [item for name in _TEMPLATES for item in self.objects[name]]
        if endpoint not in self.objects:
            raise RefusalError(404, f"no endpoint {endpoint}")
        return self.objects[endpoint]

    def _find(self, endpoint: str, an_id: int) -> Object:
        for item in self._all(endpoint):
            if item["id"] == an_id:
                return item
        raise RefusalError(404, f"no {endpoint} {an_id}")

    def _create(self, endpoint: str, body: Object) -> Object:
        self._check(endpoint, body)
        an_id, self._next_id = self._next_id, self._next_id + 1
        url = f"/api/v2/{endpoint}/{an_id}/"
        item = {**body, "id": an_id, "url": url, "type": _ENDPOINTS[endpoint], "summary_fields": {}}
        item["related"] = {"survey_spec": f"{url}survey_spec/"} if endpoint.endswith("job_templates") else {}
        if endpoint == "projects":
            item["scm_revision"] = ""
        same = [other for other in self.objects[endpoint] if _identity(other) == _identity(item)]
        if same:
            raise RefusalError(400, f"there is already one of this name: {_identity(item)}")
        self.objects[endpoint].append(item)
        return item

    def _check(self, endpoint: str, body: Object) -> None:
        for field, target in _REFERENCES.items():
            value = body.get(field)
            if value is not None and not any(item["id"] == value for item in self._all(target)):
                raise RefusalError(400, f"{endpoint}: {field} {value!r} does not exist")

    def _survey(self, method: str, template: Object, body: Object) -> tuple[int, Object]:
        if method == "POST":
            problems = survey_problems(body)
            if problems:
                return 400, {"error": "; ".join(problems)}
            self._surveys[template["url"]] = body
        return 200, self.survey(template)

    def _associate(self, method: str, association: str, item: Object, body: Object) -> tuple[int, Object]:
        ids = self._associations.setdefault(f"{item['url']}{association}/", [])
        if method == "GET":
            results = [self._find(_ASSOCIATIONS[association], an_id) for an_id in ids]
            return 200, {"count": len(results), "next": None, "previous": None, "results": results}
        if body.get("disassociate"):
            ids.remove(body["id"])
        else:
            self._find(_ASSOCIATIONS[association], body["id"])
            ids.append(body["id"])
        return 204, {}


def survey_problems(spec: Object) -> list[str]:
    """What AWX would refuse in a survey, by the rules of its view JobTemplateSurveySpec as far as our questions touch them."""
    problems = [f"{word} is missing" for word in ("name", "description", "spec") if word not in spec]
    if not spec.get("spec"):
        return [*problems, "spec has no question"]
    variables = [question.get("variable") for question in spec["spec"]]
    problems += [f"{name} is asked twice" for name in variables if variables.count(name) > 1]
    for question in spec["spec"]:
        name = question.get("variable")
        problems += [f"{name}: no {word}" for word in ("type", "question_name", "variable") if not question.get(word)]
        if question.get("type") not in _QUESTION_TYPES:
            problems.append(f"{name}: no type {question.get('type')}")
        if not isinstance(question.get("required"), bool):
            problems.append(f"{name}: required is not said")
        default = question.get("default")
        if question.get("type") in ("multiplechoice", "multiselect"):
            choices = question.get("choices", [])
            chosen = [] if default is None else default.split("\n") if question["type"] == "multiselect" else [default]
            if not choices or not all(isinstance(choice, str) for choice in choices):
                problems.append(f"{name}: choices have to be strings")
            problems += [f"{name}: default {word} is no choice" for word in chosen if word not in choices]
        elif default is not None and not isinstance(default, str):
            problems.append(f"{name}: default is no text")
    return problems


def _identity(item: Object) -> tuple[t.Any, ...]:
    """What AWX has only once."""
    name = item.get("name", item.get("identifier"))
    return name, item.get("organization"), item.get("inventory"), item.get("workflow_job_template")


def _matches(item: Object, query: dict[str, str]) -> bool:
    ignored = {"page_size", "page"}
    return all(str(item.get(key)) == value for key, value in query.items() if key not in ignored)
