"""One exchange over HTTP, with a deadline for all of it, however slowly it drips, and a limit of size."""

from __future__ import annotations

import http.client
import time
import urllib.request
from collections.abc import Callable
from email.message import Message as Headers
from typing import Any

import msgspec

FAULTS = (OSError, ValueError, http.client.HTTPException)
"""What `exchange` raises: no answer, an address that is none, what is no HTTP at all."""


class NotWhole(OSError):
    """The answer is longer than it may be, or was cut short."""


Opener = Callable[..., Any]
"""Opens requests: `urllib.request.urlopen`, or one that does not open every address."""


class HttpAnswer(msgspec.Struct, frozen=True):
    """What a server answered; a refusal is raised as urllib's `HTTPError`."""

    headers: Headers
    body: bytes


def request(
    url: str, body: bytes | None = None, kind: str = "", method: str | None = None
) -> urllib.request.Request:
    """A request to an http address. kind: the media type of `body`.

    :raises ValueError: the address is not one of http.
    """
    if not url.lower().startswith(("http://", "https://")):
        raise ValueError(f"not an http address: {url}")
    headers = {"Content-Type": kind} if kind else {}
    return urllib.request.Request(url, data=body, headers=headers, method=method)  # noqa: S310 (looked at)


def exchange(
    request: urllib.request.Request, *, seconds: float, largest: int, opener: Opener = urllib.request.urlopen
) -> HttpAnswer:
    """What is answered to `request` within `seconds` in all, and `largest` bytes; raises `FAULTS`."""
    end = time.monotonic() + seconds
    body = bytearray()
    with opener(request, timeout=max(seconds, 0.1)) as answer:
        while block := answer.read1(1 << 16):
            body += block
            if len(body) > largest:
                raise NotWhole("too large")
            if time.monotonic() > end:
                raise TimeoutError("too slow")
        if request.get_method() != "HEAD" and len(body) < int(answer.headers.get("Content-Length") or 0):
            raise NotWhole("cut short")
        return HttpAnswer(answer.headers, bytes(body))
