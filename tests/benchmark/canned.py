# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server answers to programs that are not ours: at once, and always the same. Only the controller and the wire are compared."""

from __future__ import annotations

import json
import typing as t

from lab.agent import shipped_bootstrap
from lab.protocol.handler import Execution, Handler, Invocation

# As long as what such a module says of a server of this kind: a certificate is described with some 1,000 characters.
_REPLY: t.Final = {
    "changed": False,
    "exists": True,
    "value": 1,
    "raw_value": 1,
    "type": "REG_DWORD",
    "certificates": [{"thumbprint": "0" * 40, "raw": "x" * 900} for _ in range(4)],
    "services": [{"name": "RTCDATAMCU", "state": "started", "path": "x" * 80}],
    "result": {},
    "output": ["x" * 400],
    "host_out": "",
    "host_err": "",
    "win_file_version": {"file_version": "4.0.30319.36388", "product_version": "4.0.30319.36388"},
}


class Canned:
    """Passes our own scripts on and answers all others."""

    def __init__(self, model: Handler) -> None:
        self._model = model
        self._ours = shipped_bootstrap()

    def execute(self, invocation: Invocation) -> Execution:
        if tuple(line.strip() for line in invocation.script.splitlines() if line.strip()) == self._ours:
            return self._model.execute(invocation)
        if not invocation.stdin:
            return Execution(exit_code=0, stdout=b"")
        return Execution(exit_code=0, stdout=json.dumps(_REPLY).encode())
