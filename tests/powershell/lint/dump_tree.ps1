# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Prints the syntax trees of scripts, for a PowerShell 7 engine; tree.py reads it. Each line of standard input is one script, base64
# of UTF-8. Each line of output is one fact, its fields parted by tabs; a field that could hold anything is base64 of UTF-8:
#
#   script
#   error  LINE  COLUMN  MESSAGE*
#   token  KIND  START  END                                             offsets into the script
#   node   NUMBER  PARENT  ROLE  TYPE  START  END  [NAME=VALUE* ...]    ROLE: how the parent calls it, with the place in a list
#
# Nothing is judged here. The attributes of a node are all its properties that are a text, number, flag, enumeration or name of a type.
$ErrorActionPreference = 'Stop'
$ast = [System.Management.Automation.Language.Ast]
$typeName = [System.Management.Automation.Language.ITypeName]
$propertiesOf = @{}
$lines = New-Object System.Text.StringBuilder
$utf8 = [Text.Encoding]::UTF8
$state = @{ next = 0 }

function Add-Child($value, [string]$role, [int]$parent) {
    if ($null -eq $value) { return }
    if ($ast.IsInstanceOfType($value)) {
        Add-Node $value $role $parent
    } elseif ($value -isnot [string] -and $value -is [Collections.IEnumerable]) {
        $place = 0
        foreach ($item in $value) {
            Add-Child $item "$role.$place" $parent
            $place++
        }
    } elseif ($value -is [Runtime.CompilerServices.ITuple]) {
        # Clauses of if and switch, and the pairs of a hash table.
        Add-Child $value.Item1 "$role.key" $parent
        Add-Child $value.Item2 "$role.value" $parent
    }
}

function Add-Node($node, [string]$role, [int]$parent) {
    $type = $node.GetType()
    $number = $state['next']++
    if (-not $propertiesOf.ContainsKey($type.Name)) {
        $propertiesOf[$type.Name] = @(foreach ($property in $type.GetProperties()) {
            if (@('Parent', 'Extent', 'ErrorPosition') -contains $property.Name) { continue }
            # The engine names the type of a cast twice.
            if ($type.Name -eq 'ConvertExpressionAst' -and $property.Name -eq 'Attribute') { continue }
            $property
        })
    }
    $children = New-Object Collections.ArrayList
    [void]$lines.Append("node`t$number`t$parent`t$role`t$($type.Name)`t$($node.Extent.StartOffset)`t$($node.Extent.EndOffset)")
    foreach ($property in $propertiesOf[$type.Name]) {
        $value = $property.GetValue($node)
        # A flag that is not set is left out.
        if ($null -eq $value -or $false.Equals($value)) { continue }
        if ($typeName.IsInstanceOfType($value)) {
            $value = $value.FullName
        } elseif ($value -is [System.Management.Automation.VariablePath]) {
            $value = $value.UserPath
        } elseif ($value -isnot [string] -and $value -isnot [ValueType]) {
            [void]$children.Add(@($property.Name, $value))
            continue
        }
        [void]$lines.Append("`t").Append($property.Name).Append('=').Append([Convert]::ToBase64String($utf8.GetBytes("$value")))
    }
    [void]$lines.Append("`n")
    foreach ($child in $children) { Add-Child $child[1] $child[0] $number }
}

foreach ($line in @($input)) {
    $text = $utf8.GetString([Convert]::FromBase64String($line))
    $tokens = $null
    $problems = $null
    $tree = [System.Management.Automation.Language.Parser]::ParseInput($text, [ref]$tokens, [ref]$problems)
    $state['next'] = 0
    [void]$lines.Append("script`n")
    foreach ($problem in $problems) {
        $place = "$($problem.Extent.StartLineNumber)`t$($problem.Extent.StartColumnNumber)"
        [void]$lines.Append("error`t$place`t$([Convert]::ToBase64String($utf8.GetBytes($problem.Message)))`n")
    }
    foreach ($token in $tokens) {
        [void]$lines.Append("token`t$($token.Kind)`t$($token.Extent.StartOffset)`t$($token.Extent.EndOffset)`n")
    }
    Add-Node $tree '' -1
}
$lines.ToString()
