# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""A Wine prefix that looks like a server: its own registry, service manager, certificate stores and files, on this machine's Wine.

    with Prefix.create(folder, look=ServerLook(name="FE01")) as server:
        server.start()
        server.import_registry({r"SOFTWARE\X": {"name": registry_file.dword(1)}})
        server.engine().run(operations.System())

Everything happens in the folder; there is no drive but C:, so nothing inside can see the disk of this machine. Not Windows: see
docs/development.md for what Wine does not have.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from types import TracebackType

from lab.live import Program
from powershell.runner import Engine

from wine import registry_file
from wine.registry_file import Keys, Raw, dword, string

ENGINE = r"C:\pwsh\pwsh.exe"
"""Where the PowerShell engine lies in a prefix."""

_BOOT_SECONDS = 120.0
_LASTING_SECONDS = 900
_LOCALE = Path("/usr/lib/locale/C.utf8")
_LOCALE_ID = {"en_US": "0409", "de_DE": "0407", "ja_JP": "0411"}
_CURRENT_VERSION = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion"
_COMPUTER_NAME = r"SYSTEM\CurrentControlSet\Control\ComputerName"
# Environment variables of this process that would reach into the prefix.
_FOREIGN = re.compile(r"(WINE|DOTNET_|COMPlus_|LC_|LANG)")


class WineError(Exception):
    """Wine, or something in a prefix, did not do what a test needs."""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a program in a prefix ended. ``text`` is its output, of which only ASCII is sure: programs use several code pages."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        return self.stdout.decode("ascii", "replace")


@dataclass(frozen=True, kw_only=True)
class ServerLook:
    """Which server a prefix looks like. ``language``: ``en_US``, ``de_DE`` or ``ja_JP``.

    With the language come .NET's cultures, the form of numbers and dates, and Wine's own translations of Windows' error messages;
    messages of .NET and PowerShell themselves stay English. ``ubr`` None: before Windows 10 / Server 2016, where also the numbers
    of the major and minor version are missing.
    """

    name: str
    domain: str = "contoso.com"
    product: str = "Windows Server 2012 R2 Standard"
    version: str = "6.3"
    build: int = 9600
    ubr: int | None = None
    machine_guid: str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
    language: str = "en_US"
    time_zone: str = "Etc/UTC"

    def _keys(self) -> dict[str, dict[str, Raw]]:
        """What stays in the registry."""
        current = {
            "ProductName": string(self.product),
            "CurrentVersion": string(self.version),
            "CurrentBuild": string(str(self.build)),
            "CurrentBuildNumber": string(str(self.build)),
            "CSDVersion": string("Service Pack 1" if self.build == 7601 else ""),
        }
        if self.ubr is not None:
            current |= {
                "UBR": dword(self.ubr),
                "CurrentMajorVersionNumber": dword(10),
                "CurrentMinorVersionNumber": dword(0),
            }
        language = string(_LOCALE_ID[self.language])
        return {
            _CURRENT_VERSION: current,
            r"SYSTEM\CurrentControlSet\Control\ProductOptions": {"ProductType": string("ServerNT")},
            r"SOFTWARE\Microsoft\Cryptography": {"MachineGuid": string(self.machine_guid)},
            r"SYSTEM\CurrentControlSet\Control\Nls\Language": {"Default": language, "InstallLanguage": language},
        }

    def _names(self) -> dict[str, dict[str, Raw]]:
        """What Wine sets to this machine's name at every start."""
        name = {"ComputerName": string(self.name)}
        return {
            rf"{_COMPUTER_NAME}\ActiveComputerName": name,
            rf"{_COMPUTER_NAME}\ComputerName": name,
            r"SYSTEM\CurrentControlSet\Services\Tcpip\Parameters": {
                "Hostname": string(self.name),
                "NV Hostname": string(self.name),
                "Domain": string(self.domain),
            },
        }


def missing() -> str | None:
    """What this machine lacks for a prefix, as a sentence; None when it has everything."""
    if not shutil.which("wine") or not shutil.which("wineserver"):
        return "Wine is not installed: sudo apt-get install --no-install-recommends wine64 wine"
    if not os.environ.get("SFB_PWSH_EXE"):
        return "no PowerShell engine for Windows: set SFB_PWSH_EXE to a pwsh.exe"
    if not _LOCALE.is_dir():
        return f"the locale {_LOCALE} of Debian and Ubuntu is missing: sudo apt-get install libc-bin"
    return None


