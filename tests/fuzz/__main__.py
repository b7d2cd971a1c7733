# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuzz one target: ``python -m fuzz NAME [--seconds N] [--stretched N] [--keep] [--input BASE64|@FILE]``.

What it found is printed as base64 and hexadecimal, with how to run it again. ``build/fuzzing/NAME`` holds the inputs; with ``--keep`` it
begins with those of earlier runs that reached new code. ``figure.txt`` there says how many inputs ran and how much they reached.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import os
import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

ROOT: t.Final = Path(__file__).resolve().parents[2]
_TARGETS: t.Final = Path(__file__).parent / "targets"
_MEGABYTES: t.Final = 1024
_INPUT_SECONDS: t.Final = 10
_STATUS: t.Final = re.compile(r"^#(\d+)\s+\w+\s+cov: (\d+) ft: (\d+).*?exec/s: (\d+)", re.MULTILINE)
# A person sees at once what a short input is; of a long one the file is what counts.
_SHOWN: t.Final = 3000


def names() -> list[str]:
    """The names of all targets."""
    return sorted(path.stem for path in _TARGETS.glob("[!_]*.py"))


def main(arguments: t.Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Fuzz one reader.")
    parser.add_argument("name", choices=names())
    parser.add_argument("--seconds", type=int, default=60, help="how long libFuzzer makes inputs")
    parser.add_argument("--stretched", type=int, default=1_000_000, help="bytes of the long inputs")
    parser.add_argument("--keep", action="store_true", help="begin with what earlier runs have found")
    parser.add_argument("--input", help="run only this input: base64, or @FILE")
    chosen = parser.parse_args(arguments)
    folder = ROOT / "build" / "fuzzing" / chosen.name
    if chosen.input is not None:
        return _again(chosen.name, folder, chosen.input, parser)
    for old in folder.glob("*"):
        if old.name != "corpus" or not chosen.keep:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    corpus, found = folder / "corpus", folder / "found"
    for place in (corpus, found):
        place.mkdir(parents=True, exist_ok=True)
    done = _child(
        chosen.name,
        folder,
        chosen.stretched,
        # The same inputs in every run, as far as the seeds are: certificates have new keys each time.
        "-seed=1",
        f"-max_total_time={chosen.seconds}",
        f"-timeout={_INPUT_SECONDS}",
        f"-rss_limit_mb={_MEGABYTES}",
        f"-malloc_limit_mb={_MEGABYTES}",
        f"-artifact_prefix={found}{os.sep}",
        str(corpus),
        str(folder / "seeds"),
    )
    if done.returncode:
        _tell(chosen.name, folder, done)
        return 1
    figure = _figure(chosen.name, done.stdout)
    (folder / "figure.txt").write_text(f"{figure}\n", "utf-8")
    print(figure)
    return 0


def _child(name: str, folder: Path, stretched: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = [str(ROOT / "tests"), str(ROOT / "playbooks" / "collections")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": "1"}
    command = [sys.executable, "-m", "fuzz.child", name, str(folder), str(stretched), *arguments]
    return subprocess.run(
        command,
        env=environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def _again(name: str, folder: Path, text: str, parser: argparse.ArgumentParser) -> int:
    """Run one input, and show what came of it."""
    try:
        data = Path(text[1:]).read_bytes() if text.startswith("@") else base64.b64decode(text, validate=True)
    except (OSError, binascii.Error) as error:
        parser.error(f"--input: {error}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "input").write_bytes(data)
    done = _child(name, folder, 0, "input")
    print(_without_noise(done.stdout))
    print(f"{name}: {len(data)} bytes: {'FAILED' if done.returncode else 'nothing wrong'}")
    return 1 if done.returncode else 0


def _without_noise(output: str) -> str:
    """Atheris names every module that it follows, and libFuzzer every input that reached something new."""
    return "".join(line for line in output.splitlines(keepends=True) if not re.match(r"INFO: |#\d+\t", line))


def _figure(name: str, output: str) -> str:
    counts, long = _STATUS.findall(output), re.search(r"^LONG (.*)$", output, re.MULTILINE)
    if not counts:
        raise ValueError(f"{name}: libFuzzer ran no input:\n{output}")
    runs, covered, features, speed = counts[-1]
    longest = f"; long inputs: {long[1]}" if long else ""
    return f"{name}: {runs} inputs, {speed} a second, {covered} edges of code and {features} features{longest}"


def _tell(name: str, folder: Path, done: subprocess.CompletedProcess[str]) -> None:
    """What went wrong, with which input, and how to see it again."""
    print(_without_noise(done.stdout)[-20_000:])
    inputs = sorted((folder / "found").iterdir()) + sorted(folder.glob("long-input"))
    print(f"{name}: FAILED (exit code {done.returncode})")
    if not inputs:
        print("It failed with one of its own seeds, or before it began: see above.")
    for path in inputs:
        data = path.read_bytes()
        place = path.relative_to(ROOT)
        print(f"\nThe input has {len(data)} bytes and is kept in {place}.")
        if path.name == "long-input":
            print(f"It is {path.with_suffix('.txt').read_text('utf-8')}.")
        if len(data) <= _SHOWN:
            print(f"In hexadecimal: {data.hex()}\nIn base64: {base64.b64encode(data).decode('ascii')}")
            print(f"Again: make fuzz TARGET={name} INPUT={base64.b64encode(data).decode('ascii')}")
        else:
            print(f"It begins with {data[:200].hex()}\nAgain: make fuzz TARGET={name} INPUT=@{place}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
