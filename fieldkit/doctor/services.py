"""The services a bureau needs: name, connection, TLS and answer, timed apart, so that one sees which fails.

A hotel's login page answers everything with 200, so what is asked for is an address that cannot exist; a
timestamp authority is asked for the time, which no login page can tell.
"""

from __future__ import annotations

import http.client
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from fieldkit.doctor import network
from fieldkit.doctor.probe import Probe, Subject
from fieldkit.finding import Finding
from fieldkit.profile.model import Authority, Profiles, ServiceKind
from fieldkit.text import M, Message

DEADLINE = 8.0
STEP = 3.0  # seconds for each of connection, TLS and answer
PORTS = {"http": 80, "https": 443, "sftp": 22, "ssh": 22}


class Reachability(msgspec.Struct, frozen=True):
    """How far an address could be reached. times: milliseconds by stage, of those that worked.

    failed: the stage that did not. portal: whose page answered in its place. proxy: the way went through it.
    """

    times: dict[str, int]
    failed: str = ""
    reason: str = ""
    status: int = 0
    portal: str = ""
    proxy: str = ""


class ServiceTarget(msgspec.Struct, frozen=True):
    """A service and one of its addresses; "" where none is configured."""

    id: str
    kind: ServiceKind
    url: str
    required: bool = False


def targets(profiles: Profiles) -> tuple[ServiceTarget, ...]:
    """Every address to look at: the services', and for those left open, the authorities' in use."""
    service_targets: list[ServiceTarget] = []
    for service in profiles.services:
        urls = [service.url] if service.url else _of_authorities(profiles, service.kind)
        for number, url in enumerate(urls or [""]):
            name = f"service-{service.id}" + (f"-{number + 1}" if number else "")
            service_targets.append(ServiceTarget(name, service.kind, url, service.required))
    return tuple(service_targets)


def used(profiles: Profiles) -> tuple[Authority, ...]:
    """The authorities of the plan's bureaus."""
    names = dict.fromkeys(bureau.authority for bureau in profiles.plan.bureaus)
    return tuple(profiles.authorities[name] for name in names if name in profiles.authorities)


def probes(profiles: Profiles | None) -> tuple[Probe, ...]:
    """A probe for each service that the profiles name."""
    if profiles is None:
        return ()
    return tuple(Probe(target.id, _looker(target), DEADLINE) for target in targets(profiles))


def reach(url: str, proxy: str | None = None) -> Reachability:
    """Go the way to `url` stage by stage: name, connection, TLS, answer; stop where it fails.

    proxy: the one to go through; this system's own where not given, "" for none.
    """
    parts = urlsplit(url)
    host, scheme = parts.hostname or "", parts.scheme
    through = network.proxy(scheme, host) if proxy is None else proxy
    times: dict[str, int] = {}
    stage, since = "name", time.monotonic()
    shown_proxy = network.named(through) if through else ""

    def next_stage(name: str) -> None:
        nonlocal stage, since
        times[stage] = round(1000 * (time.monotonic() - since))
        stage, since = name, time.monotonic()

    link: socket.socket | None = None
    try:
        port = parts.port or PORTS[scheme]
        first = network.place(through) if through else parts
        addresses = socket.getaddrinfo(
            first.hostname, first.port or (80 if through else port), type=socket.SOCK_STREAM
        )
        next_stage("connection")
        link = _connect(addresses)
        if through and scheme == "https":
            _tunnel(link, host, port)
        next_stage("tls" if scheme == "https" else "answer")
        if scheme == "https":
            link = ssl.create_default_context().wrap_socket(link, server_hostname=host)
            next_stage("answer")
        if scheme not in ("http", "https"):
            return Reachability(times, proxy=shown_proxy)
        path = f"/fieldkit-{secrets.token_hex(8)}"
        target = f"http://{parts.netloc.rpartition('@')[2]}{path}" if through and scheme == "http" else path
        status, portal = _ask(link, parts.netloc.rpartition("@")[2], target, scheme)
        next_stage("")
    except (OSError, http.client.HTTPException, KeyError, ValueError) as error:
        return Reachability(times, failed=stage, reason=_reason(error), proxy=shown_proxy)
    finally:
        if link is not None:
            link.close()
    return Reachability(times, status=status, portal=portal, proxy=shown_proxy)


def _connect(addresses: Sequence[tuple[Any, ...]]) -> socket.socket:
    problem: OSError = OSError("no address")
    for family, kind, protocol, _, address in addresses:
        link = socket.socket(family, kind, protocol)
        link.settimeout(STEP)
        try:
            link.connect(address)
        except OSError as error:
            link.close()
            problem = error
            continue
        return link
    raise problem


