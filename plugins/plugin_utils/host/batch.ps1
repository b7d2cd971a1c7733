# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs one batch of operations on a Windows host and prints one reply. Started by bootstrap.ps1. A batch that changes something comes with
# changes.ps1 in front of this text, one of workaround 1 with certificates.ps1 in front of both; nothing in this file changes anything.
# These four files are all the PowerShell that the collection sends to a server, and their bytes are the same in every call. What to do
# comes beside them as data (lines of text; see wire.py). Nothing of that is ever run as code: an operation is a name out of a list near
# the end of this file, with texts for the parameters of the function of that name. operations.py says what each operation and each
# reply means.
#
# For PowerShell 2.0 to 5.1, with classes and members of .NET Framework 3.5 only; without WMI, compiling or downloads. It decides
# nothing: it reads and reports.
$data = $args[0]

$ErrorActionPreference = 'Stop'
$clock = [Diagnostics.Stopwatch]::StartNew()
$invariant = [Globalization.CultureInfo]::InvariantCulture
# False only where this file is tested on another system: PowerShell 2.0 to 5.1 exist on Windows alone.
$onWindows = [Environment]::OSVersion.Platform -eq 'Win32NT'

# ---- errors ---------------------------------------------------------------------------------------------------------------------

# Ends an operation with an error of one of the types of wire.py.
function Stop-Operation([string]$type, [string]$message) {
    $exception = New-Object InvalidOperationException $message
    $exception.Data['type'] = $type
    throw $exception
}

# Type and message of whatever ended an operation. PowerShell and .NET wrap exceptions in others: the first one of a known kind gives
# the type, the innermost one the message.
function Get-Failure($problem) {
    $type = $null
    if ("$($problem.FullyQualifiedErrorId)" -like 'TypeNotFound*') { $type = 'unsupported' }
    for ($exception = $problem.Exception; $exception; $exception = $exception.InnerException) {
        if (-not $type) { $type = Get-FailureType $exception }
        $message = $exception.Message
    }
    if (-not $type) { $type = 'failed' }
    return @{ type = $type; message = (Get-Beginning $message 300) }
}

function Get-FailureType($exception) {
    if ($exception.Data -and $exception.Data.Contains('type')) { return $exception.Data['type'] }
    if ($exception -is [Security.SecurityException]) { return 'denied' }
    if ($exception -is [NotSupportedException]) { return 'unsupported' }
    foreach ($kind in [ArgumentException], [FormatException], [OverflowException], [Management.Automation.ParameterBindingException]) {
        if ($exception -is $kind) { return 'invalid' }
    }
    # Exceptions of files, rights and certificate stores hold the Windows error in the low half of an HRESULT, which older .NET hides.
    $property = [Exception].GetProperty('HResult', [Reflection.BindingFlags]'Instance, Public, NonPublic')
    $code = $property.GetValue($exception, $null) -band 0xFFFF
    if ($exception -is [ComponentModel.Win32Exception]) { $code = $exception.NativeErrorCode }
    return @{ 2 = 'not_found'; 3 = 'not_found'; 5 = 'denied'; 1058 = 'disabled'; 1060 = 'not_found' }[$code]
}

# What a block gives; nothing where what it asks for is not there.
function Get-IfThere([ScriptBlock]$block) {
    try { & $block } catch { if ((Get-Failure $_)['type'] -ne 'not_found') { throw } }
}

# ---- the data of a batch --------------------------------------------------------------------------------------------------------

# All operations of the data, each with its name and a table of its fields: a text, or a list where there are several of a name.
function Read-Operations([string[]]$lines) {
    foreach ($line in $lines) {
        if ($line -eq '') { continue }
        $name, $value, $more = $line.Split([char]9)
        if ($null -eq $value -or $null -ne $more) { throw 'a line is not a name and a value' }
        # The escapes of wire.py are some of those of regular expressions.
        $value = [Text.RegularExpressions.Regex]::Unescape($value)
        if ($name -ceq 'op') {
            $fields = @{}
            @{ name = $value; fields = $fields }
        } elseif ($fields.ContainsKey($name)) {
            $fields[$name] = @($fields[$name]) + $value
        } else {
            $fields[$name] = $value
        }
    }
}

# ---- the reply: JSON in pure ASCII, without any blank ---------------------------------------------------------------------------

$unprintable = New-Object Text.RegularExpressions.Regex '[^\x21-\x7E]'

