# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The next step of renewing the certificate of Edges by hand: takes up what came back, and writes what is to be carried next.

What is known of it stands in the record of the certificate (``signing/records.py``), as for every other server: a request that came back makes
it ``requested``, the signing of all requests takes it on, and evidence that was read by hand ends it.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import typing as t

from ..evaluate import Assessment, evaluate
from ..fleet import HostView
from ..plan import PlanError
from ..renewal.inf import InfError
from ..renewal.replacements import RenewalPlan, Replacement, plan_replacements
from ..rules.role_certificate import thumbprint
from ..saved import SavedEvidence
from ..signing.bundle import read_bundle
from ..signing.csr import MAX_BYTES, Csr, CsrError, read_csr
from ..signing.names import difference, make_names
from ..signing.records import Record, locked, read_records, write_record
from ..signing.responses import SigningError
from ..signing.work import Wanted, take_up
from .age import why_not_used
from .collecting import folder_name, with_sums
from .literals import LiteralError
from .renewing import INSTALL_FOLDER, REQUEST_FILE, REQUEST_FOLDER, install_files, request_files
from .work import Setting, write_files, write_kit

Answer = t.Literal["request", "requested", "waiting", "install", "done", "nothing", "refused"]

_AT_CA: t.Final = ("requested", "submitting", "pending")
_WITH_CERTIFICATE: t.Final = ("verified", "installed", "assigned")

_KEY_SIZE: t.Final = 2048


@dataclasses.dataclass(frozen=True, kw_only=True)
class Advanced:
    """What became of one server. ``answer``: carry the request folder, the request came back, the CA has it, carry the installation,
    proved by evidence, nothing to do, or not possible. ``changed``: whether a file or record changed."""

    host: str
    answer: Answer
    message: str
    changed: bool = False


class _RefusedError(Exception):
    """Why a server does not get further."""


