# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One check of the controller, the inventory or the first contact with a host, and the catalogue of all that there are."""

from __future__ import annotations

import dataclasses
import typing as t

Status = t.Literal["ok", "warning", "failed"]
STATUSES: t.Final[tuple[Status, ...]] = ("failed", "warning", "ok")
CONTROLLER: t.Final = "controller"
_PREFIX: t.Final = "KB4023993-CTRL-"

Part = t.Literal["controller", "inventory", "contact"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Check:
    """How one check ended. ``where``: inventory names, or ``controller``; ``next_step`` is empty where all is well."""

    id: str
    status: Status
    what: str
    where: tuple[str, ...]
    next_step: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Subject:
    """What is checked under one id. ``good``: the sentence when nothing was found."""

    id: str
    part: Part
    good: str


# In the order of the report. docs/troubleshooting.md has cause and remedy of each.
_SUBJECTS: t.Final[tuple[tuple[str, Part, str], ...]] = (
    ("PYTHON", "controller", "Python is new enough."),
    ("ANSIBLE-CORE", "controller", "ansible-core is new enough."),
    ("LIBRARY", "controller", "The Python libraries that the connections need are there."),
    ("STATE-DIR", "controller", "The state directory can be written."),
    ("TICKET", "controller", "No connection lacks a Kerberos ticket."),
    ("CLOCK", "controller", "The clocks agree."),
    ("PROXY", "inventory", "No proxy stands between the controller and the hosts."),
    ("CONNECTION", "inventory", "Every host has a connection to a Windows server."),
    ("BECOME", "inventory", "become is not set."),
    ("CREDENTIALS", "inventory", "Every host has what its way to authenticate needs."),
    ("TRANSPORT", "inventory", "Every way to authenticate exists and suits its account and address."),
    ("PLAIN-HTTP", "inventory", "No password and no message goes over the network in plain text."),
    ("CERT-VALIDATION", "inventory", "The certificates of all HTTPS listeners are checked."),
    ("PORT-SCHEME", "inventory", "Ports and schemes agree."),
    ("DELEGATION", "inventory", "Credentials are delegated where a step needs it, and nowhere else."),
    ("TIMEOUTS", "inventory", "The timeouts of the connections fit each other."),
    ("VARIABLE-NAME", "inventory", "Every variable of this collection has a name that something reads."),
    ("VARIABLE-PLACE", "inventory", "What has to be an extra variable does not stand in the inventory."),
    ("POOL", "inventory", "The pools that the variables name fit each other."),
    ("POOL-DIFFERS", "inventory", "All hosts of a pool say the same of it."),
    ("ADDRESS", "inventory", "No two hosts of the inventory are the same server."),
    ("CONTACT-NAME", "contact", "The name is known."),
    ("CONTACT-PORT", "contact", "The port answers."),
    ("CONTACT-TLS", "contact", "The TLS connection stands, and its certificate is accepted."),
    ("CONTACT-AUTH", "contact", "The account is let in."),
    ("CONTACT-POWERSHELL", "contact", "PowerShell starts and its answer arrives whole."),
    ("CONTACT-RIGHTS", "contact", "The account has a full administrator's token."),
    ("CONTACT-LEFT-OUT", "contact", "Every host could be tried."),
)
SUBJECTS: t.Final[dict[str, Subject]] = {
    name: Subject(id=_PREFIX + name, part=part, good=good) for name, part, good in _SUBJECTS
}
_ORDER: t.Final = {subject.id: number for number, subject in enumerate(SUBJECTS.values())}


def ok(name: str, where: t.Iterable[str], what: str = "") -> Check:
    """All is well; ``name`` is that of the subject, without the prefix of the ids."""
    return Check(id=SUBJECTS[name].id, status="ok", what=what or SUBJECTS[name].good, where=tuple(where))


def warning(name: str, where: t.Iterable[str], what: str, next_step: str) -> Check:
    """Works, but will bite: less safe than it could be, or not what was meant."""
    return Check(id=SUBJECTS[name].id, status="warning", what=what, where=tuple(where), next_step=next_step)


def failed(name: str, where: t.Iterable[str], what: str, next_step: str) -> Check:
    """A run cannot do its work, or does another one than was meant."""
    return Check(id=SUBJECTS[name].id, status="failed", what=what, where=tuple(where), next_step=next_step)


def merged(checks: t.Iterable[Check]) -> tuple[Check, ...]:
    """The same said of several hosts as one check, in the order of the report; hosts in the order in which they came."""
    places: dict[Check, dict[str, None]] = {}
    for check in checks:
        key = dataclasses.replace(check, where=())
        places.setdefault(key, {}).update(dict.fromkeys(check.where))
    found = (dataclasses.replace(key, where=tuple(where)) for key, where in places.items())
    return tuple(sorted(found, key=lambda check: (STATUSES.index(check.status), _ORDER[check.id])))


def with_good_ones(checks: t.Sequence[Check], where: t.Sequence[str]) -> tuple[Check, ...]:
    """With an ``ok`` for each subject of controller and inventory of which nothing was said."""
    said = {check.id for check in checks}
    return (
        *checks,
        *(
            ok(name, (CONTROLLER,) if subject.part == "controller" else where)
            for name, subject in SUBJECTS.items()
            if subject.part != "contact" and subject.id not in said
        ),
    )
