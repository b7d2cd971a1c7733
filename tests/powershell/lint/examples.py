# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For every rule a line that it must report, and a good one as near to it as can be, that nothing may report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """``bad`` and ``good`` stand between other lines; the fault is in the line of ``bad`` that holds ``at``, else in its first."""

    rule: str
    bad: str
    good: str
    at: str = ""
    powershell_1: bool = False


_CHAIN = "Security.Cryptography.X509Certificates"
_SYNTAX = (
    Example("parse", "$a = (1", "$a = (1)"),
    Example("parse", "workflow Get-It { 1 }", "function Get-It { 1 }"),
    Example("ascii", "$a = 'ä'", "$a = 'a'"),
    Example("syntax", "class Kind { [int]$n }", "$kind = @{ n = 1 }"),
    Example("syntax", "enum Colour { Red }", "$colour = @('Red')"),
    Example("syntax", "$a = $flag ? 1 : 2", "$a = if ($flag) { 1 } else { 2 }"),
    Example("syntax", "Get-It && Get-It", "Get-It; if ($?) { Get-It }"),
    Example("syntax", "Get-It || Get-It", "Get-It; if (-not $?) { Get-It }"),
    Example("syntax", "Get-It &", "$a = Get-It"),
    Example("syntax", "$a = @{ b = $using:flag }", "$a = @{ b = $script:flag }"),
    Example("syntax", "function Get-More { clean { 1 } }", "function Get-More { end { 1 } }"),
    Example("syntax", "[ValidateSet('a')]$a = 'a'", "[string]$a = 'a'"),
    Example("operator", "$a = $flag -in @(1, 2)", "$a = @(1, 2) -contains $flag"),
    Example("operator", "$a = $flag -notin @(1, 2)", "$a = @(1, 2) -notcontains $flag"),
    Example("operator", "$a = 1 -shl 4", "$a = 1 * 16"),
    Example("operator", "$a = 16 -shr 4", "$a = 16 / 16"),
    Example("operator", "$a = $flag ?? 1", "$a = $flag; if ($null -eq $a) { $a = 1 }"),
    Example("operator", "$flag ??= 1", "if ($null -eq $flag) { $flag = 1 }"),
    Example("operator", "$a = ${flag}?.Length", "$a = ${flag}.Length"),
    Example("operator", "$a = ${flag}?[0]", "$a = ${flag}[0]"),
    Example("operator", "$a = $text -replace 'a', { 'b' }", "$a = $text -replace 'a', 'b'"),
    Example("literal", "$a = 1u", "$a = [uint32]1"),
    Example("literal", "$a = 0b11", "$a = 0x3"),
    Example("literal", "$a = 1n", "$a = 1L + 1kb + 1.5e3 + 1d"),
    Example("literal", '$a = "`u{41}"', '$a = "`n`t``u{41}"'),
    Example("literal", '$a = "`e[0m"', '$a = "$([char]27)[0m"'),
    Example("redirection", "$a = Get-It *>&1", "$a = Get-It 2>&1"),
    Example("redirection", "$a = Get-It 3>&1", "$a = Get-It 2>&1"),
    Example("redirection", "Get-It 6> $text", "Get-It 2> $text"),
    Example(
        "attribute",
        "function Get-More { param([Parameter(Mandatory)]$a) $a }",
        "function Get-More { param([Parameter(Mandatory = $true)]$a) $a }",
    ),
    Example(
        "attribute",
        "function Get-More { param([Parameter(DontShow = $true)]$a) $a }",
        "function Get-More { param([Parameter(Position = 0)]$a) $a }",
    ),
    Example(
        "attribute",
        "function Get-More { param([ArgumentCompletions('a')]$a) $a }",
        "function Get-More { param([ValidateSet('a')]$a) $a }",
    ),
    Example("cast", "$a = [pscustomobject]@{ b = 1 }", "$a = @{ b = 1 }"),
    Example("cast", "$a = [ordered]@{ b = 1 }", "$a = @{ b = 1 }"),
    Example("method", "$a = [Text.StringBuilder]::new()", "$a = New-Object Text.StringBuilder"),
    Example("method", "$a = @(1, 2).Where({ $_ })", "$a = @(@(1, 2) | Where-Object { $_ })"),
    Example("method", "$a = @(1, 2).ForEach({ $_ })", "$a = @(foreach ($b in @(1, 2)) { $b })"),
    Example("layout", "$a = $text.\n    Trim()", "$a = $text.Trim()"),
    Example("layout", "$a = $texts\n    | Where-Object { $_ }", "$a = $texts |\n    Where-Object { $_ }", at="| Where"),
    Example("method", "$a = [Array]::IndexOf[int]($texts, 1)", "$a = [Array]::IndexOf($texts, 1)"),
    Example("syntax", "Get-It @using:flag", "Get-It"),
    Example("parse", "foreach -parallel ($a in $texts) { Get-It }", "foreach ($a in $texts) { Get-It }"),
    Example("requires", "#requires -Modules Lync", "#requires -Version 2.0"),
)
_POWERSHELL_1 = tuple(
    Example("powershell-1", bad, good, powershell_1=True)
    for bad, good in (
        ("try { $a = 1 } catch { $a = 2 }", "trap { $a = 2 }"),
        ("$a = @('b') -join ''", "$a = [string]::Join('', @('b'))"),
        ("$a = -join @('b')", "$a = [string]::Join('', @('b'))"),
        ("$a = 'b' -split 'c'", "$a = 'b'.Split('c')"),
        ("$a = @{ b = 1 }; Get-It @a", "$a = @{ b = 1 }; Get-It"),
        ("<# one #> $a = 1", "# one"),
        ("data { 'a' }", "'a'"),
        ("$a = if ($flag) { 1 }", "if ($flag) { $a = 1 }"),
        ("function Get-More { param([ValidateSet('a')]$a) $a }", "function Get-More { param([string]$a) $a }"),
        ("$a = 1TB", "$a = 1GB"),
        ("function Get-More { dynamicparam { 1 } end { 1 } }", "function Get-More { process { 1 } end { 1 } }"),
    )
)
_VARIABLES = (
    Example("variable", "$a = $PSItem", "$a = $_"),
    Example("variable", "$a = $PSScriptRoot", "$a = $PSHOME"),
    Example("variable", "$a = $PSCommandPath", "$a = $MyInvocation"),
    Example("variable", "$a = $PSDefaultParameterValues", "$a = $PSBoundParameters"),
    Example("variable", "$a = $IsWindows", "$a = $env:OS"),
    Example("variable", "$a = $flga", "$a = $flag"),
)
_COMMANDS = (
    Example("command", "$a = Get-Content $text -Raw", "$a = [IO.File]::ReadAllText($text)"),
    Example("command", "$a = $texts | ForEach-Object { $_ }", "$a = $texts | Where-Object { $_ }"),
    Example("command", "$a = $texts | ? { $_ }", "$a = $texts | Where-Object { $_ }"),
    Example("command", "$a = $texts | Where-Object Length -gt 1", "$a = $texts | Where-Object { $_.Length -gt 1 }"),
    Example("command", "$a = New-Object -TypeName Text.StringBuilder", "$a = New-Object Text.StringBuilder"),
    Example("command", "$a = Get-Command $text -Noun 'a'", "$a = Get-Command $text -ErrorAction SilentlyContinue"),
    Example("command", "$a = Get-CsTopology -LocalStore", "$a = Get-Command Get-CsTopology"),
    Example("command", "$a = New-Object IO.MemoryStream -Strict", "$a = New-Object IO.MemoryStream"),
    Example("command", "Import-Module Lync -PassThru", "Import-Module Lync"),
    Example("command", "$a = @{ b = 1 }; Get-Command @a", "$a = @{ b = 1 }; Get-Command $text"),
    Example("command", "Get-It 1", "Get-It"),
    Example("command", "Get-It -Force", "Get-It"),
    Example("dynamic-code", "$a = & $text", "$a = Get-It"),
    Example("dynamic-code", "$a = . $text", "$a = Get-It"),
    Example("dynamic-code", "$a = @{ b = 1 }; & $text @a", "$a = @{ b = 1 }; Get-It"),
    Example("dynamic-code", "$a = [ScriptBlock]::Create($text)", "$a = { $text }"),
    Example(
        "dynamic-code",
        "$a = $ExecutionContext.InvokeCommand.InvokeScript($text)",
        "$a = $ExecutionContext.SessionState",
        at="InvokeScript",
    ),
    Example(
        "dynamic-code",
        "function Use-It($block) { & $block }\nUse-It $text",
        "function Use-It($block) { & $block }\nUse-It { 1 }",
    ),
)
_MEMBERS = (
    Example("type", "$a = [Collections.Concurrent.ConcurrentBag[int]]", "$a = [Collections.ArrayList]"),
    Example("type", "$a = New-Object Net.Http.HttpClient", "$a = New-Object Net.Sockets.TcpClient"),
    Example(
        "type", "$a = New-Object -ComObject WScript.Shell", "$a = New-Object -ComObject CertificateAuthority.Request"
    ),
    Example(
        "type",
        "$a = New-Object CertificateAuthority.Request",
        "$a = New-Object -ComObject CertificateAuthority.Request",
    ),
    Example("type", "$a = New-Object -ComObject Text.StringBuilder", "$a = New-Object Text.StringBuilder"),
    Example(
        "member",
        "$a = New-Object -ComObject CertificateAuthority.Request\n$b = $a.GetRequestIdString()",
        "$a = New-Object -ComObject CertificateAuthority.Request\n$b = $a.GetRequestId()",
        at="GetRequest",
    ),
    Example(
        "member",
        "$a = New-Object -ComObject CertificateAuthority.Request\n$b = $a.GetCertificate()",
        "$a = New-Object -ComObject CertificateAuthority.Request\n$b = $a.GetCertificate(1)",
        at="GetCert",
    ),
    Example(
        "type", "$a = [Microsoft.Win32.RegistryView]::Registry64", "$a = [Microsoft.Win32.RegistryValueKind]::DWord"
    ),
    Example("member", "$a = [Environment]::Is64BitProcess", "$a = [IntPtr]::Size"),
    Example("member", "$a = [string]::IsNullOrWhiteSpace($text)", "$a = [string]::IsNullOrEmpty($text)"),
    Example(
        "member",
        "$a = [Enum]::TryParse([DayOfWeek], $text, [ref]$flag)",
        "$a = [Enum]::Parse([Microsoft.Win32.RegistryValueKind], $text)",
    ),
    Example("member", "$stream.CopyTo($stream)", "$stream.Flush()"),
    Example(
        "member", f"$a = New-Object {_CHAIN}.X509Store; $a.Dispose()", f"$a = New-Object {_CHAIN}.X509Store; $a.Close()"
    ),
    Example(
        "member",
        "[Microsoft.Win32.Registry]::LocalMachine.OpenSubKey($text).Dispose()",
        "[Microsoft.Win32.Registry]::LocalMachine.OpenSubKey($text).Close()",
    ),
    Example(
        "member",
        "try { Get-It } catch { $a = $_.Exception.HResult }",
        "try { Get-It } catch { $a = $_.Exception.Message }",
    ),
    Example(
        "member",
        "try { Get-It } catch { $a = $_.ScriptStackTrace }",
        "try { Get-It } catch { $a = $_.FullyQualifiedErrorId }",
    ),
    Example(
        "member",
        "[Globalization.CultureInfo]::CurrentCulture = $flag",
        "[Threading.Thread]::CurrentThread.CurrentCulture = $flag",
    ),
    Example(
        "member",
        "$a = [Microsoft.Win32.Registry]::LocalMachine\n$a.DeleteSubKeyTree($text, $false)",
        "$a = [Microsoft.Win32.Registry]::LocalMachine\n$a.DeleteSubKeyTree($text)",
        at="Delete",
    ),
    Example(
        "member",
        "$a = [Exception].GetProperty($text).GetValue($flag)",
        "$a = [Exception].GetProperty($text).GetValue($flag, $null)",
    ),
    Example(
        "member",
        "$a = New-Object IO.StreamReader($stream, [Text.Encoding]::UTF8, $true, 1024, $true)",
        "$a = New-Object IO.StreamReader($stream, [Text.Encoding]::UTF8, $true, 1024)",
    ),
    Example(
        "member",
        "$a = [Security.Authentication.SslProtocols]'Tls12'",
        "$a = [Security.Authentication.SslProtocols]'Tls'",
    ),
    Example(
        "member",
        "$a = [Security.Authentication.SslProtocols]::Tls12",
        "$a = [Security.Authentication.SslProtocols]::Tls",
    ),
    Example("member", "$a = [IO.File]::Open($text, 'Open', 'Reed')", "$a = [IO.File]::Open($text, 'Open', 'Read')"),
    Example(
        "member",
        f"$a = New-Object {_CHAIN}.X509Chain\n$a.ChainPolicy.RevocationMode = 'Never'",
        f"$a = New-Object {_CHAIN}.X509Chain\n$a.ChainPolicy.RevocationMode = 'NoCheck'",
        at="Never",
    ),
    Example(
        "member",
        "$a = [Management.Automation.Runspaces.InitialSessionState]::CreateDefault2()",
        "if ($PSVersionTable.PSVersion.Major -ge 3) { $a = [Management.Automation.Runspaces.InitialSessionState]::CreateDefault2() }",
    ),
    Example(
        "member",
        "$a = [Management.Automation.PowerShell]::Create().HadErrors",
        "$a = [Management.Automation.PowerShell]::Create().Streams",
    ),
    Example(
        "overload",
        "[Microsoft.Win32.Registry]::LocalMachine.CreateSubKey($text, $true)",
        "[Microsoft.Win32.Registry]::LocalMachine.CreateSubKey($text, [Microsoft.Win32.RegistryKeyPermissionCheck]::Default)",
    ),
    Example("member-name", "$unknown.CopyTo($stream, 1, 2, 3).HResult", "$unknown.Message", at="HResult"),
    Example("member-name", "$a = $unknown.GetAwaiter()", "$a = $unknown.GetType()"),
    Example("enumeration", "$a = $texts.Trim", "$a = $texts.Length"),
    Example(
        "enumeration",
        f"$a = New-Object {_CHAIN}.X509Certificate2Collection\n$b = @($a).Thumbprint",
        f"$a = New-Object {_CHAIN}.X509Certificate2Collection\n$b = @($a)[0].Thumbprint",
        at="Thumb",
    ),
    Example("foreach-null", "foreach ($a in $null) { Get-It }", "foreach ($a in @()) { Get-It }"),
    Example(
        "foreach-null",
        "$a = $null\nforeach ($b in $a) { Get-It }",
        "$a = $null\nif ($a) { foreach ($b in $a) { Get-It } }",
        at="foreach",
    ),
)
# How the type of an object is known, one way each: GetAwaiter is in no list, so that only "member" says that the type was known.
_INFERRED = tuple(
    Example("member", f"{known}.GetAwaiter(){end}", f"{known}.GetType(){end}", at="GetAwaiter")
    for known, end in (
        ("(New-Object Text.StringBuilder)", ""),
        ("([DateTime]$flag)", ""),
        ("[DateTime]::UtcNow", ""),
        ("[DateTime]::Now.TimeOfDay.Ticks", ""),
        ("'text'", ""),
        ('"text $flag"', ""),
        ("(1)", ""),
        ("(1.5)", ""),
        ("(5000000000)", ""),
        ("(-1)", ""),
        ("@(1, 2)", ""),
        ("@(Get-It)", ""),
        ("@{ a = 1 }", ""),
        ("{ 1 }", ""),
        ("(-not $flag)", ""),
        ("(1 -eq 2)", ""),
        ("(1 + 2)", ""),
        ("('a' + $flag)", ""),
        ("($flag -join 'a')", ""),
        ("('a' -split 'b')[0]", ""),
        ("(1..3)[0]", ""),
        ("$text", ""),
        ("$texts[0]", ""),
        ("$text.Split('a')[0]", ""),
        ("$stream", ""),
        ("$a = [DateTime]::Now\n$a", ""),
        ("[DateTime]$a = $flag\n$a", ""),
        ("$a, $b = $text.Split('a')\n$a", ""),
        ("$a = if ($flag) { 'a' } else { 'b' }\n$a", ""),
        ("foreach ($a in $texts) { $a", " }"),
        ("$texts | Where-Object { $_", " }"),
        ("try { Get-It } catch { $_", " }"),
        ("if ($unknown -is [string]) { $unknown", " }"),
        ("if ($unknown -is [string] -or $unknown -is [Version]) { $unknown", " }"),
        ("if ($unknown -isnot [string]) { exit }\n$unknown", ""),
        ("$a = $flag -and $unknown -is [string] -and $unknown", ""),
        ("function Get-Now { return [DateTime]::Now }\n(Get-Now)", ""),
        ("function Get-Bytes { return , [Convert]::FromBase64String('') }\n(Get-Bytes)", ""),
        ("function Use-It($a) { $a", " }\nUse-It ([DateTime]::Now)"),
        ("$a = [Text.RegularExpressions.MatchEvaluator] { param($found) $found", " }"),
        ("$a = $null\nif ($flag) { $a = [DateTime]::Now }\n$a", ""),
        ("$a = [DateTime]::Now\nwhile ($flag) { $a = $a.AddDays(1) }\n$a", ""),
    )
)
_NEW = "$a = [Management.Automation.Runspaces.InitialSessionState]::CreateDefault2()"
_OLD = "$a = [Management.Automation.Runspaces.InitialSessionState]::CreateDefault()"
_GUARDS = tuple(
    Example("member", wrong, f"if ($PSVersionTable.PSVersion.Major -ge 3) {{ {_NEW} }} else {{ {_OLD} }}")
    for wrong in (
        f"if ($flag) {{ {_NEW} }}",
        f"if ($PSVersionTable.PSVersion.Major -ge 2) {{ {_NEW} }}",
        f"if ($PSVersionTable.PSVersion.Major -ge 3) {{ {_OLD} }} else {{ {_NEW} }}",
    )
)
_STATIC_BY_VARIABLE = (
    Example(
        "member",
        "$a = [IO.File]\n$b = $a::ReadLines($text)",
        "$a = [IO.File]\n$b = $a::ReadAllLines($text)",
        at="ReadLines",
    ),
    Example("member", "$a = $unknown::ReadAllLines($text)", "$a = [IO.File]::ReadAllLines($text)"),
)
EXAMPLES = (*_SYNTAX, *_POWERSHELL_1, *_VARIABLES, *_COMMANDS, *_MEMBERS, *_INFERRED, *_GUARDS, *_STATIC_BY_VARIABLE)