class CertificateWork:
    """One run over the chosen servers."""

    def __init__(self, setting: Setting, hosts: t.Sequence[str], chosen: t.Collection[str], *, preview: bool) -> None:
        self._setting = setting
        self._chosen = frozenset(chosen)
        self._preview = preview
        self._assessment = self._assess(hosts)
        self._records = read_records(setting.state_dir)
        self._plan: RenewalPlan = plan_replacements(self._assessment, self._records)

    def advance(self, *, trusted_elsewhere: t.Collection[str]) -> list[Advanced]:
        """Take every chosen server one step further.

        :raises StateError: files or records cannot be used.
        """
        vouched = frozenset(name.lower() for name in trusted_elsewhere)
        advanced: dict[str, Advanced] = {}
        for host in sorted(self._chosen):
            if host in advanced:
                continue
            try:
                found = self._one(host, vouched)
            except (_RefusedError, InfError, LiteralError, SigningError, PlanError) as error:
                found = [Advanced(host=host, answer="refused", message=str(error))]
            advanced.update({entry.host: entry for entry in found})
        return [advanced[host] for host in sorted(advanced)]

    def _assess(self, hosts: t.Sequence[str]) -> Assessment:
        saved = SavedEvidence(self._setting.state_dir, [])
        loaded = []
        for host in dict.fromkeys([*hosts, *self._chosen]):
            fresh = functools.partial(
                why_not_used, max_age_days=self._setting.max_age_days(host), now=self._setting.now
            )
            offline = fresh if host in self._chosen else None
            found = saved.host(host, in_run=True, inventory=self._setting.inventory(host), offline=offline)
            # Their evidence stands for a reading of this run: nothing more can be known of them today.
            loaded.append(dataclasses.replace(found, offline=False))
        return evaluate(loaded, now=self._setting.now, run_id="", collection_version=self._setting.collection_version)

    def _one(self, host: str, vouched: frozenset[str]) -> list[Advanced]:
        view = self._assessment.fleet.views[host]
        failure = view.source.failure
        if failure:
            raise _RefusedError(f"{failure.message} {failure.advice}")
        if view.role.role != "edge":
            raise _RefusedError(f"only an Edge is renewed by hand ({view.role.reason}).")
        record = next(
            (r for r in self._records.values() if host in r.servers and r.uses[0] == "Internal"),
            None,
        )
        replacement = next((r for r in self._plan.replacements if host in r.servers and r.uses == ("Internal",)), None)
        servers = record.servers if record and record.step != "done" else replacement.servers if replacement else ()
        others = sorted(set(servers) - self._chosen)
        if others:
            raise _RefusedError(
                f"its Edge pool has one certificate for all its members, and {', '.join(others)} would be left out. Name all of them with "
                "sfb_kb4023993_offline_hosts, and import evidence of each."
            )
        if record is not None and record.step in _WITH_CERTIFICATE:
            return self._install(record, vouched)
        if record is not None and record.step in _AT_CA:
            message = f"{record.next_step} (playbook certificate_sign)"
            return [Advanced(host=name, answer="waiting", message=message) for name in record.servers]
        if replacement is None:
            return [self._without_replacement(host, record)]
        return self._request(replacement, record)

    def _without_replacement(self, host: str, record: Record | None) -> Advanced:
        refusal = next((refusal for refusal in self._plan.refused if refusal.host == host), None)
        if refusal:
            raise _RefusedError(f"{refusal.reason}.")
        if record is not None and record.step == "done":
            return Advanced(host=host, answer="done", message=record.next_step)
        return Advanced(host=host, answer="nothing", message="Its certificate is good for both usages.")

    # ---- step 1

    def _request(self, replacement: Replacement, record: Record | None) -> list[Advanced]:
        lead = replacement.servers[0]
        folder = self._folder(lead) / REQUEST_FOLDER
        csr = _brought_back(folder / REQUEST_FILE)
        if csr is not None and (record is None or record.csr != csr.pem):
            _check_names(csr, replacement, folder / REQUEST_FILE)
            wanted = Wanted(
                servers=replacement.servers,
                uses=replacement.uses,
                csr=csr.pem,
                replaces=replacement.certificate,
                allow_name_changes=False,
            )
            if not self._preview:
                take_up(self._setting.state_dir, [wanted], [], clock=lambda: self._setting.now)
            message = "The request came back. Have it signed (playbook certificate_sign), then run this again."
            return [
                Advanced(host=name, answer="requested", message=message, changed=True) for name in replacement.servers
            ]
        if csr is not None:
            raise _RefusedError(
                f"{folder / REQUEST_FILE} is the request of an earlier round (step {record.step if record else '?'}). Delete it here and on "
                "the server, and start request.ps1 there again."
            )
        files = with_sums(request_files(replacement, key_size=_KEY_SIZE))
        changed = write_files(folder, files, preview=self._preview)
        changed |= write_kit(self._setting, lead, preview=self._preview).changed
        answers = [
            Advanced(
                host=lead, answer="request", message=f"Carry {folder} to it and start request.ps1.", changed=changed
            )
        ]
        message = f"It gets the certificate of its pool from {lead}."
        return answers + [Advanced(host=name, answer="waiting", message=message) for name in replacement.servers[1:]]

    # ---- step 3

    def _install(self, record: Record, vouched: frozenset[str]) -> list[Advanced]:
        new = record.new
        if new is None:
            raise _RefusedError(f"the record {record.id} is damaged: it has no certificate.")
        views = {name: self._assessment.fleet.views[name] for name in record.servers}
        states = {name: _state(view, new.thumbprint) for name, view in views.items()}
        if all(not text for text in states.values()):
            return self._done(record)
        doubtful = [] if record.step == "assigned" else self._distrusting(record, vouched)
        if doubtful:
            raise _RefusedError(
                f"whether these Front Ends trust the root of the new certificate is not known: {', '.join(doubtful)}. Assigning it before "
                "they do would break them. Install the CA certificates of the record there, or look there by hand, then name these "
                "servers in sfb_kb4023993_trusted_elsewhere."
            )
        advanced = []
        for name, view in views.items():
            if not states[name]:
                advanced.append(Advanced(host=name, answer="done", message="Assigned and presented."))
                continue
            folder = self._folder(name) / INSTALL_FOLDER
            files = install_files(record, name, old=self._old(record, view), modules=_modules(view))
            changed = write_files(folder, with_sums(files), preview=self._preview)
            changed |= write_kit(self._setting, name, preview=self._preview).changed
            message = f"Carry {folder.parent} to it and start install.ps1 in {INSTALL_FOLDER}. By its evidence {states[name]}."
            advanced.append(Advanced(host=name, answer="install", message=message, changed=changed))
        return advanced

    def _done(self, record: Record) -> list[Advanced]:
        note = (
            "The new certificate is assigned and presented, by evidence that was read by hand. Nothing is left to do."
        )
        if not self._preview:
            with locked(self._setting.state_dir):
                current = read_records(self._setting.state_dir)[record.id]
                if current.step != "done":
                    write_record(self._setting.state_dir, current.moved("done", note, at=self._setting.now))
        return [Advanced(host=name, answer="done", message=note, changed=True) for name in record.servers]

    def _old(self, record: Record, view: HostView) -> str:
        """The certificate that goes: what this server has, unless it has the new one already."""
        held = view.certificate
        found = [part.thumbprint for part in (held.current, held.assigned) if part] if held else []
        found += [record.current.thumbprint] if record.current else []
        new = record.new.thumbprint if record.new else ""
        old = next((mark for mark in found if mark != new), None)
        if old is None:
            raise _RefusedError("its evidence names no certificate that would be replaced. Read it again.")
        return old

    def _distrusting(self, record: Record, vouched: frozenset[str]) -> list[str]:
        """Front Ends that check these Edges and are not known to build chains to the root of the new certificate."""
        chain = record.new.chain if record.new else ()
        roots = {thumbprint(read_bundle(pem.encode("ascii"))[0]) for pem in chain[-1:]}
        checking = {c.validator for c in self._assessment.judgement.connections if c.peer in record.servers}
        if not checking:
            raise _RefusedError(
                "no Front End that uses it is known, so nobody can tell whether they trust the root of the new certificate. Run the audit "
                "on the Front Ends first."
            )
        return sorted(
            name
            for name in checking
            if name.lower() not in vouched and not roots & _known_authorities(self._assessment.fleet.views[name])
        )

    def _folder(self, host: str) -> pathlib.Path:
        return self._setting.directory / folder_name(host)


