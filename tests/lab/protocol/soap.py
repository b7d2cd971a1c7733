# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WS-Management messages: reading the requests that WinRM clients send, writing answers and faults.

Names and numbers after [MS-WSMV] and DSP0226.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

SOAP = "http://www.w3.org/2003/05/soap-envelope"
ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
POWERSHELL = "http://schemas.microsoft.com/powershell"
_FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
_WMI_ERROR = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/MSFT_WmiError"

OPERATION_TIMEOUT = 2150858793
"""0x80338029: nothing happened within the request's OperationTimeout."""
SHELL_NOT_FOUND = 2150858843
"""0x8033805B: the request names a shell (or command) that does not exist."""
ENVELOPE_TOO_LARGE = 2150859025
"""0x80338111: the request exceeds MaxEnvelopeSizekb."""
INVALID_REQUEST = 2150858752
"""0x80338000: the request is not a valid WS-Management message."""
QUOTA_MAX_OPERATIONS = 2150859174
"""0x803381A6: the user has as many operations running as the host allows. Windows tells it as an error of WMI."""
INTERNAL_ERROR = 2150859120
"""0x80338170: the provider could not do its work."""


class WsmanFaultError(Exception):
    """To be answered with HTTP 500 and a fault of this number."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, kw_only=True)
class WsmanRequest:
    """One request: ``action`` is the URI's last part in lower case, ``timeout`` in seconds, ``max_envelope`` bytes."""

    action: str
    message_id: str
    resource_uri: str
    shell_id: str
    timeout: float
    max_envelope: int
    options: dict[str, str]
    body: ET.Element

    def find(self, name: str) -> ET.Element | None:
        """The first element of that name from the shell namespace in the body."""
        return self.body.find(f".//{{{SHELL}}}{name}")

    def text(self, name: str) -> str:
        element = self.find(name)
        return (element.text or "") if element is not None else ""


def parse_request(message: bytes) -> WsmanRequest:
    """:raises WsmanFaultError: if the message is not XML, or lacks what every request has."""
    try:
        root = ET.fromstring(message)
    except ET.ParseError as error:
        raise WsmanFaultError(INVALID_REQUEST, f"The request is not well-formed XML: {error}") from error
    header, body = root.find(f"{{{SOAP}}}Header"), root.find(f"{{{SOAP}}}Body")
    if header is None:
        raise WsmanFaultError(INVALID_REQUEST, "The request has no SOAP header.")
    action = header.findtext(f"{{{ADDRESSING}}}Action", "")
    message_id = header.findtext(f"{{{ADDRESSING}}}MessageID", "")
    if not action or not message_id:
        raise WsmanFaultError(INVALID_REQUEST, "The request's header has no Action or no MessageID.")
    selectors = {element.get("Name"): element.text or "" for element in header.iter(f"{{{WSMAN}}}Selector")}
    max_envelope = header.findtext(f"{{{WSMAN}}}MaxEnvelopeSize", "")
    return WsmanRequest(
        action=action.rpartition("/")[2].lower(),
        message_id=message_id,
        resource_uri=header.findtext(f"{{{WSMAN}}}ResourceURI", ""),
        shell_id=selectors.get("ShellId", "").upper(),
        timeout=_seconds(header.findtext(f"{{{WSMAN}}}OperationTimeout", "")),
        max_envelope=int(max_envelope) if max_envelope.isdecimal() else 153_600,
        options={element.get("Name", ""): element.text or "" for element in header.iter(f"{{{WSMAN}}}Option")},
        body=body if body is not None else ET.Element("Body"),
    )


def _seconds(duration: str) -> float:
    """An xs:duration of seconds (``PT20S``, ``PT60.000S``), which is what the clients send; else WinRM's default."""
    match = re.fullmatch(r"PT(\d+(?:\.\d+)?)S", duration)
    return float(match[1]) if match else 60.0


def response(request: WsmanRequest, *, action: str, body: str) -> bytes:
    """An answer to ``request`` with ``body`` (XML with the prefixes s, a, x, w, rsp)."""
    return _envelope(action=action, relates_to=request.message_id, body=body)


def fault(code: int, reason: str, *, machine: str, relates_to: str = "") -> bytes:
    """The answer that goes with HTTP 500."""
    detail = (
        f'<f:WSManFault xmlns:f="{_FAULT}" Code="{code}" Machine={quoteattr(machine)}>'
        f"<f:Message>{escape(reason)}</f:Message></f:WSManFault>"
    )
    if code == QUOTA_MAX_OPERATIONS:
        detail = (
            f'<p:MSFT_WmiError xmlns:p="{_WMI_ERROR}"><p:Message>{escape(reason)}</p:Message>'
            f"<p:MessageID>HRESULT 0x{code:08x}</p:MessageID><p:error_Code>{code}</p:error_Code></p:MSFT_WmiError>"
        )
    body = (
        "<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>"
        f"{'w:TimedOut' if code == OPERATION_TIMEOUT else 'w:InternalError'}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">{escape(reason)}</s:Text></s:Reason>'
        f"<s:Detail>{detail}</s:Detail></s:Fault>"
    )
    return _envelope(action=f"{ADDRESSING}/fault", relates_to=relates_to, body=body)


def _envelope(*, action: str, relates_to: str, body: str) -> bytes:
    return (
        f'<s:Envelope xml:lang="en-US" xmlns:s="{SOAP}" xmlns:a="{ADDRESSING}" xmlns:x="{TRANSFER}"'
        f' xmlns:w="{WSMAN}" xmlns:rsp="{SHELL}"><s:Header><a:Action>{action}</a:Action>'
        f"<a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID>"
        f"<a:To>{ADDRESSING}/role/anonymous</a:To><a:RelatesTo>{escape(relates_to)}</a:RelatesTo></s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()
