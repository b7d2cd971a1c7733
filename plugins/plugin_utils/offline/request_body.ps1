# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes a key and a request for a new certificate on this server. Nothing is assigned, restarted or removed; the key waits in the store of
# requests until its certificate is imported.

Assert-Administrator
$inf = Get-KitFile 'request.inf' $infHash
$request = [IO.Path]::Combine($folder, 'request.req')
if ([IO.File]::Exists($request)) {
    throw 'request.req is there already. Bring that one back; or delete it, if a new key and request are wanted.'
}
$module = Import-Product
if ($module) {
    Write-Line "Request-CsCertificate ($module): a request for the use Internal, for $([string]::Join(', ', $names)) ..."
    Request-CsCertificate -New -Type Internal -FriendlyName $friendlyName -KeySize $keySize -PrivateKeyExportable $exportable `
        -ClientEKU $true -DomainName ([string]::Join(',', $names)) -Output $request -Confirm:$false -ErrorAction Stop
} else {
    Write-Line 'This server has no PowerShell module of the product. certreq: a request by request.inf ...'
    & "$env:SystemRoot\System32\certreq.exe" -new $inf $request
    if ($LASTEXITCODE -ne 0) { throw "certreq ended with $LASTEXITCODE. Its own message stands above." }
}
if (-not [IO.File]::Exists($request)) { throw 'no request was made.' }
Write-Line "Done. A key was made on this server, and nothing else was changed. Bring this file back: $request"
exit 0
