# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the module sfb_certificate_request, and what they become."""

from __future__ import annotations

import importlib.util
import sys
import typing as t
from collections.abc import Callable

from ..words import one_line
from .bundle import BundleError, read_bundle
from .certreq import CaHost, CertreqMethod
from .exchange import Account
from .files import FilesMethod
from .responses import SigningError
from .sign import Method, Policy, Resolution
from .web import WebMethod, check_template
from .work import Wanted

Arguments = dict[str, t.Any]

SPEC: t.Final[dict[str, t.Any]] = {
    "state_dir": {"type": "path", "required": True},
    "method": {"type": "str", "required": True, "choices": ["certreq", "web", "files"]},
    "preflight": {"type": "bool", "default": False},
    "config": {"type": "str"},
    "template": {"type": "str", "default": ""},
    "template_oid": {"type": "str"},
    "minimum_days": {"type": "int", "default": 90},
    "url": {"type": "str"},
    "user": {"type": "str", "default": ""},
    "password": {"type": "str", "default": "", "no_log": True},
    "auth": {"type": "str", "choices": ["ntlm", "kerberos"], "default": "ntlm"},
    "ca_file": {"type": "path"},
    "timeout": {"type": "int", "default": 60},
    "directory": {"type": "path"},
    "requests": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "server": {"type": "str", "required": True},
            "members": {"type": "list", "elements": "str", "default": []},
            "uses": {"type": "list", "elements": "str", "required": True},
            "csr": {"type": "str", "required": True},
            "replaces": {"type": "str"},
            "allow_name_changes": {"type": "bool", "default": False},
        },
    },
    "request_ids": {"type": "dict", "default": {}},
    "submit_again": {"type": "list", "elements": "str", "default": []},
    "hold": {"type": "list", "elements": "str", "default": []},
}


def method_of(arguments: Arguments, ca_host: Callable[[], CaHost]) -> Method:
    """The chosen way to a CA. ``ca_host``: makes the Windows host of method certreq.

    :raises SigningError: an option is missing, or cannot be.
    """
    if arguments["method"] == "files":
        return FilesMethod(_needed(arguments, "directory"))
    if arguments["method"] == "certreq":
        check_template(_needed(arguments, "template"))
        return CertreqMethod(ca_host(), config=_needed(arguments, "config"))
    if importlib.util.find_spec("spnego") is None:
        raise SigningError(
            f"Method web needs the Python package pyspnego for {sys.executable} on the controller. Install it and run again."
        )
    check_template(_needed(arguments, "template"))
    if arguments["auth"] == "ntlm" and not (arguments["user"] and arguments["password"]):
        raise SigningError("NTLM needs user (DOMAIN\\user) and password.")
    if arguments["timeout"] < 1:
        raise SigningError("timeout has to be at least 1 second.")
    return WebMethod(
        url=_needed(arguments, "url"),
        account=Account(user=arguments["user"], password=arguments["password"], authentication=arguments["auth"]),
        ca_file=arguments["ca_file"],
        timeout_seconds=arguments["timeout"],
    )


def policy_of(arguments: Arguments) -> Policy:
    return Policy(
        template=arguments["template"],
        template_oid=arguments["template_oid"],
        minimum_days=arguments["minimum_days"],
    )


def wanted_of(arguments: Arguments) -> list[Wanted]:
    """:raises SigningError: a request without uses, or a certificate to replace that is none."""
    wanted = []
    for entry in arguments["requests"]:
        if not entry["uses"]:
            raise SigningError(f"The request of {one_line(entry['server'])} names no use.")
        try:
            replaces = read_bundle(entry["replaces"].encode("utf-8", "replace"))[0] if entry["replaces"] else None
        except BundleError as error:
            raise SigningError(
                f"The certificate to replace on {one_line(entry['server'])} cannot be used: {error}."
            ) from None
        servers = (entry["server"], *(name for name in entry["members"] if name != entry["server"]))
        wanted.append(
            Wanted(
                servers=servers,
                uses=tuple(entry["uses"]),
                csr=entry["csr"],
                replaces=replaces,
                allow_name_changes=entry["allow_name_changes"],
            )
        )
    return wanted


def resolutions_of(arguments: Arguments) -> dict[str, Resolution]:
    """By record what a person decided.

    :raises SigningError: two decisions for one record, or a request id that is no number.
    """
    found: dict[str, Resolution] = {name: Resolution(submit_again=True) for name in arguments["submit_again"]}
    for name, value in arguments["request_ids"].items():
        if name in found:
            raise SigningError(f"{one_line(name)}: submit_again and request_ids cannot both be right.")
        if not str(value).isascii() or not str(value).isdigit() or not 0 < int(value) < 2**31:
            raise SigningError(f"{one_line(name)}: {one_line(str(value), 40)!r} is not a request id.")
        found[name] = Resolution(request_id=int(value))
    return found


def _needed(arguments: Arguments, name: str) -> str:
    value = arguments[name]
    if not value:
        raise SigningError(f"Method {arguments['method']} needs the option {name}.")
    return str(value)
