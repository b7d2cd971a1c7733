# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An independent look at an object: ``look.py SMB_CONF DN`` prints its attributes as Samba itself reads its database.

Runs with the Python that Samba's packages serve. Values are base64; ``sddl`` is Samba's own text of the permissions.
"""

from __future__ import annotations

import base64
import json
import re
import sys

from samba.auth import system_session
from samba.dcerpc import security
from samba.ndr import ndr_unpack
from samba.param import LoadParm
from samba.samdb import SamDB

parameters = LoadParm()
parameters.load(sys.argv[1])
database = SamDB(lp=parameters, session_info=system_session())
found = database.search(sys.argv[2], scope=0, attrs=["*", "nTSecurityDescriptor"])[0]
values = {name: [base64.b64encode(value).decode() for value in found[name]] for name in found if name != "dn"}
descriptor = ndr_unpack(security.descriptor, found["nTSecurityDescriptor"][0])
text = descriptor.as_sddl(security.dom_sid("S-1-5-21-9-9-9"))
# Releases of Samba write the rights of an entry in different orders: sorted, they compare.
text = re.sub(r"\((\w+;\w*);(\w+);", lambda m: f"({m[1]};{''.join(sorted(re.findall('..', m[2])))};", text)
print(json.dumps({"attributes": values, "sddl": text}))
