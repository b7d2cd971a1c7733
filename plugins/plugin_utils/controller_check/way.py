# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How Ansible reaches a host: what its connection plugin made of inventory, configuration and command line.

The plugin itself is asked, so that what is checked is what is used, wherever it was set. This is the only file that knows the options
of the plugins by name.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing as t

from ansible import constants
from ansible.module_utils.parsing.convert_bool import boolean

Encryption = t.Literal["auto", "always", "never"]
# The timeouts of pywinrm, in seconds.
_WINRM_TIMEOUTS: t.Final = (20, 30)
# What the plugin takes beside the arguments of pywinrm.
_PLUGIN_ARGUMENTS: t.Final = frozenset({"endpoint", "transport", "username", "password", "scheme", "path"})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Way:
    """The way to one host.

    ``connection``: the plugin without its namespace. ``windows``: its shell is PowerShell. ``scheme`` is empty for ssh. ``methods``: ways
    to authenticate, in their order. ``ca_file``: whose certificates are trusted, empty for the libraries' own choice. ``proxy``: one that
    stands between. ``managed_ticket``: Ansible itself gets the Kerberos ticket, with ``ticket_program``. ``sets``: names of the variables
    of the host. ``unknown``: names of variables for this plugin that it does not read.
    """

    connection: str
    windows: bool
    become: bool = False
    address: str = ""
    port: int = 0
    scheme: t.Literal["http", "https", ""] = ""
    path: str = ""
    methods: tuple[str, ...] = ()
    known_methods: frozenset[str] = frozenset()
    user: str = ""
    has_password: bool = False
    verifies: bool = True
    ca_file: str = ""
    client_certificate: tuple[str, ...] = ()
    encryption: Encryption = "auto"
    delegates: bool = False
    proxy: str = ""
    operation_timeout: int = 20
    read_timeout: int = 30
    managed_ticket: bool = False
    ticket_program: str = ""
    sets: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()
    known_variables: frozenset[str] = frozenset()

    @property
    def over_http(self) -> bool:
        """Whether WinRM's port is asked directly, over HTTP or HTTPS."""
        return self.connection in ("winrm", "psrp") and not self.proxy

    @property
    def place(self) -> tuple[str, int, str]:
        """What no two hosts should share."""
        return self.address.lower().rstrip("."), self.port, self.path.strip("/")


def way_of(connection: t.Any, variables: t.Iterable[str]) -> Way:
    """Ask a connection plugin that has its options set, and is not connected.

    :param variables: names of the host's variables.
    :raises ValueError: an option has a value that no connection can be made with; the text says which.
    """
    name = str(connection.transport).rsplit(".", 1)[-1]
    common: dict[str, t.Any] = {
        "connection": name,
        "windows": bool(getattr(connection._shell, "_IS_WINDOWS", False)),
        "become": bool(getattr(connection, "become", None)),
        "sets": frozenset(variables),
    }
    if name == "winrm":
        return Way(**common, **_winrm(connection, common["sets"]))
    if name == "psrp":
        return Way(**common, **_psrp(connection, common["sets"]))
    if name == "ssh":
        options = _options(connection, "host", "port", "remote_user", "password")
        return Way(
            **common,
            address=str(options["host"] or ""),
            port=_number(options["port"], "ansible_port", default=22),
            user=str(options["remote_user"] or ""),
            has_password=bool(options["password"]),
        )
    return Way(**common)


def _winrm(connection: t.Any, sets: frozenset[str]) -> dict[str, t.Any]:
    names = ("remote_addr", "remote_user", "remote_password", "port", "scheme", "path", "transport")
    options = _options(connection, *names, "connection_timeout", "kerberos_mode", "kerberos_command", "_extras")
    extras = {key.removeprefix("ansible_winrm_"): value for key, value in (options["_extras"] or {}).items()}
    port = _number(options["port"], "ansible_port", default=5986)
    scheme = str(options["scheme"] or ("http" if port == 5985 else "https"))
    user, password = str(options["remote_user"] or ""), options["remote_password"]
    methods = tuple(str(method) for method in options["transport"] or () if method)
    if not methods:
        methods = ("kerberos",) if "@" in user else ("ssl",) if scheme == "https" else ("plaintext",)
    known, arguments = _pywinrm()
    read, own = _variables_of("winrm"), _PLUGIN_ARGUMENTS | arguments
    read |= {f"ansible_winrm_{argument}" for argument in own}
    whole, short = options["connection_timeout"], _WINRM_TIMEOUTS
    operation = _number(whole or extras.get("operation_timeout_sec"), "operation_timeout_sec", default=short[0])
    reading = _number(extras.get("read_timeout_sec"), "read_timeout_sec", default=short[1])
    mode = options["kerberos_mode"]
    trust = extras.get("ca_trust_path")
    return {
        "address": str(options["remote_addr"] or ""),
        "port": port,
        "scheme": scheme,
        "path": str(options["path"] or ""),
        "methods": methods,
        "known_methods": known,
        "user": user,
        "has_password": bool(password),
        "verifies": str(extras.get("server_cert_validation") or "validate") != "ignore",
        "ca_file": str(trust) if trust and trust != "legacy_requests" else "",
        "client_certificate": tuple(str(extras[key]) for key in ("cert_pem", "cert_key_pem") if extras.get(key)),
        "encryption": _encryption(extras.get("message_encryption")),
        "delegates": "credssp" in methods
        or ("kerberos" in methods and _flag(extras.get("kerberos_delegation"), "ansible_winrm_kerberos_delegation")),
        "proxy": _proxy(f"{scheme}://{options['remote_addr']}:{port}", extras.get("proxy", "legacy_requests")),
        "operation_timeout": operation,
        "read_timeout": operation + 10 if whole else reading,
        "managed_ticket": "kerberos" in methods and (mode == "managed" or (mode is None and bool(password))),
        "ticket_program": str(options["kerberos_command"] or "kinit"),
        "unknown": tuple(sorted(name for name in sets if name.startswith("ansible_winrm_") and name not in read)),
        "known_variables": frozenset(read),
    }


