# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Worlds and questions out of a generator: the lab's answer has to be the engine's. The same ones in every run."""

from __future__ import annotations

import base64
import itertools
import typing as t

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from lab import pki
from lab.convert import fold
from lab.world.registry import as_read

from contract.case import Agreement, Asked, Case, Step
from contract.world import (
    BINARY,
    DWORD,
    EXPAND_SZ,
    MULTI_SZ,
    PROGRAM,
    QWORD,
    SZ,
    File,
    Folder,
    Key,
    Service,
    Stored,
    Value,
    World,
    folder,
    key,
    utf16,
)

_T = t.TypeVar("_T")


def examples(strategy: st.SearchStrategy[_T], count: int) -> list[_T]:
    """So many values of a strategy. They are collected and then run together, because a start of an engine takes seconds."""
    found: list[_T] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: _T) -> None:
        found.append(value)

    collect()
    return found


def _steps(asked: t.Iterable[Asked]) -> tuple[Step, ...]:
    return tuple(Step(each, Agreement()) for each in asked)


# ---- registry -------------------------------------------------------------------------------------------------------------------

_LETTERS = "aAbä Äß\\/%\"'\n\t\x7f\u0130\u0131会\U0001f512\ud83d\udd12"
_TEXTS = st.text(st.sampled_from(_LETTERS), max_size=6)
_NAMES = st.one_of(
    st.sampled_from(("", "a", "A", "ä", "Ä", "V", "v", "a\\b", "C:\\x y.exe", "ÿ", "Ÿ", "ж", "Ж")), _TEXTS
)
_KEY_NAMES = st.sampled_from(("k", "K", "kä", "KÄ", "k k", "other"))
_NUMBER_TEXTS = st.one_of(
    st.integers(-5, 2**33).map(str),
    st.integers(2**63, 2**64 + 5).map(str),
    st.sampled_from(("007", " 7", "7 ", "+7", "-0", "-1", "", "1.0", "1e3", "0x1", "1,0", "٣", "²", "7\0", "\t7\n")),
)
_BASE64_TEXTS = st.one_of(
    st.binary(max_size=7).map(lambda data: base64.b64encode(data).decode()),
    st.text(st.sampled_from("AAQg/+= \r\n-"), max_size=9),
)


def _data_of(kind: str) -> st.SearchStrategy[tuple[str, ...]]:
    if kind == "multi_string":
        return st.lists(st.one_of(_TEXTS, st.just("")), max_size=3).map(tuple)
    one: st.SearchStrategy[str] = {"dword": _NUMBER_TEXTS, "qword": _NUMBER_TEXTS, "binary": _BASE64_TEXTS}.get(
        kind, _TEXTS
    )
    lists: tuple[st.SearchStrategy[t.Any], ...] = (*[st.tuples(one)] * 6, st.just(()), st.tuples(one, one))
    return st.one_of(*lists)


_WRITABLE: tuple[op.RegistryKind, ...] = ("string", "expand_string", "multi_string", "dword", "qword", "binary")
_ALL_KINDS: tuple[op.RegistryKind, ...] = t.get_args(op.RegistryKind)


@st.composite
def _stored_values(draw: st.DrawFn, names: tuple[str, ...]) -> Value:
    number = draw(st.sampled_from((SZ, SZ, EXPAND_SZ, MULTI_SZ, BINARY, DWORD, DWORD, QWORD, 0, 5, 6, 8, 12, 99)))
    if number in (SZ, EXPAND_SZ, MULTI_SZ):
        data = utf16(draw(st.text(st.sampled_from("ab\0\0ä\ud83d"), max_size=6)))[draw(st.sampled_from((0, 0, 0, 1))) :]
    elif number in (DWORD, QWORD):
        length = draw(st.sampled_from((4, 4, 4, 8, 8, 2, 9)))
        data = draw(st.sampled_from((b"\0", b"\7", b"\xff"))).ljust(length, draw(st.sampled_from((b"\0", b"\xff"))))
    else:
        data = draw(st.binary(max_size=10))
    return Value(name=draw(st.sampled_from(names)), type=number, data=data)


@st.composite
def registry_cases(draw: st.DrawFn) -> Case:
    """One key with values and keys below it, and some questions and changes one after the other."""
    first = draw(_NAMES)
    names = (first, first, draw(_NAMES))
    values = draw(st.lists(_stored_values(names), min_size=1, max_size=3, unique_by=lambda value: fold(value.name)))
    below = draw(st.lists(_KEY_NAMES, max_size=2))
    found = [(as_read(value.type, value.data)) for value in values]
    # The names that are there in other cases as well: half of the questions should find something.
    asked = draw(
        st.lists(_registry_questions((*names, first.swapcase(), first.upper()), found), min_size=2, max_size=6)
    )
    return Case(
        name="",
        world=World(keys=(Key(path="", values=tuple(values)), *(Key(path=name) for name in below))),
        steps=_steps(asked),
    )


