# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the tiers of tests and checks, print a table of them and a total: ``tiers.py [TIER...]``.

Without arguments all that ``make test`` promises runs. A failed tier fails the run, and the others still run.
With CI=true a tier that this machine cannot run fails too: there nothing may be left out unseen.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

from environments import ENVIRONMENTS, MATRIX, ROOT, Environment, InstallError, UnavailableError, ensure_all
from system_packages import SYSTEMS, ensure_system

_RESULTS = ROOT / "build" / "results"
_TIME_LIMIT_SECONDS = 900
_IN_CI = os.environ.get("CI") == "true"
_TOOLS = "tests/tools"
_BROWSER = "tests/unit/report/test_html_browser.py"
# Code of the tests that is more than tests.
_TYPED_TESTS = ("awx", "benchmark", "documentation", "eda", "fuzz", "lab", "contract", "wine", "powershell.lint")
_MAIN = ENVIRONMENTS["main"]
_QUALITY = ENVIRONMENTS["quality"]
_MOLECULE = ENVIRONMENTS["molecule"]
_FUZZ = ENVIRONMENTS["fuzz"]
# How long each target runs in `make test`, and how long its longest inputs are.
_FUZZ_SECONDS, _FUZZ_BYTES = 2, 100_000


@dataclass
class Outcome:
    """What one tier did: tests of pytest, or checks that are commands, counted alike.

    ``figures`` are sentences with numbers that tests recorded for people (``record_property("figure", ...)``).
    """

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    reasons: list[str] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True)
class Check:
    """A command that is right when it ends with 0."""

    name: str
    command: tuple[str, ...]
    environment: Environment = _MAIN
    variables: dict[str, str] = field(default_factory=dict)
    seconds: int = _TIME_LIMIT_SECONDS


@dataclass(frozen=True)
class Tier:
    """``needs`` names environments and sets of system packages; ``run`` does the work.

    ``default`` is whether `make test` includes it.
    """

    name: str
    needs: tuple[str, ...]
    run: Callable[[], Outcome]
    default: bool = True


def _lint() -> Outcome:
    package = "ansible_collections.sfb.kb4023993.plugins"
    packages = [f"--package={name}" for name in (f"{package}.plugin_utils", f"{package}.action", *_TYPED_TESTS)]
    own_names = str(ROOT / "playbooks" / "collections")
    # Only the objects for AWX may use what the package "ansible" carries: anywhere else it would be an undeclared dependency.
    carried = os.pathsep.join(map(str, (ROOT / ENVIRONMENTS["awx"].folder).glob("lib/python*/site-packages")))
    ansible_lint = ("ansible-lint", "--nocolor", "--offline", "--profile", "production")
    docs = ("lint-collection-docs", "--plugin-docs", "--validate-collection-refs=self", "--skip-rstcheck", ".")
    return _checks(
        Check("mypy", ("mypy", "--strict", *packages)),
        Check("mypy extensions/molecule", ("mypy", "--strict", "extensions/molecule")),
        Check("mypy extensions/eda", ("mypy", "--strict", "extensions/eda")),
        Check("mypy tests/tools", ("mypy", "--strict", _TOOLS), variables={"MYPYPATH": _TOOLS}),
        Check("findings page", ("python", f"{_TOOLS}/findings_page.py", "--check")),
        Check("ruff check", ("ruff", "check", ".")),
        Check("ruff format", ("ruff", "format", "--check", ".")),
        Check(
            "ansible-lint",
            (*ansible_lint, "--exclude", "extensions/awx"),
            _QUALITY,
            variables={"ANSIBLE_COLLECTIONS_PATH": own_names},
        ),
        Check(
            "ansible-lint extensions/awx",
            (*ansible_lint, "extensions/awx"),
            _QUALITY,
            variables={"ANSIBLE_COLLECTIONS_PATH": f"{own_names}{os.pathsep}{carried}"},
        ),
        Check("yamllint", ("yamllint", "--strict", "."), _QUALITY),
        Check("antsibull-docs", ("antsibull-docs", *docs), _QUALITY),
        Check("antsibull-changelog", ("antsibull-changelog", "lint"), _QUALITY),
    )