def _tunnel(link: socket.socket, host: str, port: int) -> None:
    """Have the proxy at the other end connect further; no name and password is ever offered to it."""
    link.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode("ascii", "ignore"))
    head = b""
    while b"\r\n\r\n" not in head and len(head) < 65536:
        if not (block := link.recv(4096)):
            break
        head += block
    status = head.split(b"\r\n", 1)[0].decode("ascii", "replace")
    if " 200" not in status:
        raise OSError(f"the proxy answers: {status}")


def _ask(link: socket.socket, host: str, path: str, scheme: str) -> tuple[int, str]:
    """Ask for a page that cannot exist; its status, and whose page it is if it is not the service's own."""
    call = http.client.HTTPConnection(host)
    call.sock = link
    call.request("GET", path, headers={"Host": host, "User-Agent": "fieldkit", "Connection": "close"})
    answer = call.getresponse()
    own = urlsplit(f"//{host}").hostname
    target = urlsplit(answer.headers.get("Location") or "")
    if answer.status in (301, 302, 303, 307, 308) and target.hostname not in (None, own):
        return answer.status, target.hostname or ""
    if answer.status == 511:  # Network Authentication Required, RFC 6585
        return answer.status, own or host
    kind = (answer.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    # an OCSP responder or a TSA answers any request in its own format; what answers with a page is another
    spurious = answer.status == 200 and scheme == "http" and kind not in OWN
    return answer.status, (own or host) if spurious else ""


NAMES: dict[ServiceKind, Message] = {
    "document-management": M("Document management software"),
    "axis": M("National document exchange axis"),
    "portal": M("Portal"),
    "tsa": M("Timestamp authority"),
    "ocsp": M("Certificate status responder (OCSP)"),
    "crl": M("Revocation list (CRL)"),
    "repository": M("The authority's repository"),
    "proxy": M("Proxy"),
    "hub": M("Head office's hub"),
}
OWN = ("application/ocsp-response", "application/timestamp-reply", "application/pkix-crl")


def _looker(target: ServiceTarget) -> Callable[[Subject], Iterable[Finding]]:
    def look(subject: Subject) -> Iterable[Finding]:
        if not target.url:
            yield Finding(
                target.id,
                "not-checked",
                M("{service}: no address is configured.", service=NAMES[target.kind]),
                hint=M(
                    "Put its address into {file}; a copy of the shipped file is a good beginning.",
                    file=str(subject.home.profiles / "services.yaml"),
                ),
            )
            return
        yield finding(target, reach(target.url))

    return look


FAILED = {
    "name": M("{service}: its name cannot be resolved."),
    "connection": M("{service}: no connection."),
    "tls": M("{service}: the connection cannot be secured (TLS)."),
    "answer": M("{service}: it does not answer."),
}
HINTS = {
    "name": M("Check the network and its DNS; without a network this is expected."),
    "connection": M("Check firewall and proxy with the bureau's network administrator."),
    "tls": M("Check the clock first, then whether a proxy breaks TLS open."),
    "answer": M("Try again later; tell who runs the service."),
}


def finding(target: ServiceTarget, reached: Reachability) -> Finding:
    """What was seen on the way to `target`, with the milliseconds of each stage."""
    title, host = NAMES[target.kind], urlsplit(target.url).hostname or ""
    times = ", ".join(f"{stage} {took} ms" for stage, took in reached.times.items())
    way = f"proxy {reached.proxy}" if reached.proxy else ""
    if reached.failed in ("name", "connection") and not network.connected():
        return Finding(
            target.id,
            "not-checked",
            M("{service}: not checked, this machine has no network.", service=title),
            detail=host,
            hint=M("With a network, run `fieldkit doctor` again."),
        )
    if reached.failed:
        return Finding(
            target.id,
            "fail" if target.required else "warning",
            M(FAILED[reached.failed].text, service=title),
            detail="; ".join(filter(None, (host, way, times, reached.reason))),
            hint=HINTS[reached.failed],
        )
    if reached.portal:
        return Finding(
            target.id,
            "fail" if target.required else "warning",
            M("{service}: another page answers in its place, as a hotel's login page does.", service=title),
            detail="; ".join(filter(None, (host, way, times, reached.portal))),
            hint=M("Open a web page in a browser, log in to the network, then try again."),
        )
    return Finding(
        target.id,
        "pass",
        M("{service} answers, in {time} ms.", service=title, time=sum(reached.times.values())),
        detail="; ".join(filter(None, (host, way, times))),
    )


def _of_authorities(profiles: Profiles, kind: ServiceKind) -> list[str]:
    """The addresses of this kind that the profiles of the authorities in use have; none invented."""
    if kind not in ("tsa", "ocsp", "crl"):
        return []
    return list(
        dict.fromkeys(endpoint.url for authority in used(profiles) for endpoint in getattr(authority, kind))
    )


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