class Prefix:
    """One prefix. Make it with :meth:`create` or :meth:`clone`; use it between :meth:`start` and :meth:`stop`."""

    def __init__(self, folder: Path, look: ServerLook) -> None:
        self.folder = folder
        self.look = look
        self._files = 0
        self._clones: list[Prefix] = []

    @classmethod
    def create(cls, folder: Path, *, look: ServerLook) -> Prefix:
        """Let Wine set up a new prefix (about 10 seconds). It is not running afterwards.

        :raises WineError: if Wine cannot.
        """
        (folder / "home").mkdir(parents=True)
        with cls(folder, look) as prefix:
            prefix._write_locale()
            prefix._started("wineboot", "--init")
            prefix.import_registry(look._keys())
            prefix._install_engine(Path(os.environ["SFB_PWSH_EXE"]))
        return prefix

    def clone(self, folder: Path, *, look: ServerLook | None = None) -> Prefix:
        """A copy of this prefix, which must not be running, in less than a second.

        Files are shared by hard links: programs of a test write new files and never into the old ones. The registry is copied.
        """
        twin = Prefix(folder, look or self.look)
        shutil.copytree(self.folder, folder, symlinks=True, copy_function=_link_or_copy)
        self._clones.append(twin)
        twin._write_locale()
        if twin.look != self.look:
            twin.start()
            twin.import_registry(twin.look._keys())
            if twin.look.ubr is None:
                for name in ("UBR", "CurrentMajorVersionNumber", "CurrentMinorVersionNumber"):
                    twin.reg("delete", rf"HKLM\{_CURRENT_VERSION}", "/v", name, "/f")
            twin.stop()
        return twin

    def __enter__(self) -> Prefix:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def variables(self) -> dict[str, str]:
        """What programs of this prefix need in their environment."""
        return {
            "WINEPREFIX": str(self.folder),
            "WINEARCH": "win64",
            "WINEDEBUG": "-all",
            "DISPLAY": "",
            "HOME": str(self.folder / "home"),
            "LC_ALL": f"{self.look.language}.UTF-8",
            "LOCPATH": str(self.folder / "locale"),
            "TZ": self.look.time_zone,
            # Wine's event log is empty, and the reason that it gives for that is whatever went wrong before.
            "WINEDLLOVERRIDES": "wevtapi=",
            # Without it a garbage collection crashes.
            "DOTNET_EnableWriteXorExecute": "0",
        }

    @property
    def drive(self) -> Path:
        """The folder that is C:."""
        return self.folder / "drive_c"

    def start(self) -> None:
        """Start the services of the prefix, and keep them running: without that each command would start them anew."""
        # Not for ever: it must end some time where the tests were killed.
        self._started("wineserver", f"--persistent={_LASTING_SECONDS}")
        self._started("wine", "wineboot")
        self.import_registry(self.look._names())

    def stop(self) -> None:
        """End everything that runs in this prefix. Harmless when nothing does."""
        for option, seconds in (("--kill", 30.0), ("--wait", 30.0)):
            subprocess.run(
                ["wineserver", option], env=self._environment(), capture_output=True, timeout=seconds, check=False
            )

    def remove(self) -> None:
        """Stop and delete this prefix and its clones: each looks as large as 700 MB."""
        for prefix in (*self._clones, self):
            prefix.stop()
            shutil.rmtree(prefix.folder)

    def restart(self) -> None:
        """As if the server had booted: automatic services are started."""
        self.stop()
        self.start()

    def path(self, windows_path: str) -> Path:
        """Where a file or folder of C: lies on this machine; found without regard to case, as Windows does."""
        parts = PureWindowsPath(windows_path).parts
        assert parts[0].upper() == "C:\\", windows_path
        path = self.drive
        for part in parts[1:]:
            known = {entry.name.lower(): entry for entry in path.iterdir()} if path.is_dir() else {}
            path = known.get(part.lower(), path / part)
        return path

    def write(self, windows_path: str, content: bytes) -> Path:
        """Write a file with the folders above it; one that exists is replaced, not written into."""
        path = self.path(windows_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        return path

    def wine(self, *words: str, stdin: bytes = b"", seconds: float = 60.0) -> Ran:
        """Run a Windows program to its end.

        :raises subprocess.TimeoutExpired: if it takes longer; it is ended then.
        """
        done = subprocess.run(
            ["wine", *words],
            input=stdin,
            capture_output=True,
            timeout=seconds,
            check=False,
            cwd=self.drive,
            env=self._environment(),
        )
        return Ran(code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    def reg(self, *words: str) -> Ran:
        """Wine's reg.exe. Judge by its exit code: its messages are other ones than Windows'."""
        return self.wine("reg", *words)

    def import_registry(self, keys: Keys) -> None:
        """Write values of any kind below HKEY_LOCAL_MACHINE with reg.exe.

        :raises WineError: if it could not.
        """
        file = self._next_file("import")
        place = self.write(file, registry_file.write(keys))
        self._checked("reg", "import", file)
        place.unlink()

    def export_registry(self, path: str) -> dict[str, dict[str, Raw]]:
        """A key below HKEY_LOCAL_MACHINE and all keys below it, read by reg.exe; empty when there is no such key.

        reg.exe repairs what it exports: strings get the zero at their end, short dwords their four bytes.
        """
        if self.reg("query", rf"HKLM\{path}").code:
            return {}
        file = self._next_file("export")
        self._checked("reg", "export", rf"HKLM\{path}", file, "/y")
        content = self.path(file).read_bytes()
        self.path(file).unlink()
        return registry_file.read(content)

    def value(self, path: str, name: str) -> Raw | None:
        """One value, read by reg.exe; names are compared without case, as Windows does."""
        exported = {key.lower(): values for key, values in self.export_registry(path).items()}
        values = {known.lower(): value for known, value in exported.get(path.lower(), {}).items()}
        return values.get(name.lower())

    def deny(self, path: str, rights: str) -> None:
        """Refuse rights on a key below HKEY_LOCAL_MACHINE to everybody (``RegistryRights``, such as ``QueryValues, SetValue``)."""
        self._change_access(path, "AddAccessRule", rights)

    def allow(self, path: str) -> None:
        """Take back everything that :meth:`deny` refused on a key."""
        self._change_access(path, "RemoveAccessRuleAll", "FullControl")

    def _change_access(self, path: str, method: str, rights: str) -> None:
        text = f"""
            $mine = [Security.AccessControl.RegistryRights]'ReadPermissions, ChangePermissions'
            $key = [Microsoft.Win32.Registry]::LocalMachine.OpenSubKey('{path}', 'ReadWriteSubTree', $mine)
            $everybody = [Security.Principal.SecurityIdentifier]::new('S-1-1-0')
            $security = $key.GetAccessControl('Access')
            $security.{method}([Security.AccessControl.RegistryAccessRule]::new($everybody, '{rights}', 'Deny'))
            $key.SetAccessControl($security)
        """
        self._checked(ENGINE, "-NoProfile", "-Command", text)

    def engine(self, variables: Mapping[str, str] | None = None) -> Engine:
        """The PowerShell engine in this prefix, for single batches."""
        return Engine(self._engine_words(), {**self.variables, **(variables or {})})

    def program(self, *, seconds: float = 60.0, variables: Mapping[str, str] | None = None) -> Program:
        """The PowerShell engine in this prefix, for the servers of a lab."""
        merged = {**self.variables, **(variables or {})}
        return Program(command=self._engine_words(), variables=merged, seconds=seconds)

    def _engine_words(self) -> tuple[str, ...]:
        # Wine complains on standard error about a working directory that is on no drive.
        return ("env", "-C", str(self.drive), "wine", ENGINE)

    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not _FOREIGN.match(name)}
        return {**own, **self.variables}

    def _started(self, *words: str) -> None:
        """Run a program that leaves others behind: they would keep a pipe open."""
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_BOOT_SECONDS,
            check=False,
            env=self._environment(),
            cwd=self.folder,
        )
        if done.returncode:
            raise WineError(f"{' '.join(words)} ended with {done.returncode} in {self.folder}")

    def _checked(self, *words: str) -> None:
        ran = self.wine(*words)
        if ran.code:
            raise WineError(
                f"{' '.join(words)} ended with {ran.code}: {ran.text}{ran.stderr.decode('utf-8', 'replace')}"
            )

    def _next_file(self, purpose: str) -> str:
        self._files += 1
        return rf"C:\{purpose}-{os.getpid()}-{self._files}.reg"

    def _write_locale(self) -> None:
        """Wine takes the language of Windows from the name of its locale. Which rules stand in the locale does not matter to it."""
        place = self.folder / "locale" / f"{self.look.language}.utf8"
        if not place.exists():
            shutil.copytree(_LOCALE, place)

    def _install_engine(self, program: Path) -> None:
        """Links to the engine's files, with settings of its own.

        * ForceEmitInvoke: an exception that leaves a constructor or method called by reflection the usual way hangs or ends the
          process under Wine. With it .NET calls them through code that it makes, which is what it does from the second call on anyway.
        * Invariant off: else .NET knows no languages. Without ICU it asks Windows, here Wine, for them.
        """
        place = self.path(ENGINE).parent
        place.mkdir()
        for file in program.parent.iterdir():
            (place / file.name).symlink_to(file)
        settings = place / "pwsh.runtimeconfig.json"
        content = json.loads(settings.read_text("utf-8"))
        properties = content["runtimeOptions"].setdefault("configProperties", {})
        properties["Switch.System.Reflection.ForceEmitInvoke"] = True
        properties["System.Globalization.Invariant"] = False
        settings.unlink()
        settings.write_text(json.dumps(content), "utf-8")
        # All of this machine's disk, which nothing in here needs.
        (self.folder / "dosdevices" / "z:").unlink(missing_ok=True)


def _link_or_copy(source: str, target: str) -> None:
    # Wine writes its registry into the same file when that has several names.
    if source.endswith(".reg"):
        shutil.copy2(source, target)
    else:
        os.link(source, target)
