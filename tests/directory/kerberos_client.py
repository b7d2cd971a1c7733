# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One log-on with Kerberos, in a Python that has the libraries for it: the fields of a Server as JSON on standard input."""

from __future__ import annotations

import json
import sys

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.directory.ldap import Connection, Server

with Connection(Server(**json.load(sys.stdin))) as connection:
    print(connection.read("", ("defaultNamingContext",), doing="reading").text("defaultNamingContext"))