def _known_authorities(view: HostView) -> set[str]:
    """The CA certificates that a server has built chains with."""
    evidence = view.source.evidence
    issuers = evidence.certificates.issuers if evidence and evidence.certificates else ()
    return {thumbprint(issuer.certificate) for issuer in issuers}


def _state(view: HostView, new: str) -> str:
    """What is missing until the new certificate is in use, as a clause; empty if nothing."""
    held, evidence = view.certificate, view.source.evidence
    shown = [reading.reply.certificate for reading in (evidence.presented if evidence else ()) if not reading.host]
    if held is None or held.current is None:
        return "no certificate of it is known"
    if held.assigned is not None and held.assigned.thumbprint == new:
        return (
            f"it is assigned, but {held.current.thumbprint} is still presented: restart the services and read it again"
        )
    if held.current.thumbprint != new:
        return f"{held.current.thumbprint} is in use"
    if held.source != "assigned":
        return f"it is presented, but whether it is assigned is not known ({held.note})"
    if not any(der is not None and thumbprint(der) == new for der in shown):
        return "it is assigned, but no port of the server presents it: start the services and read it again"
    return ""


def _modules(view: HostView) -> tuple[str, ...]:
    product = view.role.product
    return product.modules if product else ("SkypeForBusiness", "Lync")


def _brought_back(path: pathlib.Path) -> Csr | None:
    try:
        with path.open("rb") as stream:
            return read_csr(stream.read(MAX_BYTES + 1))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _RefusedError(f"{path} cannot be read: {error.strerror}.") from None
    except CsrError as error:
        raise _RefusedError(
            f"{path} is not used: {error} Bring back the file that request.ps1 made, as it is."
        ) from None


def _check_names(csr: Csr, replacement: Replacement, path: pathlib.Path) -> None:
    """A request for other names is one of another server, or one that the product has computed from its topology."""
    wanted = make_names(replacement.subject.common_name, replacement.names)
    found = difference(wanted=wanted, found=csr.names)
    if found.missing or found.common_name:
        what = (
            f"lacks {', '.join(found.missing[:10])}"
            if found.missing
            else f"has the CN {csr.names.common_name or 'none'}"
        )
        raise _RefusedError(
            f"{path} is not used: it {what}, compared with the certificate that it is to replace. If it is of this server, delete it and "
            "make one with the names as they are: certreq -new request.inf request.req"
        )
