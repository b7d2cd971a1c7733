# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all cmdlets of the product have in common: the module, the rights, and how they end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.world.errors import WorldError
from lab.world.host import Host

MODULES = ("skypeforbusiness", "lync")
DENIED = {"de": "Der Zugriff wurde verweigert.", "ja": "アクセスが拒否されました。"}


class CmdletError(Exception):
    """The cmdlet says that it cannot do it."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a cmdlet ended; see the replies of the operations."""

    module: str | None
    denied: bool = False
    failure: str | None = None

    @property
    def well(self) -> bool:
        return self.module is not None and not self.denied and self.failure is None


def run(host: Host, cmdlet: str, modules: Sequence[str], seconds: float, work: Callable[[], object]) -> Ended:
    """Run a cmdlet of the product; ``work`` does what it does, and raises CmdletError for what it says.

    :raises WorldError: ``invalid`` for another module, ``deadline`` when it did not end in ``seconds``.
    """
    if {module.casefold() for module in modules} - set(MODULES):
        raise WorldError("invalid", "this module is not allowed")
    installed = {module.casefold() for module in host.lync.modules}
    module = next((name for name in modules if name.casefold() in installed), None)
    if module is None or host.quirks.no_lync_module:
        return Ended(module=None)
    if cmdlet in host.quirks.denied_cmdlets:
        message = DENIED.get(host.facts.ui_culture[:2], "Access is denied.")
        return Ended(module=module, denied=True, failure=message)
    if cmdlet in host.quirks.failing_cmdlets:
        return Ended(module=module, failure=host.quirks.failing_cmdlets[cmdlet])
    hangs = host.quirks.endless_cmdlets.get(cmdlet)
    begun = host.clock.now()
    failure = None
    if hangs != "before":
        try:
            work()
        except CmdletError as error:
            failure = str(error)
    if hangs:
        host.clock.wait(max(0.0, seconds - (host.clock.now() - begun).total_seconds()))
        raise WorldError("deadline", f"{cmdlet} did not end in {seconds:g} seconds")
    return Ended(module=module, failure=failure)


def unknown(cmdlet: str) -> CmdletError:
    """What PowerShell says of a command that the module does not have."""
    return CmdletError(
        f"The term '{cmdlet}' is not recognized as the name of a cmdlet, function, script file, or operable program."
    )
