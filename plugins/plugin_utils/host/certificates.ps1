# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The operations of workaround 1: make, install and assign certificates, restart all services, ask a CA. This text is put in front of
# changes.ps1 and batch.ps1 in batches that hold one of them, and only there. certificate_operations.py says what each of them means.

# What batch.ps1 accepts beside its own operations, and which of the product's commands it may call for them.
$certificateNames = @(
    'lync_request', 'certreq_new', 'lync_import', 'lync_assign', 'pfx_export', 'pfx_import', 'store_add',
    'lync_services', 'lync_failover', 'lync_gate', 'ca_submit', 'ca_retrieve', 'ca_chain'
)
$certificateCommands = @(
    'Request-CsCertificate', 'Import-CsCertificate', 'Set-CsCertificate', 'Stop-CsWindowsService', 'Start-CsWindowsService',
    'Invoke-CsComputerFailOver', 'Invoke-CsComputerFailBack', 'Get-CsPoolUpgradeReadinessState', 'Get-CsUpgradeDomainInfo'
)

# ---- temporary files ------------------------------------------------------------------------------------------------------------

# What a block gives that works with files in $folder, which nobody but administrators may open, and which is gone afterwards: who
# could write there could put a request of his own in the place of the server's.
function Use-PrivateFolder([ScriptBlock]$block) {
    $folder = [IO.Path]::Combine([IO.Path]::GetTempPath(), "sfb.kb4023993-$([Guid]::NewGuid())")
    if ($onWindows) {
        $security = New-Object Security.AccessControl.DirectorySecurity
        # Full control for administrators (BA) and the system (SY); nothing is inherited (P).
        $security.SetSecurityDescriptorSddlForm('D:P(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)')
        [void][IO.Directory]::CreateDirectory($folder, $security)
    } else {
        [void][IO.Directory]::CreateDirectory($folder)
    }
    try {
        & $block
    } finally {
        # A command that was given up may hold its file. That must not take the place of the error that says so.
        try { [IO.Directory]::Delete($folder, $true) } catch { }
    }
}

# The text of a file, in the encoding that it begins with; $null when there is none.
function Read-Request([string]$file) {
    if ([IO.File]::Exists($file)) { return [IO.File]::ReadAllText($file) }
}

# ---- the product's commands -----------------------------------------------------------------------------------------------------

# Runs a command that changes something; gives how it ended.
function Invoke-LyncChange([string[]]$modules, [string]$command, $parameters, [int]$seconds) {
    $parameters['Confirm'] = $false
    return (Invoke-LyncCommand $modules @($command) $parameters $seconds)['outcome']
}

function lync_request(
    [string[]]$modules = @(), [ValidateSet('Internal', 'Default', 'WebServicesInternal', 'WebServicesExternal')][string]$use,
    [string]$friendly_name, [ValidatePattern('^[^,\s]+\z')][string[]]$names = @(), [int]$key_size, [int]$exportable,
    [string]$organization, [string]$unit, [string]$city, [string]$state, [string]$country, [int]$seconds
) {
    return Use-PrivateFolder {
        $file = [IO.Path]::Combine($folder, 'request.req')
        $parameters = @{
            New = $true; Type = @($use); Output = $file; ClientEKU = $true; KeySize = $key_size; PrivateKeyExportable = [bool]$exportable
        }
        $texts = @{
            FriendlyName = $friendly_name; DomainName = [string]::Join(',', $names)
            Organization = $organization; OU = $unit; City = $city; State = $state; Country = $country
        }
        foreach ($text in $texts.GetEnumerator()) { if ($text.Value) { $parameters[$text.Key] = $text.Value } }
        $reply = Invoke-LyncChange $modules 'Request-CsCertificate' $parameters $seconds
        $reply['exit_code'] = $null
        $reply['csr'] = Read-Request $file
        $reply
    }
}

function lync_import([string[]]$modules = @(), [string]$certificate, [int]$exportable, [int]$seconds) {
    $content = (New-Certificate $certificate).RawData
    return Use-PrivateFolder {
        $file = [IO.Path]::Combine($folder, 'certificate.cer')
        [IO.File]::WriteAllBytes($file, $content)
        Invoke-LyncChange $modules 'Import-CsCertificate' @{ Path = $file; PrivateKeyExportable = [bool]$exportable } $seconds
    }
}

function lync_assign(
    [string[]]$modules = @(), [ValidateSet('Internal', 'Default', 'WebServicesInternal', 'WebServicesExternal')][string[]]$uses = @(),
    [ValidatePattern('^[0-9A-F]{40}\z')][string]$thumbprint, [int]$seconds
) {
    if (-not $uses.Length) { Stop-Operation 'invalid' 'no use is named' }
    return Invoke-LyncChange $modules 'Set-CsCertificate' @{ Type = $uses; Thumbprint = $thumbprint } $seconds
}

