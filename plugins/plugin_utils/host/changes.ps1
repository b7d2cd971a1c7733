# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The operations that change a server. This text is put in front of batch.ps1 in batches that hold one of them, and only there: what an
# audit sends cannot change anything, because it does not hold the code for it.

# What batch.ps1 accepts beside its own operations.
$changingNames = @('registry_set', 'registry_delete', 'service_restart')

# ---- registry -------------------------------------------------------------------------------------------------------------------

# Whether a value ($null: there is none) is of that kind and holds exactly these texts. As JSON, equal lists are equal texts.
function Test-SameValue($value, [string]$kind, [string[]]$texts) {
    if (-not $value -or $value['kind'] -ne $kind) { return $false }
    return (ConvertTo-JsonText ([string[]]@($value['data']))) -ceq (ConvertTo-JsonText $texts)
}

# Compare and change: the block runs unless what is there, $before, is not what the operation expects. What it left is read anew.
function Edit-Registry([string]$path, [string]$name, [string]$view, [string]$expect, $expectedKind, [string[]]$expectedData, $block) {
    $before = registry_read $path $name $view
    $expected = switch ($expect) {
        'anything' { $true }
        'absent' { -not $before['value'] }
        'value' { Test-SameValue $before['value'] $expectedKind $expectedData }
    }
    if ($expected) { & $block }
    $after = registry_read $path $name $view
    return @{
        refused = -not $expected; changed = (ConvertTo-JsonText $before) -cne (ConvertTo-JsonText $after)
        before = $before['value']; after = $after['value']; key_existed = $before['key_exists']; key_exists = $after['key_exists']
    }
}

# What .NET writes for a kind and its texts: of numbers, the signed one with the same bits.
function ConvertTo-RegistryData([string]$kind, [string[]]$texts) {
    if ($kind -eq 'multi_string') { return , $texts }
    if ($texts.Length -ne 1) { Stop-Operation 'invalid' 'a value of this kind takes one text' }
    switch ($kind) {
        'dword' { return [BitConverter]::ToInt32([BitConverter]::GetBytes([uint32]::Parse($texts[0])), 0) }
        'qword' { return [BitConverter]::ToInt64([BitConverter]::GetBytes([uint64]::Parse($texts[0])), 0) }
        'binary' { return , [Convert]::FromBase64String($texts[0]) }
    }
    return $texts[0]
}

# The key, open for writing; it is created if it is not there.
function Open-KeyForWriting([string]$path, [int]$private) {
    if (-not $private) { return $machine.CreateSubKey($path) }
    $security = New-Object Security.AccessControl.RegistrySecurity
    # Full control for administrators (BA) and the system (SY); nothing is inherited (P). A key that is there keeps what it has.
    $security.SetSecurityDescriptorSddlForm('D:P(A;CI;KA;;;BA)(A;CI;KA;;;SY)')
    return $machine.CreateSubKey($path, 'ReadWriteSubTree', $security)
}

function registry_set(
    [string]$path, [string]$name, [string]$view, [string[]]$data = @(), [int]$private, [int]$stamp,
    [ValidateSet('string', 'expand_string', 'multi_string', 'binary', 'dword', 'qword')][string]$kind,
    [string]$expect, [string]$expect_kind, [string[]]$expect_data = @()
) {
    if ($stamp) { $data = @(foreach ($text in $data) { $text.Replace('@now@', (Format-Time ([DateTime]::UtcNow))) }) }
    $content = ConvertTo-RegistryData $kind $data
    return Edit-Registry $path $name $view $expect $expect_kind $expect_data {
        if (-not (Test-SameValue $before['value'] $kind $data)) {
            if ($before['value']) { $name = $before['value']['name'] }
            $key = Open-KeyForWriting (Get-KeyPath $path $view) $private
            $key.SetValue($name, $content, [Microsoft.Win32.RegistryValueKind]$kind.Replace('_', ''))
            $key.Close()
        }
    }
}

