# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs one batch of operations on a Windows host and prints one reply. This file and bootstrap.ps1, which starts it, are all the
# PowerShell that the collection sends to a server, and its bytes are the same in every call. What to do comes beside it as data
# ($data, lines of text; see wire.py). Nothing of that is ever run as code: an operation is a name out of the list near the end of
# this file, with fields for the function of that name. operations.py says what each operation and each reply means.
#
# For PowerShell 2.0 to 5.1, with classes and members of .NET Framework 3.5 only; without WMI, compiling or downloads. It decides
# nothing: it reads, writes and reports. Only registry_set, registry_delete and service_restart change anything.
param($data)

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
function Get-Failure($exception, [string]$errorId) {
    $type = $null
    if ($errorId -like 'TypeNotFound*') { $type = 'unsupported' }
    for (; $exception; $exception = $exception.InnerException) {
        if (-not $type) { $type = Get-FailureType $exception }
        $message = "$($exception.Message)"
    }
    if (-not $type) { $type = 'failed' }
    return @{ type = $type; message = $message.Substring(0, [Math]::Min(300, $message.Length)) }
}

function Get-FailureType($exception) {
    if ($exception.Data -and $exception.Data.Contains('type')) { return $exception.Data['type'] }
    if ($exception -is [UnauthorizedAccessException] -or $exception -is [Security.SecurityException]) { return 'denied' }
    if ($exception -is [IO.FileNotFoundException] -or $exception -is [IO.DirectoryNotFoundException]) { return 'not_found' }
    if ($exception -is [NotSupportedException]) { return 'unsupported' }
    if ($exception -is [FormatException] -or $exception -is [ArgumentException]) { return 'invalid' }
    $code = 0
    if ($exception -is [ComponentModel.Win32Exception]) { $code = $exception.NativeErrorCode }
    # Certificate stores hide the Windows error in the low half of an HRESULT, which .NET 2.0 does not show to everybody.
    if ($exception -is [Security.Cryptography.CryptographicException]) {
        $code = [Exception].GetProperty('HResult', [Reflection.BindingFlags]'Instance, Public, NonPublic').GetValue($exception, $null) -band 0xFFFF
    }
    if ($code -eq 5) { return 'denied' }
    if (@(2, 3, 1060) -contains $code) { return 'not_found' }
    if ($code -eq 1058) { return 'disabled' }
}

# ---- the data of a batch --------------------------------------------------------------------------------------------------------

# Halves of surrogate pairs, which names in the registry may hold and UTF-8 cannot.
$surrogate = New-Object Text.RegularExpressions.Regex '%u([0-9A-F]{4})'
$surrogateHalf = [Text.RegularExpressions.MatchEvaluator] { param($found) [string][char][Convert]::ToInt32($found.Groups[1].Value, 16) }

# All operations of the data, each with its name and a table of its fields, a list of texts for each.
function Read-Operations([string[]]$lines) {
    foreach ($line in $lines) {
        if ($line -eq '') { continue }
        $name, $value, $more = $line.Split([char]9)
        if ($null -eq $value -or $null -ne $more) { throw 'a line is not a name and a value' }
        if ($value.IndexOf('%u') -ge 0) { $value = $surrogate.Replace($value, $surrogateHalf) }
        $value = $value.Replace('%09', "`t").Replace('%0D', "`r").Replace('%0A', "`n").Replace('%25', '%')
        if ($name -ceq 'op') {
            $fields = @{}
            @{ name = $value; fields = $fields }
        } else {
            if (-not $fields.ContainsKey($name)) { $fields[$name] = New-Object Collections.ArrayList }
            [void]$fields[$name].Add($value)
        }
    }
}

# Lists of no or one item come apart when a function returns them: callers write @(Get-List ...).
function Get-List($fields, [string]$name) { if ($fields.ContainsKey($name)) { return $fields[$name] } }

function Get-Text($fields, [string]$name) {
    if (-not $fields.ContainsKey($name)) { Stop-Operation 'invalid' "the field $name is missing" }
    return $fields[$name][0]
}

function Get-Number($fields, [string]$name) {
    $number = 0
    if (-not [int]::TryParse((Get-Text $fields $name), [ref]$number)) { Stop-Operation 'invalid' "the field $name is not a number" }
    return $number
}

function Get-Flag($fields, [string]$name) { return (Get-Text $fields $name) -eq '1' }

# ---- the reply: JSON in pure ASCII, without any blank ---------------------------------------------------------------------------

$unprintable = New-Object Text.RegularExpressions.Regex '[^\x21-\x7E]'

