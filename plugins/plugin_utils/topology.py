# Copyright (c) 2026, the sfb.kb4023993 contributors
# GNU General Public License v3.0-or-later (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pools a deployment has, and which Edge pool each Front End pool uses, from the topology document.

Input is the text of ``(Get-CsTopology -LocalStore -AsXml).ToString()``. Both switches exist from Lync Server 2010 on (Microsoft's
cmdlet help: gg412824 for 2010, office-docs-powershell for 2010, 2013 and 2015). ``-LocalStore`` reads the server's own replica, so
there is no second hop. The help names RTCUniversalUserAdmins and RTCUniversalServerAdmins as those who may run it. Microsoft's
example for ``Publish-CsTopology`` calls ``ToString()`` on the result to get the text.

The shape, and how well it is known:

* Confirmed by a complete document that a public deployment script gives to ``Publish-CsTopology`` (Skype for Business Server 2019,
  one Standard Edition server); Microsoft's help says that this cmdlet takes what ``Get-CsTopology -AsXml`` returned::

    Topology  (namespace urn:schema:Microsoft.Rtc.Management.Deploy.Topology.2008)
      Clusters/Cluster[@Fqdn]            the pool
        ClusterId[@SiteId @Number]
        Machine[@Fqdn]
      Services/Service
        ServiceId[@SiteId @RoleName @Instance]
        DependsOn/Dependency[@Usage]/ServiceId
        InstalledOn/ClusterId            (or InstalledOn/SqlInstanceId/ClusterId)
        ConfService/MCUs/MCU[@ComponentName]   (namespace ...Deploy.ServiceRoles.2008)

* Confirmed by public reporting scripts for Lync that read the cmdlet's output through these same paths, with roles ``UserServices``,
  ``ConfServices``, ``EdgeServer``.
* Inferred: how an Edge appears. The only complete document with an Edge is one of Topology Builder (``.tbxml``), which has the same
  roles and dependencies under identifiers of its own. There the ``ConfServices`` of the Front End pool depends on ``EdgeServer``,
  usage ``Default`` (Microsoft's help for ``Set-CsConferenceServer -EdgeServer`` calls this the association). The Edge depends on
  its ``Registrar`` in return, and other services of the pool depend on the Edge for audio; neither says where conferencing goes.
* Not seen: a document of Lync Server 2010 or 2013, one with two Edge pools, other usages than ``Default``. They are read by the same
  rules. What does not follow from them is left out and named in ``notes``, never guessed.

The cmdlet without ``-AsXml`` returns an object (``DefaultTopology``) whose properties Microsoft does not document; scripts show
clusters, machines and installed services, but nobody reads dependencies from it. So the XML is the better source.

The text is hostile input (a server may be compromised): length, depth and number of elements are limited, document type
declarations and with them all entities are refused, nothing is fetched, and names that are not DNS names are not passed on.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
from collections.abc import Iterator
from xml.etree import ElementTree as ET
from xml.parsers import expat

MAX_CHARACTERS: t.Final = 16 * 1024 * 1024
MAX_DEPTH: t.Final = 64
MAX_ELEMENTS: t.Final = 500_000
MAX_NOTES: t.Final = 50

_TOPOLOGY: t.Final = "{urn:schema:Microsoft.Rtc.Management.Deploy.Topology.2008}"
_ROLES: t.Final = "{urn:schema:Microsoft.Rtc.Management.Deploy.ServiceRoles.2008}"
_LABEL: t.Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_FQDN = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_]{1,64}")

_ClusterKey = tuple[str, str]
_ServiceKey = tuple[str, str, str]


class TopologyError(ValueError):
    """The text is not a topology document that can be used; the message says why."""


@dataclasses.dataclass(frozen=True)
class TopologyPool:
    """A pool with Web Conferencing or an Edge pool. Names are FQDNs in lower case.

    A Standard Edition server is a pool of one machine with its own name. ``front_end``: Web Conferencing (the validator) is installed
    on it. ``edge``: it is an Edge pool. ``edge_pool``: the FQDN of the Edge pool that the Front End pool's conferencing service
    depends on, None where it has none or where it is not certain. ``names_edge``: the service depends on some Edge, so that None is a
    doubt (``notes`` of the topology may say why) and not a no.
    """

    fqdn: str
    machines: tuple[str, ...]
    front_end: bool
    edge: bool
    edge_pool: str | None
    names_edge: bool = False


