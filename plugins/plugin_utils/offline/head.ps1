# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The first part of every script for a person at a server, after the values of its kit. For PowerShell 2.0 to 5.1.

$ErrorActionPreference = 'Stop'
trap {
    $Host.UI.WriteLine("Stopped: $($_.Exception.Message)")
    exit 1
}

function Write-Line([string]$text) { $Host.UI.WriteLine($text) }

function Get-Sha256([byte[]]$bytes) {
    # Not SHA256Managed, which a server in FIPS mode refuses.
    [void][Reflection.Assembly]::LoadWithPartialName('System.Core')
    $algorithm = New-Object Security.Cryptography.SHA256CryptoServiceProvider
    return [BitConverter]::ToString($algorithm.ComputeHash($bytes)).Replace('-', '').ToLowerInvariant()
}

# The path of a file beside this script, once it is known to be the one that belongs to this kit.
function Get-KitFile([string]$name, [string]$hash) {
    $path = [IO.Path]::Combine($folder, $name)
    if (-not [IO.File]::Exists($path)) { throw "$name is not beside this script. Copy the whole folder." }
    if ((Get-Sha256 ([IO.File]::ReadAllBytes($path))) -ne $hash) {
        throw "$name is not the file that belongs to this kit (its SHA-256 differs). Copy the whole folder again, without converting text."
    }
    return $path
}

# Everything else would fail later, with less of an explanation.
function Assert-Administrator {
    if ([Environment]::OSVersion.Platform -ne 'Win32NT') { return }
    if ([IntPtr]::Size -ne 8) { throw 'This is the 32-bit PowerShell. Start the other one, which is not named x86.' }
    $user = New-Object Security.Principal.WindowsPrincipal ([Security.Principal.WindowsIdentity]::GetCurrent())
    if (-not $user.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
        throw 'This needs an administrator. Start PowerShell with "Run as administrator".'
    }
}

$folder = [IO.Path]::GetDirectoryName($MyInvocation.MyCommand.Path)
