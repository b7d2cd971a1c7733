# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The YAML files that come with this collection, read quickly: every process of a run reads them again, one for each host."""

from __future__ import annotations

import typing as t

import yaml

# The parser in C takes a tenth of the time. It is in nearly every PyYAML, and it is no harm where it is not.
_LOADER: t.Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse_yaml(text: str) -> t.Any:
    """Give the document of a text; raises ``yaml.YAMLError`` when it is none."""
    return yaml.load(text, Loader=_LOADER)
