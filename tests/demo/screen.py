# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the demonstration speaks to a person."""

from __future__ import annotations


def title(text: str) -> None:
    print(f"\n{'=' * 118}\n{text}\n{'=' * 118}", flush=True)


def expect(condition: bool, what: str) -> None:
    """Say what was seen, or end the demonstration because it was not."""
    if not condition:
        raise SystemExit(f"  NOT as it should be: {what}")
    print(f"  seen: {what}", flush=True)
