# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The enrolment pages: what /certsrv shows, in English and German, written after the signals that public clients rely on.

Sentences and element ids: reference of this project on AD CS; the German sentences are made up, because no source has the real ones.
So nothing that reads these pages may depend on a German sentence.
"""

from __future__ import annotations

from typing import Literal

from lab.ca.enterprise import DENIED, ISSUED, UNDER_SUBMISSION, Request

Language = Literal["en", "de"]

_TEXTS = {
    "en": {
        "title": "Microsoft Active Directory Certificate Services",
        "issued": "The certificate you requested was issued to you.",
        "pending": "Your certificate request has been received. However, you must wait for an administrator to issue the "
        "certificate you requested.<P>Your Request Id is {id}.",
        "return": "Please return to this web site in a day or two to retrieve your certificate. You must return with this web "
        "browser within 10 days.",
        "denied": 'Your certificate request was denied.<P>Your Request Id is {id}. The disposition message is "{message}".',
        "message": "Denied by Policy Module  0x{code:08x}",
        "error": "Certificate Services encountered an error.",
        "under": "Disposition message:\t\tTaken Under Submission",
    },
    "de": {
        "title": "Microsoft Active Directory-Zertifikatdienste",
        "issued": "Das angeforderte Zertifikat wurde ausgestellt.",
        "pending": "Ihre Zertifikatanforderung ist eingegangen. Ein Administrator muss das Zertifikat noch ausstellen.<P>"
        "Ihre Anforderungs-ID lautet {id}.",
        "return": "Kehren Sie in 1 bis 2 Tagen, sp&auml;testens nach 10 Tagen, auf diese Website zur&uuml;ck.",
        "denied": 'Die Anforderung wurde abgelehnt.<P>Ihre Anforderungs-ID lautet {id}. Meldung: "{message}".',
        "message": "Vom Richtlinienmodul abgelehnt  0x{code:08x}",
        "error": "In den Zertifikatdiensten ist ein Fehler aufgetreten.",
        "under": "Meldung:\t\tZur &Uuml;bermittlung angenommen",
    },
}


def answer(row: Request, language: Language) -> str:
    """The page after a request was handed in."""
    texts = _TEXTS[language]
    if row.disposition == ISSUED:
        body = (
            f"<P ID=locPageTitle>{texts['issued']}</P>\n"
            f'<A Href="certnew.cer?ReqID={row.id}&amp;Enc=b64">cer</A> <A Href="certnew.p7b?ReqID={row.id}&amp;Enc=b64">p7b</A>\n'
            '<A Href="certnew.cer?ReqID=CACert&amp;Renewal=0&amp;Enc=bin">CA</A>'
        )
    elif row.disposition == UNDER_SUBMISSION:
        body = (
            f"<P ID=locInfoNewReq>{texts['pending'].format(id=row.id)}</P>\n<P ID=locInfoReturn>{texts['return']}</P>"
        )
    else:
        message = texts["message"].format(code=row.code)
        body = f"<P ID=locDenied>{texts['denied'].format(id=row.id, message=message)}</P>"
    return _page(texts["title"], body)


def no_certificate(row: Request, language: Language) -> str:
    """The page instead of a certificate that is not there."""
    texts = _TEXTS[language]
    if row.disposition == UNDER_SUBMISSION:
        body = f"<P ID=locInfoChkPnd>{texts['under']}</P>"
    elif row.disposition == DENIED:
        body = f"<P ID=locDenied>{texts['message'].format(code=row.code)}</P>"
    else:
        body = f"<P ID=locError>{texts['error']}\t\t0x{row.code:08x}</P>"
    return _page(texts["title"], body)


def renewals() -> str:
    """certcarc.asp, as far as it is read: the number of the newest CA certificate."""
    return _page("CA", '<SCRIPT Language="JavaScript">\nvar nRenewals=0;\n</SCRIPT>')


def _page(title: str, body: str) -> str:
    return f"<HTML><Head><Title>{title}</Title></Head><Body>\n<Script>var x='0x80094800 certnew';</Script>\n{body}\n</Body></HTML>\n"