# Bytes become base64 text, tables objects, all other collections lists.
function ConvertTo-JsonText($value) {
    if ($null -eq $value) { return 'null' }
    # Truth and whole numbers.
    if ($value -is [ValueType]) { return "$value".ToLowerInvariant() }
    if ($value -is [byte[]]) { return '"' + [Convert]::ToBase64String($value) + '"' }
    if ($value -is [Collections.IDictionary]) {
        # By its enumerator, not by .Keys: a table may hold an entry of that name.
        $members = @(foreach ($entry in $value.GetEnumerator()) { "$(ConvertTo-JsonText $entry.Key):$(ConvertTo-JsonText $entry.Value)" })
        return '{' + [string]::Join(',', $members) + '}'
    }
    if ($value -isnot [string]) { return '[' + [string]::Join(',', @(foreach ($item in $value) { ConvertTo-JsonText $item })) + ']' }
    $text = $value.Replace('\', '\\').Replace('"', '\"')
    # One step for each different character, not for each place: that would take minutes for a megabyte.
    for ($odd = $unprintable.Match($text); $odd.Success; $odd = $unprintable.Match($text, $odd.Index)) {
        $text = $text.Replace($odd.Value, '\u' + ([int][char]$odd.Value).ToString('x4', $invariant))
    }
    return '"' + $text + '"'
}

function Format-Time([DateTime]$time) { return $time.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", $invariant) }

# The name of a value of an enumeration as the replies write it: StartPending is start_pending.
function Format-Word($name) { return ("$name" -creplace '(?<=[a-z])(?=[A-Z])', '_').ToLowerInvariant() }

function Get-Beginning([string]$text, [int]$length) { return $text.Substring(0, [Math]::Min($length, $text.Length)) }

# The first items of a list. Lists of no or one item come apart when a function returns them: callers write @(Get-First ...).
function Get-First($items, [int]$limit) {
    for ($index = 0; $index -lt $limit -and $index -lt $items.Length; $index++) { $items[$index] }
}

# ---- registry -------------------------------------------------------------------------------------------------------------------

$machine = [Microsoft.Win32.Registry]::LocalMachine

# What a block gives that reads an open key, $key; nothing where there is no such key.
function Read-Key([string]$path, [ScriptBlock]$block) {
    $key = $machine.OpenSubKey($path)
    if (-not $key) { return }
    & $block
    $key.Close()
}

# One value of a key, %variables% as they are; $null when there is no such key or value.
function Get-MachineValue([string]$path, [string]$name) {
    return Read-Key $path { $key.GetValue($name, $null, 'DoNotExpandEnvironmentNames') }
}

# The path of an operation's key. This is a 64-bit process, so it finds the 32-bit side by its name.
function Get-KeyPath([string]$path, [string]$view) {
    if ($path -notmatch '^(SOFTWARE|SYSTEM)\\[^\\]') { Stop-Operation 'invalid' 'the path does not begin with SOFTWARE\ or SYSTEM\' }
    if ($view -eq '32') { return $path -replace '^SOFTWARE\\', 'SOFTWARE\Wow6432Node\' }
    return $path
}

# One value of an open key as the replies have it.
function Get-RegistryValue($key, [string]$name) {
    $kind = Format-Word $key.GetValueKind($name)
    $data = $key.GetValue($name, $null, 'DoNotExpandEnvironmentNames')
    # .NET hands signed numbers out; the registry has unsigned ones.
    if ($data -is [int]) { $data = [BitConverter]::ToUInt32([BitConverter]::GetBytes($data), 0) }
    if ($data -is [long]) { $data = [BitConverter]::ToUInt64([BitConverter]::GetBytes($data), 0) }
    if ($data -is [byte[]]) { $data = [Convert]::ToBase64String($data) }
    # .NET 2.0 knows fewer kinds and hands no data of the others out.
    if ($null -eq $data) { return @{ name = $name; kind = 'unknown'; data = '' } }
    return @{ name = $name; kind = $kind; data = $data }
}

# Opens a key anew: whether it is there, and its value of that name or $null. Windows compares these names without case.
function registry_read([string]$path, [string]$name, [string]$view) {
    $state = @{ key_exists = $false; value = $null }
    Read-Key (Get-KeyPath $path $view) {
        $state['key_exists'] = $true
        foreach ($stored in $key.GetValueNames()) {
            if ([string]::Equals($stored, $name, 'OrdinalIgnoreCase')) { $state['value'] = Get-RegistryValue $key $stored }
        }
    }
    return $state
}

function registry_list([string]$path, [string]$view, [int]$limit) {
    $reply = @{ key_exists = $false; values = @(); subkeys = @(); truncated = $false }
    Read-Key (Get-KeyPath $path $view) {
        $reply['key_exists'] = $true
        $reply['values'] = @(foreach ($name in @(Get-First $key.GetValueNames() $limit)) { Get-RegistryValue $key $name })
        $reply['subkeys'] = @(Get-First $key.GetSubKeyNames() $limit)
        $reply['truncated'] = $key.ValueCount -gt $limit -or $key.SubKeyCount -gt $limit
    }
    return $reply
}

# ---- system ---------------------------------------------------------------------------------------------------------------------

function system {
    $network = [Net.NetworkInformation.IPGlobalProperties]::GetIPGlobalProperties()
    $version = [Environment]::OSVersion.Version
    $reply = @{
        computer_name = $network.HostName; dns_domain = $network.DomainName; machine_guid = $null; product_type = $null
        os_version = $version.ToString(3); os_build = $version.Build; os_ubr = $null
        culture = [Globalization.CultureInfo]::CurrentCulture.Name
        ui_culture = [Globalization.CultureInfo]::InstalledUICulture.Name
        powershell_version = "$($PSVersionTable.PSVersion)"
        clr_version = "$([Environment]::Version)"
        time_utc = Format-Time ([DateTime]::UtcNow)
        utc_offset_minutes = [int][TimeZone]::CurrentTimeZone.GetUtcOffset([DateTime]::Now).TotalMinutes
    }
    if ($onWindows) {
        # .NET tells the version that the calling program was made for, the registry the one that is installed.
        $path = 'SOFTWARE\Microsoft\Windows NT\CurrentVersion'
        $release = Get-MachineValue $path 'CurrentVersion'
        $major = Get-MachineValue $path 'CurrentMajorVersionNumber'
        if ($null -ne $major) { $release = "$major.$(Get-MachineValue $path 'CurrentMinorVersionNumber')" }
        $reply['os_build'] = [int](Get-MachineValue $path 'CurrentBuild')
        $reply['os_version'] = "$release.$($reply['os_build'])"
        $reply['os_ubr'] = Get-MachineValue $path 'UBR'
        $reply['machine_guid'] = Get-MachineValue 'SOFTWARE\Microsoft\Cryptography' 'MachineGuid'
        $reply['product_type'] = Get-MachineValue 'SYSTEM\CurrentControlSet\Control\ProductOptions' 'ProductType'
    }
    return $reply
}

# ---- files ----------------------------------------------------------------------------------------------------------------------

# The full path that an operation means; '' when it means the executable of a service and there is none.
function Get-FilePath([string]$path, [string]$service) {
    if (-not $service) { return [IO.Path]::GetFullPath([Environment]::ExpandEnvironmentVariables($path)) }
    $executable = Find-Executable (Get-MachineValue "SYSTEM\CurrentControlSet\Services\$service" 'ImagePath')
    if ($executable) { return $executable + $path }
    return ''
}

# The file of a path; $null when there is none. Exists also says no where the account may not look; that is an error here.
function Get-File([string]$path) {
    if ($path -eq '') { return }
    $file = New-Object IO.FileInfo $path
    if ($file.Exists) { return $file }
    [void](Get-IfThere { [IO.File]::GetAttributes($path) })
}

# The first bytes of a file, which others may be using.
function Read-File([string]$path, [int]$count) {
    $reader = New-Object IO.BinaryReader ([IO.File]::Open($path, 'Open', 'Read', 'ReadWrite, Delete'))
    $bytes = $reader.ReadBytes($count)
    $reader.Close()
    return , $bytes
}

function file_info([string]$path, [string]$service) {
    $path = Get-FilePath $path $service
    $file = Get-File $path
    $reply = @{ path = $path; exists = [bool]$file; size = $null; version = $null; created_utc = $null; modified_utc = $null }
    if ($file) {
        $reply['size'] = $file.Length
        $reply['created_utc'] = Format-Time $file.CreationTimeUtc
        $reply['modified_utc'] = Format-Time $file.LastWriteTimeUtc
        $about = [Diagnostics.FileVersionInfo]::GetVersionInfo($path)
        $version = '{0}.{1}.{2}.{3}' -f $about.FileMajorPart, $about.FileMinorPart, $about.FileBuildPart, $about.FilePrivatePart
        if ($about.FileVersion -or $version -ne '0.0.0.0') { $reply['version'] = $version }
    }
    return $reply
}

function file_read([string]$path, [string]$service, [int]$limit) {
    $path = Get-FilePath $path $service
    $file = Get-File $path
    if (-not $file) { return @{ path = $path; exists = $false; content = $null; truncated = $false } }
    return @{ path = $path; exists = $true; content = (Read-File $path $limit); truncated = $file.Length -gt $limit }
}

function file_search([string]$path, [string[]]$patterns = @()) {
    $path = Get-FilePath $path
    $file = Get-File $path
    if (-not $file) { return @{ exists = $false; found = @(foreach ($pattern in $patterns) { $false }) } }
    if ($file.Length -gt 64MB) { Stop-Operation 'too_large' "the file has $($file.Length) bytes" }
    # Latin-1 makes one character of each byte, so that .NET's fast search for text finds bytes.
    $latin1 = [Text.Encoding]::GetEncoding(28591)
    $content = $latin1.GetString((Read-File $path $file.Length))
    return @{ exists = $true; found = @(foreach ($pattern in $patterns) {
        $content.IndexOf($latin1.GetString([Convert]::FromBase64String($pattern)), [StringComparison]::Ordinal) -ge 0
    }) }
}

# ---- services -------------------------------------------------------------------------------------------------------------------

# The file that Windows starts for an ImagePath, with its full long path; $null when there is none.
function Find-Executable([string]$imagePath) {
    $text = [Environment]::ExpandEnvironmentVariables($imagePath).Trim()
    # Without quotes Windows tries every part that ends at a blank, the shortest first.
    $candidates = @(foreach ($end in [Text.RegularExpressions.Regex]::Matches($text, '[ \t]|\z')) { $text.Substring(0, $end.Index) })
    if ($text -match '^"([^"]*)') { $candidates = @($matches[1]) }
    foreach ($candidate in $candidates) {
        $path = ($candidate -replace '^\\\?\?\\', '') -replace '^(\\SystemRoot\\|(?=system32\\))', "$env:SystemRoot\"
        # A name without a folder could be anywhere; no service of these products has one.
        if ($path -notmatch '^([A-Z]:\\|\\\\)') { continue }
        foreach ($file in @($path, "$path.exe")) { if ([IO.File]::Exists($file)) { return [IO.Path]::GetFullPath($file) } }
    }
}

# The control of a service; $null when there is none of that name.
function Get-ServiceControl([string]$name) {
    [void][Reflection.Assembly]::LoadWithPartialName('System.ServiceProcess')
    $control = New-Object ServiceProcess.ServiceController $name
    # The class would take a display name as well.
    if ((Get-IfThere { Get-ServiceStatus $control }) -and $control.ServiceName -eq $name) { return $control }
}

# PowerShell makes $null of a property that throws. The method behind it tells why a service cannot be read.
function Get-ServiceStatus($control) {
    $control.Refresh()
    return Format-Word $control.get_Status()
}

function services([string[]]$names = @()) {
    return @{ services = @(foreach ($name in $names) {
        $state = @{
            name = $name; exists = $false; status = $null; start_mode = $null; image_path = $null; executable = $null; dependents = @()
        }
        $control = Get-ServiceControl $name
        if ($control) {
            $path = "SYSTEM\CurrentControlSet\Services\$name"
            $state['exists'] = $true
            $state['status'] = Get-ServiceStatus $control
            $state['start_mode'] = @('boot', 'system', 'automatic', 'manual', 'disabled')[(Get-MachineValue $path 'Start')]
            $state['image_path'] = Get-MachineValue $path 'ImagePath'
            $state['executable'] = Find-Executable $state['image_path']
            $state['dependents'] = @(foreach ($dependent in $control.get_DependentServices()) {
                @{ name = $dependent.ServiceName; status = (Get-ServiceStatus $dependent) }
            })
        }
        $state
    }) }
}

# ---- processes ------------------------------------------------------------------------------------------------------------------

function processes([string[]]$names = @()) {
    # Lets an administrator see processes of other accounts. What stays hidden without it is $null in the reply.
    try { [Diagnostics.Process]::EnterDebugMode() } catch { }
    return @{ processes = @(foreach ($name in $names) {
        foreach ($process in [Diagnostics.Process]::GetProcessesByName($name)) {
            $state = @{ name = $process.ProcessName; pid = $process.Id; path = $null; started_utc = $null }
            try { $state['path'] = [IO.Path]::GetFullPath($process.MainModule.FileName) } catch { }
            try { $state['started_utc'] = Format-Time $process.StartTime } catch { }
            $state
        }
    }) }
}

# ---- certificates, chain_check --------------------------------------------------------------------------------------------------

# A chain without revocation, in the machine's context: the services do not trust what the account of this session trusts for itself.
function New-Chain {
    $chain = New-Object Security.Cryptography.X509Certificates.X509Chain $true
    $chain.ChainPolicy.RevocationMode = 'NoCheck'
    $chain.ChainPolicy.UrlRetrievalTimeout = [TimeSpan]::FromSeconds(3)
    return $chain
}

# The store property that restricts purposes (CERT_ENHKEY_USAGE_PROP_ID, 9) of a certificate in one of the stores, $null when not set.
# .NET does not hand it out. The registry holds a certificate as a row of properties: number, constant, length, data.
function Get-UsageProperty([string]$thumbprint, [string[]]$stores) {
    foreach ($store in $stores) {
        foreach ($place in @('Microsoft\SystemCertificates', 'Policies\Microsoft\SystemCertificates', 'Microsoft\EnterpriseCertificates')) {
            $key = $machine.OpenSubKey("SOFTWARE\$place\$store\Certificates\$thumbprint")
            if (-not $key) { continue }
            # Not by a function: its result would come apart into bytes, thousands of objects for each certificate.
            [byte[]]$blob = $key.GetValue('Blob')
            $key.Close()
            for ($offset = 0; $blob -and $offset + 12 -le $blob.Length; $offset += 12 + $length) {
                $length = [BitConverter]::ToInt32($blob, $offset + 8)
                if ($length -lt 0 -or $offset + 12 + $length -gt $blob.Length) { break }
                if ($length -and [BitConverter]::ToInt32($blob, $offset) -eq 9) {
                    return , [byte[]]$blob[($offset + 12)..($offset + 11 + $length)]
                }
            }
        }
    }
}

# Whether a certificate names itself as its issuer.
function Test-SelfIssued($certificate) {
    return [Convert]::ToBase64String($certificate.SubjectName.RawData) -ceq [Convert]::ToBase64String($certificate.IssuerName.RawData)
}

function certificates(
    [ValidatePattern('^[^\\]+\z')][string]$store, [int]$limit, [ValidateSet('all', 'issued_by_others')][string]$only
) {
    $opened = New-Object Security.Cryptography.X509Certificates.X509Store($store, 'LocalMachine')
    $opened.Open('ReadOnly, OpenExistingOnly')
    $all = @($opened.Certificates)
    $opened.Close()
    if ($only -eq 'issued_by_others') { $all = @($all | Where-Object { -not (Test-SelfIssued $_) }) }
    $ordered = @($all | Where-Object { $_.HasPrivateKey }) + @($all | Where-Object { -not $_.HasPrivateKey })
    $issuers = @{}
    $found = @(foreach ($certificate in @(Get-First $ordered $limit)) {
        # A chain may wait for a download of an issuer. With many such certificates that must not go on for ever.
        if ($clock.Elapsed.TotalSeconds -ge $deadline) { break }
        $chain = New-Chain
        $chain.ChainPolicy.VerificationFlags = 'AllFlags'
        [void]$chain.Build($certificate)
        $names = @(for ($step = 1; $step -lt $chain.ChainElements.Count; $step++) {
            $issuer = $chain.ChainElements[$step].Certificate
            $issuers[$issuer.Thumbprint] = $issuer.RawData
            $issuer.Thumbprint
        })
        $usage = Get-UsageProperty $certificate.Thumbprint @($store)
        @{ certificate = $certificate.RawData; has_private_key = $certificate.HasPrivateKey; usage_property = $usage; chain = $names }
    })
    $above = @(foreach ($issuer in $issuers.GetEnumerator()) {
        @{ certificate = $issuer.Value; usage_property = (Get-UsageProperty $issuer.Key @('CA', 'Root', 'AuthRoot')) }
    })
    return @{ certificates = $found; issuers = $above; truncated = $found.Length -lt $all.Length }
}

function New-Certificate([string]$base64) {
    try {
        return New-Object Security.Cryptography.X509Certificates.X509Certificate2 (, [Convert]::FromBase64String($base64))
    } catch { Stop-Operation 'invalid' 'these bytes are not a certificate' }
}

function chain_check([string]$certificate, [string[]]$issuers = @(), [string]$oid) {
    $chain = New-Chain
    [void]$chain.ChainPolicy.ApplicationPolicy.Add((New-Object Security.Cryptography.Oid $oid))
    foreach ($issuer in $issuers) { [void]$chain.ChainPolicy.ExtraStore.Add((New-Certificate $issuer)) }
    [void]$chain.Build((New-Certificate $certificate))
    return @{
        statuses = @(foreach ($status in $chain.ChainStatus) { "$($status.Status)" })
        chain = @(foreach ($element in $chain.ChainElements) { $element.Certificate.Thumbprint })
    }
}

# ---- tls_peer -------------------------------------------------------------------------------------------------------------------

# WouldBlock is how newer .NET tells that reading took too long.
$socketFailures = @{
    HostNotFound = 'name_not_resolved'; TryAgain = 'name_not_resolved'; NoData = 'name_not_resolved'; NoRecovery = 'name_not_resolved'
    ConnectionRefused = 'refused'; TimedOut = 'timeout'; WouldBlock = 'timeout'
}

# One connection with these versions of the protocol. It offers no certificate of its own and takes any of the peer.
function Connect-TlsPeer([string]$peer, [int]$port, [int]$milliseconds, $protocols) {
    $reply = @{ connected = $false; certificate = $null; issuers = @(); failure = $null }
    $client = New-Object Net.Sockets.TcpClient
    # .NET calls both of these on the thread that shakes hands, where $reply is known: the first one when the peer asks for our
    # certificate, of which it gets none and may end the handshake; the second one at its end. The extra store is what the peer sent
    # beside its own certificate; the chain itself would also hold certificates that this host knows.
    $offer = [Net.Security.LocalCertificateSelectionCallback] {
        param($source, $target, $own, $certificate, $authorities)
        if ($certificate) { $reply['certificate'] = $certificate.GetRawCertData() }
        return $null
    }
    $capture = [Net.Security.RemoteCertificateValidationCallback] {
        param($source, $certificate, $chain, $errors)
        $reply['certificate'] = $certificate.GetRawCertData()
        $known = @($certificate.GetCertHashString())
        $reply['issuers'] = @(foreach ($issuer in $chain.ChainPolicy.ExtraStore) {
            if ($known -notcontains $issuer.Thumbprint) { , $issuer.RawData }
            $known += $issuer.Thumbprint
        })
        return $true
    }
    try {
        $connecting = $client.BeginConnect($peer, $port, $null, $null)
        if ($connecting.AsyncWaitHandle.WaitOne($milliseconds, $false)) {
            $client.EndConnect($connecting)
            $reply['connected'] = $true
            $client.ReceiveTimeout = $milliseconds
            $client.SendTimeout = $milliseconds
            $stream = New-Object Net.Security.SslStream($client.GetStream(), $false, $capture, $offer)
            $stream.AuthenticateAsClient($peer, $null, $protocols, $false)
        } else {
            $reply['failure'] = 'timeout'
        }
    } catch {
        $reply['failure'] = if ($reply['connected']) { 'handshake' } else { 'other' }
        $reason = $_.Exception.GetBaseException()
        if ($reason -is [Net.Sockets.SocketException] -and $socketFailures["$($reason.SocketErrorCode)"]) {
            $reply['failure'] = $socketFailures["$($reason.SocketErrorCode)"]
        }
    }
    $client.Close()
    return $reply
}

function tls_peer([Alias('host')][string]$peer, [int]$port, [int]$seconds) {
    if ($peer -eq '') {
        $network = [Net.NetworkInformation.IPGlobalProperties]::GetIPGlobalProperties()
        $peer = "$($network.HostName).$($network.DomainName)".TrimEnd('.')
    }
    # TLS 1.0 to 1.2 by number, since older frameworks have no names for 1.1 and 1.2; what the system is set to; TLS 1.0 alone, where a
    # framework knows neither.
    foreach ($number in @(4032, 0, 192)) {
        $reply = Connect-TlsPeer $peer $port (1000 * $seconds) ([Enum]::ToObject([Security.Authentication.SslProtocols], $number))
        if ($reply['failure'] -ne 'handshake' -or $reply['certificate']) { break }
    }
    return $reply
}

# ---- events ---------------------------------------------------------------------------------------------------------------------

# Of one kind of event the newest first. Its message is never read: it is in the server's language.
function events(
    [string]$log, [ValidatePattern("^[^']+\z")][string]$provider, [int[]]$ids = @(), [int]$seconds, [int]$limit
) {
    [void][Reflection.Assembly]::LoadWithPartialName('System.Core')
    if (-not [Diagnostics.EventLog]::Exists($log)) { return @{ log_exists = $false; events = @(); truncated_ids = @() } }
    $truncated = @()
    $events = @(foreach ($id in $ids) {
        # How long ago, by the log's own clock.
        $time = "TimeCreated[timediff(@SystemTime) <= $([long]1000 * $seconds)]"
        $query = New-Object Diagnostics.Eventing.Reader.EventLogQuery(
            $log, 'LogName', "*[System[Provider[@Name='$provider'] and (EventID=$id) and $time]]")
        $query.ReverseDirection = $true
        $reader = New-Object Diagnostics.Eventing.Reader.EventLogReader $query
        for ($count = 0; $record = $reader.ReadEvent([TimeSpan]::FromSeconds(10)); $count++) {
            if ($count -eq $limit) {
                $truncated += $id
                break
            }
            $strings = @(foreach ($property in @(Get-First @($record.Properties) 20)) { Get-Beginning $property.Value 500 })
            @{ id = $id; record_id = $record.RecordId; time_utc = (Format-Time $record.TimeCreated); strings = $strings }
        }
        $reader.Dispose()
    })
    return @{ log_exists = $true; events = $events; truncated_ids = $truncated }
}

# ---- updates --------------------------------------------------------------------------------------------------------------------

function updates([ValidatePattern('^KB[0-9]+\z')][string[]]$kbs = @()) {
    # One expression for all of them: a server has more than 10,000 packages.
    $options = [Text.RegularExpressions.RegexOptions]'Compiled, IgnoreCase, CultureInvariant'
    $wanted = New-Object Text.RegularExpressions.Regex("(?<![0-9A-Z])($([string]::Join('|', $kbs)))(?![0-9])", $options)
    $packages = 'SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages'
    $cbs = @(foreach ($name in @(Read-Key $packages { $key.GetSubKeyNames() })) {
        $kb = $wanted.Match($name).Value.ToUpperInvariant()
        # No state: not installed, which is 0.
        if ($kb) { @{ kb = $kb; name = $name; state = [int](Get-MachineValue "$packages\$name" 'CurrentState') } }
    })
    $msi = @(foreach ($view in @('64', '32')) {
        $root = Get-KeyPath 'SOFTWARE\Microsoft\Updates' $view
        foreach ($product in @(Read-Key $root { $key.GetSubKeyNames() })) {
            foreach ($name in @(Read-Key "$root\$product" { $key.GetSubKeyNames() })) {
                $kb = $wanted.Match($name).Value.ToUpperInvariant()
                if (-not $kb) { continue }
                $installed = Get-MachineValue "$root\$product\$name" 'ThisVersionInstalled'
                if ($null -ne $installed) { $installed = "$installed" }
                @{ kb = $kb; product = $product; view = $view; installed = $installed }
            }
        }
    })
    return @{ cbs = $cbs; msi = $msi }
}

# ---- lync_command ---------------------------------------------------------------------------------------------------------------

# All that may be loaded, and all that may be called then.
$lyncModules = @('SkypeForBusiness', 'Lync')
$lyncCommands = @($certificateCommands) + @('Get-CsCertificate', 'Get-CsTopology')

# Runs in a runspace of its own, so that it can be given up.
$lyncScript = {
    param($modules, $commands, $parameters)
    # A command that hangs must not keep the process from ending.
    [Threading.Thread]::CurrentThread.IsBackground = $true
    $result = @{ module = $null; output = @(); problem = $null }
    try {
        foreach ($module in $modules) {
            try {
                Import-Module $module -ErrorAction Stop
            } catch {
                if ("$($_.FullyQualifiedErrorId)" -like 'Modules_ModuleNotFound*') { continue }
                $result['module'] = $module
                throw
            }
            $result['module'] = $module
            # The first one that the module has; where it has none, the error of the last one says so.
            foreach ($command in $commands) { if (Get-Command $command -ErrorAction SilentlyContinue) { break } }
            $result['output'] = @(& $command @parameters)
            break
        }
    } catch {
        $result['problem'] = $_
    }
    $result
}

# Runs the first of these commands that the first module that is there has. Gives how it ended, and what it put out.
function Invoke-LyncCommand([string[]]$modules, [string[]]$commands, $parameters, [int]$seconds) {
    foreach ($module in $modules) { if ($lyncModules -notcontains $module) { Stop-Operation 'invalid' 'this module is not allowed' } }
    foreach ($command in $commands) { if ($lyncCommands -notcontains $command) { Stop-Operation 'invalid' 'this command is not allowed' } }
    if ($PSVersionTable.PSVersion.Major -ge 3) {
        # Without commands that the product's modules load themselves when they need them: faster, and less memory.
        $content = [Management.Automation.Runspaces.InitialSessionState]::CreateDefault2()
    } else {
        $content = [Management.Automation.Runspaces.InitialSessionState]::CreateDefault()
    }
    $shell = [Management.Automation.PowerShell]::Create()
    $shell.Runspace = [Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace($content)
    $shell.Runspace.Open()
    [void]$shell.AddScript($lyncScript.ToString()).AddArgument($modules).AddArgument($commands).AddArgument($parameters)
    $running = $shell.BeginInvoke()
    if (-not $running.AsyncWaitHandle.WaitOne(1000 * $seconds, $false)) {
        # Left to itself: stopping waits for a command that may never come back, and so would the end of the process.
        Stop-Operation 'deadline' "$($commands[0]) did not end in time"
    }
    $result = @($shell.EndInvoke($running))[0]
    $outcome = @{ module = $result['module']; denied = $false; failure = $null }
    # Errors of single objects do not end a cmdlet: what it could read counts.
    $problem = @(@($result['problem']) + @($shell.Streams.Error) | Where-Object { $_ })[0]
    if ($problem) {
        $failure = Get-Failure $problem
        $outcome['denied'] = $failure['type'] -eq 'denied'
        $outcome['failure'] = $failure['message']
    }
    return @{ outcome = $outcome; output = $result['output'] }
}

function lync_command(
    [ValidateSet('Get-CsCertificate', 'Get-CsTopology')][string]$command, [string[]]$modules = @(), [string[]]$properties = @(),
    [int]$seconds
) {
    $parameters = @{}
    if ($command -eq 'Get-CsTopology') { $parameters = @{ LocalStore = $true; AsXml = $true } }
    $result = Invoke-LyncCommand $modules @($command) $parameters $seconds
    $reply = $result['outcome']
    $reply['objects'] = @()
    $reply['text'] = $null
    if ($command -eq 'Get-CsTopology') {
        $texts = @(foreach ($item in $result['output']) { if ($item -is [Xml.XmlNode]) { $item.OuterXml } else { [string]$item } })
        if ($texts.Length) { $reply['text'] = [string]::Join("`n", $texts) }
        return $reply
    }
    $reply['objects'] = @(foreach ($object in $result['output']) {
        $texts = @{}
        foreach ($property in $properties) {
            if (-not $object.PSObject.Properties[$property]) { continue }
            $texts[$property] = @(foreach ($item in @($object.$property)) {
                if ($item -is [DateTime]) { Format-Time $item } elseif ($null -ne $item) { [string]$item }
            })
        }
        $texts
    })
    return $reply
}

# ---- the batch ------------------------------------------------------------------------------------------------------------------

# Everything that can be asked for; the function of that name does it.
$operationNames = @($certificateNames) + @($changingNames) + @(
    'system', 'registry_read', 'registry_list', 'file_info', 'file_read', 'file_search', 'services', 'processes',
    'certificates', 'chain_check', 'tls_peer', 'events', 'updates', 'lync_command'
)

# One operation's reply as JSON text, whatever happens in it.
function Invoke-Operation($operation) {
    $watch = [Diagnostics.Stopwatch]::StartNew()
    $fields = $operation['fields']
    try {
        if ($clock.Elapsed.TotalSeconds -ge $deadline) { Stop-Operation 'deadline' 'the time of the batch was over before this' }
        if ($batch['stopped']) { Stop-Operation 'skipped' 'an operation before this one failed or was refused' }
        if ($operationNames -cnotcontains $operation['name']) { Stop-Operation 'invalid' 'there is no such operation' }
        # Its last output: the result of a method that nobody took must not spoil a reply.
        $value = @(& $operation['name'] @fields)[-1]
        if ($value['refused']) { $batch['stopped'] = $batch['stop_on_error'] }
        $text = ConvertTo-JsonText @{ ok = $true; ms = $watch.ElapsedMilliseconds; value = $value }
        if ($text.Length -gt $batch['room']) { Stop-Operation 'too_large' "the reply has $($text.Length) characters" }
        $batch['room'] -= $text.Length
        return $text
    } catch {
        $batch['stopped'] = $batch['stop_on_error']
        return ConvertTo-JsonText @{ ok = $false; ms = $watch.ElapsedMilliseconds; error = (Get-Failure $_) }
    }
}

$lines = "$data".Split([char]10)
if (-not ($lines[0] -cmatch '^batch\t1\t([0-9a-f]{16})\t([0-9]{1,6})\t([01])\z')) {
    # Without a nonce there are no markers.
    '[[sfb.kb4023993!bad_data]]'
    exit 3
}
$lines[0] = ''
$nonce = $matches[1]
$deadline = [int]$matches[2]
# All replies together have room for 10 MB.
$batch = @{ stop_on_error = ($matches[3] -eq '1'); stopped = $false; room = 10MB }
$failure = $null
try { $operations = @(Read-Operations $lines) } catch { $failure = @{ type = 'bad_data'; message = (Get-Failure $_)['message'] } }
if ([IntPtr]::Size -ne 8) {
    $failure = @{ type = 'process_32_bit'; message = 'this is a 32-bit process, which sees another registry and other folders' }
}
if ($onWindows) {
    $user = New-Object Security.Principal.WindowsPrincipal ([Security.Principal.WindowsIdentity]::GetCurrent())
    if (-not $user.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
        $failure = @{ type = 'not_elevated'; message = "the account $($user.Identity.Name) has no administrator's rights in this session" }
    }
}
$replies = @(if (-not $failure) { foreach ($operation in $operations) { Invoke-Operation $operation } })
$text = "[[sfb.kb4023993-$nonce[{`"failure`":$(ConvertTo-JsonText $failure),`"replies`":[$([string]::Join(',', $replies))]}]$nonce]]"
# Through the pipeline, since not every transport has a console, and in lines of a length that all of them bear.
for ($start = 0; $start -lt $text.Length; $start += 4000) { $text.Substring($start, [Math]::Min(4000, $text.Length - $start)) }
exit 0