@dataclasses.dataclass(frozen=True)
class Topology:
    """The pools that matter here, sorted by FQDN, and in ``notes`` (plain English) what in the document could not be used.

    Pools of other roles (Director, Mediation, SQL, gateways) are left out.
    """

    pools: tuple[TopologyPool, ...]
    notes: tuple[str, ...]


def parse_topology(text: str) -> Topology:
    """Return the pools of a topology document.

    :param text: the XML text, at most :data:`MAX_CHARACTERS` long.
    :raises TopologyError: when the text is too large, not XML, has a document type declaration, is not a topology document, or
        names a pool twice.
    """
    root = _parse(text)
    if root.tag != f"{_TOPOLOGY}Topology":
        raise TopologyError(
            f"The topology document starts with {root.tag[:120]!r}, not with a Topology element of the known schema."
        )
    return _Reader(root).read()


@dataclasses.dataclass
class _Cluster:
    fqdn: str | None
    element: ET.Element
    edge: bool = False
    front_end: bool = False
    names_edge: bool = False
    edge_services: set[_ServiceKey] = dataclasses.field(default_factory=set)


class _Reader:
    """Reads one document. Keys are the document's own: (SiteId, Number) of a cluster, (SiteId, RoleName, Instance) of a service."""

    def __init__(self, root: ET.Element) -> None:
        self._root = root
        self._clusters: dict[_ClusterKey, _Cluster] = {}
        self._edge_clusters: dict[_ServiceKey, _Cluster] = {}
        self._notes: list[str] = []

    def read(self) -> Topology:
        self._read_clusters()
        self._read_services()
        pools: dict[str, TopologyPool] = {}
        for cluster in self._clusters.values():
            if not (cluster.front_end or cluster.edge):
                continue
            if cluster.fqdn is None:
                self._note("A Front End or Edge pool has a name that is not a DNS name; it was left out.")
                continue
            if cluster.fqdn in pools:
                raise TopologyError(f"The topology document names the pool {cluster.fqdn} more than once.")
            pools[cluster.fqdn] = TopologyPool(
                fqdn=cluster.fqdn,
                machines=self._machines(cluster.element, cluster.fqdn),
                front_end=cluster.front_end,
                edge=cluster.edge,
                edge_pool=self._edge_pool(cluster.fqdn, cluster.edge_services),
                names_edge=cluster.names_edge,
            )
        return Topology(pools=tuple(pools[name] for name in sorted(pools)), notes=tuple(self._notes))

    def _note(self, text: str) -> None:
        if len(self._notes) < MAX_NOTES and text not in self._notes:
            self._notes.append(text)

    def _read_clusters(self) -> None:
        for element in self._root.iterfind(f"{_TOPOLOGY}Clusters/{_TOPOLOGY}Cluster"):
            key = _cluster_key(element.find(f"{_TOPOLOGY}ClusterId"))
            if key is None:
                self._note("A pool without a usable number was left out.")
            elif key in self._clusters:
                raise TopologyError(f"The topology document gives the pool number {':'.join(key)} more than once.")
            else:
                self._clusters[key] = _Cluster(fqdn=_name(element), element=element)
        if not self._clusters:
            raise TopologyError("The topology document holds no pool (no usable Clusters/Cluster element).")

    def _machines(self, cluster: ET.Element, fqdn: str) -> tuple[str, ...]:
        machines: dict[str, None] = {}
        for element in cluster.iterfind(f"{_TOPOLOGY}Machine"):
            # Topology Builder leaves the name out where the machine is the pool.
            name = fqdn if "Fqdn" not in element.attrib else _name(element)
            if name is None:
                self._note(f"A machine of the pool {fqdn} has a name that is not a DNS name; it was left out.")
            else:
                machines[name] = None
        return tuple(machines)

    def _read_services(self) -> None:
        for service in self._root.iterfind(f"{_TOPOLOGY}Services/{_TOPOLOGY}Service"):
            key = _service_key(service.find(f"{_TOPOLOGY}ServiceId"))
            if key is None or key[1] not in ("ConfServices", "EdgeServer"):
                continue
            cluster_key = _cluster_key(service.find(f"{_TOPOLOGY}InstalledOn/{_TOPOLOGY}ClusterId"))
            cluster = None if cluster_key is None else self._clusters.get(cluster_key)
            if cluster is None:
                self._note(f"The service {'-'.join(key)} is installed on a pool that the document does not hold.")
            elif key[1] == "EdgeServer":
                cluster.edge = True
                self._edge_clusters[key] = cluster
            elif self._has_web_conferencing(service, "-".join(key)):
                cluster.front_end = True
                cluster.edge_services.update(_edge_dependencies(service))
                cluster.names_edge = cluster.names_edge or _names_edge(service)

    def _has_web_conferencing(self, service: ET.Element, name: str) -> bool:
        """A pool for audio and video alone (Lync Server 2010) has conferencing services without the data part."""
        parts = [
            element.get("ComponentName")
            for element in service.iterfind(f"{_ROLES}ConfService/{_ROLES}MCUs/{_ROLES}MCU")
        ]
        if not parts:
            self._note(f"The service {name} does not list its parts; its pool is taken for a Front End pool.")
        return not parts or "DataConf" in parts

    def _edge_pool(self, fqdn: str, services: set[_ServiceKey]) -> str | None:
        targets = [self._edge_clusters.get(key) for key in sorted(services)]
        names = {target.fqdn for target in targets if target is not None and target.fqdn is not None}
        if any(target is None or target.fqdn is None for target in targets):
            self._note(f"The pool {fqdn} depends on an Edge pool that the document does not hold or does not name.")
            return None
        if len(names) > 1:
            self._note(f"The pool {fqdn} depends on more than one Edge pool: {', '.join(sorted(names))}.")
            return None
        return next(iter(names), None)


