# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Brings a template into the wanted state: reads, plans steps, carries them out in a safe order, and reads again.

The order: the object that names the identifier, the template with its final permissions, the CAs that publish it. To
remove, the other way round. A run may be stopped after any step; the next one finds what is there and goes on.
"""

from __future__ import annotations

import contextlib
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, replace

from .descriptor import Descriptor, decode, encode
from .errors import DirectoryError, ResultError
from .forest import (
    Authority,
    Forest,
    ForestError,
    Principal,
    choose_authorities,
    companion_attributes,
    companion_dn,
    companions,
    find_template,
    names_of,
    new_oid,
    orphans,
    read_authorities,
    read_forest,
    resolve_group,
    users_of,
    wide_groups,
)
from .ldap import Connection
from .messages import DACL_ONLY, Attributes, Change
from .permissions import Permissions, corrected_dacl, is_administrator, is_wide, read_permissions, safe_descriptor
from .steps import Step, StepError, applied, explain, publish, remains, unpublish
from .template import (
    TEMPLATE_OID,
    TemplateError,
    Wanted,
    changes_to,
    new_template,
    next_revision,
    refuse_existing,
    refuse_source,
)

_DESCRIPTOR: t.Final = "nTSecurityDescriptor"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for. ``enrol_group`` is empty where the template is to be absent."""

    wanted: Wanted
    present: bool
    source: str = ""
    enrol_group: str = ""
    publish_on: tuple[str, ...] = ()
    unpublish_on: tuple[str, ...] = ()
    accept_wide: bool = False


@dataclass(frozen=True)
class State:
    """A template as it is, or will be: its attributes by names in lower case, None when there is none; its CAs."""

    attributes: Attributes | None
    published_on: tuple[str, ...]

    @property
    def descriptor(self) -> Descriptor | None:
        values = (self.attributes or {}).get(_DESCRIPTOR.lower(), ())
        return decode(values[0]) if values else None


@dataclass(frozen=True)
class Plan:
    """The steps from one state to the other; none when nothing has to be done."""

    before: State
    after: State
    steps: tuple[Step, ...]


