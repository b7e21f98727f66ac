"""The services a bureau needs: name, connection, TLS and answer, timed apart, so that one sees which fails.

A hotel's login page answers everything with 200: an address that cannot exist is asked for as well.
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

from fieldkit.driver.machine.probe import Probe, Subject
from fieldkit.operator import Finding
from fieldkit.profile.model import Profiles, Service
from fieldkit.text import M

DEADLINE = 8.0
STEP = 3.0  # seconds for each of name, connection, TLS and answer
PORTS = {"http": 80, "https": 443, "sftp": 22, "ssh": 22}


class Reached(msgspec.Struct, frozen=True):
    """How far an address could be reached. times: milliseconds by stage, of those that worked."""

    times: dict[str, int]
    failed: str = ""
    reason: str = ""
    status: int = 0
    portal: str = ""


def probes(profiles: Profiles | None) -> tuple[Probe, ...]:
    """A probe for each service that the profiles name."""
    if profiles is None:
        return ()
    return tuple(Probe(f"service-{service.id}", _looker(service), DEADLINE) for service in profiles.services)


def addresses(profiles: Profiles | None) -> tuple[str, ...]:
    """The web addresses of the services, to compare the clock with."""
    found = [service.url for service in profiles.services] if profiles is not None else []
    return tuple(url for url in found if url.startswith(("http://", "https://")))


def reach(url: str) -> Reached:
    """Go the way to `url` stage by stage: name, connection, TLS, answer; stop where it fails."""
    parts = urlsplit(url)
    host, scheme = parts.hostname or "", parts.scheme
    times: dict[str, int] = {}
    stage, begun = "name", time.monotonic()

    def next_stage(name: str) -> None:
        nonlocal stage, begun
        times[stage] = round(1000 * (time.monotonic() - begun))
        stage, begun = name, time.monotonic()

    link: socket.socket | None = None
    try:
        port = parts.port or PORTS[scheme]
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        next_stage("connection")
        link = _connect(found)
        next_stage("tls" if scheme == "https" else "answer")
        if scheme == "https":
            link = ssl.create_default_context().wrap_socket(link, server_hostname=host)
            next_stage("answer")
        if scheme not in ("http", "https"):
            return Reached(times)
        status, portal = _ask(link, parts.netloc, f"/fieldkit-{secrets.token_hex(8)}", scheme)
        next_stage("")
    except (OSError, http.client.HTTPException, KeyError, ValueError) as error:
        return Reached(times, failed=stage, reason=_reason(error))
    finally:
        if link is not None:
            link.close()
    return Reached(times, status=status, portal=portal)


def _connect(found: Sequence[tuple[Any, ...]]) -> socket.socket:
    problem: OSError = OSError("no address")
    for family, kind, protocol, _, address in found:
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


def _ask(link: socket.socket, host: str, path: str, scheme: str) -> tuple[int, str]:
    """Ask for a page that cannot exist; its status, and where one is sent instead if to another host."""
    call = http.client.HTTPConnection(host)
    call.sock = link
    call.request("GET", path, headers={"Host": host, "User-Agent": "fieldkit", "Connection": "close"})
    answer = call.getresponse()
    target = urlsplit(answer.headers.get("Location") or "")
    if answer.status in (301, 302, 303, 307, 308) and target.hostname not in (
        None,
        urlsplit(f"//{host}").hostname,
    ):
        return answer.status, target.hostname or ""
    page = answer.status == 200 and "text/html" in (answer.headers.get("Content-Type") or "")
    return answer.status, host if page and scheme == "http" else ""


def _looker(service: Service) -> Callable[[Subject], Iterable[Finding]]:
    def look(subject: Subject) -> Iterable[Finding]:
        name = f"service-{service.id}"
        if not service.url:
            yield Finding(
                name,
                "not-checked",
                M("{service}: no address is configured.", service=str(service.title)),
                hint=M("Put its address into services.yaml in the home's profiles folder."),
            )
            return
        yield _finding(name, service, reach(service.url))

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


def _finding(name: str, service: Service, reached: Reached) -> Finding:
    title, host = str(service.title), urlsplit(service.url).hostname or ""
    detail = ", ".join(f"{stage} {took} ms" for stage, took in reached.times.items())
    if reached.failed:
        return Finding(
            name,
            "fail" if service.required else "warning",
            M(FAILED[reached.failed].text, service=title),
            detail="; ".join(filter(None, (host, detail, reached.reason))),
            hint=HINTS[reached.failed],
        )
    if reached.portal:
        return Finding(
            name,
            "warning",
            M("{service}: another page answers in its place, as a hotel's login page does.", service=title),
            detail=f"{host}; {detail}; {reached.portal}",
            hint=M("Open a web page in a browser, log in to the network, then try again."),
        )
    return Finding(
        name,
        "pass",
        M("{service} answers, in {time} ms.", service=title, time=sum(reached.times.values())),
        detail=f"{host}; {detail}",
    )


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
