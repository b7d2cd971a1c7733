# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands in for the ssh program: ``ssh [options] host command`` runs the command on a host of the lab.

The lab's control port is taken from the port that ssh is told to use; the host is the destination. It runs as a
program of its own, so it imports nothing but the standard library.
"""

from __future__ import annotations

import base64
import getopt
import http.client
import json
import os
import sys
import time

_OPTIONS = "46AaCfGgKkMNnqsTtVvXxYyB:b:c:D:E:e:F:I:i:J:L:l:m:O:o:P:p:Q:R:S:W:w:"
_FAILED = 255


def main(arguments: list[str]) -> int:
    try:
        options, rest = getopt.getopt(arguments, _OPTIONS)
    except getopt.GetoptError as error:
        return _fail(str(error))
    settings: dict[str, str] = {}
    for name, value in options:
        if name == "-o":
            key, _, setting = value.replace("=", " ", 1).partition(" ")
            settings[key.lower()] = setting.strip('"')
        else:
            settings[name] = value
    if "-V" in settings:
        print("OpenSSH_lab", file=sys.stderr)
        return 0
    if "-O" in settings:
        return _fail("Control socket connect: No such file or directory")
    port = settings.get("-p") or settings.get("port")
    if len(rest) < 2 or not port:
        return _fail("Usage: ssh -o Port=<control port of the lab> [options] host command")
    user, _, host = rest[0].rpartition("@")
    user = user or settings.get("-l") or settings.get("user") or ""
    stdin = b"" if sys.stdin.isatty() else sys.stdin.buffer.read()
    request = {"host": host, "user": user, "command": " ".join(rest[1:]), "stdin": base64.b64encode(stdin).decode()}
    connection = http.client.HTTPConnection("127.0.0.1", int(port))
    try:
        connection.request("POST", "/execute", json.dumps(request), {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, ValueError) as error:
        return _fail(f"ssh: connect to host {host} port {port}: {error}")
    if response.status != http.client.OK:
        return _fail(f"ssh: {answer.get('error', response.reason)}")
    if answer["endless"]:
        return _print_for_ever(size=answer["endless"]["bytes"] or 65536, seconds=answer["endless"]["seconds"])
    sys.stdout.buffer.write(base64.b64decode(answer["stdout"]))
    sys.stderr.buffer.write(base64.b64decode(answer["stderr"]))
    # A process of Linux ends with 8 bits; an exit code of Windows has 32, and sshd passes them on.
    return int(answer["exit_code"]) & 0xFF


def _print_for_ever(*, size: int, seconds: float) -> int:
    line = b"A program of this server prints this line again and again.\r\n"
    piece = (line * (size // len(line) + 1))[:size]
    try:
        while True:
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            time.sleep(seconds)
    except BrokenPipeError:
        os._exit(_FAILED)


def _fail(message: str) -> int:
    print(message, file=sys.stderr)
    return _FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
