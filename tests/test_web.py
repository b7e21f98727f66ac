"""One exchange over HTTP: whole, in time, of a size that is allowed; or told why not."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fieldkit import web

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n"


@contextmanager
def server(*parts: bytes, pause: float = 0.0) -> Iterator[str]:
    """Answers one request with `parts`, `pause` seconds between them."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            link, _ = listening.accept()
            with link:
                link.recv(65536)
                for part in parts:
                    try:
                        link.sendall(part)
                    except OSError:
                        return
                    time.sleep(pause)

        threading.Thread(target=answer, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


def exchange(url: str, seconds: float = 20, largest: int = 100) -> web.HttpAnswer:
    return web.exchange(web.request(url), seconds=seconds, largest=largest)


def test_a_whole_answer_is_given_with_its_headers() -> None:
    with server(HEAD, b"0123456789") as url:
        answer = exchange(url)
    assert (answer.body, answer.headers["Content-Length"]) == (b"0123456789", "10")


@pytest.mark.parametrize(
    ("parts", "largest", "message"),
    [((HEAD, b"01234"), 100, "cut short"), ((HEAD, b"0123456789"), 9, "too large")],
)
def test_an_answer_that_is_not_whole_or_too_large_does_not_count(
    parts: tuple[bytes, ...], largest: int, message: str
) -> None:
    with server(*parts) as url, pytest.raises(web.NotWhole, match=message):
        exchange(url, largest=largest)


def test_a_server_that_drips_is_left_at_the_deadline() -> None:
    began = time.monotonic()
    with server(HEAD, *[b"x"] * 10, pause=0.5) as url, pytest.raises(TimeoutError):
        exchange(url, seconds=0.6)
    assert time.monotonic() - began < 4.5


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "file:///etc/hostname", "", "http://[x"])
def test_what_is_no_http_address_is_never_opened(url: str) -> None:
    with pytest.raises(web.FAULTS):
        exchange(url)


def test_what_is_no_http_is_a_fault_and_no_crash() -> None:
    with server(b"SSH-2.0-OpenSSH_9.2\r\n") as url, pytest.raises(web.FAULTS):
        exchange(url)