class Directory:
    """A forest as one run sees it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.forest: Forest = read_forest(connection)
        self._wide: Mapping[str, str] | None = None

    def names(self, sids: t.Iterable[str]) -> dict[str, str]:
        """Names for people."""
        return names_of(self.connection, self.forest, sids)

    def wide_reason(self, sid: str) -> str | None:
        """Why a principal is too wide to have rights on such a template; None when it is not."""
        if is_wide(sid):
            return "it holds everybody, or all accounts of a kind"
        if is_administrator(sid):
            return None
        if self._wide is None:
            self._wide = wide_groups(self.connection, self.forest)
        return f"it contains {self._wide[sid]}" if sid in self._wide else None

    # ---- planning

    def plan(self, request: Request) -> Plan:
        """Read, and find out what has to be done. Nothing is written.

        :raises DirectoryError: what is wanted cannot or should not be done.
        """
        known = read_authorities(self.connection, self.forest)
        entry = find_template(self.connection, self.forest, request.wanted.name)
        name = request.wanted.name
        before = State(
            entry.attributes if entry else None,
            tuple(authority.name for authority in known if authority.publishes(name)),
        )
        if entry:
            refuse_existing(entry.attributes, name)
            if not before.descriptor:
                raise ForestError(
                    f"{self.forest.where}: the permissions of the template {name} cannot be read by this account."
                )
        if not request.present:
            return self._plan_absent(request, before, known)
        joining = choose_authorities(known, request.publish_on, option="publish_on")
        leaving = choose_authorities(known, request.unpublish_on, option="unpublish_on")
        if {authority.dn for authority in joining} & {authority.dn for authority in leaving}:
            raise ForestError("publish_on, unpublish_on: a CA is named in both. Nothing was changed.")
        group = resolve_group(self.connection, self.forest, request.enrol_group)
        self._refuse_wide_group(group, accept=request.accept_wide)
        steps, attributes = self._plan_template(request, before, group)
        steps += [publish(authority, name) for authority in joining if not authority.publishes(name)]
        steps += [unpublish(authority, name) for authority in leaving if authority.publishes(name)]
        published = {*before.published_on, *(authority.name for authority in joining)}
        published -= {authority.name for authority in leaving}
        return Plan(before, State(attributes, tuple(sorted(published, key=str.lower))), tuple(steps))

    def _plan_template(self, request: Request, before: State, group: Principal) -> tuple[list[Step], Attributes]:
        if before.attributes is None or before.descriptor is None:
            return self._plan_new(request, group)
        name = request.wanted.name
        self._refuse_wide_template(name, before.descriptor, accept=request.accept_wide)
        changes = changes_to(request.wanted, before.attributes)
        found = before.descriptor.dacl or ()
        dacl = corrected_dacl(before.descriptor, enrol_sid=group.sid)
        if dacl != found:
            corrected = replace(before.descriptor.with_dacl(dacl), owner=None, group=None)
            changes.append(Change("replace", _DESCRIPTOR, (encode(corrected),)))
        if not changes:
            return [], before.attributes
        changes += next_revision(before.attributes)
        step = Step(
            kind="modify",
            dn=self.forest.template_dn(name),
            doing=f"changing the template {name}",
            right=f"Write, and where its permissions change Modify permissions, on the template {name}",
            changes=tuple(changes),
        )
        after = dict(applied(before.attributes, changes))
        after[_DESCRIPTOR.lower()] = (encode(before.descriptor.with_dacl(dacl)),)
        return [step], after

    def _plan_new(self, request: Request, group: Principal) -> tuple[list[Step], Attributes]:
        name, forest = request.wanted.name, self.forest
        source = find_template(self.connection, forest, request.source)
        if source is None:
            raise ForestError(
                f"source: {forest.where} has no template with the name {request.source}, or this account may not read "
                "it. Give the template name, not the display name."
            )
        refuse_source(source.attributes, request.source)
        shown = request.wanted.display_name or name
        left = orphans(self.connection, forest, display_name=shown)
        oid = left[0].text(TEMPLATE_OID) if left else new_oid(self.connection, forest)
        descriptor = encode(safe_descriptor(domain_sid=forest.domain_sid, enrol_sid=group.sid))
        attributes = new_template(request.wanted, source.attributes, oid=oid, descriptor=descriptor)
        companion = Step(
            kind="add",
            dn=companion_dn(forest, oid),
            doing=f"adding the identifier {oid}",
            right=f"Create msPKI-Enterprise-Oid objects in {forest.oids}",
            attributes=companion_attributes(oid, shown),
            provisional=True,
        )
        template = Step(
            kind="add",
            dn=forest.template_dn(name),
            doing=f"adding the template {name}",
            right=f"Create pKICertificateTemplate objects in {forest.templates}",
            attributes=attributes,
        )
        after = {key.lower(): values for key, values in attributes.items()}
        return [template] if left else [companion, template], after

    def _plan_absent(self, request: Request, before: State, known: list[Authority]) -> Plan:
        name, forest = request.wanted.name, self.forest
        steps = [unpublish(authority, name) for authority in known if authority.publishes(name)]
        if before.attributes is None:
            left = orphans(self.connection, forest, display_name=request.wanted.display_name or name)
        else:
            steps.append(
                Step(
                    kind="delete",
                    dn=forest.template_dn(name),
                    doing=f"removing the template {name}",
                    right=f"Delete on the template {name}",
                    done_codes=frozenset({32}),
                )
            )
            values = before.attributes.get(TEMPLATE_OID.lower(), ())
            oid = values[0].decode("ascii", "replace") if values else ""
            left = companions(self.connection, forest, oid=oid) if oid else []
        steps += [
            Step(
                kind="delete",
                dn=entry.dn,
                doing=f"removing the identifier {entry.text(TEMPLATE_OID)}",
                right=f"Delete on msPKI-Enterprise-Oid objects in {forest.oids}",
                done_codes=frozenset({32}),
            )
            for entry in left
        ]
        return Plan(before, State(None, ()), tuple(steps))

    # ---- refusing

    def _refuse_wide_group(self, group: Principal, *, accept: bool) -> None:
        reason = self.wide_reason(group.sid)
        if reason and not accept:
            raise TemplateError(
                f"enrol_group: {group.name} is too wide: {reason}. Whoever may enrol by this template can ask for a "
                "certificate in the name of anybody. Create a group for those few who request certificates for these "
                "servers. Nothing was changed."
            )

    def _refuse_wide_template(self, name: str, descriptor: Descriptor, *, accept: bool) -> None:
        if descriptor.dacl is None:
            raise TemplateError(
                f"name: the template {name} has no access control list, so everybody may do everything with it. "
                "Remove it, or give it permissions by hand (certtmpl.msc, tab Security). Nothing was changed."
            )
        enrolling, writing = self.wide(read_permissions(descriptor))
        if (enrolling or writing) and not accept:
            names = self.names([*enrolling, *writing])
            parts = [
                f"{', '.join(f'{names[sid]} ({sid})' for sid in sids)} may {verb} it"
                for sids, verb in ((enrolling, "enrol by"), (writing, "change"))
                if sids
            ]
            raise TemplateError(
                f"name: the template {name} exists, and {' and '.join(parts)}. That is too wide for a template whose "
                "names come from the request. Take these rights away by hand (certtmpl.msc, tab Security), or choose "
                "a new name. Nothing was changed."
            )

    def wide(self, permissions: Permissions) -> tuple[list[str], list[str]]:
        """Which of those that may enrol, and that may write, are too wide."""
        enrolling = [sid for sid in permissions.enrolling if self.wide_reason(sid)]
        writing = [sid for sid in permissions.writing if self.wide_reason(sid)]
        return enrolling, writing

    # ---- acting

    def apply(self, plan: Plan) -> None:
        """Carry the steps out.

        :raises StepError: one failed; the text says what remains and what to do.
        """
        done: list[Step] = []
        for step in plan.steps:
            try:
                self._do(step)
            except ResultError as error:
                remaining = self._undo(done)
                raise StepError(explain(error, step, remaining), changed=bool(remaining)) from None
            except DirectoryError as error:
                raise StepError(f"{error}{remains(done)}", changed=True) from None
            done.append(step)

    def _do(self, step: Step) -> None:
        try:
            if step.kind == "add":
                self.connection.add(step.dn, step.attributes, doing=step.doing)
            elif step.kind == "delete":
                self.connection.delete(step.dn, doing=step.doing)
            else:
                permissions = any(change.attribute == _DESCRIPTOR for change in step.changes)
                parts = DACL_ONLY if permissions else None
                self.connection.modify(step.dn, step.changes, doing=step.doing, descriptor=parts)
        except ResultError as error:
            if error.code not in step.done_codes:
                raise

    def _undo(self, done: list[Step]) -> list[Step]:
        """Remove a provisional object that nothing uses yet; what remains of the steps."""
        if done and done[-1].provisional:
            (oid,) = done[-1].attributes[TEMPLATE_OID]
            with contextlib.suppress(DirectoryError):
                # Somebody else's run may have found it and used it.
                if not users_of(self.connection, self.forest, oid.decode("ascii")):
                    self.connection.delete(done[-1].dn, doing=f"undoing: {done[-1].doing}")
                    return done[:-1]
        return done

    def check(self, request: Request) -> State:
        """Read again after acting, and give the state.

        :raises StepError: the directory does not show what was written.
        """
        plan = self.plan(request)
        if plan.steps:
            missing = "; ".join(step.doing for step in plan.steps)
            raise StepError(
                f"{self.forest.where}: the changes were accepted, but reading again shows that there is still to do: "
                f"{missing}. Somebody else may be changing the template. Look at it, and run again.",
                changed=True,
            )
        return plan.before