def _docs() -> Outcome:
    built = _checks(Check("documentation site", ("python", f"{_TOOLS}/docs_site.py")))
    if built.failed:
        return built
    outcome = _pytest("docs", "tests/documentation", variables={"SFB_DOCS": str(ROOT / "build" / "docs")})()
    outcome.passed += built.passed
    return outcome


def _molecule() -> Outcome:
    scenarios = sorted(file.parent.name for file in (ROOT / "extensions" / "molecule").glob("*/molecule.yml"))
    if not scenarios:
        return Outcome(failed=1, reasons=["no scenario was found: a tier that runs nothing proves nothing"])
    # Without it molecule keeps its own files in the home directory, by nothing but the name of the clone's folder.
    variables = {"ANSIBLE_HOME": str(ROOT / "build" / "molecule-home"), "NO_COLOR": "1"}
    test = ("molecule", "test", "--no-command-borders", "--scenario-name")
    return _checks(*(Check(f"molecule {name}", (*test, name), _MOLECULE, variables) for name in scenarios))


def _fuzz() -> Outcome:
    """Every reader of foreign data under the fuzzer; ``make fuzz`` says for how long, which one, and with which input alone."""
    targets = sorted(path.stem for path in (ROOT / "tests" / "fuzz" / "targets").glob("[!_]*.py"))
    wanted, single = os.environ.get("FUZZ_TARGET", ""), os.environ.get("FUZZ_INPUT", "")
    if wanted and wanted not in targets:
        return Outcome(failed=1, reasons=[f"there is no target {wanted}; there are {', '.join(targets)}"])
    if single and not wanted:
        return Outcome(failed=1, reasons=["an input needs its target: make fuzz TARGET=... INPUT=..."])
    long = int(os.environ.get("FUZZ_SECONDS") or 0)
    seconds = long or _FUZZ_SECONDS
    command = ["python", "-m", "fuzz", "--seconds", str(seconds)]
    command += ["--keep"] if long else ["--stretched", str(_FUZZ_BYTES)]
    command += ["--input", single] if single else []
    chosen = [wanted] if wanted else targets
    paths = os.pathsep.join(map(str, (ROOT / "tests", ROOT / "playbooks" / "collections")))
    limit = seconds + _TIME_LIMIT_SECONDS
    outcome = _checks(
        *(Check(f"fuzz {name}", (*command, name), _FUZZ, {"PYTHONPATH": paths}, limit) for name in chosen)
    )
    if not single:
        figures = [ROOT / "build" / "fuzzing" / name / "figure.txt" for name in chosen]
        outcome.figures += [f"fuzzing, {path.read_text('utf-8').strip()}" for path in figures if path.is_file()]
    return outcome


def _galaxy() -> Outcome:
    # One after the other: each step works on what the one before left.
    outcome = Outcome()
    for step in ("build", "import", "doc"):
        part = _checks(Check(f"artefact {step}", ("python", f"{_TOOLS}/artefact.py", step), _QUALITY))
        outcome.passed += part.passed
        outcome.failed += part.failed
    return outcome


def _ansible_test(*runs: tuple[str, str]) -> Callable[[], Outcome]:
    """Commands of ansible-test with the environments to run them from; the longest should come first."""

    def run() -> Outcome:
        return _checks(
            *(
                Check(f"ansible-test {command}, {name}", ("python", f"{_TOOLS}/ansible_test.py", command, name))
                for command, name in runs
            )
        )

    return run


def _pytest(
    name: str, *arguments: str, ansible: Environment = _MAIN, variables: Mapping[str, str] | None = None
) -> Callable[[], Outcome]:
    def run() -> Outcome:
        _RESULTS.mkdir(parents=True, exist_ok=True)
        report = _RESULTS / f"{name}.xml"
        report.unlink(missing_ok=True)
        command = ["python", "-m", "pytest", "-n", "2", f"--junitxml={report}", *arguments]
        playbook = {"ANSIBLE_PLAYBOOK": str(ansible.bin / "ansible-playbook")}
        code = _execute(command, _variables(_MAIN, {**playbook, **(variables or {})}))
        outcome = _read_report(report)
        faults = []
        if code == 5:
            faults.append("no test was found: a tier that runs nothing proves nothing")
        elif code and not outcome.failed:
            faults.append(f"pytest ended with exit code {code}")
        if outcome.skipped and _IN_CI:
            faults.append("tests were skipped, and with CI=true all of this tier must run")
        outcome.failed += bool(faults)
        outcome.reasons += faults
        return outcome

    return run


