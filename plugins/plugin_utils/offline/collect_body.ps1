# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs batch.ps1 beside this script with the operations of the kit, and writes its replies into one file.

Assert-Administrator
$batchFile = Get-KitFile 'batch.ps1' $batchHash
$result = [IO.Path]::Combine($folder, $resultName)
$text = "sfb.kb4023993 offline evidence 1`nkit $kit`nbatch $batchHash`n"
foreach ($operations in @($firstOperations, $cmdletOperations)) {
    Write-Line 'Reading, which may take some minutes ...'
    $reply = [string]::Join("`n", @(& $batchFile $operations.Replace("`r", '')))
    if (-not $reply.Contains('[{"failure":null,')) {
        # Why stands in the reply, with blanks and all beyond ASCII as \u0020.
        throw "the reading was refused: $([Text.RegularExpressions.Regex]::Unescape($reply))"
    }
    $text += "$reply`n"
}
$text += "sha256 $(Get-Sha256 ([Text.Encoding]::ASCII.GetBytes($text)))`n"
[IO.File]::WriteAllText($result, $text, [Text.Encoding]::ASCII)
Write-Line "Done. Nothing on this server was changed. Bring this file back: $result"
exit 0
