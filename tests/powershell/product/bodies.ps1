# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# What the stand-ins of the product's commands do (see product_module.py). PRODUCT_CALLS is the file to which every call is written,
# PRODUCT_TROUBLE what goes wrong with the command that it names, or with each of them (*).

enum CertType { AccessEdgeExternal; AudioVideoAuthentication; DataEdgeExternal; Default; External; Internal; OAuthTokenIssuer; WebServicesExternal; WebServicesInternal }
enum KeyAlgorithmIdentifier { RSA; ECDH_P256; ECDH_P384; ECDH_P521 }
class Fqdn { [string]$Value; Fqdn([string]$value) { $this.Value = $value } }
class XdsIdentity { [string]$Value; XdsIdentity([string]$value) { $this.Value = $value } }
class NTService { [string]$Name; NTService([string]$name) { $this.Name = $name } }
class CertificateReference { [string]$Thumbprint }
class Words {
    [string[]]$Texts
    Words([string[]]$texts) { $this.Texts = $texts }
    [string] ToString() { return [string]::Join('/', $this.Texts) }
}

# One line for a call, one for each of its parameters: name, type, and the items in base64.
function Write-Call([string]$command, $bound) {
    $lines = @("$command") + @(foreach ($entry in $bound.GetEnumerator()) {
        $items = @(foreach ($item in @($entry.Value)) { [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes("$item")) })
        "`t$($entry.Key)`t$($entry.Value.GetType().Name)`t$($items -join ',')"
    })
    [IO.File]::AppendAllLines($env:PRODUCT_CALLS, [string[]]$lines)
}

# What goes wrong before a command did its work.
function Enter-Trouble($cmdlet, [string]$command) {
    switch ("$env:PRODUCT_TROUBLE".Replace('*', $command)) {
        "$command denied" { throw [UnauthorizedAccessException]::new('Zugriff verweigert') }
        "$command fails" { throw [InvalidOperationException]::new('The computer does not need a certificate.') }
        "$command complains" { $cmdlet.WriteError([Management.Automation.ErrorRecord]::new([IO.IOException]::new('one of them'), 'x', 'NotSpecified', $null)) }
    }
}

# And after it.
function Exit-Trouble([string]$command) {
    if ($env:PRODUCT_TROUBLE -eq "$command hangs") { [Threading.Thread]::Sleep(600000) }
}

function Make-Request($bound) {
    $names = "$($bound['DomainName'])".Split(',')
    $subject = [Security.Cryptography.X509Certificates.X500DistinguishedNameBuilder]::new()
    $subject.AddCommonName($names[0])
    foreach ($part in @(@('OU', '2.5.4.11'), @('Organization', '2.5.4.10'), @('City', '2.5.4.7'), @('State', '2.5.4.8'))) {
        if ($bound[$part[0]]) { $subject.Add($part[1], $bound[$part[0]]) }
    }
    if ($bound['Country']) { $subject.AddCountryOrRegion($bound['Country']) }
    $key = [Security.Cryptography.RSA]::Create($bound['KeySize'])
    $made = [Security.Cryptography.X509Certificates.CertificateRequest]::new($subject.Build(), $key, 'SHA256', [Security.Cryptography.RSASignaturePadding]::Pkcs1)
    $san = [Security.Cryptography.X509Certificates.SubjectAlternativeNameBuilder]::new()
    foreach ($name in $names) { $san.AddDnsName($name) }
    $made.CertificateExtensions.Add($san.Build())
    $usages = [Security.Cryptography.OidCollection]::new()
    [void]$usages.Add([Security.Cryptography.Oid]::new('1.3.6.1.5.5.7.3.1'))
    if ($bound['ClientEKU']) { [void]$usages.Add([Security.Cryptography.Oid]::new('1.3.6.1.5.5.7.3.2')) }
    $made.CertificateExtensions.Add([Security.Cryptography.X509Certificates.X509EnhancedKeyUsageExtension]::new($usages, $false))
    $text = [Convert]::ToBase64String($made.CreateSigningRequest(), 'InsertLineBreaks')
    [IO.File]::WriteAllText($bound['Output'], "-----BEGIN NEW CERTIFICATE REQUEST-----`r`n$text`r`n-----END NEW CERTIFICATE REQUEST-----`r`n", [Text.Encoding]::ASCII)
}

function Take-Certificate($bound) {
    if (-not [IO.Path]::IsPathRooted($bound['Path'])) { throw 'a full path is needed' }
    $certificate = [Security.Cryptography.X509Certificates.X509Certificate2]::new([IO.File]::ReadAllBytes($bound['Path']))
    Write-Call "imported $($certificate.Thumbprint)" @{}
}

function New-Thing($table) {
    $object = [PSObject]::new()
    foreach ($entry in $table.GetEnumerator()) { $object.PSObject.Properties.Add([Management.Automation.PSNoteProperty]::new($entry.Key, $entry.Value)) }
    return $object
}

# The state of a pool in the spelling that PRODUCT_POOL names.
function Get-Pool {
    switch ($env:PRODUCT_POOL) {
        'documented' {
            New-Thing @{ PoolUpgradeState = 'Ready'; UpgradeDomains = @(
                (New-Thing @{ Name = 'UD1'; FrontEnds = @('fe01.contoso.com'); ReadyforUpgrade = $true }),
                (New-Thing @{ Name = 'UD2'; FrontEnds = @('fe02.contoso.com', 'fe03.contoso.com'); ReadyforUpgrade = $false })
            ) }
        }
        'objects' {
            New-Thing @{ State = [DayOfWeek]::Friday; TotalFrontends = 3; TotalActiveFrontends = 3; UpgradeDomains = @(
                (New-Thing @{ UpgradeDomain = 1; Frontends = @([Words]::new(@('fe01'))); IsReadyForUpgrade = 'True' }),
                $null
            ) }
        }
        'bare' { New-Thing @{ UpgradeDomains = @((New-Thing @{ IsReadyForUpgrade = 'perhaps' })) } }
        'nothing' { }
    }
}
