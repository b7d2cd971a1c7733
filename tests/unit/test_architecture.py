# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The direction of the arrows, read from the imports, and that nothing that changes a host is within reach of an audit."""

from __future__ import annotations

import ast
import functools
import pathlib
import typing as t

import pytest
import yaml
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.certificate_operations import CERTIFICATE_OPERATIONS
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host.operations import OPERATIONS

ROOT: t.Final = pathlib.Path(__file__).parents[2]
PLUGINS: t.Final = ROOT / "plugins"
UTILS: t.Final = PLUGINS / "plugin_utils"
PURE: t.Final = (
    "evaluate",
    "plan",
    "verify",
    "waves",
    "connections",
    "fleet",
    "findings",
    "host_findings",
    "records",
    "evidence",
    "codec",
    "waivers",
    "compare",
    "what_if",
    "what_if_certificates",
    "public_renewal",
    "host_plan",
    "certificate_findings",
    "claims",
    "pool_warnings",
    "certificate_records",
    *(f"renewal.{path.stem}" for path in sorted((UTILS / "renewal").glob("*.py"))),
    "sections",
    *(f"offline.{name}" for name in ("age", "collecting", "importing", "literals", "renewing")),
)
RULES: t.Final = tuple(f"rules.{path.stem}" for path in sorted((UTILS / "rules").glob("*.py")))
REPORT: t.Final = tuple(f"report.{path.stem}" for path in sorted((UTILS / "report").glob("*.py")))
# What is known of a request and of the answer to it: data, and its files on the controller. A judgement may need it.
SIGNING_DATA: t.Final = frozenset(
    f"signing.{name}" for name in ("answer", "bundle", "chain", "csr", "names", "records")
)
# What writes to a directory or asks a CA: it works from the controller alone, and an audit is far from it.
OUTSIDE: t.Final = tuple(
    f"{folder}.{path.stem}" for folder in ("directory", "signing") for path in sorted((UTILS / folder).glob("*.py"))
)
# All of it but this one, which asks through a Windows host.
THROUGH_A_HOST: t.Final = "signing.ca_host"
STEPS: t.Final = tuple(f"certificate_steps.{path.stem}" for path in sorted((UTILS / "certificate_steps").glob("*.py")))
ACTING: t.Final = frozenset({"act", "restart_service", "carry_out", "certificate_work", "plan_work"})
CHANGING: t.Final = frozenset({*ACTING, *STEPS, *OUTSIDE} - SIGNING_DATA)
TALKING: t.Final = frozenset({*ACTING, "host_now", "task", "reading", "host.session", "ansible"})
# The stages of workaround 1 decide by files; what they decide is done by tasks of their own.
DECIDING: t.Final = ("renewal_flow", "renewal_stages", "renewal_run", "renewal_report", "judging", "run")
# Types of operations and the wire carry no connection.
AUDITING: t.Final = ("audit", "compliance", "report", "compare", "what_if", "controller_check")


def _path(module: str) -> pathlib.Path:
    return UTILS / (module.replace(".", "/") + ".py")


