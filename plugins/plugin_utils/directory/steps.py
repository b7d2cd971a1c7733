# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a change in the directory as records, and the words for those that fail."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .errors import AlreadyThereError, ConflictError, DirectoryError, NoRightsError, ResultError
from .forest import Authority
from .messages import Attributes, Change


@dataclass(frozen=True, kw_only=True)
class Step:
    """One operation. ``right`` is what the account needs for it; ``done_codes`` say that it was done before.

    A provisional object is removed again when the step after it fails.
    """

    kind: t.Literal["add", "modify", "delete"]
    dn: str
    doing: str
    right: str
    attributes: Attributes = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    done_codes: frozenset[int] = frozenset()
    provisional: bool = False


class StepError(DirectoryError):
    """A step could not be done. ``changed`` is whether an earlier one of this run remains."""

    def __init__(self, text: str, *, changed: bool) -> None:
        super().__init__(text)
        self.changed = changed


def applied(attributes: Attributes, changes: list[Change]) -> dict[str, tuple[bytes, ...]]:
    """What the attributes will be."""
    after = dict(attributes)
    for change in changes:
        key = change.attribute.lower()
        kept = () if change.kind == "replace" else after.get(key, ())
        if change.kind == "delete":
            after[key] = tuple(value for value in kept if value not in change.values)
        else:
            after[key] = kept + change.values
    return after


def publish(authority: Authority, name: str) -> Step:
    """Have a CA issue by a template; none the less done where it does already."""
    return _publication("add", authority, name, f"publishing {name} on {authority.name}", 20)


def unpublish(authority: Authority, name: str) -> Step:
    """Take a template off a CA; none the less done where it is off already."""
    spelled = next(found for found in authority.templates if found.lower() == name.lower())
    return _publication("delete", authority, spelled, f"taking {name} off {authority.name}", 16)


def _publication(kind: t.Literal["add", "delete"], authority: Authority, name: str, doing: str, code: int) -> Step:
    return Step(
        kind="modify",
        dn=authority.dn,
        doing=doing,
        right=f"Write certificateTemplates on {authority.dn}",
        changes=(Change(kind, "certificateTemplates", (name.encode("utf-8"),)),),
        done_codes=frozenset({code}),
    )


def explain(error: ResultError, step: Step, remaining: list[Step]) -> str:
    """Why a step failed, what the account lacks, and what of the earlier steps is still there."""
    text = str(error)
    if isinstance(error, NoRightsError):
        text += (
            f" The account needs this right: {step.right}. Members of Enterprise Admins have it. Use such an account, "
            "or have a CA administrator follow the instructions in this result."
        )
    elif isinstance(error, ConflictError):
        text += " Somebody else changed it after it was read, so this change was not made. Run again."
    elif isinstance(error, AlreadyThereError):
        text += " Somebody else added it after the directory was read. Run again."
    return text + remains(remaining)


def remains(done: list[Step]) -> str:
    """What stays of a run that failed."""
    if not done:
        return " Nothing was changed by this run."
    return f" Done before: {'; '.join(step.doing for step in done)}. The next run goes on from there."