def _read_report(report: Path) -> Outcome:
    if not report.is_file():
        return Outcome()
    root = ElementTree.parse(report)
    suite = next(root.iter("testsuite"))
    tests, failed, skipped = (int(suite.get(key, "0")) for key in ("tests", "failures", "skipped"))
    failed += int(suite.get("errors", "0"))
    figures = [item.get("value", "") for item in root.iter("property") if item.get("name") == "figure"]
    passed = max(tests - failed - skipped, 0)
    return Outcome(passed=passed, failed=failed, skipped=skipped, reasons=_skip_reasons(root), figures=figures)


def _skip_reasons(root: ElementTree.ElementTree[ElementTree.Element]) -> list[str]:
    """Why tests were skipped, each reason once, with how many tests it kept from running."""
    messages = [item.get("message", "") for item in root.iter("skipped")]
    return [f"{messages.count(message)} skipped: {message}" for message in dict.fromkeys(messages)]


def _tiers() -> list[Tier]:
    judges = {
        "SFB_CERTIPY": str(ENVIRONMENTS["certipy"].bin / "certipy"),
        "SFB_KERBEROS_PYTHON": str(ENVIRONMENTS["kerberos"].bin / "python"),
    }
    matrix = [
        Tier(
            name,
            ("main", name),
            _pytest(name, "-m", "matrix", "tests/integration", ansible=ENVIRONMENTS[name]),
            # The oldest and the newest; the one between them by name, to keep the whole within its time.
            default=name != "core-2.18",
        )
        for name in MATRIX
    ]
    return [
        Tier("lint", ("main", "quality", "awx"), _lint),
        Tier("unit", ("main",), _pytest("unit", f"--ignore={_BROWSER}", "tests/unit")),
        Tier("fuzz", ("main", "fuzz"), _fuzz),
        Tier("browser", ("main", "chromium"), _pytest("browser", _BROWSER)),
        Tier("powershell", ("main",), _pytest("powershell", "-m", "not wine", "tests/powershell", "tests/contract")),
        Tier("wine", ("main", "wine"), _pytest("wine", "-m", "wine", "tests/wine", "tests/contract")),
        Tier(
            "directory",
            ("main", "samba", "certipy", "kerberos-headers", "kerberos"),
            _pytest("directory", "tests/directory", variables=judges),
        ),
        Tier("integration", ("main",), _pytest("integration", "tests/integration")),
        Tier("molecule", ("main", "molecule"), _molecule),
        Tier(
            "awx",
            ("main", "awx"),
            _pytest("awx", "tests/awx", variables={"SFB_AWX_PROGRAMS": str(ENVIRONMENTS["awx"].bin)}),
        ),
        Tier(
            "eda",
            ("main", "java", "eda"),
            _pytest("eda", "tests/eda", variables={"SFB_EDA_PROGRAMS": str(ENVIRONMENTS["eda"].bin)}),
        ),
        Tier("docs", ("main", "docs", "chromium"), _docs),
        *matrix,
        Tier("galaxy", ("main", "quality"), _galaxy),
        # The oldest and the newest ansible-core; the others by name, to keep the whole within its time.
        Tier(
            "sanity",
            ("main", MATRIX[0], MATRIX[-1]),
            _ansible_test(("sanity", MATRIX[0]), ("sanity", MATRIX[-1]), ("units", MATRIX[0])),
        ),
        Tier(
            "sanity-matrix",
            ("main", *MATRIX),
            _ansible_test(*(("sanity", name) for name in ("main", *MATRIX[1:-1]))),
            default=False,
        ),
    ]


def _checks(*checks: Check) -> Outcome:
    """Run commands two at a time; the output of one that fails is shown whole, that of the others not at all."""
    outcome = Outcome()
    with ThreadPoolExecutor(max_workers=2) as pool:
        for check, (code, output, seconds) in zip(checks, pool.map(_capture, checks), strict=True):
            print(f"{'ok    ' if code == 0 else 'FAILED'} {check.name} ({seconds:.1f} s)", flush=True)
            if code:
                print(output, flush=True)
                outcome.failed += 1
            else:
                outcome.passed += 1
    return outcome