function lync_services([string[]]$modules = @(), [ValidateSet('stop', 'stop_graceful', 'start')][string]$action, [int]$seconds) {
    $parameters = @{ NoWait = $true }
    if ($action -eq 'start') { return Invoke-LyncChange $modules 'Start-CsWindowsService' $parameters $seconds }
    if ($action -eq 'stop_graceful') { $parameters['Graceful'] = $true }
    return Invoke-LyncChange $modules 'Stop-CsWindowsService' $parameters $seconds
}

function lync_failover(
    [string[]]$modules = @(), [ValidateSet('failover', 'failback')][string]$action, [ValidatePattern('^[A-Za-z0-9.-]+\z')][string]$computer,
    [int]$seconds
) {
    $command = @{ failover = 'Invoke-CsComputerFailOver'; failback = 'Invoke-CsComputerFailBack' }[$action]
    return Invoke-LyncChange $modules $command @{ ComputerName = $computer } $seconds
}

# The first of these properties that an object has; $null when it has none of them.
function Get-FirstProperty($object, [string[]]$names) {
    foreach ($name in $names) { if ($object.PSObject.Properties[$name]) { return $object.$name } }
}

# An upgrade domain of a pool as the replies have it.
function Get-UpgradeDomain($domain) {
    $servers = @(foreach ($server in @(Get-FirstProperty $domain @('FrontEnds'))) { if ($null -ne $server) { [string]$server } })
    return @{
        name = "$(Get-FirstProperty $domain @('Name', 'UpgradeDomain'))"; front_ends = $servers
        ready = @{ True = $true; False = $false }["$(Get-FirstProperty $domain @('ReadyForUpgrade', 'IsReadyForUpgrade'))"]
    }
}

# The documentation names the values of the state and "PoolUpgradeState" and "ReadyforUpgrade", but shows no object: all spellings in
# use are taken.
function lync_gate([string[]]$modules = @(), [int]$seconds) {
    $result = Invoke-LyncCommand $modules @('Get-CsPoolUpgradeReadinessState', 'Get-CsUpgradeDomainInfo') @{} $seconds
    $reply = $result['outcome']
    $reply['state'] = $null
    $reply['domains'] = @(foreach ($pool in $result['output']) {
        $state = "$(Get-FirstProperty $pool @('PoolUpgradeState', 'State'))"
        if ($state) { $reply['state'] = $state }
        foreach ($domain in @(Get-FirstProperty $pool @('UpgradeDomains'))) { if ($null -ne $domain) { Get-UpgradeDomain $domain } }
    })
    return $reply
}

# ---- certreq --------------------------------------------------------------------------------------------------------------------

