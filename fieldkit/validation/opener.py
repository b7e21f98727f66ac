"""HTTP to addresses that a stranger chose: no other protocol, and nothing inside that nobody named.

What a certificate names is looked up and judged, and the very address that was judged is connected to; after
every redirect again.
"""

from __future__ import annotations

import functools
import http.client
import ipaddress
import socket
import ssl
import urllib.request
from collections.abc import Collection, Iterable
from typing import Any
from urllib.parse import urlsplit

NAT64 = ipaddress.ip_network("64:ff9b::/96")
PORTS = {"http": 80, "https": 443}
Place = tuple[str, int]


class NotAsked(OSError):
    """The address lies inside this machine or its network, and no profile names it."""


def place(url: str) -> Place | None:
    """Server and port of an http address; None where it is none."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname:
            return None
        return parts.hostname.lower(), parts.port or PORTS[parts.scheme]
    except ValueError:  # a port that is none
        return None


def places(urls: Iterable[str]) -> frozenset[Place]:
    """The servers of these addresses."""
    return frozenset(filter(None, map(place, urls)))


def opener(named: Collection[Place] | None) -> urllib.request.OpenerDirector:
    """Opens http and https. named: servers that may be inside; None: every one may."""
    made = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        _Redirects(),
        _Http(named),
        _Https(named),
        urllib.request.HTTPErrorProcessor(),
    ):
        made.add_handler(handler)
    return made


def public(address: str) -> bool:
    """Whether an IP address is one of the open network: not this machine, not a network of its own."""
    known = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(known, ipaddress.IPv6Address):
        inside = known.ipv4_mapped or known.sixtofour
        if known in NAT64:
            inside = ipaddress.IPv4Address(int(known) & 0xFFFFFFFF)
        known = inside or known
    return known.is_global and not known.is_multicast


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = 3


class _Connection(http.client.HTTPConnection):
    """Connects to addresses that were looked at only."""

    def __init__(self, host: str, *, named: Collection[Place] | None, **more: Any) -> None:
        super().__init__(host, **more)
        self._named = named

    def connect(self) -> None:
        self.sock = _connected(self.host, self.port, self.timeout, self._named)


class _SecureConnection(http.client.HTTPSConnection, _Connection):
    """The same by TLS, which goes over the connection that was made."""


class _Http(urllib.request.HTTPHandler):
    def __init__(self, named: Collection[Place] | None) -> None:
        super().__init__()
        self._named = named

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        if _by_proxy(req, self._named):
            return super().http_open(req)
        return self.do_open(functools.partial(_Connection, named=self._named), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, named: Collection[Place] | None) -> None:
        self._trust = ssl.create_default_context()
        super().__init__(context=self._trust)
        self._named = named

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        if _by_proxy(req, self._named):
            return super().https_open(req)
        made = functools.partial(_SecureConnection, named=self._named)
        return self.do_open(made, req, context=self._trust)


def _by_proxy(req: urllib.request.Request, named: Collection[Place] | None) -> bool:
    """Whether a proxy connects, which looks names up itself; addresses written as such are looked at here."""
    wanted = place(req.full_url)
    through = wanted is not None and req.host.lower() not in (wanted[0], f"{wanted[0]}:{wanted[1]}")
    if through and wanted is not None and named is not None and wanted not in named and _inside(wanted[0]):
        raise NotAsked(f"{wanted[0]}: an address inside")
    return through


def _inside(host: str) -> bool:
    try:
        return not public(host.strip("[]"))
    except ValueError:  # a name
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))


def _connected(host: str, port: int, timeout: float | None, named: Collection[Place] | None) -> socket.socket:
    error: OSError = NotAsked(f"{host}: no address")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        if named is not None and (host.lower(), port) not in named and not public(str(address[0])):
            error = NotAsked(f"{host}: {address[0]} is an address inside")
            continue
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(timeout)
            made.connect(address)
        except OSError as fault:
            made.close()
            error = fault
            continue
        return made
    raise error