@functools.cache
def imports(path: pathlib.Path) -> frozenset[str]:
    """What a file imports when it runs: modules of plugin_utils (``host.wire``), and the first name of all others."""
    found: set[str] = set()
    for node in _running(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(_targets(path, node))
    return frozenset(found)


def _running(tree: ast.AST) -> t.Iterator[ast.AST]:
    """All nodes but those below ``if TYPE_CHECKING``, which never run."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        yield from _running(node)


def _targets(path: pathlib.Path, node: ast.ImportFrom) -> t.Iterator[str]:
    if not node.level:
        yield (node.module or "").split(".")[0]
        return
    folder = path.parents[node.level - 1]
    base = folder.joinpath(*(node.module or "").split("."))
    for alias in node.names:
        target = base / alias.name if (base / f"{alias.name}.py").exists() else base
        if target.is_relative_to(UTILS):
            yield ".".join(target.relative_to(UTILS).parts)


@functools.cache
def reached(path: pathlib.Path) -> frozenset[str]:
    """All modules that importing a file loads, directly or through others."""
    seen: set[str] = set()
    waiting = [*imports(path)]
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            if _path(module).exists():
                waiting.extend(imports(_path(module)))
    return frozenset(seen)


def test_the_reader_of_imports_sees_what_is_there() -> None:
    assert "host.session" in imports(UTILS / "act.py")
    assert "rules.verdict" in imports(UTILS / "connections.py")
    assert "act" in reached(PLUGINS / "action" / "sfb_apply.py")
    assert "host.wire" in reached(UTILS / "collect.py") - imports(UTILS / "evaluate.py")
    assert "certificate_steps.install" in reached(PLUGINS / "action" / "sfb_certificate.py")
    assert len(RULES) >= 8


@pytest.mark.parametrize("module", [*PURE, *RULES, *REPORT])
def test_judging_planning_and_reporting_import_nothing_that_talks_to_a_host(module: str) -> None:
    assert not imports(_path(module)) & TALKING


# What is done by hand is done with files. The setting comes from the variables of a task, and is all that knows of Ansible there.
BY_HAND: t.Final = tuple(f"offline.{p.stem}" for p in sorted((UTILS / "offline").glob("*.py")) if p.stem != "setting")


@pytest.mark.parametrize("module", BY_HAND)
def test_what_is_done_by_hand_reaches_no_host(module: str) -> None:
    assert not reached(_path(module)) & TALKING


@pytest.mark.parametrize("module", [module for module in OUTSIDE if module != THROUGH_A_HOST])
def test_what_speaks_to_a_directory_or_a_ca_reaches_no_host(module: str) -> None:
    assert not reached(_path(module)) & {*ACTING, "host.session", THROUGH_A_HOST}


def test_a_ca_is_asked_through_a_host_by_one_action_alone() -> None:
    using = {path.name for path in PLUGINS.rglob("*.py") if THROUGH_A_HOST in imports(path)}
    assert using == {"sfb_certificate_request.py"}


@pytest.mark.parametrize("module", sorted(SIGNING_DATA))
def test_what_is_known_of_a_request_asks_nobody(module: str) -> None:
    assert not reached(_path(module)) & {*OUTSIDE} - SIGNING_DATA
    assert not reached(_path(module)) & {*TALKING, "http", "socket", "ssl", "spnego", "subprocess"}


@pytest.mark.parametrize("module", DECIDING)
def test_the_stages_on_the_controller_reach_no_host_and_ask_no_ca(module: str) -> None:
    assert not reached(_path(module)) & {*TALKING, THROUGH_A_HOST}
    asking = {"signing.exchange", "signing.web", "signing.certreq", "directory.ldap"}
    assert not imports(_path(module)) & asking


@pytest.mark.parametrize("module", STEPS)
def test_a_step_on_a_server_knows_no_files_of_the_controller_and_no_ca(module: str) -> None:
    found = {name for name in reached(_path(module)) if _path(name).exists()}
    assert not found & {"run", "renewal_run", "renewal_flow", "judging", "task", "act", "restart_service"}
    assert not {name for name in found if name.startswith(("signing.", "directory."))} - SIGNING_DATA


def test_judging_planning_and_reporting_load_nothing_that_talks_to_a_host_through_others() -> None:
    found = {module: sorted(reached(_path(module)) & TALKING) for module in [*PURE, *RULES, *REPORT]}
    assert {module: bad for module, bad in found.items() if bad} == {}


@pytest.mark.parametrize("module", [*PURE, *RULES, *REPORT])
def test_judging_planning_and_reporting_read_no_clock_and_no_environment(module: str) -> None:
    text = _path(module).read_text("utf-8")
    assert not {"time", "os", "random", "secrets", "socket", "subprocess", "requests"} & imports(_path(module))
    for word in (".now(", ".utcnow(", ".today(", "open(", "getenv"):
        assert word not in text


# Each operation that changes something, or that belongs to such work, by the module that may send it.
SENDERS: t.Final = {
    "act": {"RegistrySet", "RegistryDelete"},
    "restart_service": {"RegistryDelete", "ServiceRestart"},
    # The records on the server, for all steps.
    "carry_out": {"RegistrySet", "RegistryDelete"},
    "certificate_steps.request": {"LyncRequest", "CertreqNew"},
    "certificate_steps.install": {"LyncImport", "LyncAssign", "PfxExport", "PfxImport"},
    "certificate_steps.services": {"LyncServices", "LyncFailover", "LyncGate"},
    "certificate_steps.trust": {"StoreAdd"},
    THROUGH_A_HOST: {"CaSubmit", "CaRetrieve", "CaChain"},
}


def test_few_modules_send_operations_that_change_a_host() -> None:
    changing = {operation.__name__ for operation in OPERATIONS if operation.CHANGES}
    certificates = {operation.__name__ for operation in CERTIFICATE_OPERATIONS}
    assert all(operation.CHANGES for operation in CERTIFICATE_OPERATIONS)
    assert changing | certificates == set().union(*SENDERS.values())
    for path in sorted(PLUGINS.rglob("*.py")):
        if path.name in ("operations.py", "certificate_operations.py"):
            continue
        used = {
            node.attr if isinstance(node, ast.Attribute) else node.id
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, (ast.Attribute, ast.Name))
        } & (changing | certificates)
        module = ".".join(path.relative_to(UTILS).with_suffix("").parts) if path.is_relative_to(UTILS) else ""
        assert used == SENDERS.get(module, set()), path


def test_only_the_session_runs_commands_on_a_host() -> None:
    for path in sorted(PLUGINS.rglob("*.py")):
        text = path.read_text("utf-8")
        assert path.name == "session.py" or "_low_level_execute_command" not in text, path
        assert "_execute_module" not in text, path


# ---- what an audit can reach


def _yaml(path: pathlib.Path) -> t.Any:
    return yaml.safe_load(path.read_text("utf-8"))


def _tasks(data: t.Any) -> t.Iterator[dict[str, t.Any]]:
    for task in data or []:
        yield task
        for part in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks", "handlers"):
            yield from _tasks(task.get(part))


def files_of(playbook: str) -> set[pathlib.Path]:
    """The playbook and all task files that it can run."""
    seen: set[pathlib.Path] = set()
    waiting = [ROOT / "playbooks" / f"{playbook}.yml"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for task in _tasks(_yaml(path)):
            waiting.extend(_called(task, path))
    return seen


def _called(task: dict[str, t.Any], path: pathlib.Path) -> t.Iterator[pathlib.Path]:
    for key, value in task.items():
        word = key.removeprefix("ansible.builtin.")
        if word in ("import_role", "include_role"):
            role = ROOT / "roles" / value["name"].removeprefix("sfb.kb4023993.")
            yield role / "tasks" / f"{value.get('tasks_from', 'main').removesuffix('.yml')}.yml"
        elif word in ("import_tasks", "include_tasks", "import_playbook"):
            yield path.parent / (value if isinstance(value, str) else value["file"])
        elif word == "roles":
            pytest.fail(f"{path}: a play with roles: is not followed by this test")


def modules_of(playbook: str) -> set[str]:
    """The modules and actions that it can run, by their full names."""
    found: set[str] = set()
    for path in files_of(playbook):
        for task in _tasks(_yaml(path)):
            found.update(key for key in task if "." in key)
    return found


def test_the_reader_of_playbooks_sees_what_is_there() -> None:
    assert "sfb.kb4023993.sfb_apply" in modules_of("remediate")
    assert "sfb.kb4023993.sfb_facts" in modules_of("audit")
    assert {path.parent.parent.name for path in files_of("audit")} >= {"audit", "report"}


@pytest.mark.parametrize("playbook", AUDITING)
def test_an_audit_runs_no_action_that_imports_what_changes_a_host(playbook: str) -> None:
    own = {name.rpartition(".")[2] for name in modules_of(playbook) if name.startswith("sfb.kb4023993.")}
    assert own
    for name in own:
        assert not imports(PLUGINS / "action" / f"{name}.py") & CHANGING, name


@pytest.mark.parametrize("playbook", AUDITING)
def test_an_audit_loads_nothing_that_changes_a_host_through_others(playbook: str) -> None:
    own = {name.rpartition(".")[2] for name in modules_of(playbook) if name.startswith("sfb.kb4023993.")}
    assert {name for name in own if reached(PLUGINS / "action" / f"{name}.py") & CHANGING} == set()


@pytest.mark.parametrize("playbook", AUDITING)
def test_an_audit_uses_nothing_else_that_runs_on_a_host(playbook: str) -> None:
    others = {name for name in modules_of(playbook) if not name.startswith("sfb.kb4023993.")}
    harmless = {
        "import_role",
        "import_tasks",
        "include_tasks",
        "include_role",
        "fail",
        "assert",
        "debug",
        "validate_argument_spec",
        "set_fact",
    }
    assert {name.removeprefix("ansible.builtin.") for name in others} <= harmless


@pytest.mark.parametrize("playbook", [path.stem for path in sorted((ROOT / "playbooks").glob("*.yml"))])
def test_every_play_is_one_fleet_play_in_step_without_facts(playbook: str) -> None:
    for play in _yaml(ROOT / "playbooks" / f"{playbook}.yml"):
        assert play["gather_facts"] is False
        assert play["strategy"] == "ansible.builtin.linear"
        assert "serial" not in play
        assert "become" not in play
        assert "sfb_kb4023993_hosts" in play["hosts"]


# ---- the house


@pytest.mark.parametrize("path", sorted((PLUGINS / "action").glob("*.py")), ids=lambda path: path.stem)
def test_an_action_is_thin_and_has_its_documentation(path: pathlib.Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 90
    assert (PLUGINS / "modules" / path.name).exists()


def test_the_knowledge_has_no_logic() -> None:
    loader = UTILS / "knowledge" / "loader.py"
    assert [p.name for p in (UTILS / "knowledge").glob("*.py")] == ["loader.py"]
    assert {name for name in reached(loader) if _path(name).exists()} <= {"codec", "own_yaml"}
    tree = ast.parse(loader.read_text("utf-8"))
    words = (ast.For, ast.While, ast.Compare, ast.BoolOp, ast.Lambda, ast.Match)
    public = [node for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]
    assert len(public) >= 10
    for function in public:
        assert not [node for node in ast.walk(function) if isinstance(node, words)], function.name


@pytest.mark.parametrize("name", ["batch.ps1", "changes.ps1", "certificates.ps1", "bootstrap.ps1"])
def test_nothing_from_outside_becomes_part_of_a_script(name: str) -> None:
    text = (UTILS / "host" / name).read_text("utf-8").lower()
    for word in ("add-type", "get-wmiobject", "get-ciminstance", "invoke-webrequest", "downloadstring", "write-error"):
        assert word not in text
    if name != "bootstrap.ps1":
        assert "invoke-expression" not in text
        assert "[scriptblock]::create" not in text


@pytest.mark.parametrize("path", sorted((UTILS / "offline").glob("*.ps1")), ids=lambda path: path.name)
def test_scripts_for_a_person_run_no_text_as_code_and_download_nothing(path: pathlib.Path) -> None:
    text = path.read_text("ascii").lower()
    for word in ("add-type", "get-wmiobject", "get-ciminstance", "invoke-webrequest", "downloadstring"):
        assert word not in text
    for word in ("invoke-expression", "iex ", "[scriptblock]::create", "invokescript", "executionpolicy"):
        assert word not in text