function certreq_new([string]$inf, [int]$seconds) {
    return Use-PrivateFolder {
        $source = [IO.Path]::Combine($folder, 'request.inf')
        $file = [IO.Path]::Combine($folder, 'request.req')
        [IO.File]::WriteAllText($source, $inf, [Text.Encoding]::Unicode)
        $program = [IO.Path]::Combine([Environment]::SystemDirectory, 'certreq.exe')
        $start = New-Object Diagnostics.ProcessStartInfo($program, "-new -q `"$source`" `"$file`"")
        $start.UseShellExecute = $false
        $start.CreateNoWindow = $true
        # Its words would else come between ours, and it could wait for an answer.
        $start.RedirectStandardInput = $true
        $start.RedirectStandardOutput = $true
        $start.RedirectStandardError = $true
        $process = [Diagnostics.Process]::Start($start)
        $process.StandardInput.Close()
        if (-not $process.WaitForExit(1000 * $seconds)) {
            $process.Kill()
            # Only then its files can be removed.
            [void]$process.WaitForExit(10000)
            Stop-Operation 'deadline' 'certreq did not end in time'
        }
        $reply = @{ module = $null; denied = $false; failure = $null; exit_code = $process.ExitCode; csr = (Read-Request $file) }
        if ($process.ExitCode) {
            $printed = $process.StandardOutput.ReadToEnd() + $process.StandardError.ReadToEnd()
            $reply['failure'] = Get-Beginning $printed.Trim() 300
        }
        $reply
    }
}

# ---- stores ---------------------------------------------------------------------------------------------------------------------

# A certificate of a store of the machine; $null when it is not there.
function Find-Certificate([string]$store, [string]$thumbprint) {
    $opened = New-Object Security.Cryptography.X509Certificates.X509Store($store, 'LocalMachine')
    $opened.Open('ReadOnly, OpenExistingOnly')
    $found = @($opened.Certificates | Where-Object { $_.Thumbprint -eq $thumbprint })
    $opened.Close()
    return $found[0]
}

function Add-Certificate([string]$store, $certificate) {
    $opened = New-Object Security.Cryptography.X509Certificates.X509Store($store, 'LocalMachine')
    $opened.Open('ReadWrite, OpenExistingOnly')
    $opened.Add($certificate)
    $opened.Close()
}

function pfx_export([ValidatePattern('^[0-9A-F]{40}\z')][string]$thumbprint, [string]$password) {
    $certificate = Find-Certificate 'My' $thumbprint
    if (-not $certificate) { Stop-Operation 'not_found' "there is no certificate $thumbprint" }
    if (-not $certificate.HasPrivateKey) { Stop-Operation 'failed' "the certificate $thumbprint has no private key here" }
    return @{ pfx = $certificate.Export('Pfx', $password) }
}

# The certificates of a PFX. Without PersistKeySet among the flags their keys are gone with the objects.
function Read-Pfx([string]$pfx, [string]$password, [string]$flags) {
    $certificates = New-Object Security.Cryptography.X509Certificates.X509Certificate2Collection
    $certificates.Import([Convert]::FromBase64String($pfx), $password, $flags)
    return @($certificates)
}

function pfx_import([string]$pfx, [string]$password, [int]$exportable, [string]$friendly_name) {
    # A look at it first: each import that persists its key leaves a key behind, also of a certificate that is there already.
    $look = @(Read-Pfx $pfx $password 'MachineKeySet')
    if ($look.Length -ne 1 -or -not $look[0].HasPrivateKey) { Stop-Operation 'invalid' 'this is not a PFX with one certificate and its key' }
    $reply = @{ thumbprint = $look[0].Thumbprint; changed = $false }
    $look[0].Reset()
    $present = Find-Certificate 'My' $reply['thumbprint']
    if ($present -and $present.HasPrivateKey) { return $reply }
    $flags = 'MachineKeySet, PersistKeySet'
    if ($exportable) { $flags += ', Exportable' }
    $certificate = @(Read-Pfx $pfx $password $flags)[0]
    # Only Windows keeps names beside certificates.
    if ($onWindows) { $certificate.FriendlyName = $friendly_name }
    Add-Certificate 'My' $certificate
    $reply['changed'] = $true
    return $reply
}

function store_add([ValidateSet('CA', 'Root')][string]$store, [string]$certificate) {
    $new = New-Certificate $certificate
    # Another one there makes Front End services fail on Server 2012 and later.
    if ($store -eq 'Root' -and -not (Test-SelfIssued $new)) { Stop-Operation 'invalid' 'only self-signed certificates go into Root' }
    $reply = @{ thumbprint = $new.Thumbprint; changed = $false }
    if (-not (Find-Certificate $store $new.Thumbprint)) {
        Add-Certificate $store $new
        $reply['changed'] = $true
    }
    return $reply
}

# ---- a CA -----------------------------------------------------------------------------------------------------------------------

# What a CA made of a request that it was just given or asked for. The numbers are those of certcli.h.
function Get-CaAnswer($ca, [int]$disposition) {
    $reply = @{ disposition = $disposition; request_id = $ca.GetRequestId(); hresult = $ca.GetLastStatus(); certificates = $null }
    if ($disposition -eq 3) {
        # CR_OUT_BASE64 (1) and CR_OUT_CHAIN (0x100). Where that fails, the number of the request must not be lost.
        try { $reply['certificates'] = [Convert]::FromBase64String($ca.GetCertificate(0x101)) } catch { }
    }
    return $reply
}

function ca_submit([ValidatePattern('^[^\\/]+\\.+\z')][string]$config, [string]$attributes, [string]$csr) {
    $ca = New-Object -ComObject CertificateAuthority.Request
    # CR_IN_PKCS10 (0x100) and CR_IN_BASE64HEADER (0).
    $disposition = $ca.Submit(0x100, $csr, $attributes, $config)
    return Get-CaAnswer $ca $disposition
}

function ca_retrieve([ValidatePattern('^[^\\/]+\\.+\z')][string]$config, [int]$request_id) {
    $ca = New-Object -ComObject CertificateAuthority.Request
    $disposition = $ca.RetrievePending($request_id, $config)
    return Get-CaAnswer $ca $disposition
}

function ca_chain([ValidatePattern('^[^\\/]+\\.+\z')][string]$config) {
    $ca = New-Object -ComObject CertificateAuthority.Request
    # 0: not the CA's certificate for encryption, but the one that it signs with.
    return @{ certificates = [Convert]::FromBase64String($ca.GetCACertificate(0, $config, 0x101)) }
}

