# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A comparison and a forecast as files of their own: text, Markdown and JSON. The same record gives the same text."""

from __future__ import annotations

import json
import typing as t

from ..codec import encode
from ..compare import Comparison
from ..what_if import Forecast
from .markdown import heading_markdown, parts_markdown
from .parts import Part, compared_title, forecast_parts, since_parts, since_sentence
from .text import parts_text


def comparison_forms(comparison: Comparison) -> dict[str, str]:
    """By the name of the file."""
    title = compared_title(comparison)
    return _forms("compare", comparison, title, since_sentence(comparison), since_parts(comparison))


def forecast_forms(forecast: Forecast) -> dict[str, str]:
    """By the name of the file."""
    saved = f"By saved evidence from {forecast.evidence_from_utc} to {forecast.evidence_to_utc}. No server was asked."
    return _forms("what_if", forecast, forecast.sentence, saved, forecast_parts(forecast))


def _forms(name: str, record: t.Any, title: str, sentence: str, parts: t.Sequence[Part]) -> dict[str, str]:
    markdown = [*heading_markdown(title, sentence, level=1), *parts_markdown(parts, level=2)]
    return {
        f"{name}.txt": parts_text(title, sentence, parts) + "\n",
        f"{name}.md": "\n\n".join(markdown) + "\n",
        f"{name}.json": json.dumps(encode(record), indent=1, ensure_ascii=True) + "\n",
    }