def _capture(check: Check) -> tuple[int, str, float]:
    started = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        variables = _variables(check.environment, check.variables)
        code = _execute(check.command, variables, output, check.seconds)
        output.seek(0)
        return code, output.read(), time.monotonic() - started


def _execute(
    command: Sequence[str],
    variables: dict[str, str],
    output: IO[str] | None = None,
    seconds: int = _TIME_LIMIT_SECONDS,
) -> int:
    # In a session of its own, so that the time limit also ends what the command started.
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        start_new_session=True,
    )
    try:
        return process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        print(f"{command[0]} did not end within {seconds} s and is stopped.", file=output, flush=True)
        return 1
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _variables(environment: Environment, more: dict[str, str]) -> dict[str, str]:
    path = f"{environment.bin}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", **more}


def _run(tier: Tier, unavailable: Mapping[str, Exception]) -> Outcome:
    print(f"\n=== {tier.name} ===", flush=True)
    missing = [unavailable[name] for name in tier.needs if name in unavailable]
    if missing:
        hopeless = _IN_CI or not all(isinstance(error, UnavailableError) for error in missing)
        for error in missing:
            print(f"{'FAILED' if hopeless else 'SKIPPED'} {error}", flush=True)
        reasons = [str(error).splitlines()[0] for error in missing]
        return Outcome(failed=int(hopeless), skipped=int(not hopeless), reasons=reasons)
    started = time.monotonic()
    outcome = tier.run()
    outcome.seconds = time.monotonic() - started
    return outcome


def _print_table(outcomes: dict[str, Outcome]) -> None:
    width = max(len(name) for name in outcomes)
    print(f"\n{'tier':{width}}  result   seconds  passed  failed  skipped")
    for name, outcome in outcomes.items():
        result = "FAILED" if outcome.failed else "passed" if outcome.passed else "skipped"
        numbers = f"{outcome.seconds:7.1f}  {outcome.passed:6}  {outcome.failed:6}  {outcome.skipped:7}"
        print(f"{name:{width}}  {result:7}  {numbers}")
    figures = dict.fromkeys(figure for outcome in outcomes.values() for figure in outcome.figures)
    if figures:
        print("\nFigures of this run:", *figures, sep="\n  ")
    reasons = [f"{name}: {reason}" for name, outcome in outcomes.items() for reason in outcome.reasons]
    if reasons:
        print("\nWhat did not run, or not as it should:", *reasons, sep="\n  ")
    print(f"\nAll tiers together took {sum(outcome.seconds for outcome in outcomes.values()) / 60:.1f} minutes.")
    total = [sum(getattr(outcome, key) for outcome in outcomes.values()) for key in ("passed", "failed", "skipped")]
    print("\n{} passed, {} failed, {} skipped".format(*total), flush=True)


def _prepare(needed: Sequence[str]) -> dict[str, Exception]:
    """Have everything there; what could not be had is the exception that says why."""
    unavailable: dict[str, Exception] = {}
    for name in needed:
        if name in SYSTEMS:
            try:
                ensure_system(name)
            except (UnavailableError, InstallError) as error:
                unavailable[name] = error
    # After the packages, because some environments build with them.
    made = ensure_all([name for name in needed if name not in SYSTEMS])
    return unavailable | {name: got for name, got in made.items() if isinstance(got, Exception)}


def _main(wanted: list[str]) -> int:
    tiers = _tiers()
    unknown = set(wanted) - {tier.name for tier in tiers}
    if unknown:
        print(
            f"Unknown: {', '.join(sorted(unknown))}. The tiers are: {', '.join(t.name for t in tiers)}", file=sys.stderr
        )
        return 2
    chosen = [tier for tier in tiers if (tier.name in wanted if wanted else tier.default)]
    needed = list(dict.fromkeys(name for tier in chosen for name in tier.needs))
    unavailable = _prepare(needed)
    outcomes = {tier.name: _run(tier, unavailable) for tier in chosen}
    _print_table(outcomes)
    return 1 if any(outcome.failed for outcome in outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
