"""The way out: whether there is a network at all, and the proxy that web access goes through, if any.

Without a network much cannot be looked at, and that is no fault of the machine.
"""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

from fieldkit.doctor.probe import Probe, Subject
from fieldkit.finding import Finding
from fieldkit.text import M

# documentation addresses: routed like any other, and nobody is there; connecting UDP sends nothing
ANYWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def connected() -> bool:
    """This machine has a route to the world."""
    for family, address in ANYWHERE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as link:
                link.connect((address, 9))
                return True
        except OSError:
            continue
    return False


def proxy(scheme: str, host: str) -> str:
    """The proxy that this system's settings send such an address through; "" for none."""
    try:
        if urllib.request.proxy_bypass(host):
            return ""
    except (OSError, ValueError):
        pass
    return urllib.request.getproxies().get(scheme, "")


def place(address: str) -> SplitResult:
    """The parts of a proxy's address, which may be written without "http://"."""
    return urlsplit(address if "://" in address else f"http://{address}")


def named(address: str) -> str:
    """A proxy's host and port, never the name and password that may stand before them."""
    parts = place(address)
    return f"{parts.hostname or '?'}:{parts.port or 80}"


def probe_network(subject: Subject) -> Iterable[Finding]:
    if connected():
        yield Finding("network", "pass", M("This machine has a network."))
    else:
        yield Finding(
            "network",
            "info",
            M("This machine has no network; what needs one is told as not checked."),
            hint=M("The visit itself needs none."),
        )
    proxies = {named(address) for kind, address in urllib.request.getproxies().items() if kind != "no"}
    for address in sorted(proxies):
        yield Finding("network-proxy", "info", M("Web access goes through the proxy {proxy}.", proxy=address))


PROBES = (Probe("network", probe_network),)
