# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings of the documentation site. tests/tools/docs_site.py gathers the pages and calls Sphinx."""

from __future__ import annotations

import pathlib
import re
import typing as t

import yaml
from docutils import nodes

if t.TYPE_CHECKING:
    from sphinx.application import Sphinx

_HERE = pathlib.Path(__file__).resolve().parent
_GALAXY = yaml.safe_load((_HERE.parents[1] / "galaxy.yml").read_text("utf-8"))

project = "sfb.kb4023993"
author = "the sfb.kb4023993 contributors"
copyright = f"2026, {author}"  # noqa: A001
version = release = _GALAXY["version"]

extensions = ["myst_parser", "sphinx_antsibull_ext"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_heading_anchors = 4
# Blocks without a language are of many kinds: commands, output, inventories. Guessing would colour some of them wrongly.
highlight_language = "none"

nitpicky = True
# Words stay as they are typed: "--check" is no dash, and a straight quotation mark belongs into a shell.
smartquotes = False

html_theme = "furo"
html_title = f"KB4023993 with Ansible, {release}"
html_static_path = [str(_HERE / "style.css")]
html_css_files = ["style.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"footer_icons": []}

# What antsibull-docs refers to and Ansible documents. The site is built without asking anybody, so the addresses are here.
_ANSIBLE = "https://docs.ansible.com/ansible/latest"
_ELSEWHERE = {
    "action_plugins": f"{_ANSIBLE}/plugins/action.html",
    "ansible_configuration_settings": f"{_ANSIBLE}/reference_appendices/config.html",
    "common_return_values": f"{_ANSIBLE}/reference_appendices/common_return_values.html",
}
_MODULE = re.compile(r"ansible_collections\.(ansible)\.(builtin|windows)\.(\w+_(?:module|connection))")


def _elsewhere(
    _app: Sphinx, _environment: object, node: nodes.Element, content: nodes.Element
) -> nodes.reference | None:
    target = node["reftarget"]
    module = _MODULE.fullmatch(target)
    address = f"{_ANSIBLE}/collections/{'/'.join(module.groups())}.html" if module else _ELSEWHERE.get(target)
    return nodes.reference("", "", content, internal=False, refuri=address) if address else None


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("missing-reference", _elsewhere)
