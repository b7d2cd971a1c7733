# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workaround 1 in a pool of two Front Ends and an Edge pool of two, with a CA that nobody knows yet: trust first, no secret anywhere, and any
server may die in the middle of any step."""

from __future__ import annotations

import base64
import gzip
import typing as t
from collections.abc import Callable

import pytest
from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import certificate_operations as cop
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from integration.fleet import Fleet, Played
from integration.leaks import files_of, leaks, secrets_of
from integration.renewal import CA, ended, handed_in, last_event, override_of, play, rejections, uses
from lab import trust
from lab.ca.enterprise import ISSUED

EDGES = ("edge15a", "edge15b")
FRONT_ENDS = ("fe15a", "fe15b")
SERVERS = (*EDGES, *FRONT_ENDS)


_FORMATS = ["json", "text", "html", "csv", "junit", "markdown", "prometheus", "sarif"]


class Whole:
    """A fleet that one run took to the end, so loud that nothing is left unsaid."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.before = {name: uses(fleet, name) for name in SERVERS}
        # All forms of the report: none of them may hold a secret either.
        self.played = play(fleet, "remediate", "-vvvvvv", ca_config=CA, report_formats=_FORMATS)
        self.end = ended(fleet)
        self.journal = fleet.lab.outside.journal()
        self.seen = {name: last_event(fleet, name) for name in FRONT_ENDS}


@pytest.fixture(scope="module")
def whole(start: Callable[..., Fleet]) -> Whole:
    return Whole(start("renewal_pools"))


def found(fleet: Fleet, *played: Played) -> list[str]:
    """Secrets of the servers in what these runs printed, and in every file that they left."""
    with fleet.lab.deployment.lock:
        secrets = secrets_of(fleet.lab.deployment.hosts.values(), fleet.lab.outside.journal())
    words = {name.split()[0] for name in secrets}
    assert words == {"key", "password", "PFX"}, "the search would not find what it is for"
    places = files_of(fleet.state, fleet.directory / "tmp", fleet.directory / "home")
    assert any("report.json" in place for place in places)
    outputs = {f"output {number}": run.output.encode() for number, run in enumerate(played)}
    return leaks({**places, **outputs}, secrets)


def test_one_run_ends_compliant(whole: Whole) -> None:
    assert whole.played.code == 0, whole.played.output
    assert {whole.played.verdicts[name] for name in SERVERS} == {"compliant"}
    assert whole.end["requests"] == [ISSUED] * 3
    now = {name: uses(whole.fleet, name) for name in SERVERS}
    assert now["edge15a"]["Internal"] == now["edge15b"]["Internal"] != whole.before["edge15a"]["Internal"]
    assert now["fe15a"]["Default"] != now["fe15b"]["Default"]
    # The old certificate of the Front Ends is the one of OAuthTokenIssuer too, and stays there.
    assert {now[name]["OAuthTokenIssuer"] for name in FRONT_ENDS} == {whole.before["fe15a"]["Default"]}


def test_new_ca_is_trusted_by_everybody_before_its_first_certificate_is_assigned(whole: Whole) -> None:
    operations = [(entry.host, entry.operation) for entry in whole.journal]
    added = [(host, each) for host, each in operations if isinstance(each, cop.StoreAdd)]
    first = next(number for number, (_host, each) in enumerate(operations) if isinstance(each, cop.LyncAssign))
    assert all(number < first for number, (_host, each) in enumerate(operations) if isinstance(each, cop.StoreAdd))
    assert {(host, each.store) for host, each in added} == {
        (name, store) for name in SERVERS for store in ("Root", "CA")
    }
    for _host, each in added:
        assert trust.is_self_issued(each.certificate) == (each.store == "Root")
    whole.fleet.lab.advance(3600)
    assert [rejections(whole.fleet, name, after=whole.seen[name]) for name in FRONT_ENDS] == [[], []]


def test_no_secret_is_in_any_output_or_file(whole: Whole) -> None:
    assert (
        "TASK [sfb.kb4023993.workaround_certificates : Assign | Hand them to the other members]" in whole.played.output
    )
    assert found(whole.fleet, whole.played) == []


def test_second_run_changes_nothing(whole: Whole) -> None:
    again = play(whole.fleet, ca_config=CA)
    assert again.code == 0, again.output
    assert again.changed == set()
    assert ended(whole.fleet) == whole.end


