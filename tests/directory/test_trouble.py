# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trouble between reading and writing: other people, a schema that refuses, runs that are killed, connections that break."""

from __future__ import annotations

import signal
import subprocess
import sys
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.ldap import Server
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.messages import Change, equal
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.steps import StepError
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.template_report import as_text, describe
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.template_state import Directory, Plan
from directory.asking import FIRST_CA, SECOND_CA, Connect, ensure, wanted_request

_KILLED: t.Final = """
import json, os, signal, sys
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.ldap import Connection, Server
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.template_state import Directory
from directory.asking import wanted_request

data = json.load(sys.stdin)
with Connection(Server(**data["server"])) as connection:
    directory = Directory(connection)
    do, left = directory._do, [data["after"]]

    def counted(step):
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        do(step)

    directory._do = counted
    directory.apply(directory.plan(wanted_request(data["name"], **data["request"])))
"""


def _run_and_kill(server: Server, name: str, *, after: int, **request: t.Any) -> None:
    """A process of its own that is killed when it has done so many steps."""
    import json
    from dataclasses import asdict

    data = {"server": asdict(server), "name": name, "after": after, "request": request}
    done = subprocess.run(
        [sys.executable, "-c", _KILLED],
        input=json.dumps(data),
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def _oids(directory: Directory, name: str) -> list[str]:
    found = directory.connection.search(
        directory.forest.oids, "one", equal("displayName", name), ("msPKI-Cert-Template-OID",), doing="looking"
    )
    return [entry.text("msPKI-Cert-Template-OID") for entry in found]


def _steps(plan: Plan) -> list[str]:
    return [step.doing.split()[0] + " " + step.doing.split()[2] for step in plan.steps]


# ---- killed


def test_killed_before_the_template_the_next_run_uses_the_same_identifier(
    directory: Directory, server: t.Callable[..., Server], name: str
) -> None:
    _run_and_kill(server(), name, after=1, publish_on=[FIRST_CA])
    (oid,) = _oids(directory, name)
    request = wanted_request(name, publish_on=(FIRST_CA,))
    assert [step.kind for step in directory.plan(request).steps] == ["add", "modify"]
    assert describe(directory, ensure(directory, request))["oid"] == oid
    assert _oids(directory, name) == [oid]


def test_killed_before_publishing_the_next_run_publishes(
    directory: Directory, server: t.Callable[..., Server], name: str
) -> None:
    _run_and_kill(server(), name, after=2, publish_on=[FIRST_CA])
    request = wanted_request(name, publish_on=(FIRST_CA,))
    assert [step.doing for step in directory.plan(request).steps] == [f"publishing {name} on {FIRST_CA}"]
    assert ensure(directory, request).published_on == (FIRST_CA,)


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_killed_while_removing_the_next_run_removes_the_rest(
    directory: Directory, server: t.Callable[..., Server], name: str, after: int
) -> None:
    ensure(directory, wanted_request(name, publish_on=(FIRST_CA, SECOND_CA)))
    _run_and_kill(server(), name, after=after, present=False)
    gone = wanted_request(name, present=False)
    assert len(directory.plan(gone).steps) == 4 - after
    ensure(directory, gone)
    assert _oids(directory, name) == []


def test_the_identifier_of_another_template_is_never_taken(directory: Directory, name: str) -> None:
    # Two templates may show the same name.
    first = describe(directory, ensure(directory, wanted_request(f"{name}a", display_name=name)))
    second = describe(directory, ensure(directory, wanted_request(f"{name}b", display_name=name)))
    assert first["oid"] != second["oid"]
    ensure(directory, wanted_request(f"{name}b", display_name=name, present=False))
    assert directory.plan(wanted_request(f"{name}b", display_name=name, present=False)).steps == ()
    assert _oids(directory, name) == [first["oid"]]


# ---- other people


def test_a_change_of_somebody_else_after_reading_is_not_overwritten(
    directory: Directory, connect: Connect, name: str
) -> None:
    ensure(directory, wanted_request(name))
    plan = directory.plan(wanted_request(name, manager_approval=False))
    # A console writes another attribute and raises the revision.
    other = Directory(connect())
    ensure(other, wanted_request(name, validity_days=99))
    with pytest.raises(StepError, match=r"noSuchAttribute.*Somebody else changed it.*Nothing was changed") as caught:
        directory.apply(plan)
    assert caught.value.changed is False
    text = as_text(directory, name, directory.plan(wanted_request(name)).before)
    assert "msPKI-Enrollment-Flag: 0x2\n" in text
    assert "pKIExpirationPeriod: 99 days\n" in text


def test_a_template_that_somebody_else_added_meanwhile_stays_theirs(
    directory: Directory, connect: Connect, name: str
) -> None:
    plan = directory.plan(wanted_request(name))
    theirs = describe(directory, ensure(Directory(connect()), wanted_request(name)))
    with pytest.raises(StepError, match=r"entryAlreadyExists.*Run again\. Nothing was changed"):
        directory.apply(plan)
    assert _oids(directory, name) == [theirs["oid"]]


def test_an_identifier_that_somebody_else_s_run_took_over_stays(
    directory: Directory, connect: Connect, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = directory.plan(wanted_request(name))
    directory._do(plan.steps[0])
    theirs = describe(directory, ensure(Directory(connect()), wanted_request(name)))
    assert _oids(directory, name) == [theirs["oid"]]
    really_do = directory._do
    monkeypatch.setattr(directory, "_do", lambda step: None if step is plan.steps[0] else really_do(step))
    with pytest.raises(StepError, match="entryAlreadyExists"):
        directory.apply(plan)
    assert _oids(directory, name) == [theirs["oid"]]


def test_publishing_what_somebody_else_published_meanwhile_is_done(
    directory: Directory, connect: Connect, name: str
) -> None:
    ensure(directory, wanted_request(name, publish_on=(SECOND_CA,)))
    request = wanted_request(name, publish_on=(FIRST_CA,), unpublish_on=(SECOND_CA,))
    plan = directory.plan(request)
    ensure(Directory(connect()), request)
    directory.apply(plan)
    assert directory.check(request).published_on == (FIRST_CA,)


def test_removing_what_somebody_else_removed_meanwhile_is_done(
    directory: Directory, connect: Connect, name: str
) -> None:
    ensure(directory, wanted_request(name, publish_on=(FIRST_CA,)))
    plan = directory.plan(wanted_request(name, present=False))
    ensure(Directory(connect()), wanted_request(name, present=False))
    directory.apply(plan)
    assert directory.check(wanted_request(name, present=False)).attributes is None


def test_reading_again_notices_what_is_not_there(directory: Directory, connect: Connect, name: str) -> None:
    request = wanted_request(name)
    directory.apply(directory.plan(request))
    change = Change("replace", "msPKI-Enrollment-Flag", (b"0",))
    connect().modify(directory.forest.template_dn(name), [change], doing="spoiling")
    with pytest.raises(StepError, match=f"still to do: changing the template {name}") as caught:
        directory.check(request)
    assert caught.value.changed is True


# ---- the schema


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"msPKI-No-Such-Attribute": (b"1",)}, r"(undefinedAttributeType|noSuchAttribute)"),
        ({"revision": (b"1", b"2")}, "(constraintViolation|attributeOrValueExists)"),
        ({"flags": (b"many",)}, r"(invalidAttributeSyntax|constraintViolation)"),
        ({"sAMAccountName": (b"x",)}, "objectClassViolation"),
    ],
)
def test_what_the_schema_refuses_leaves_nothing(
    directory: Directory, name: str, attributes: dict[str, tuple[bytes, ...]], code: str
) -> None:
    plan = directory.plan(wanted_request(name))
    broken = replace(plan.steps[1], attributes={**plan.steps[1].attributes, **attributes})
    with pytest.raises(StepError, match=rf"{code} \(\d+\).*Nothing was changed by this run"):
        directory.apply(replace(plan, steps=(plan.steps[0], broken)))
    assert _oids(directory, name) == []


# ---- the connection


def test_a_connection_that_breaks_after_the_identifier_is_gone_on_from(
    directory: Directory, connect: Connect, name: str
) -> None:
    breaking = Directory(connect())
    plan = breaking.plan(wanted_request(name))
    breaking._do(plan.steps[0])
    breaking.connection._socket.close()
    with pytest.raises(StepError, match="connection was lost while adding the template") as caught:
        breaking.apply(replace(plan, steps=plan.steps[1:]))
    assert caught.value.changed is True
    (oid,) = _oids(directory, name)
    assert describe(directory, ensure(directory, wanted_request(name)))["oid"] == oid
