# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Asks X509Chain about chains in a file, without any TLS. A line is "<trusted root> <certificate> <CA certificate> ..." in
# base64; for each line and each of the usages one line is printed: "<chain status, ...>", or "failed <message>" where
# .NET cannot read the chain. Arguments: the file, and the usages as OIDs, parted by commas.
param([string] $File, [string] $Usages)
$ErrorActionPreference = 'Stop'
$namespace = 'System.Security.Cryptography.X509Certificates'
function Read-Certificate([string] $base64) {
    return New-Object "$namespace.X509Certificate2" -ArgumentList (, [Convert]::FromBase64String($base64))
}
foreach ($line in [System.IO.File]::ReadAllLines($File)) {
    [object[]] $certificates = @(foreach ($part in $line.Split(' ')) { Read-Certificate $part })
    foreach ($usage in $Usages.Split(',')) {
        $chain = New-Object "$namespace.X509Chain"
        $chain.ChainPolicy.RevocationMode = 'NoCheck'
        $chain.ChainPolicy.DisableCertificateDownloads = $true
        $chain.ChainPolicy.TrustMode = 'CustomRootTrust'
        [void] $chain.ChainPolicy.CustomTrustStore.Add($certificates[0])
        for ($i = 2; $i -lt $certificates.Length; $i++) { [void] $chain.ChainPolicy.ExtraStore.Add($certificates[$i]) }
        [void] $chain.ChainPolicy.ApplicationPolicy.Add((New-Object System.Security.Cryptography.Oid -ArgumentList $usage))
        try {
            [void] $chain.Build($certificates[1])
            [Console]::Out.WriteLine([string]::Join(',', @($chain.ChainStatus | ForEach-Object { $_.Status.ToString() })))
        }
        catch { [Console]::Out.WriteLine('failed ' + ($_.Exception.GetBaseException().Message -replace '[\r\n]+', ' ')) }
    }
}