def _names_edge(service: ET.Element) -> bool:
    """Whether a service depends on any Edge, of whatever usage: then a missing ``edge_pool`` is a doubt, not a no."""
    keys = (
        _service_key(element)
        for element in service.iterfind(f"{_TOPOLOGY}DependsOn/{_TOPOLOGY}Dependency/{_TOPOLOGY}ServiceId")
    )
    return any(key is not None and key[1] == "EdgeServer" for key in keys)


def _edge_dependencies(service: ET.Element) -> Iterator[_ServiceKey]:
    for element in service.iterfind(
        f"{_TOPOLOGY}DependsOn/{_TOPOLOGY}Dependency[@Usage='Default']/{_TOPOLOGY}ServiceId"
    ):
        key = _service_key(element)
        if key is not None and key[1] == "EdgeServer":
            yield key


def _name(element: ET.Element) -> str | None:
    """The Fqdn attribute in lower case, None when it is missing or not a DNS name."""
    name = element.get("Fqdn", "")
    return name.lower() if _FQDN.fullmatch(name) else None


def _cluster_key(element: ET.Element | None) -> _ClusterKey | None:
    site, number = _identifiers(element, "SiteId", "Number") or ("", "")
    return (site, number) if site else None


def _service_key(element: ET.Element | None) -> _ServiceKey | None:
    site, role, instance = _identifiers(element, "SiteId", "RoleName", "Instance") or ("", "", "")
    return (site, role, instance) if site else None


def _identifiers(element: ET.Element | None, *names: str) -> tuple[str, ...] | None:
    """The attributes of these names, None when one is missing or is not a plain word or number."""
    values = tuple("" if element is None else element.get(name, "") for name in names)
    return values if all(_IDENTIFIER.fullmatch(value) for value in values) else None


def _parse(text: str) -> ET.Element:
    if len(text) > MAX_CHARACTERS:
        raise TopologyError(
            f"The topology document has {len(text)} characters; more than {MAX_CHARACTERS} are not read."
        )
    # expat directly, because ElementTree's parser offers no way to refuse a document type declaration. The encoding is fixed: the
    # text is decoded already, whatever its declaration says.
    builder = ET.TreeBuilder()
    parser = expat.ParserCreate(encoding="utf-8", namespace_separator="}")
    parser.buffer_text = True
    depth = count = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count
        depth += 1
        count += 1
        if depth > MAX_DEPTH:
            raise TopologyError(f"The topology document is nested deeper than {MAX_DEPTH} elements.")
        if count > MAX_ELEMENTS:
            raise TopologyError(f"The topology document has more than {MAX_ELEMENTS} elements.")
        builder.start(_qualified(tag), {_qualified(name): value for name, value in attributes.items()})

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(_qualified(tag))

    def doctype(*_: object) -> None:
        raise TopologyError("The topology document has a document type declaration (DOCTYPE), which is not accepted.")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(text.encode("utf-8"), True)
        return builder.close()
    except expat.ExpatError as error:
        raise TopologyError(f"The topology document is not well-formed XML: {error}.") from error
    except UnicodeEncodeError as error:
        raise TopologyError("The topology document holds characters that XML cannot hold.") from error


def _qualified(name: str) -> str:
    return "{" + name if "}" in name else name
