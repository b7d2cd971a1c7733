# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of data that the product never sends: operations with odd fields, and batches that are refused as a whole."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.host import operations as op

from contract.case import NONCE, Case, Raw, Runner, Step, Wrong

_LINUX_PATHS: dict[Runner, str] = {"linux": "paths of Linux are others"}


def batch() -> list[Case]:
    return [
        Case(
            name="odd-operations",
            steps=(
                Step(Raw("format_disk"), Wrong("invalid")),
                Step(Raw("System"), Wrong("invalid")),
                Step(Raw(""), Wrong("invalid")),
                Step(Raw("Invoke-Operation", ("operation\tsystem",)), Wrong("invalid")),
                Step(Raw("file_info; exit 9"), Wrong("invalid")),
            ),
        ),
        Case(
            name="odd-fields",
            left_out=_LINUX_PATHS,
            steps=(
                # What is missing is empty.
                Step(Raw("file_info"), Wrong("invalid")),
                Step(Raw("file_search", ("path\t",)), Wrong("invalid")),
                Step(Raw("registry_read"), Wrong("invalid")),
                Step(Raw("registry_set", ("path\tSOFTWARE\\\\x", "name\tx")), Wrong("invalid")),
                Step(Raw("processes"), op.ProcessesReply(processes=())),
                # A backslash at the end of a line is no escape and no text.
                Step(Raw("file_info", ("path\t\\",)), Wrong("invalid")),
                # What is there twice is a list, which makes one text and no number.
                Step(
                    Raw("file_info", ("path\tC:\\\\Contract", "path\t\\\\y")),
                    op.FileInfoReply(
                        path="C:\\Contract \\y",
                        exists=False,
                        size=None,
                        version=None,
                        created_utc=None,
                        modified_utc=None,
                    ),
                ),
                Step(Raw("file_read", ("path\tx", "limit\t1", "limit\t2")), Wrong("invalid")),
                # What is not known is not read; names have no case.
                Step(Raw("processes", ("colour\tred", "NAMES\tnobody")), op.ProcessesReply(processes=())),
            ),
        ),
        Case(
            name="odd-numbers",
            steps=(
                Step(Raw("file_read", ("path\tx", "limit\tall")), Wrong("invalid")),
                Step(Raw("file_read", ("path\tx", "limit\t2147483648")), Wrong("invalid")),
                Step(Raw("tls_peer", ("host\tx", "port\thttps", "seconds\t1")), Wrong("invalid")),
                Step(Raw("service_restart", ("name\tx", "stop\tyes", "seconds\t1")), Wrong("invalid")),
                Step(Raw("registry_list", ("path\tSOFTWARE\\\\x", "limit\t12 apples")), Wrong("invalid")),
            ),
        ),
    ]


@dataclass(frozen=True)
class Refused:
    """Data that is refused as a whole: with a failure of this type, or, None, with a mark because there is no nonce."""

    name: str
    data: str
    failure: str | None


_FIRST = f"batch\t1\t{NONCE}\t50\t0\n"
_SYSTEM = "op\tsystem\n"

REFUSED = (
    Refused("empty", "", None),
    Refused("other-word", _FIRST.replace("batch", "Batch") + _SYSTEM, None),
    Refused("other-version", f"batch\t2\t{NONCE}\t50\t0\n{_SYSTEM}", None),
    Refused("no-nonce", f"batch\t1\t\t50\t0\n{_SYSTEM}", None),
    Refused("nonce-in-capitals", f"batch\t1\t{NONCE.upper()}\t50\t0\n{_SYSTEM}", None),
    Refused("no-deadline", f"batch\t1\t{NONCE}\tsoon\t0\n{_SYSTEM}", None),
    Refused("no-stop", f"batch\t1\t{NONCE}\t50\n{_SYSTEM}", None),
    Refused("more-fields", f"batch\t1\t{NONCE}\t50\t0\t0\n{_SYSTEM}", None),
    Refused("line-ends-of-windows", f"batch\t1\t{NONCE}\t50\t0\r\n{_SYSTEM}", None),
    Refused("one-field", f"{_FIRST}op\n", "bad_data"),
    Refused("three-fields", f"{_FIRST}{_SYSTEM}op\tsystem\tx\n", "bad_data"),
    Refused("field-before-operation", f"{_FIRST}path\tx\n{_SYSTEM}", "bad_data"),
    Refused("unknown-escape", f"{_FIRST}op\tfile_info\npath\tC:\\q\n", "bad_data"),
    Refused("half-an-escape", f"{_FIRST}op\tfile_info\npath\t\\u12\n", "bad_data"),
)
