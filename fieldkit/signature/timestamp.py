"""Timestamps from an authority (RFC 3161) over HTTP, with a deadline and a limit."""

from __future__ import annotations

import secrets
from datetime import datetime

from asn1crypto import algos, tsp

from fieldkit import web
from fieldkit.pdf import boundary

LARGEST_RESPONSE = 1024 * 1024


def genuine_time(url: str, *, timeout: float = 20.0) -> datetime:
    """The time in a fresh timestamp from `url`; its signature is not judged.

    :raises TimestampFailed: there is none.
    """
    algorithm = algos.DigestAlgorithm({"algorithm": "sha256"})
    imprint = {"hash_algorithm": algorithm, "hashed_message": bytes(32)}
    query = {"version": "v1", "message_imprint": imprint, "nonce": secrets.randbits(64), "cert_req": True}
    answer = request(url, tsp.TimeStampReq(query), timeout)
    moment = _content(answer)["gen_time"].native
    assert isinstance(moment, datetime)
    return moment


def request(url: str, query: tsp.TimeStampReq, timeout: float) -> tsp.TimeStampResp:
    """The answer of the authority at `url`, granted and for this very query (RFC 3161 §2.2).

    :raises TimestampFailed: there is none.
    """
    answer: tsp.TimeStampResp = _answer(url, query.dump(), timeout)
    try:
        status = answer["status"]["status"].native
        if status not in ("granted", "granted_with_mods"):
            raise boundary.timestamp_failed(f"{url}: {status}")
        content = _content(answer)
        fits = all(content[part].dump() == query[part].dump() for part in ("message_imprint", "nonce"))
        content["gen_time"].native  # noqa: B018 (one that cannot be read is none)
    except (ValueError, TypeError, KeyError) as error:
        raise boundary.timestamp_failed(f"{url}: {boundary.kind_of(error)}") from None
    if not fits:
        raise boundary.timestamp_failed(f"{url}: a timestamp for something else")
    return answer


def _content(answer: tsp.TimeStampResp) -> tsp.TSTInfo:
    content: tsp.TSTInfo = answer["time_stamp_token"]["content"]["encap_content_info"]["content"].parsed
    return content


def _answer(url: str, query: bytes, timeout: float) -> tsp.TimeStampResp:
    try:
        http_request = web.request(url, query, "application/timestamp-query")
        response = web.exchange(http_request, seconds=timeout, largest=LARGEST_RESPONSE)
    except web.FAULTS as error:
        raise boundary.timestamp_failed(f"{url}: {boundary.kind_of(error)}") from None
    kind = response.headers.get_content_type()
    if kind != "application/timestamp-reply":
        raise boundary.timestamp_failed(f"{url}: {kind}, {len(response.body)} bytes")
    try:
        answer: tsp.TimeStampResp = tsp.TimeStampResp.load(response.body, strict=True)
    except (ValueError, TypeError, KeyError) as error:
        raise boundary.timestamp_failed(f"{url}: {boundary.kind_of(error)}") from None
    return answer
