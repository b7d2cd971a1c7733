# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Starts a batch: unpacks the script (batch.ps1, with changes.ps1 or with certificates.ps1 and changes.ps1 in front of it) and its data
# from standard input and runs the one with the other.
#
#   standard input:  base64(gzip(script)) "." base64(gzip(data)), both texts in UTF-8, wrapped anywhere or not at all
#
# Where no batch can run, one mark without blanks is printed and the exit code is 3:
#
#   [[sfb.kb4023993!powershell_too_old]]  [[sfb.kb4023993!constrained_language]]  [[sfb.kb4023993!bad_data]]  [[sfb.kb4023993!failed]]
#
# Lines that begin with "#" are removed before this text is sent, and older releases of Ansible strip every line, so each
# line stands for itself. A trap and [string]::Join instead of try and -join: PowerShell 1.0 must be able to read this text to the end
# before it can say that it is too old.

$ErrorActionPreference = 'Stop'
# Ansible fails on records of these kinds among the errors, in other code pages even on their bytes.
$ProgressPreference = $WarningPreference = $VerbosePreference = $DebugPreference = $InformationPreference = 'SilentlyContinue'

$problem = 'failed'
trap {
"[[sfb.kb4023993!$problem]]"
exit 3
}

if (-not $PSVersionTable) {
'[[sfb.kb4023993!powershell_too_old]]'
exit 3
}

# AppLocker and Device Guard limit the language. Nothing before this line, and nothing in it, is forbidden there.
$mode = $ExecutionContext.SessionState.LanguageMode
if ($mode -and ("$mode" -ne 'FullLanguage')) {
'[[sfb.kb4023993!constrained_language]]'
exit 3
}

$problem = 'bad_data'
$text = [string]::Join('', @($input))
# A host without lines in $input leaves standard input unread; where it was read it is at its end, so this cannot wait for ever.
if ($text -eq '') { $text = [Console]::In.ReadToEnd() }
$parts = @(foreach ($packed in $text.Split('.')) {
$bytes = [Convert]::FromBase64String($packed)
$plain = New-Object IO.Compression.GZipStream((New-Object IO.MemoryStream(, $bytes)), [IO.Compression.CompressionMode]::Decompress)
$part = (New-Object IO.StreamReader($plain, [Text.Encoding]::UTF8)).ReadToEnd()
# .NET Framework takes a cut stream for a whole one. Its last four bytes are the length of what was packed.
if ([Text.Encoding]::UTF8.GetByteCount($part) -ne [BitConverter]::ToInt32($bytes, $bytes.Length - 4)) { throw 'the data is cut' }
$part
})
if ($parts.Length -ne 2) { throw 'two parts are expected' }

$problem = 'failed'
& ([ScriptBlock]::Create($parts[0])) $parts[1]
