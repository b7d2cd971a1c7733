# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A TLS server with the class that KB4023993 is about. It demands a client certificate on each connection and prints
# what .NET says of it: one line "<policy errors>|<chain status, ...>" a connection. Trusted roots: SSL_CERT_FILE.
# Arguments: a PKCS#12 file without password (the server's own certificate), and the number of connections.
param([string] $ServerFile, [int] $Connections)
$ErrorActionPreference = 'Stop'
$own = New-Object System.Security.Cryptography.X509Certificates.X509Certificate2 -ArgumentList $ServerFile
$listener = New-Object System.Net.Sockets.TcpListener -ArgumentList ([System.Net.IPAddress]::Loopback), 0
$listener.Start()
[Console]::Out.WriteLine($listener.LocalEndpoint.Port)
$script:seen = ''
$look = [System.Net.Security.RemoteCertificateValidationCallback] {
    param($sender, $certificate, $chain, $errors)
    $status = @($chain.ChainStatus | ForEach-Object { $_.Status.ToString() })
    $script:seen = $errors.ToString() + '|' + [string]::Join(',', $status)
    return $true
}
for ($i = 0; $i -lt $Connections; $i++) {
    $client = $listener.AcceptTcpClient()
    $script:seen = 'nothing'
    try {
        $stream = New-Object System.Net.Security.SslStream -ArgumentList $client.GetStream(), $false, $look
        $stream.AuthenticateAsServer($own, $true, 'Tls12', $false)
        [Console]::Out.WriteLine($script:seen)
    }
    catch { [Console]::Out.WriteLine('failed|' + $_.Exception.GetBaseException().Message) }
    finally { $client.Close() }
}