def _psrp(connection: t.Any, sets: frozenset[str]) -> dict[str, t.Any]:
    names = ("remote_addr", "remote_user", "remote_password", "port", "protocol", "path", "auth", "cert_validation")
    more = ("ca_cert", "message_encryption", "proxy", "ignore_proxy", "operation_timeout", "read_timeout")
    delegating = ("negotiate_delegate", "certificate_pem", "certificate_key_pem")
    options = _options(connection, *names, *more, *delegating)
    port = options["port"]
    scheme = str(options["protocol"] or ("http" if port is not None and str(port) == "5985" else "https"))
    number = _number(port, "ansible_port", default=5986 if scheme == "https" else 5985)
    methods = (str(options["auth"] or "negotiate"),)
    read = _variables_of("psrp")
    given = None if boolean(options["ignore_proxy"] or False) else options["proxy"] or "legacy_requests"
    return {
        "address": str(options["remote_addr"] or ""),
        "port": number,
        "scheme": scheme,
        "path": str(options["path"] or ""),
        "methods": methods,
        "known_methods": frozenset(methods),
        "user": str(options["remote_user"] or ""),
        "has_password": bool(options["remote_password"]),
        "verifies": options["cert_validation"] != "ignore",
        "ca_file": str(options["ca_cert"] or ""),
        "client_certificate": tuple(
            str(options[name]) for name in ("certificate_pem", "certificate_key_pem") if options[name]
        ),
        "encryption": _encryption(options["message_encryption"]),
        "delegates": "credssp" in methods or bool(options["negotiate_delegate"]),
        "proxy": _proxy(f"{scheme}://{options['remote_addr']}:{number}", given),
        "operation_timeout": _number(options["operation_timeout"], "ansible_psrp_operation_timeout", default=20),
        "read_timeout": _number(options["read_timeout"], "ansible_psrp_read_timeout", default=30),
        "unknown": tuple(sorted(name for name in sets if name.startswith("ansible_psrp_") and name not in read)),
        "known_variables": frozenset(read),
    }


def _options(connection: t.Any, *names: str) -> dict[str, t.Any]:
    """Options by name; None for those that this version of the plugin does not have."""
    found: dict[str, t.Any] = {}
    for name in names:
        try:
            found[name] = connection.get_option(name)
        except KeyError:
            found[name] = None
    return found


def _variables_of(plugin: str) -> set[str]:
    """The names of the variables that a connection plugin of ansible-core reads."""
    definitions = constants.config.get_configuration_definitions("connection", plugin)
    return {entry["name"] for option in definitions.values() for entry in option.get("vars") or ()}


def _pywinrm() -> tuple[frozenset[str], set[str]]:
    """The ways to authenticate that the installed pywinrm knows, and the arguments that it takes; none when it is not there."""
    try:
        import winrm
        from winrm.protocol import Protocol
    except ImportError:
        return frozenset(), set()
    arguments = inspect.signature(Protocol.__init__).parameters
    return frozenset(getattr(winrm, "FEATURE_SUPPORTED_AUTHTYPES", ())), set(arguments) - {"self"}


def _proxy(url: str, given: object) -> str:
    """The proxy for an address: one that is set for the connection, else one of the environment; empty for none."""
    if given is None:
        return ""
    if given != "legacy_requests":
        return str(given)
    try:
        from requests.utils import get_environ_proxies, select_proxy
    except ImportError:
        return ""
    return str(select_proxy(url, get_environ_proxies(url, no_proxy=None)) or "")


def _encryption(value: object) -> Encryption:
    return "always" if value == "always" else "never" if value == "never" else "auto"


def _flag(value: object, name: str) -> bool:
    try:
        return bool(boolean(value or False))
    except TypeError:
        raise ValueError(f"{name} has to be true or false.") from None


def _number(value: object, name: str, *, default: int) -> int:
    if value is None:
        return default
    try:
        return int(str(value))
    except ValueError:
        raise ValueError(f"{name} has to be a whole number.") from None