def test_any_server_may_die_in_any_step(
    start: Callable[..., Fleet], whole: Whole, record_property: Callable[[str, t.Any], None]
) -> None:
    """In each run servers end right before or right after an operation, silently or with their connection."""
    fleet = start("renewal_pools")
    rounds: tuple[dict[str, tuple[str, int]], ...] = (
        # The key is there and not on record; nothing was done; the record was written and nobody heard of it.
        {"fe15a": ("lync_request", 1), "fe15b": ("lync_request", 0), "edge15a": ("registry_set", 2)},
        # Right before it is noted that the request is handed in; and in the middle of trust.
        {
            "edge15a": ("registry_set", 0),
            "edge15b": ("store_add", 0),
            "fe15a": ("store_add", 1),
            "fe15b": ("store_add", 2),
        },
        {"edge15a": ("lync_import", 1), "fe15a": ("lync_import", 0), "fe15b": ("lync_import", 1)},
        {"edge15a": ("lync_assign", 1), "edge15b": ("pfx_import", 1), "fe15a": ("lync_failover", 1)},
        # Stopping; and failing back what the run before had failed over.
        {"edge15a": ("lync_services", 1), "fe15a": ("lync_failover", 1)},
        {"edge15a": ("lync_services", 2), "fe15b": ("lync_assign", 1)},
    )
    runs = []
    for number, kills in enumerate(rounds):
        for name, (operation, count) in kills.items():
            fleet.lab.outside.kill(
                name, number=count, operation=operation, ending="disconnect" if number % 2 else "silent"
            )
        runs.append(play(fleet, ca_config=CA))
        assert not any(fleet.lab.host(name).kill_point.armed for name in kills), (number, runs[-1].output)
        assert runs[-1].code != 0, (number, runs[-1].output)
        assert len(handed_in(fleet)) == (0, 2, 3, 3, 3, 3)[number]
    runs.append(play(fleet, ca_config=CA))
    assert runs[-1].code == 0, runs[-1].output
    assert {runs[-1].verdicts[name] for name in SERVERS} == {"compliant"}
    assert ended(fleet) == whole.end
    assert found(fleet, *runs) == []
    ends = sum(map(len, rounds))
    figure = f"Workaround 1: servers died at {ends} operations in {len(rounds)} runs, and the next run ended as an undisturbed one does."
    record_property("figure", figure)


def test_rollback_never_lets_a_front_end_check_an_old_certificate(whole: Whole) -> None:
    fleet = whole.fleet
    seen = {name: last_event(fleet, name) for name in FRONT_ENDS}
    played = play(fleet, "rollback")
    assert played.code == 0, played.output
    assert {name: uses(fleet, name) for name in SERVERS} == whole.before
    assert {played.verdicts[name] for name in SERVERS} == {"mitigated"}
    assert [override_of(fleet, name) for name in FRONT_ENDS] == [0, 0]
    fleet.lab.advance(3600)
    assert {name: rejections(fleet, name, after=seen[name]) for name in FRONT_ENDS} == {name: [] for name in FRONT_ENDS}


def _planted() -> dict[str, t.Callable[[bytes], bytes]]:
    return {
        "plain": lambda secret: b"x" + secret + b"y",
        "base64": base64.b64encode,
        "base64 after other bytes": lambda secret: base64.b64encode(b"12345" + secret + b"6"),
        "in lines": base64.encodebytes,
        "in lines of JSON": lambda secret: base64.encodebytes(secret).replace(b"\n", b"\\n"),
        "hex": lambda secret: secret.hex().encode(),
        "UTF-16": lambda secret: secret.decode("latin-1").encode("utf-16-le"),
        "in a batch": lambda secret: base64.b64encode(gzip.compress(b"op\tx\n" + base64.b64encode(secret) * 2)),
    }


@pytest.mark.parametrize("how", _planted())
def test_search_finds_what_is_planted(whole: Whole, how: str) -> None:
    fleet = whole.fleet
    with fleet.lab.deployment.lock:
        secrets = secrets_of(fleet.lab.deployment.hosts.values(), fleet.lab.outside.journal())
        entry = fleet.lab.host("fe15a").stores.find(uses(fleet, "fe15a")["Default"])
    assert entry is not None
    assert entry.key is not None
    private = entry.key.private
    exported = next(done for done in whole.journal if isinstance(done.operation, cop.PfxExport))
    assert isinstance(exported.operation, cop.PfxExport)
    for secret in (
        exported.operation.password.encode(),
        exported.value.pfx,
        private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        private.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()),
    ):
        assert leaks({"file": b"before " + _planted()[how](secret) + b" after"}, secrets), secret[:40]
    assert leaks({"file": b"nothing of it"}, secrets) == []