function registry_delete(
    [string]$path, [string]$name, [string]$view, [int]$prune, [string]$expect, [string]$expect_kind, [string[]]$expect_data = @()
) {
    return Edit-Registry $path $name $view $expect $expect_kind $expect_data {
        $keyPath = Get-KeyPath $path $view
        if ($before['value']) {
            $key = $machine.OpenSubKey($keyPath, $true)
            $key.DeleteValue($before['value']['name'])
            $key.Close()
        }
        $empty = Read-Key $keyPath { $key.ValueCount + $key.SubKeyCount -eq 0 }
        if ($prune -and $empty) { $machine.DeleteSubKey($keyPath) }
    }
}

# ---- service_restart ------------------------------------------------------------------------------------------------------------

# Waits while the state of a service matches. Gives its state then: a matching one only when the time of service_restart is over.
function Wait-WhileService($control, [string]$pattern) {
    while (($status = Get-ServiceStatus $control) -match $pattern -and $watch.Elapsed.TotalSeconds -lt $seconds) {
        [Threading.Thread]::Sleep(200)
    }
    return $status
}

# Stops one service. Gives its state then: not 'stopped' only when the time is over.
function Stop-OneService($control) {
    # Windows does not stop a service that is on its way to another state.
    if ((Wait-WhileService $control '_pending$') -match '^(running|paused)$') { $control.Stop() }
    return Wait-WhileService $control '^(running|paused|stop_pending)$'
}

# Starts one service. Gives its state then: on the way only when the time is over, 'stopped' when it did not stay up.
function Start-OneService($control) {
    $status = Wait-WhileService $control '^(stop|pause)_pending$'
    if ($status -eq 'stopped') { $control.Start() }
    if ($status -eq 'paused') { $control.Continue() }
    return Wait-WhileService $control '_pending$'
}

function service_restart([string]$name, [int]$stop, [string[]]$dependents = @(), [int]$seconds) {
    $watch = [Diagnostics.Stopwatch]::StartNew()
    $reply = @{ phase = 'stopping'; status = $null; dependents_started = @(); dependents_not_started = @() }
    $control = Get-ServiceControl $name
    if (-not $control) { Stop-Operation 'not_found' "there is no service $name" }
    if ((Get-MachineValue "SYSTEM\CurrentControlSet\Services\$name" 'Start') -eq 4) {
        Stop-Operation 'disabled' "the service $name is disabled"
    }
    if ($stop) {
        # Windows names them in the order in which they have to stop. Stop() alone would wait 30 seconds for each of them.
        foreach ($dependent in $control.get_DependentServices()) {
            if ((Get-ServiceStatus $dependent) -eq 'stopped') { continue }
            if ($dependents -notcontains $dependent.ServiceName) { $dependents = @($dependent.ServiceName) + $dependents }
            if ((Stop-OneService $dependent) -eq 'stopped') { continue }
            $reply['status'] = Get-ServiceStatus $control
            return $reply
        }
        $reply['status'] = Stop-OneService $control
        if ($reply['status'] -ne 'stopped') { return $reply }
    }
    $reply['status'] = Start-OneService $control
    if ($reply['status'] -match '^(stop|pause)_pending$') { return $reply }
    $reply['phase'] = 'starting'
    if ($reply['status'] -match '_pending$') { return $reply }
    if ($reply['status'] -ne 'running') { Stop-Operation 'failed' "the service $name was started and is $($reply['status']) again" }
    foreach ($dependent in $dependents) {
        $status = 'stopped'
        try { $status = Start-OneService (Get-ServiceControl $dependent) } catch { }
        if ($status -match '_pending$') { return $reply }
        if ($status -eq 'running') { $reply['dependents_started'] += $dependent } else { $reply['dependents_not_started'] += $dependent }
    }
    $reply['phase'] = 'done'
    return $reply
}
