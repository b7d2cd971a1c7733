# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a forest with Samba: ``provision.py FOLDER ADDRESS``. Runs with the Python that Samba's packages serve.

No root is needed: what needs it is the copying of file permissions into SYSVOL, which a directory can do without. The
forest has what AD CS would have put there: two CAs, the template Web Server as it is shipped, an identifier, users.
"""

from __future__ import annotations

import base64
import logging
import pathlib
import struct
import sys

from samba import dsdb
from samba.auth import system_session
from samba.dcerpc import security
from samba.ndr import ndr_pack
from samba.param import LoadParm
from samba.provision import provision
from samba.samdb import SamDB

REALM = "LAB.EXAMPLE"
FOREST_OID = "1.3.6.1.4.1.311.21.8.10474041.5863166.10835082.12180123.8512337.29"
# As AD CS ships it: everybody reads, administrators change and enrol.
_SHIPPED = (
    "O:EAG:EAD:PAI(A;;LCRPLORC;;;AU)(A;;CCDCLCSWRPWPDTLOSDRCWDWO;;;DA)(A;;CCDCLCSWRPWPDTLOSDRCWDWO;;;EA)"
    "(OA;;RPWPCR;0e10c968-78fb-11d2-90d4-00c04f79dc55;;DA)(OA;;RPWPCR;0e10c968-78fb-11d2-90d4-00c04f79dc55;;EA)"
)
_DELEGATED = {
    # What somebody needs who makes templates without being an administrator of the forest.
    "CN=Certificate Templates": "(OA;;CCDC;e5209ca2-3bba-11d2-90cc-00c04fd91ab1;;{sid})"
    "(OA;CIIO;GA;;e5209ca2-3bba-11d2-90cc-00c04fd91ab1;{sid})",
    "CN=OID": "(OA;;CCDC;37cfd85c-6719-4ad8-8f9e-8678ba627563;;{sid})"
    "(OA;CIIO;GA;;37cfd85c-6719-4ad8-8f9e-8678ba627563;{sid})",
}


def _configure(folder: pathlib.Path, address: str) -> pathlib.Path:
    places = {
        "private dir": "private",
        "state directory": "state",
        "lock directory": "lock",
        "cache directory": "cache",
        "pid directory": "pid",
        "ncalrpc dir": "ncalrpc",
        "winbindd socket directory": "winbindd",
        "ntp signd socket directory": "ntp",
        "binddns dir": "bind",
    }
    for name in (*places.values(), "etc", "sysvol"):
        (folder / name).mkdir(parents=True)
    lines = [f"{option} = {folder / name}" for option, name in places.items()]
    path = folder / "etc" / "smb.conf"
    path.write_text(
        "\n".join(
            [
                "[global]",
                "netbios name = DC1",
                f"realm = {REALM}",
                "workgroup = LAB",
                "server role = active directory domain controller",
                *lines,
                f"log file = {folder}/samba.log",
                "server services = ldap, kdc",
                "dcerpc endpoint servers =",
                f"interfaces = {address}/8",
                "bind interfaces only = yes",
                "panic action =",
                # As hardened domain controllers: what is neither in TLS nor signed is refused.
                "ldap server require strong auth = allow_sasl_over_tls",
                f"tls certfile = {folder.parent}/dc.pem",
                f"tls keyfile = {folder.parent}/dc.key",
                f"tls cafile = {folder.parent}/ca.pem",
                "[sysvol]",
                f"path = {folder}/sysvol",
                "[netlogon]",
                f"path = {folder}/sysvol",
                "",
            ]
        )
    )
    return path


def _descriptor(sddl: str, domain: security.dom_sid) -> bytes:
    return ndr_pack(security.descriptor.from_sddl(sddl, domain))


def _fill(samdb: SamDB, password: str, address: str) -> None:
    domain, sid = samdb.domain_dn(), security.dom_sid(samdb.get_domain_sid())
    services = f"CN=Public Key Services,CN=Services,{samdb.get_config_basedn()}"
    for user in ("alice", "bob", "carol"):
        samdb.newuser(user, password)
    for group, members in {
        "SfB Certificate Requesters": ["bob"],
        "Other Requesters": ["alice"],
        "Template Editors": ["carol"],
        "All Staff": ["Domain Users"],
        "Everything Nested": ["All Staff"],
    }.items():
        samdb.newgroup(group)
        samdb.add_remove_group_members(group, members, add_members_operation=True)
    samdb.newgroup("Mailing List", grouptype=2)
    samdb.modify_ldif(
        f"dn: CN=DC1,OU=Domain Controllers,{domain}\nchangetype: modify\nadd: servicePrincipalName\n"
        f"servicePrincipalName: ldap/{address}\n"
    )
    samdb.modify_ldif(
        f"dn: CN=OID,{services}\nchangetype: modify\nreplace: msPKI-Cert-Template-OID\n"
        f"msPKI-Cert-Template-OID: {FOREST_OID}\n"
    )
    samdb.add(_web_server(f"CN=WebServer,CN=Certificate Templates,{services}", sid))
    for name in ("LAB Issuing CA", "LAB, Second CA"):
        escaped = name.replace(",", "\\,")
        samdb.add(
            {
                "dn": f"CN={escaped},CN=Enrollment Services,{services}",
                "objectClass": "pKIEnrollmentService",
                "displayName": name,
                "dNSHostName": "ca1.lab.example",
                "flags": "10",
                "certificateTemplates": ["WebServer", "Machine"],
            }
        )
    editors = samdb.search(domain, expression="(sAMAccountName=Template Editors)", attrs=["objectSid"])
    editors_sid = str(security.dom_sid(_sid_text(samdb, editors[0]["objectSid"][0])))
    for container, aces in _DELEGATED.items():
        dn = f"{container},{services}"
        found = samdb.search(dn, scope=0, attrs=["nTSecurityDescriptor"], controls=["sd_flags:1:4"])
        sddl = security_text(found[0]["nTSecurityDescriptor"][0], sid)
        text = base64.b64encode(_descriptor(sddl + aces.format(sid=editors_sid), sid)).decode()
        samdb.modify_ldif(
            f"dn: {dn}\nchangetype: modify\nreplace: nTSecurityDescriptor\nnTSecurityDescriptor:: {text}\n",
            controls=["sd_flags:1:4"],
        )


def _sid_text(samdb: SamDB, value: bytes) -> str:
    return samdb.schema_format_value("objectSid", value).decode()


def security_text(value: bytes, domain: security.dom_sid) -> str:
    from samba.ndr import ndr_unpack

    descriptor = ndr_unpack(security.descriptor, value)
    descriptor.owner_sid = descriptor.group_sid = None
    return descriptor.as_sddl(domain)


def _web_server(dn: str, sid: security.dom_sid) -> dict[str, object]:
    """The template as it is in real forests."""
    return {
        "dn": dn,
        "objectClass": ["top", "pKICertificateTemplate"],
        "displayName": "Web Server",
        "flags": "66113",
        "revision": "4",
        "msPKI-Template-Minor-Revision": "1",
        "msPKI-Template-Schema-Version": "1",
        "msPKI-Certificate-Name-Flag": "1",
        "msPKI-Enrollment-Flag": "0",
        "msPKI-Private-Key-Flag": "0",
        "msPKI-Minimal-Key-Size": "2048",
        "msPKI-RA-Signature": "0",
        "msPKI-Cert-Template-OID": f"{FOREST_OID}.1.16",
        "pKIExtendedKeyUsage": "1.3.6.1.5.5.7.3.1",
        "pKIKeyUsage": b"\xa0\x00",
        "pKICriticalExtensions": "2.5.29.15",
        "pKIDefaultKeySpec": "1",
        "pKIDefaultCSPs": [
            "2,Microsoft DH SChannel Cryptographic Provider",
            "1,Microsoft RSA SChannel Cryptographic Provider",
        ],
        "pKIMaxIssuingDepth": "0",
        "pKIExpirationPeriod": struct.pack("<q", -730 * 864_000_000_000),
        "pKIOverlapPeriod": struct.pack("<q", -42 * 864_000_000_000),
        "nTSecurityDescriptor": _descriptor(_SHIPPED, sid),
    }


def _main(folder: pathlib.Path, address: str, password: str) -> None:
    path = _configure(folder, address)
    parameters = LoadParm()
    parameters.load(str(path))
    log = logging.getLogger()
    log.setLevel(logging.ERROR)
    result = provision(
        log,
        system_session(),
        smbconf=str(path),
        realm=REALM,
        domain="LAB",
        hostname="dc1",
        hostip=address,
        adminpass=password,
        dns_backend="NONE",
        serverrole="active directory domain controller",
        dom_for_fun_level=dsdb.DS_DOMAIN_FUNCTION_2008_R2,
        skip_sysvolacl=True,
    )
    _fill(result.samdb, password, address)


if __name__ == "__main__":
    _main(pathlib.Path(sys.argv[1]), sys.argv[2], sys.stdin.readline().strip())
