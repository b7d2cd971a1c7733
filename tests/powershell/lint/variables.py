# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that PowerShell 2.0 does not have.

* ``variable``: one that is read, that nothing in the file writes, and that is no automatic variable of 2.0. $PSItem, $PSCommandPath
  (3.0) and $PSScriptRoot (in scripts 3.0) are such, and so is a name that was mistyped.

To be looked up in: about_Automatic_Variables (learn.microsoft.com/previous-versions/dd347675) and about_Preference_Variables of Windows
PowerShell 2.0.
"""

from __future__ import annotations

from collections.abc import Iterator

from .flow import WRITERS, targets
from .tree import Node, Problem, Script, words

_AUTOMATIC = words(
    """
    $ ? ^ _ args consolefilename error event eventargs eventsubscriber executioncontext false foreach home host input lastexitcode
    matches myinvocation nestedpromptlevel null pid profile psboundparameters pscmdlet psculture psdebugcontext pshome psuiculture
    psversiontable pwd sender shellid sourceargs sourceeventargs stacktrace switch this true
    confirmpreference debugpreference erroractionpreference errorview formatenumerationlimit maximumaliascount maximumdrivecount
    maximumerrorcount maximumfunctioncount maximumhistorycount maximumvariablecount ofs outputencoding progresspreference
    psemailserver pssessionapplicationname pssessionconfigurationname pssessionoption verbosepreference warningpreference
    whatifpreference
    """
)
_DRIVES = ("env:",)
_SCOPES = ("global:", "local:", "private:", "script:")


def check(script: Script) -> Iterator[Problem]:
    written = {_name(variable) for definition in script.find(*WRITERS) for variable in targets(definition)}
    for node in script.find("VariableExpression"):
        name = _name(node)
        if name not in written and name not in _AUTOMATIC and not name.startswith(_DRIVES):
            yield Problem(node.line, "variable", f"{node.text} is written nowhere, and 2.0 does not fill it")


def _name(variable: Node) -> str:
    name = variable.get("VariablePath").lower()
    for scope in _SCOPES:
        name = name.removeprefix(scope)
    return name