function ConvertTo-JsonString([string]$text) {
    $text = $text.Replace('\', '\\').Replace('"', '\"')
    # One step for each different character, not for each place: that would take minutes for a megabyte.
    for ($odd = $unprintable.Match($text); $odd.Success; $odd = $unprintable.Match($text, $odd.Index)) {
        $text = $text.Replace($odd.Value, '\u' + ([int][char]$odd.Value).ToString('x4', $invariant))
    }
    return '"' + $text + '"'
}

# Bytes become base64 text, tables objects, all other collections lists.
function Add-Json([Text.StringBuilder]$json, $value) {
    if ($null -eq $value) {
        [void]$json.Append('null')
    } elseif ($value -is [string]) {
        [void]$json.Append((ConvertTo-JsonString $value))
    } elseif ($value -is [bool]) {
        [void]$json.Append("$value".ToLowerInvariant())
    } elseif ($value -is [int] -or $value -is [long] -or $value -is [uint32] -or $value -is [uint64]) {
        [void]$json.Append($value.ToString($invariant))
    } elseif ($value -is [byte[]]) {
        [void]$json.Append('"').Append([Convert]::ToBase64String($value)).Append('"')
    } elseif ($value -is [Collections.IDictionary]) {
        [void]$json.Append('{')
        $separator = ''
        # By its enumerator, not by .Keys: a table may hold an entry of that name.
        foreach ($entry in $value.GetEnumerator()) {
            [void]$json.Append($separator).Append((ConvertTo-JsonString $entry.Key)).Append(':')
            Add-Json $json $entry.Value
            $separator = ','
        }
        [void]$json.Append('}')
    } elseif ($value -is [Collections.IEnumerable]) {
        [void]$json.Append('[')
        $separator = ''
        foreach ($item in $value) {
            [void]$json.Append($separator)
            Add-Json $json $item
            $separator = ','
        }
        [void]$json.Append(']')
    } else {
        throw "no JSON form for $($value.GetType().FullName)"
    }
}

function ConvertTo-JsonText($value) {
    $json = New-Object Text.StringBuilder
    Add-Json $json $value
    return $json.ToString()
}

function Format-Time([DateTime]$time) { return $time.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", $invariant) }

# ---- system ---------------------------------------------------------------------------------------------------------------------

function Get-MachineRoot {
    $root = [Microsoft.Win32.Registry]::LocalMachine
    if (-not $root) { Stop-Operation 'unsupported' 'this system has no registry' }
    return $root
}

# One value of a key, %variables% as they are; $null when there is no such key or value.
function Get-MachineValue([string]$path, [string]$name) {
    $key = (Get-MachineRoot).OpenSubKey($path)
    if (-not $key) { return $null }
    $key.GetValue($name, $null, [Microsoft.Win32.RegistryValueOptions]::DoNotExpandEnvironmentNames)
    $key.Close()
}

function system($fields) {
    $network = [Net.NetworkInformation.IPGlobalProperties]::GetIPGlobalProperties()
    $version = [Environment]::OSVersion.Version
    $reply = @{
        computer_name = $network.HostName; dns_domain = $network.DomainName; machine_guid = $null; product_type = $null
        os_version = $version.ToString(3); os_build = $version.Build; os_ubr = $null
        culture = [Globalization.CultureInfo]::CurrentCulture.Name
        ui_culture = [Globalization.CultureInfo]::InstalledUICulture.Name
        powershell_version = $PSVersionTable.PSVersion.ToString()
        clr_version = [Environment]::Version.ToString()
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

# ---- registry -------------------------------------------------------------------------------------------------------------------

$kindNames = @{
    String = 'string'; ExpandString = 'expand_string'; MultiString = 'multi_string'
    Binary = 'binary'; DWord = 'dword'; QWord = 'qword'; None = 'none'
}

# The path of an operation's key. This is a 64-bit process, so it finds the 32-bit side by its name.
function Get-KeyPath($fields) {
    $path = Get-Text $fields 'path'
    if ($path -notmatch '^(SOFTWARE|SYSTEM)\\[^\\]') { Stop-Operation 'invalid' 'the path does not begin with SOFTWARE\ or SYSTEM\' }
    if ((Get-Text $fields 'view') -eq '32') { return $path -replace '^SOFTWARE\\', 'SOFTWARE\Wow6432Node\' }
    return $path
}

# Whether there is more than so many bytes of registry data, and the first so many of it ($limit 0: all).
function Get-FirstBytes($found, [int]$limit) {
    if ($found -is [string] -and $limit -and 2 * $found.Length -gt $limit) { return $true, $found.Substring(0, $limit / 2) }
    if ($found -is [byte[]] -and $limit -and $found.Length -gt $limit) {
        [byte[]]$first = New-Object byte[] $limit
        [Array]::Copy($found, $first, $limit)
        return $true, $first
    }
    if ($found -is [string[]] -and $limit) {
        $items = @(foreach ($item in $found) {
            $limit -= 2 * $item.Length
            if ($limit -ge 0) { $item }
        })
        return ($items.Length -lt $found.Length), $items
    }
    return $false, $found
}

# One value as the replies have it, and whether it was cut.
function Get-RegistryValue($key, [string]$name, [int]$limit) {
    $kind = $kindNames["$($key.GetValueKind($name))"]
    $found = $key.GetValue($name, $null, [Microsoft.Win32.RegistryValueOptions]::DoNotExpandEnvironmentNames)
    # .NET hands signed numbers out; the registry has unsigned ones.
    if ($found -is [int]) { $found = [BitConverter]::ToUInt32([BitConverter]::GetBytes($found), 0) }
    if ($found -is [long]) { $found = [BitConverter]::ToUInt64([BitConverter]::GetBytes($found), 0) }
    # .NET 2.0 knows fewer kinds and hands no data of the others out.
    if (-not $kind -or $null -eq $found) { $kind = 'unknown' }
    if ($null -eq $found) { $found = '' }
    $cut, $found = Get-FirstBytes $found $limit
    return @{ cut = $cut; value = @{ name = $name; kind = $kind; data = $found } }
}

# Opens a key anew: whether it is there, and its value of that name or $null. Windows compares these names without case.
function Read-RegistryState([string]$path, [string]$name) {
    $state = @{ key_exists = $false; value = $null }
    $key = (Get-MachineRoot).OpenSubKey($path)
    if ($key) {
        $state['key_exists'] = $true
        foreach ($stored in $key.GetValueNames()) {
            if ([string]::Equals($stored, $name, [StringComparison]::OrdinalIgnoreCase)) {
                $state['value'] = (Get-RegistryValue $key $stored 0)['value']
            }
        }
        $key.Close()
    }
    return $state
}

function registry_read($fields) { return Read-RegistryState (Get-KeyPath $fields) (Get-Text $fields 'name') }

function registry_list($fields) {
    $limit = Get-Number $fields 'limit'
    $key = (Get-MachineRoot).OpenSubKey((Get-KeyPath $fields))
    if (-not $key) { return @{ key_exists = $false; values = @(); subkeys = @(); truncated = $false } }
    $names = @($key.GetValueNames())
    $subkeys = @($key.GetSubKeyNames())
    $truncated = $names.Length -gt $limit -or $subkeys.Length -gt $limit
    $values = @(for ($index = 0; $index -lt [Math]::Min($limit, $names.Length); $index++) {
        $one = Get-RegistryValue $key $names[$index] 65536
        if ($one['cut']) { $truncated = $true }
        $one['value']
    })
    $key.Close()
    $subkeys = @(for ($index = 0; $index -lt [Math]::Min($limit, $subkeys.Length); $index++) { $subkeys[$index] })
    return @{ key_exists = $true; values = $values; subkeys = $subkeys; truncated = $truncated }
}

# Whether a value ($null: there is none) is of that kind and holds exactly these texts.
function Test-SameValue($value, [string]$kind, $texts) {
    if (-not $value -or $value['kind'] -ne $kind) { return $false }
    $found = $value['data']
    if ($found -is [byte[]]) { $found = [Convert]::ToBase64String($found) }
    $found = @(foreach ($item in @($found)) { $item.ToString($invariant) })
    if ($found.Length -ne $texts.Length) { return $false }
    for ($index = 0; $index -lt $found.Length; $index++) {
        if (-not [string]::Equals($found[$index], $texts[$index])) { return $false }
    }
    return $true
}

# Whether the value that was found is the one that the operation expects.
function Test-Expected($fields, $value) {
    switch (Get-Text $fields 'expect') {
        'anything' { return $true }
        'absent' { return $null -eq $value }
        'value' { return Test-SameValue $value (Get-Text $fields 'expect_kind') @(Get-List $fields 'expect_data') }
    }
    Stop-Operation 'invalid' 'the field expect is unknown'
}

# What .NET writes for a kind and its texts: of numbers, the signed one with the same bits.
function ConvertTo-RegistryData([string]$kind, $texts) {
    if ($kind -eq 'multi_string') { return , [string[]]$texts }
    if ($texts.Length -ne 1) { Stop-Operation 'invalid' 'a value of this kind takes one text' }
    if ($kind -eq 'string' -or $kind -eq 'expand_string') { return $texts[0] }
    if ($kind -eq 'binary') { return , [Convert]::FromBase64String($texts[0]) }
    $small = [uint32]0
    if ($kind -eq 'dword' -and [uint32]::TryParse($texts[0], [ref]$small)) {
        return [BitConverter]::ToInt32([BitConverter]::GetBytes($small), 0)
    }
    $large = [uint64]0
    if ($kind -eq 'qword' -and [uint64]::TryParse($texts[0], [ref]$large)) {
        return [BitConverter]::ToInt64([BitConverter]::GetBytes($large), 0)
    }
    Stop-Operation 'invalid' "this cannot be written as $kind"
}

# The key, open for writing. What is missing of its path is created level by level, so that each new level gets the permissions.
function Open-KeyForWriting([string]$path, [bool]$private) {
    $root = Get-MachineRoot
    $key = $root.OpenSubKey($path, $true)
    if ($key) { return $key }
    $security = New-Object Security.AccessControl.RegistrySecurity
    # Full control for administrators (BA) and the system (SY); nothing is inherited (P).
    $security.SetSecurityDescriptorSddlForm('D:P(A;CI;KA;;;BA)(A;CI;KA;;;SY)')
    $check = [Microsoft.Win32.RegistryKeyPermissionCheck]::ReadWriteSubTree
    $level = ''
    foreach ($part in $path.Split('\')) {
        $level = "$level\$part".TrimStart('\')
        $key = $root.OpenSubKey($level)
        if (-not $key) {
            if ($private) { $key = $root.CreateSubKey($level, $check, $security) } else { $key = $root.CreateSubKey($level, $check) }
        }
        $key.Close()
    }
    return $root.OpenSubKey($path, $true)
}

# The reply of a change; what it left is read anew.
function Get-ChangeReply([string]$path, [string]$name, $before, [bool]$refused, [bool]$changed) {
    $after = Read-RegistryState $path $name
    return @{
        refused = $refused; changed = $changed; before = $before['value']; after = $after['value']
        key_existed = $before['key_exists']; key_exists = $after['key_exists']
    }
}

function registry_set($fields) {
    $path = Get-KeyPath $fields
    $name = Get-Text $fields 'name'
    $kind = Get-Text $fields 'kind'
    $texts = @(Get-List $fields 'data')
    if (Get-Flag $fields 'stamp') {
        $now = Format-Time ([DateTime]::UtcNow)
        $texts = @(foreach ($text in $texts) { $text.Replace('@now@', $now) })
    }
    $content = ConvertTo-RegistryData $kind $texts
    $before = Read-RegistryState $path $name
    if (-not (Test-Expected $fields $before['value'])) { return Get-ChangeReply $path $name $before $true $false }
    if (Test-SameValue $before['value'] $kind $texts) { return Get-ChangeReply $path $name $before $false $false }
    if ($before['value']) { $name = $before['value']['name'] }
    $key = Open-KeyForWriting $path (Get-Flag $fields 'private')
    $key.SetValue($name, $content, [Microsoft.Win32.RegistryValueKind]$kind.Replace('_', ''))
    $key.Close()
    return Get-ChangeReply $path $name $before $false $true
}

function registry_delete($fields) {
    $path = Get-KeyPath $fields
    $name = Get-Text $fields 'name'
    $before = Read-RegistryState $path $name
    if (-not (Test-Expected $fields $before['value'])) { return Get-ChangeReply $path $name $before $true $false }
    $changed = $false
    if ($before['value']) {
        $key = (Get-MachineRoot).OpenSubKey($path, $true)
        $key.DeleteValue($before['value']['name'], $false)
        $key.Close()
        $changed = $true
    }
    if ($before['key_exists'] -and (Get-Flag $fields 'prune')) {
        $key = (Get-MachineRoot).OpenSubKey($path)
        $empty = $key.ValueCount -eq 0 -and $key.SubKeyCount -eq 0
        $key.Close()
        if ($empty) {
            (Get-MachineRoot).DeleteSubKey($path, $false)
            $changed = $true
        }
    }
    return Get-ChangeReply $path $name $before $false $changed
}

# ---- files ----------------------------------------------------------------------------------------------------------------------

# Whether a file is there. File.Exists also says no where the account may not look; that is an error here.
function Test-File([string]$path) {
    if ([IO.File]::Exists($path)) { return $true }
    if ($path -eq '') { return $false }
    try {
        [void][IO.File]::GetAttributes($path)
    } catch {
        if ((Get-Failure $_.Exception)['type'] -ne 'not_found') { throw }
    }
    return $false
}

# The full path that an operation means; '' when it means the executable of a service and there is none.
function Get-FilePath($fields) {
    $path = Get-Text $fields 'path'
    if ($fields.ContainsKey('service') -and (Get-Text $fields 'service') -ne '') {
        $executable = Find-Executable (Get-MachineValue (Get-ServiceKey (Get-Text $fields 'service')) 'ImagePath')
        if ($executable) { return $executable + $path } else { return '' }
    }
    return [IO.Path]::GetFullPath([Environment]::ExpandEnvironmentVariables($path))
}

function Open-File([string]$path) {
    $share = [IO.FileShare]'ReadWrite, Delete'
    return New-Object IO.FileStream($path, [IO.FileMode]::Open, [IO.FileAccess]::Read, $share)
}

# The first bytes of an open file. One read may give less than was asked for.
function Read-Bytes($stream, [long]$count) {
    [byte[]]$bytes = New-Object byte[] ([int][Math]::Min($count, $stream.Length))
    for ($filled = 0; $filled -lt $bytes.Length; $filled += $more) {
        $more = $stream.Read($bytes, $filled, $bytes.Length - $filled)
        if ($more -eq 0) { throw 'the file became shorter while it was read' }
    }
    return , $bytes
}

function file_info($fields) {
    $path = Get-FilePath $fields
    $reply = @{ path = $path; exists = (Test-File $path); size = $null; version = $null; created_utc = $null; modified_utc = $null }
    if ($reply['exists']) {
        $file = New-Object IO.FileInfo $path
        $reply['size'] = $file.Length
        $reply['created_utc'] = Format-Time $file.CreationTimeUtc
        $reply['modified_utc'] = Format-Time $file.LastWriteTimeUtc
        $about = [Diagnostics.FileVersionInfo]::GetVersionInfo($path)
        $version = '{0}.{1}.{2}.{3}' -f $about.FileMajorPart, $about.FileMinorPart, $about.FileBuildPart, $about.FilePrivatePart
        if ($about.FileVersion -or $version -ne '0.0.0.0') { $reply['version'] = $version }
    }
    return $reply
}

function file_read($fields) {
    $path = Get-FilePath $fields
    $limit = Get-Number $fields 'limit'
    $reply = @{ path = $path; exists = (Test-File $path); content = $null; truncated = $false }
    if ($reply['exists']) {
        $stream = Open-File $path
        $reply['content'] = Read-Bytes $stream $limit
        $reply['truncated'] = $stream.Length -gt $limit
        $stream.Close()
    }
    return $reply
}

function file_search($fields) {
    $path = Get-FilePath $fields
    $exists = Test-File $path
    # Latin-1 makes one character of each byte, so that .NET's fast search for text finds bytes.
    $latin1 = [Text.Encoding]::GetEncoding(28591)
    $content = ''
    if ($exists) {
        $stream = Open-File $path
        if ($stream.Length -gt 64MB) { Stop-Operation 'too_large' "the file has $($stream.Length) bytes" }
        $content = $latin1.GetString((Read-Bytes $stream $stream.Length))
        $stream.Close()
    }
    $found = @(foreach ($pattern in @(Get-List $fields 'patterns')) {
        $text = $latin1.GetString([Convert]::FromBase64String($pattern))
        $exists -and $content.IndexOf($text, [StringComparison]::Ordinal) -ge 0
    })
    return @{ exists = $exists; found = $found }
}

# ---- services -------------------------------------------------------------------------------------------------------------------

$serviceStates = @{
    Stopped = 'stopped'; StartPending = 'start_pending'; StopPending = 'stop_pending'; Running = 'running'
    ContinuePending = 'continue_pending'; PausePending = 'pause_pending'; Paused = 'paused'
}

function Get-ServiceKey([string]$name) {
    if ($name -eq '' -or $name.IndexOf('\') -ge 0) { Stop-Operation 'invalid' 'this is not the name of a service' }
    return "SYSTEM\CurrentControlSet\Services\$name"
}

# The file that Windows starts for an ImagePath, with its full long path; $null when there is none.
function Find-Executable([string]$imagePath) {
    $text = [Environment]::ExpandEnvironmentVariables($imagePath).Trim()
    if ($text.StartsWith('"')) {
        $candidates = @($text.Substring(1).Split('"')[0])
    } else {
        # Without quotes Windows tries every part that ends at a blank, the shortest first.
        $candidates = @(for ($end = 1; $end -le $text.Length; $end++) {
            if ($end -eq $text.Length -or " `t".IndexOf($text[$end]) -ge 0) { $text.Substring(0, $end) }
        })
    }
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
    try {
        [void](Get-ServiceStatus $control)
    } catch {
        if ((Get-Failure $_.Exception)['type'] -ne 'not_found') { throw }
        return $null
    }
    # The class would take a display name as well.
    if ([string]::Equals($control.ServiceName, $name, [StringComparison]::OrdinalIgnoreCase)) { return $control }
}

function Get-ServiceStatus($control) {
    $control.Refresh()
    return $serviceStates["$($control.Status)"]
}

function services($fields) {
    $services = @(foreach ($name in @(Get-List $fields 'names')) {
        $path = Get-ServiceKey $name
        $control = Get-ServiceControl $name
        $state = @{
            name = $name; exists = [bool]$control; status = $null; start_mode = $null
            image_path = $null; executable = $null; dependents = @()
        }
        if ($control) {
            $state['status'] = Get-ServiceStatus $control
            $state['start_mode'] = @('boot', 'system', 'automatic', 'manual', 'disabled')[(Get-MachineValue $path 'Start')]
            $state['image_path'] = Get-MachineValue $path 'ImagePath'
            $state['executable'] = Find-Executable $state['image_path']
            $state['dependents'] = @(foreach ($dependent in @($control.DependentServices)) {
                @{ name = $dependent.ServiceName; status = (Get-ServiceStatus $dependent) }
            })
        }
        $state
    })
    return @{ services = $services }
}

# ---- processes ------------------------------------------------------------------------------------------------------------------

function processes($fields) {
    # Lets an administrator see processes of other accounts. What stays hidden without it is $null in the reply.
    try { [Diagnostics.Process]::EnterDebugMode() } catch { }
    $processes = @(foreach ($name in @(Get-List $fields 'names')) {
        foreach ($process in @([Diagnostics.Process]::GetProcessesByName($name))) {
            $state = @{ name = $process.ProcessName; pid = $process.Id; path = $null; started_utc = $null }
            try { $state['path'] = [IO.Path]::GetFullPath($process.MainModule.FileName) } catch { }
            try { $state['started_utc'] = Format-Time $process.StartTime } catch { }
            $state
        }
    })
    return @{ processes = $processes }
}

# ---- service_restart ------------------------------------------------------------------------------------------------------------

# Waits while a service is in one of these states. Gives its state then: one of these only when the time is over.
function Wait-WhileService($control, [string[]]$states, $watch, [int]$seconds) {
    $status = Get-ServiceStatus $control
    while ($states -contains $status -and $watch.Elapsed.TotalSeconds -lt $seconds) {
        [Threading.Thread]::Sleep(200)
        $status = Get-ServiceStatus $control
    }
    return $status
}

# Stops one service. Gives its state then: not 'stopped' only when the time is over.
function Stop-OneService($control, $watch, [int]$seconds) {
    # Windows does not stop a service that is on its way to another state.
    $status = Wait-WhileService $control @('start_pending', 'continue_pending', 'pause_pending', 'stop_pending') $watch $seconds
    if ($status -eq 'running' -or $status -eq 'paused') {
        $control.Stop()
        $status = Wait-WhileService $control @('running', 'paused', 'stop_pending') $watch $seconds
    }
    return $status
}

# Starts one service. Gives its state then: on the way only when the time is over, 'stopped' when it did not stay up.
function Start-OneService($control, $watch, [int]$seconds) {
    $status = Wait-WhileService $control @('stop_pending', 'pause_pending') $watch $seconds
    if ($status -eq 'stopped') { $control.Start() }
    if ($status -eq 'paused') { $control.Continue() }
    if ($status -eq 'stop_pending' -or $status -eq 'pause_pending') { return $status }
    return Wait-WhileService $control @('start_pending', 'continue_pending') $watch $seconds
}

function service_restart($fields) {
    $name = Get-Text $fields 'name'
    $seconds = Get-Number $fields 'seconds'
    $watch = [Diagnostics.Stopwatch]::StartNew()
    $toStart = New-Object Collections.ArrayList (, @(Get-List $fields 'dependents'))
    $started = New-Object Collections.ArrayList
    $notStarted = New-Object Collections.ArrayList
    $reply = @{ phase = 'stopping'; status = $null; dependents_started = $started; dependents_not_started = $notStarted }

    $control = Get-ServiceControl $name
    if (-not $control) { Stop-Operation 'not_found' "there is no service $name" }
    if ((Get-MachineValue (Get-ServiceKey $name) 'Start') -eq 4) { Stop-Operation 'disabled' "the service $name is disabled" }

    if (Get-Flag $fields 'stop') {
        # Windows names them in the order in which they have to stop. Stop() alone would wait 30 seconds for each of them.
        foreach ($dependent in @($control.DependentServices)) {
            if ((Get-ServiceStatus $dependent) -eq 'stopped') { continue }
            if ($toStart -notcontains $dependent.ServiceName) { $toStart.Insert(0, $dependent.ServiceName) }
            if ((Stop-OneService $dependent $watch $seconds) -ne 'stopped') {
                $reply['status'] = Get-ServiceStatus $control
                return $reply
            }
        }
        $reply['status'] = Stop-OneService $control $watch $seconds
        if ($reply['status'] -ne 'stopped') { return $reply }
    }

    $status = Start-OneService $control $watch $seconds
    $reply['status'] = $status
    if ($status -eq 'stop_pending' -or $status -eq 'pause_pending') { return $reply }
    $reply['phase'] = 'starting'
    if ($status -eq 'start_pending' -or $status -eq 'continue_pending') { return $reply }
    if ($status -ne 'running') { Stop-Operation 'failed' "the service $name was started and is $status again" }

    foreach ($dependentName in $toStart) {
        if ($watch.Elapsed.TotalSeconds -ge $seconds) { return $reply }
        $status = 'stopped'
        try { $status = Start-OneService (Get-ServiceControl $dependentName) $watch $seconds } catch { }
        if ($status -eq 'running') { [void]$started.Add($dependentName) }
        elseif ($status -eq 'stopped') { [void]$notStarted.Add($dependentName) }
        else { return $reply }
    }
    $reply['phase'] = 'done'
    return $reply
}

# ---- certificates, chain_check --------------------------------------------------------------------------------------------------

function New-Certificate([string]$base64) {
    $certificate = $null
    try {
        $certificate = New-Object Security.Cryptography.X509Certificates.X509Certificate2 (, [Convert]::FromBase64String($base64))
    } catch { }
    if (-not $certificate) { Stop-Operation 'invalid' 'these bytes are not a certificate' }
    return $certificate
}

# A chain without revocation, in the machine's context: the services do not trust what the account of this session trusts for itself.
function New-Chain {
    $chain = New-Object Security.Cryptography.X509Certificates.X509Chain $true
    $chain.ChainPolicy.RevocationMode = [Security.Cryptography.X509Certificates.X509RevocationMode]::NoCheck
    $chain.ChainPolicy.UrlRetrievalTimeout = [TimeSpan]::FromSeconds(3)
    return $chain
}

# The store property that restricts purposes (CERT_ENHKEY_USAGE_PROP_ID, 9) of a certificate in one of the stores, $null when not set.
# .NET does not hand it out. The registry holds a certificate as a row of properties: number, constant, length, data.
function Get-UsageProperty([string]$thumbprint, [string[]]$stores) {
    foreach ($store in $stores) {
        foreach ($place in @('Microsoft\SystemCertificates', 'Policies\Microsoft\SystemCertificates', 'Microsoft\EnterpriseCertificates')) {
            [byte[]]$blob = Get-MachineValue "SOFTWARE\$place\$store\Certificates\$thumbprint" 'Blob'
            for ($offset = 0; $blob -and $offset + 12 -le $blob.Length; $offset += 12 + $length) {
                $length = [BitConverter]::ToInt32($blob, $offset + 8)
                if ($length -lt 0 -or $length -gt $blob.Length - $offset - 12) { break }
                if ([BitConverter]::ToInt32($blob, $offset) -eq 9) {
                    [byte[]]$usage = New-Object byte[] $length
                    [Array]::Copy($blob, $offset + 12, $usage, 0, $length)
                    return , $usage
                }
            }
        }
    }
}

function certificates($fields) {
    $storeName = Get-Text $fields 'store'
    $limit = Get-Number $fields 'limit'
    if ($storeName -eq '' -or $storeName.IndexOf('\') -ge 0) { Stop-Operation 'invalid' 'this is not the name of a store' }
    $store = New-Object Security.Cryptography.X509Certificates.X509Store($storeName, 'LocalMachine')
    $store.Open([Security.Cryptography.X509Certificates.OpenFlags]'ReadOnly, OpenExistingOnly')
    $all = @($store.Certificates)
    $store.Close()
    $ordered = @(@($all | Where-Object { $_.HasPrivateKey }) + @($all | Where-Object { -not $_.HasPrivateKey }))
    $truncated = $ordered.Length -gt $limit
    $issuers = @{}
    $found = @(for ($index = 0; $index -lt [Math]::Min($limit, $ordered.Length); $index++) {
        $certificate = $ordered[$index]
        $names = @()
        if (Get-Flag $fields 'chains') {
            if ($clock.Elapsed.TotalSeconds -ge $deadline) {
                # A chain may wait for a download of an issuer. With many such certificates that must not go on for ever.
                $truncated = $true
                break
            }
            $chain = New-Chain
            $chain.ChainPolicy.VerificationFlags = [Security.Cryptography.X509Certificates.X509VerificationFlags]::AllFlags
            [void]$chain.Build($certificate)
            $names = @(for ($step = 1; $step -lt $chain.ChainElements.Count; $step++) {
                $issuer = $chain.ChainElements[$step].Certificate
                $issuer.Thumbprint
                if (-not $issuers.ContainsKey($issuer.Thumbprint)) {
                    $usage = Get-UsageProperty $issuer.Thumbprint @('CA', 'Root', 'AuthRoot')
                    $issuers[$issuer.Thumbprint] = @{ certificate = $issuer.RawData; usage_property = $usage }
                }
            })
        }
        $usage = Get-UsageProperty $certificate.Thumbprint @($storeName)
        @{ certificate = $certificate.RawData; has_private_key = $certificate.HasPrivateKey; usage_property = $usage; chain = $names }
    })
    return @{ certificates = $found; issuers = @($issuers.Values); truncated = $truncated }
}

function chain_check($fields) {
    $certificate = New-Certificate (Get-Text $fields 'certificate')
    $chain = New-Chain
    [void]$chain.ChainPolicy.ApplicationPolicy.Add((New-Object Security.Cryptography.Oid (Get-Text $fields 'oid')))
    foreach ($issuer in @(Get-List $fields 'issuers')) { [void]$chain.ChainPolicy.ExtraStore.Add((New-Certificate $issuer)) }
    [void]$chain.Build($certificate)
    $statuses = @{}
    foreach ($status in @($chain.ChainStatus)) { foreach ($name in ("$($status.Status)" -split ', ')) { $statuses[$name] = $true } }
    return @{
        statuses = @($statuses.Keys)
        chain = @(foreach ($element in $chain.ChainElements) { $element.Certificate.Thumbprint })
    }
}

# ---- tls_peer -------------------------------------------------------------------------------------------------------------------

# The kind of failure that an exception of a connection means; $otherwise when nothing in it tells.
function Get-TlsFailure($exception, [string]$otherwise) {
    for (; $exception; $exception = $exception.InnerException) {
        if ($exception -isnot [Net.Sockets.SocketException]) { continue }
        $code = "$($exception.SocketErrorCode)"
        if (@('HostNotFound', 'TryAgain', 'NoData', 'NoRecovery') -contains $code) { return 'name_not_resolved' }
        if ($code -eq 'ConnectionRefused') { return 'refused' }
        # WouldBlock is how newer .NET tells that reading took too long.
        if ($code -eq 'TimedOut' -or $code -eq 'WouldBlock') { return 'timeout' }
    }
    return $otherwise
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
        $known = @{}
        $known[$certificate.GetCertHashString()] = $true
        $reply['issuers'] = @(foreach ($issuer in $chain.ChainPolicy.ExtraStore) {
            if (-not $known.ContainsKey($issuer.Thumbprint)) { , $issuer.RawData }
            $known[$issuer.Thumbprint] = $true
        })
        return $true
    }
    try {
        $connecting = $client.BeginConnect($peer, $port, $null, $null)
        if (-not $connecting.AsyncWaitHandle.WaitOne($milliseconds, $false)) {
            $reply['failure'] = 'timeout'
        } else {
            $client.EndConnect($connecting)
            $reply['connected'] = $true
            $client.ReceiveTimeout = $milliseconds
            $client.SendTimeout = $milliseconds
            $stream = New-Object Net.Security.SslStream($client.GetStream(), $false, $capture, $offer)
            $stream.AuthenticateAsClient($peer, $null, $protocols, $false)
        }
    } catch {
        $otherwise = 'other'
        if ($reply['connected']) { $otherwise = 'handshake' }
        $reply['failure'] = Get-TlsFailure $_.Exception $otherwise
    }
    $client.Close()
    return $reply
}

function tls_peer($fields) {
    $peer = Get-Text $fields 'host'
    $port = Get-Number $fields 'port'
    $milliseconds = 1000 * (Get-Number $fields 'seconds')
    if ($peer -eq '') {
        $network = [Net.NetworkInformation.IPGlobalProperties]::GetIPGlobalProperties()
        $peer = "$($network.HostName).$($network.DomainName)".TrimEnd('.')
    }
    # TLS 1.0 to 1.2 by number, since older frameworks have no names for 1.1 and 1.2; what the system is set to; TLS 1.0 alone, where a
    # framework knows neither.
    foreach ($number in @(4032, 0, 192)) {
        $protocols = [Enum]::ToObject([Security.Authentication.SslProtocols], $number)
        $reply = Connect-TlsPeer $peer $port $milliseconds $protocols
        if ($reply['failure'] -ne 'handshake' -or $reply['certificate']) { break }
    }
    return $reply
}

# ---- events ---------------------------------------------------------------------------------------------------------------------

# The insertion strings of an event. Its message is never read: it is in the server's language.
function Get-EventStrings($record) {
    foreach ($property in @($record.Properties)) {
        $value = $property.Value
        if ($value -is [byte[]]) { $text = [Convert]::ToBase64String($value) }
        elseif ($value -is [DateTime]) { $text = Format-Time $value }
        else { $text = [Convert]::ToString($value, $invariant) }
        $text.Substring(0, [Math]::Min(500, $text.Length))
    }
}

function events($fields) {
    [void][Reflection.Assembly]::LoadWithPartialName('System.Core')
    $provider = Get-Text $fields 'provider'
    if ($provider.IndexOf("'") -ge 0) { Stop-Operation 'invalid' 'this is not the name of a provider' }
    $milliseconds = [long]1000 * (Get-Number $fields 'seconds')
    $limit = Get-Number $fields 'limit'
    $reply = @{ log_exists = $true; events = (New-Object Collections.ArrayList); truncated_ids = (New-Object Collections.ArrayList) }
    foreach ($idText in @(Get-List $fields 'ids')) {
        $id = 0
        if (-not [int]::TryParse($idText, [ref]$id)) { Stop-Operation 'invalid' 'the id of an event is not a number' }
        # How long ago, by the log's own clock.
        $xpath = "*[System[Provider[@Name='$provider'] and (EventID=$id) and TimeCreated[timediff(@SystemTime) <= $milliseconds]]]"
        $kind = [Diagnostics.Eventing.Reader.PathType]::LogName
        $query = New-Object Diagnostics.Eventing.Reader.EventLogQuery((Get-Text $fields 'log'), $kind, $xpath)
        $query.ReverseDirection = $true
        try {
            $reader = New-Object Diagnostics.Eventing.Reader.EventLogReader $query
        } catch {
            for ($reason = $_.Exception; $reason; $reason = $reason.InnerException) {
                if ($reason -isnot [Diagnostics.Eventing.Reader.EventLogNotFoundException]) { continue }
                $reply['log_exists'] = $false
                return $reply
            }
            throw
        }
        for ($count = 0; $record = $reader.ReadEvent([TimeSpan]::FromSeconds(10)); $count++) {
            if ($count -ge $limit) {
                [void]$reply['truncated_ids'].Add($id)
                break
            }
            $strings = @(Get-EventStrings $record)
            if ($strings.Length -gt 20) { $strings = $strings[0..19] }
            $time = Format-Time $record.TimeCreated
            [void]$reply['events'].Add(@{ id = $id; record_id = [long]$record.RecordId; time_utc = $time; strings = $strings })
        }
        $reader.Dispose()
    }
    return $reply
}

# ---- updates --------------------------------------------------------------------------------------------------------------------

function Get-SubkeyNames([string]$path) {
    $key = (Get-MachineRoot).OpenSubKey($path)
    if (-not $key) { return }
    $key.GetSubKeyNames()
    $key.Close()
}

function updates($fields) {
    $kbs = @(Get-List $fields 'kbs')
    foreach ($kb in $kbs) { if ($kb -notmatch '^KB[0-9]+$') { Stop-Operation 'invalid' 'an update is not KB and a number' } }
    if ($kbs.Length -eq 0) { return @{ cbs = @(); msi = @() } }
    # One expression for all of them: a server has more than 10,000 packages.
    $pattern = '(?<![0-9A-Z])(' + [string]::Join('|', $kbs) + ')(?![0-9])'
    $wanted = New-Object Text.RegularExpressions.Regex($pattern, [Text.RegularExpressions.RegexOptions]'Compiled, IgnoreCase, CultureInvariant')
    $packages = 'SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\Packages'
    $cbs = @(foreach ($name in @(Get-SubkeyNames $packages)) {
        $match = $wanted.Match($name)
        if (-not $match.Success) { continue }
        # No state: not installed, which is 0.
        @{ kb = $match.Value.ToUpperInvariant(); name = $name; state = [int](Get-MachineValue "$packages\$name" 'CurrentState') }
    })
    $roots = @{ '64' = 'SOFTWARE\Microsoft\Updates'; '32' = 'SOFTWARE\Wow6432Node\Microsoft\Updates' }
    $msi = @(foreach ($view in @('64', '32')) {
        $root = $roots[$view]
        foreach ($product in @(Get-SubkeyNames $root)) {
            foreach ($name in @(Get-SubkeyNames "$root\$product")) {
                $match = $wanted.Match($name)
                if (-not $match.Success) { continue }
                $installed = Get-MachineValue "$root\$product\$name" 'ThisVersionInstalled'
                if ($null -ne $installed) { $installed = "$installed" }
                @{ kb = $match.Value.ToUpperInvariant(); product = $product; view = $view; installed = $installed }
            }
        }
    })
    return @{ cbs = $cbs; msi = $msi }
}

# ---- lync_command ---------------------------------------------------------------------------------------------------------------

# Runs in a runspace of its own, so that it can be given up. Errors of single objects do not end a cmdlet: what it could read counts.
$lyncScript = {
    param($modules, $command)
    # A command that hangs must not keep the process from ending.
    [Threading.Thread]::CurrentThread.IsBackground = $true
    $ErrorActionPreference = 'Stop'
    $ProgressPreference = 'SilentlyContinue'
    $WarningPreference = 'SilentlyContinue'
    $result = @{ module = $null; output = @(); problem = $null; problem_id = '' }
    try {
        foreach ($module in $modules) {
            try {
                Import-Module $module
                $result['module'] = $module
                break
            } catch {
                if ("$($_.FullyQualifiedErrorId)" -like 'Modules_ModuleNotFound*') { continue }
                $result['module'] = $module
                throw
            }
        }
        if ($result['module'] -and $command -eq 'Get-CsCertificate') {
            $result['output'] = @(Get-CsCertificate -ErrorAction SilentlyContinue -ErrorVariable problems)
        } elseif ($result['module']) {
            $result['output'] = @(Get-CsTopology -LocalStore -AsXml -ErrorAction SilentlyContinue -ErrorVariable problems)
        }
        foreach ($problem in @($problems | Where-Object { $_ })) {
            # The list holds error records, in some cases bare exceptions.
            if ($problem -isnot [Exception]) { $problem = $problem.Exception }
            if (-not $result['problem']) { $result['problem'] = $problem }
        }
    } catch {
        $result['problem'] = $_.Exception
    }
    $result
}

# The value of a property as texts.
function ConvertTo-Texts($value) {
    if ($value -is [string] -or $value -isnot [Collections.IEnumerable]) { $value = @($value) }
    foreach ($item in $value) {
        if ($null -eq $item) { continue }
        if ($item -is [DateTime]) { Format-Time $item } else { [string]$item }
    }
}

function lync_command($fields) {
    $command = Get-Text $fields 'command'
    $modules = @(Get-List $fields 'modules')
    if (@('Get-CsCertificate', 'Get-CsTopology') -notcontains $command) { Stop-Operation 'invalid' 'this command is not allowed' }
    foreach ($module in $modules) {
        if (@('SkypeForBusiness', 'Lync') -notcontains $module) { Stop-Operation 'invalid' 'this module is not allowed' }
    }
    if ($PSVersionTable.PSVersion.Major -ge 3) {
        # Without commands that the product's modules load themselves when they need them: faster, and less memory.
        $content = [Management.Automation.Runspaces.InitialSessionState]::CreateDefault2()
    } else {
        $content = [Management.Automation.Runspaces.InitialSessionState]::CreateDefault()
    }
    $shell = [Management.Automation.PowerShell]::Create()
    $shell.Runspace = [Management.Automation.Runspaces.RunspaceFactory]::CreateRunspace($content)
    $shell.Runspace.Open()
    [void]$shell.AddScript($lyncScript.ToString()).AddArgument($modules).AddArgument($command)
    $running = $shell.BeginInvoke()
    if (-not $running.AsyncWaitHandle.WaitOne(1000 * (Get-Number $fields 'seconds'), $false)) {
        # Left to itself: stopping waits for a command that may never come back, and so would the end of the process.
        Stop-Operation 'deadline' "$command did not end in time"
    }
    $result = @($shell.EndInvoke($running))[0]
    $reply = @{ module = $result['module']; denied = $false; failure = $null; objects = @(); text = $null }
    if ($result['problem']) {
        $failure = Get-Failure $result['problem']
        $reply['denied'] = $failure['type'] -eq 'denied'
        $reply['failure'] = $failure['message']
    }
    if ($command -eq 'Get-CsTopology') {
        $texts = @(foreach ($item in $result['output']) { if ($item -is [Xml.XmlNode]) { $item.OuterXml } else { [string]$item } })
        if ($texts.Length) { $reply['text'] = [string]::Join("`n", $texts) }
        if ("$($reply['text'])".Length -gt 2MB) { Stop-Operation 'too_large' "the topology has $($reply['text'].Length) characters" }
    } else {
        $reply['objects'] = @(foreach ($object in $result['output']) {
            $texts = @{}
            foreach ($name in @(Get-List $fields 'properties')) {
                if ($object.PSObject.Properties[$name]) { $texts[$name] = @(ConvertTo-Texts $object.$name) }
            }
            $texts
        })
    }
    return $reply
}

# ---- the batch ------------------------------------------------------------------------------------------------------------------

# Everything that can be asked for; the function of that name does it.
$operationNames = @(
    'system', 'registry_read', 'registry_list', 'registry_set', 'registry_delete', 'file_info', 'file_read', 'file_search',
    'services', 'processes', 'service_restart', 'certificates', 'chain_check', 'tls_peer', 'events', 'updates', 'lync_command'
)

# Why this process can run no batch; nothing when it can.
function Get-Refusal {
    if ([IntPtr]::Size -ne 8) {
        return @{ type = 'process_32_bit'; message = 'this is a 32-bit process, which sees another registry and other folders' }
    }
    if (-not $onWindows) { return }
    $user = New-Object Security.Principal.WindowsPrincipal ([Security.Principal.WindowsIdentity]::GetCurrent())
    if (-not $user.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
        return @{ type = 'not_elevated'; message = "the account $($user.Identity.Name) has no administrator's rights in this session" }
    }
}

# One operation's reply as JSON text, whatever happens in it.
function Invoke-Operation($operation) {
    $watch = [Diagnostics.Stopwatch]::StartNew()
    try {
        if ($clock.Elapsed.TotalSeconds -ge $deadline) { Stop-Operation 'deadline' 'the time of the batch was over before this could start' }
        if ($batch['stopped']) { Stop-Operation 'skipped' 'an operation before this one failed or was refused' }
        if ($operationNames -cnotcontains $operation['name']) { Stop-Operation 'invalid' 'there is no such operation' }
        # Its last output: the result of a method that nobody took must not spoil a reply.
        $value = @(& $operation['name'] $operation['fields'])[-1]
        if ($value['refused']) { $batch['stopped'] = $batch['stop_on_error'] }
        return ConvertTo-JsonText @{ ok = $true; ms = $watch.ElapsedMilliseconds; value = $value }
    } catch {
        $problem = $_
    }
    $batch['stopped'] = $batch['stop_on_error']
    $failure = Get-Failure $problem.Exception "$($problem.FullyQualifiedErrorId)"
    return ConvertTo-JsonText @{ ok = $false; ms = $watch.ElapsedMilliseconds; error = $failure }
}

$lines = "$data".Split([char]10)
$word, $version, $nonce, $seconds, $stopOnError = $lines[0].Split([char]9)
$deadline = 0
if ($word -cne 'batch' -or $version -cne '1' -or $nonce -cnotmatch '^[0-9a-f]{16}\z' -or
    -not [int]::TryParse("$seconds", [ref]$deadline) -or @('0', '1') -notcontains $stopOnError) {
    # Without a nonce there are no markers.
    '[[sfb.kb4023993!bad_data]]'
    exit 3
}
$replies = @()
$batch = @{ stop_on_error = ($stopOnError -eq '1'); stopped = $false }
$failure = Get-Refusal
if (-not $failure) {
    try {
        $lines[0] = ''
        $operations = @(Read-Operations $lines)
    } catch {
        $failure = @{ type = 'bad_data'; message = (Get-Failure $_.Exception)['message'] }
    }
}
if (-not $failure) { $replies = @(foreach ($operation in $operations) { Invoke-Operation $operation }) }
$text = '{"failure":' + (ConvertTo-JsonText $failure) + ',"replies":[' + [string]::Join(',', $replies) + ']}'
$text = "[[sfb.kb4023993-$nonce[$text]$nonce]]"
# Through the pipeline, since not every transport has a console, and in lines of a length that all of them bear.
for ($start = 0; $start -lt $text.Length; $start += 4000) { $text.Substring($start, [Math]::Min(4000, $text.Length - $start)) }
exit 0
