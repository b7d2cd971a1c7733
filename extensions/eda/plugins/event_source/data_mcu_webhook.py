# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The webhook of ansible-rulebook, which starts only with settings under which it may be reached by others.

The file stands alone, because ansible-rulebook runs it by its path.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import pathlib
import typing as t

DOCUMENTATION = r"""
---
short_description: A webhook that needs a token, and TLS where it listens for other machines
description:
  - The source eda.builtin.webhook of ansible-rulebook 1.3 or later, and a check of its settings before it starts.
  - It does not start without a token, without TLS on any address but that of the machine itself, or where the filter
    sfb.kb4023993.data_mcu_event would find no inventory.
  - An option that is empty counts as not given.
options:
  token:
    description:
      - What a sender has to give in the header C(Authorization), after C(Bearer). At least 32 characters, one of them a letter.
    type: str
    required: true
  port:
    description:
      - The TCP port.
    type: int
    required: true
  host:
    description:
      - The address to listen on.
    type: str
    default: 127.0.0.1
  certfile:
    description:
      - PEM file with the certificate of the webhook and those of its CAs. Needed on any address but a loopback address.
    type: str
  keyfile:
    description:
      - PEM file with its private key.
    type: str
  cafile:
    description:
      - PEM file with CAs. Senders then have to show a certificate of one of them, beside the token.
    type: str
"""

EXAMPLES = r"""
- sfb.kb4023993.data_mcu_webhook:
    port: 5000
    token: "{{ sfb_kb4023993_eda_token }}"
"""

_OPTIONS: t.Final = frozenset({"token", "port", "host", "certfile", "keyfile", "cafile"})
_TOKEN_LENGTH: t.Final = 32


async def main(queue: asyncio.Queue[t.Any], args: dict[str, t.Any]) -> None:
    """The entry point of ansible-rulebook."""
    # Here, so that the check can be used where ansible-rulebook is not installed.
    from ansible_rulebook.event_source import webhook

    settings = checked(args)
    check_inventory(os.environ.get("ANSIBLE_INVENTORY", ""))
    await webhook.main(queue, settings)


def check_inventory(path: str) -> None:
    """Whether the filter and the playbooks will see the same inventory.

    :raises ValueError: they will not; the text says what to set.
    """
    if not path:
        raise ValueError("The environment variable ANSIBLE_INVENTORY is not set: name the inventory by it, not by -i.")
    beside = [pathlib.Path(path).parent / name for name in ("group_vars", "host_vars")]
    if pathlib.Path(path).is_file() and any(folder.is_dir() for folder in beside):
        raise ValueError(
            "ANSIBLE_INVENTORY names a file beside which are group_vars or host_vars. ansible-rulebook hands on only what is named, "
            "so name the directory that holds all of them."
        )


def checked(args: dict[str, t.Any]) -> dict[str, t.Any]:
    """The settings for the webhook of ansible-rulebook.

    :raises ValueError: they are not such that it may start; the text says what to set, and holds no value.
    """
    given = {name: value for name, value in args.items() if value not in (None, "")}
    if unknown := given.keys() - _OPTIONS:
        raise ValueError(f"The webhook has no option {', '.join(sorted(unknown))}.")
    token = given.get("token")
    # ansible-rulebook turns text that is nothing but digits into a number, which no sender could match.
    if not isinstance(token, str) or len(token) < _TOKEN_LENGTH or not token.isascii() or " " in token:
        raise ValueError(
            f"The webhook needs a token of at least {_TOKEN_LENGTH} ASCII characters without blanks, one of them a letter: "
            "set sfb_kb4023993_eda_token."
        )
    port = given.get("port")
    if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65536:
        raise ValueError("sfb_kb4023993_eda_port is no number of a port.")
    host = given.setdefault("host", "127.0.0.1")
    if "certfile" not in given and (left := given.keys() & {"keyfile", "cafile"}):
        raise ValueError(
            f"The webhook has {' and '.join(sorted(left))}, but no certificate: set sfb_kb4023993_eda_certfile."
        )
    if "certfile" not in given and not _is_loopback(host):
        raise ValueError(
            "On any address but 127.0.0.1 or ::1 the webhook needs TLS: set sfb_kb4023993_eda_certfile and sfb_kb4023993_eda_keyfile."
        )
    return given


def _is_loopback(host: t.Any) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
