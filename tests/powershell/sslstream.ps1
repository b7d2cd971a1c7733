# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# A TLS server with the class that KB4023993 is about. It demands a certificate of every client, and takes it if .NET has
# nothing against it, as SslStream does without a callback. It prints its port, then one line a connection:
# "<accepted or refused>|<policy errors>|<chain status, ...>|<why the handshake failed>". Trusted roots: SSL_CERT_FILE.
# It goes on until it is ended. Argument: a PKCS#12 file without password, the server's own certificate.
param([string] $ServerFile)
$ErrorActionPreference = 'Stop'
$own = New-Object System.Security.Cryptography.X509Certificates.X509Certificate2 -ArgumentList $ServerFile
$listener = New-Object System.Net.Sockets.TcpListener -ArgumentList ([System.Net.IPAddress]::Loopback), 0
$listener.Start()
[Console]::Out.WriteLine($listener.LocalEndpoint.Port)
$script:errors = ''
$script:statuses = @()
$judge = [System.Net.Security.RemoteCertificateValidationCallback] {
    param($sender, $certificate, $chain, $errors)
    $script:errors = $errors.ToString()
    # Without a certificate of the client there is no chain.
    if ($chain) { $script:statuses = @($chain.ChainStatus | ForEach-Object { $_.Status.ToString() }) }
    return $errors -eq [System.Net.Security.SslPolicyErrors]::None
}
while ($true) {
    $client = $listener.AcceptTcpClient()
    $client.ReceiveTimeout = $client.SendTimeout = 10000
    $script:errors = ''
    $script:statuses = @()
    $answer, $failure = 'accepted', ''
    try {
        $stream = New-Object System.Net.Security.SslStream -ArgumentList $client.GetStream(), $false, $judge
        $stream.AuthenticateAsServer($own, $true, 'Tls12', $false)
    }
    catch {
        $answer = 'refused'
        $failure = $_.Exception.GetBaseException().Message -replace '[\r\n|]+', ' '
    }
    finally { $client.Close() }
    [Console]::Out.WriteLine([string]::Join('|', @($answer, $script:errors, [string]::Join(',', $script:statuses), $failure)))
}