@st.composite
def _registry_questions(
    draw: st.DrawFn, names: tuple[str, ...], found: list[tuple[str, str | int | tuple[str, ...]]]
) -> op.Operation:
    path = draw(st.sampled_from(("", "", "", "", "", "\\k", "\\KÄ", "\\new\\kä", "\\other\\", "\\\\k k")))
    name = draw(st.one_of(st.sampled_from(names), st.sampled_from(names), _NAMES))
    view = t.cast("op.View", draw(st.sampled_from(("64", "64", "64", "32"))))
    action = draw(st.sampled_from(("read", "list", "set", "set", "delete")))
    if action == "read":
        return op.RegistryRead(path=path, name=name, view=view)
    if action == "list":
        return op.RegistryList(path=path, view=view)
    expect = t.cast("op.Expectation", draw(st.sampled_from(("anything", "anything", "absent", "value", "value"))))
    expect_kind, data = draw(st.sampled_from(found))
    expect_data = data if isinstance(data, tuple) else (str(data),)
    if draw(st.sampled_from((False, False, True))):
        expect_kind = draw(st.sampled_from(_ALL_KINDS))
        expect_data = draw(_data_of(expect_kind))
    if action == "delete":
        return op.RegistryDelete(
            path=path,
            name=name,
            view=view,
            expect=expect,
            expect_kind=t.cast("op.RegistryKind", expect_kind),
            expect_data=expect_data,
            prune=draw(st.booleans()),
        )
    kind, written = t.cast("op.RegistryKind", expect_kind), expect_data
    if kind not in _WRITABLE or draw(st.booleans()):
        kind = draw(st.sampled_from(_WRITABLE))
        written = draw(_data_of(kind))
    return op.RegistrySet(
        path=path,
        name=name,
        kind=kind,
        data=written,
        view=view,
        expect=expect,
        expect_kind=t.cast("op.RegistryKind", expect_kind),
        expect_data=expect_data,
        private=draw(st.booleans()),
    )


def registry(count: int) -> list[Case]:
    return [_at_home(case, f"generated-{number}") for number, case in enumerate(examples(registry_cases(), count))]


def _at_home(case: Case, name: str) -> Case:
    """A case in a key of its own."""
    keys = tuple(
        Key(path=key(name) + ("\\" + each.path if each.path else ""), values=each.values) for each in case.world.keys
    )
    steps = []
    for step in case.steps:
        asked: t.Any = step.asked
        moved = type(asked)(**{**vars(asked), "path": key(name) + asked.path})
        steps.append(Step(moved, Agreement()))
    return Case(name=name, world=World(keys=keys), steps=tuple(steps))


# ---- files ----------------------------------------------------------------------------------------------------------------------


def files(count: int) -> list[Case]:
    content = st.lists(st.sampled_from((b"a", b"b", b"\0", b"ab", b"\xff", b"\xc3\xa4", b"x" * 4096)), max_size=12).map(
        b"".join
    )
    pattern = st.lists(st.sampled_from((b"a", b"b", b"\0", b"\xff", b"x" * 100)), max_size=4).map(b"".join)
    questions = st.tuples(content, st.lists(pattern, max_size=5), st.integers(-1, 60_000))
    cases = []
    for number, (data, patterns, limit) in enumerate(examples(questions, count)):
        path = folder("generated", f"{number}.bin")
        asked = (
            op.FileSearch(path=path, patterns=tuple(patterns)),
            op.FileRead(path=path, limit=limit),
            op.FileInfo(path=path),
        )
        world = World(files=(File(path=path, content=data),))
        cases.append(Case(name=f"generated-file-{number}", world=world, steps=_steps(asked)))
    return cases


# ---- services -------------------------------------------------------------------------------------------------------------------


def image_paths(count: int) -> list[Case]:
    """Paths around programs whose names begin alike, which is where the search for the executable can go wrong."""
    place = folder("image paths")
    there = ("Program", "Program One.exe", "Program One", "One.exe", "Deep\\Program.exe", "A B C.exe")
    start = st.sampled_from(
        ("", "", '"', '"', " ", "\\??\\", "%SystemDrive%", '"%SystemDrive%', "\\SystemRoot\\..", '"\\??\\', "\\\\")
    )
    middle = st.sampled_from(
        (*there, *there, "program ONE.EXE", "none.exe", "A", "A B", "A B C", "Deep", "Deep\\..\\One", ".\\One")
    )
    end = st.sampled_from(
        ("", "", '"', " -k x", '" -k x', "\t-k", " One.exe", ".exe", " ", "\\", '""', "  two blanks", "%")
    )
    cases = []
    for number, (before, name, after) in enumerate(examples(st.tuples(start, middle, end), count)):
        drive = "" if "System" in before else "C:"
        path = f"{before}{drive}{place[2:]}\\{name}{after}"
        service = Service(name=f"Generated{number}", image_path=path)
        asked = (op.Services(names=(service.name,)), op.FileInfo(path=".config", service=service.name))
        cases.append(Case(name=f"generated-path-{number}", world=World(services=(service,)), steps=_steps(asked)))
    world = World(
        files=tuple(File(path=rf"{place}\{name}", content=PROGRAM) for name in there[1:]), folders=(Folder(path=place),)
    )
    return [Case(name="generated-paths", world=world, steps=()), *cases]


