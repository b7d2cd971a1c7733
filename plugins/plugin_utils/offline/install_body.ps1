# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Gets the new certificate into use on this server, each step only where it is not done yet, so it may be started again after any stop:
# CA certificates into their stores, import, assignment to Internal, restart of the services (after a question), and a new reading.

# Certificates of a store of this computer by thumbprint: none or one.
function Find-Certificate([string]$store, [string]$mark) {
    $opened = New-Object Security.Cryptography.X509Certificates.X509Store($store, 'LocalMachine')
    $opened.Open('ReadOnly')
    @($opened.Certificates) | Where-Object { $_.Thumbprint -eq $mark }
    $opened.Close()
}

# Whether the new certificate is there with its private key.
function Test-Key {
    $found = @(Find-Certificate 'My' $thumbprint)
    return $found.Length -gt 0 -and $found[0].HasPrivateKey
}

function Get-Assigned {
    foreach ($entry in @(Get-CsCertificate -Type Internal -ErrorAction Stop)) {
        "$($entry.Thumbprint)".Replace(' ', '').ToUpperInvariant()
    }
}

Assert-Administrator
$certificate = Get-KitFile 'certificate.cer' $certificateHash
$collect = [IO.Path]::Combine([IO.Path]::GetDirectoryName($folder), 'collect.ps1')
if (-not [IO.File]::Exists($collect)) { throw 'collect.ps1 is not in the folder above. Copy the whole folder of this server.' }
if (-not (Import-Product)) {
    throw 'This server has no PowerShell module of the product, without which nothing can be assigned. Repair the installation first.'
}

for ($index = 0; $index -lt $authorityFiles.Length; $index++) {
    $path = Get-KitFile $authorityFiles[$index] $authorityHashes[$index]
    $authority = New-Object Security.Cryptography.X509Certificates.X509Certificate2 $path
    $store = $authorityStores[$index]
    if (@(Find-Certificate $store $authority.Thumbprint).Length) {
        Write-Line "The CA certificate $($authority.Subject) is in the store $store already."
        continue
    }
    $opened = New-Object Security.Cryptography.X509Certificates.X509Store($store, 'LocalMachine')
    $opened.Open('ReadWrite')
    $opened.Add($authority)
    $opened.Close()
    Write-Line "Added to the store $($store): $($authority.Subject), $($authority.Thumbprint)."
}

if (Test-Key) {
    Write-Line "The new certificate $thumbprint is in the store already, with its key."
} elseif (-not $lead) {
    throw 'the certificate of the pool is not here yet, with its key. Import the PFX file of the first server as README.txt says, then start this again.'
} else {
    Write-Line 'Import-CsCertificate ...'
    Import-CsCertificate -Path $certificate -PrivateKeyExportable $exportable -Confirm:$false -ErrorAction Stop
    if (-not (Test-Key)) {
        throw 'the certificate is in the store without a private key: the key of its request is not on this server. Nothing was assigned.'
    }
    Write-Line "Imported $thumbprint. Nothing uses it yet."
}

$assigned = @(Get-Assigned)
if ($assigned -contains $thumbprint) {
    Write-Line 'Internal has the new certificate already.'
} elseif ($assigned -notcontains $oldThumbprint) {
    throw "Internal has the certificate $([string]::Join(', ', $assigned)), which is neither the old nor the new one: somebody changed it. Nothing was assigned."
} else {
    Write-Line "Set-CsCertificate -Type Internal -Thumbprint $thumbprint ..."
    Set-CsCertificate -Type Internal -Thumbprint $thumbprint -Confirm:$false -ErrorAction Stop
    if (@(Get-Assigned) -notcontains $thumbprint) { throw 'Set-CsCertificate ended without an error, but Internal does not have the new certificate.' }
    Write-Line "Assigned. To take it back: Set-CsCertificate -Type Internal -Thumbprint $oldThumbprint, then restart the services."
}

Write-Line 'The services still use the old certificate until they are restarted. A restart ends all sessions through this Edge.'
if ((Read-Host 'Restart all services of the product now? Type yes') -ne 'yes') {
    Write-Line 'Not restarted. Start this script again when it suits; what is done stays done.'
    exit 2
}
Write-Line 'Stop-CsWindowsService ...'
Stop-CsWindowsService -Confirm:$false -ErrorAction Stop
Write-Line 'Start-CsWindowsService ...'
Start-CsWindowsService -Confirm:$false -ErrorAction Stop
Write-Line 'Restarted. Now the server is read again.'
& $collect
exit $LASTEXITCODE
