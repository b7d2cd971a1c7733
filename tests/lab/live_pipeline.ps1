# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs a script as a runspace of WinRM does (psrp). Lines of standard input, each base64 of UTF-8: the script, then its input objects.
# Output objects are printed as text, a line each. It runs in this program's own runspace, since the test engine has New-Object in
# no other one. A runspace of WinRM has no console: what a script writes there must be lost here too.

$lines = @(foreach ($line in @($input)) { [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($line)) })
$script = [ScriptBlock]::Create($lines[0])
$objects = @(for ($index = 1; $index -lt $lines.Length; $index++) { $lines[$index] })
$console = [Console]::Out
[Console]::SetOut([IO.TextWriter]::Null)
[Console]::SetIn([IO.TextReader]::Null)
$objects | & $script | ForEach-Object { $console.WriteLine("$_") }