def restarts(count: int) -> list[Case]:
    """Few services in all states that depend on each other, asked to restart."""
    return [case for number, case in enumerate(examples(_restarts(), count)) for case in [_named(case, number)]]


@st.composite
def _restarts(draw: st.DrawFn) -> Case:
    names = ("A", "B", "C")
    states = ("running", "running", "running", "stopped", "paused", "start_pending", "stop_pending")
    services = []
    for index, name in enumerate(names):
        needs = tuple(other for other in names[:index] if draw(st.booleans()))
        status, start = draw(st.sampled_from(states)), draw(st.sampled_from((2, 2, 2, 4)))
        fails = draw(st.sampled_from((False, False, True)))
        services.append(Service(name=name, image_path="x", status=status, start=start, depends_on=needs, fails=fails))
    asked = draw(
        st.lists(
            st.builds(
                op.ServiceRestart,
                name=st.sampled_from(names),
                stop=st.booleans(),
                dependents=st.lists(st.sampled_from((*names, "D")), max_size=2, unique=True).map(tuple),
                seconds=st.just(20),
            ),
            min_size=1,
            max_size=2,
        )
    )
    return Case(name="", world=World(services=tuple(services)), steps=_steps(asked))


def _named(case: Case, number: int) -> Case:
    """A case with services of its own."""

    def own(names: t.Iterable[str]) -> tuple[str, ...]:
        return tuple(f"G{number}{name}" for name in names)

    program = folder("generated services", "program.exe")
    services = tuple(
        Service(
            name=f"G{number}{each.name}",
            image_path=program,
            status=each.status,
            start=each.start,
            depends_on=own(each.depends_on),
            fails=each.fails,
        )
        for each in case.world.services
    )
    steps = []
    for step in case.steps:
        asked = t.cast("op.ServiceRestart", step.asked)
        moved = op.ServiceRestart(
            name=f"G{number}{asked.name}", stop=asked.stop, dependents=own(asked.dependents), seconds=asked.seconds
        )
        steps.append(Step(moved, Agreement()))
    world = World(services=services, files=(File(path=program, content=PROGRAM),))
    return Case(name=f"generated-restart-{number}", world=world, steps=tuple(steps))


# ---- updates --------------------------------------------------------------------------------------------------------------------


def updates(count: int) -> list[Case]:
    """Names of packages around numbers of updates."""
    part = st.sampled_from(
        ("KB5000001", "kb5000002", "KB50000011", "KB500000", "_", "~", "X", "9", "Package_for_", "-", "ä")
    )
    names = sorted(set(examples(st.lists(part, min_size=1, max_size=4).map("".join), count)))
    keys = [
        Key(path=rf"SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages\{name}")
        for name in names
    ]
    roots = (r"SOFTWARE\Microsoft\Updates", r"SOFTWARE\Wow6432Node\Microsoft\Updates")
    keys += [Key(path=rf"{root}\Generated\{name}") for name, root in zip(names, itertools.cycle(roots), strict=False)]
    numbers = ("KB5000001", "KB5000002", "kb50000011", "KB500000")
    asked = [op.Updates(kbs=kbs) for size in (1, 2, 4) for kbs in itertools.permutations(numbers, size)]
    return [Case(name="generated-updates", world=World(keys=tuple(keys)), steps=_steps(asked))]


# ---- chains ---------------------------------------------------------------------------------------------------------------------


def chains(count: int) -> list[Case]:
    """Chains of two and three certificates with all sorts of limits."""
    root = pki.root_authority("Generated Root")
    usages = st.sampled_from(
        (
            None,
            (pki.SERVER_AUTH,),
            (pki.CLIENT_AUTH,),
            (pki.SERVER_AUTH, pki.CLIENT_AUTH),
            (pki.ANY_USAGE,),
            ("1.2.3.4",),
        )
    )
    policies = st.one_of(
        st.none(), st.none(), st.sampled_from(((pki.SERVER_AUTH,), (pki.SERVER_AUTH, pki.CLIENT_AUTH)))
    )
    limits = st.tuples(usages, policies)
    asked = []
    for number, (above, leaf, oid, sent) in enumerate(
        examples(
            st.tuples(
                st.one_of(st.none(), limits), limits, st.sampled_from((pki.CLIENT_AUTH, pki.SERVER_AUTH)), st.booleans()
            ),
            count,
        )
    ):
        issuer: pki.Authority = root
        if above is not None:
            issuer = root.subordinate(
                f"Generated CA {number}",
                eku=above[0],
                application_policies=above[1],
                key=pki.shared_key("generated CA"),
            )
        issued = issuer.issue("generated.contoso.example", eku=leaf[0], application_policies=leaf[1])
        asked.append(op.ChainCheck(certificate=issued.der, issuers=tuple(issued.chain[:-1]) if sent else (), oid=oid))
    world = World(stored=(Stored(store="Root", certificate=root.der),))
    return [Case(name="generated-chains", world=world, steps=_steps(asked))]
