# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that fuzzes one target: ``python -m fuzz.child NAME FOLDER STRETCHED [libFuzzer options]``.

With the word ``input`` it gives the file of that name to the reader and ends. Before libFuzzer begins, it gives the seeds and the long inputs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import faulthandler
import importlib
import sys
import time
import typing as t
import warnings
from pathlib import Path

import atheris

# The tests' builders are not what is tested; only the collection counts for coverage.
with atheris.instrument_imports(include=["ansible_collections"]):
    NAME = sys.argv[1]
    _MODULE = importlib.import_module(f"fuzz.targets.{NAME}")

from ansible_collections.sfb.kb4023993.plugins.plugin_utils.codec import prepare

from fuzz.harness import Target, install_guard, run_one, stretched

# For one long input, many times what any of them needs, and far less than what grows with its square.
_SECONDS: t.Final = 10


def _main() -> None:
    folder, length, options = Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    target: Target = _MODULE.TARGET
    warnings.simplefilter("ignore")
    seeds = list(target.seeds())
    # Once without the guard: what is only imported, or worked out from the types of a record, when it is needed comes here.
    _prepare_records()
    for seed in seeds:
        with contextlib.suppress(*target.refusals):
            target.read(seed)
    install_guard()
    if options == ["input"]:
        run_one(target, (folder / "input").read_bytes())
        return
    place = folder / "seeds"
    place.mkdir()
    for number, seed in enumerate(seeds):
        (place / f"{number:03}").write_bytes(seed)
    _stretch(target, seeds, folder, length)
    if target.words:
        words = folder / "words"
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.words), "ascii")
        options.append(f"-dict={words}")

    def test_one_input(data: bytes) -> None:
        run_one(target, data)

    atheris.Setup([sys.argv[0], f"-max_len={target.longest}", *options], test_one_input)
    atheris.Fuzz()


def _prepare_records() -> None:
    """Python evaluates the types of a record when it is first read."""
    for name, module in list(sys.modules.items()):
        if name.startswith("ansible_collections."):
            for found in list(vars(module).values()):
                # Some are no records that are ever kept, so they have types without a form in JSON.
                if isinstance(found, type) and dataclasses.is_dataclass(found):
                    with contextlib.suppress(TypeError, NameError):
                        prepare(found)


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def _stretch(target: Target, seeds: list[bytes], folder: Path, length: int) -> None:
    """Long inputs, each within a time that a reader needs whose work grows with the length alone."""
    current = folder / "long-input"
    slowest, what = 0.0, ""
    for recipe, data in stretched(target, seeds, length):
        current.write_bytes(data)
        (folder / "long-input.txt").write_text(recipe, "utf-8")
        # Says where, and ends the process also inside of a regular expression.
        faulthandler.dump_traceback_later(_SECONDS, exit=True)
        started = time.perf_counter()
        run_one(target, data)
        faulthandler.cancel_dump_traceback_later()
        if time.perf_counter() - started > slowest:
            slowest, what = time.perf_counter() - started, recipe
    current.unlink(missing_ok=True)
    print(f"LONG {slowest:.2f} s at most: {what}", flush=True)


if __name__ == "__main__":
    _main()
