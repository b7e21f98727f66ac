"""The data of a record: three forms, each with one way to write it, of a size that can be laid out."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
import pytest

from fieldkit.record.content import (
    FIRST_SCHEMA,
    FORM_SCHEMA,
    LARGEST,
    SCHEMA,
    RecordContent,
    check_size,
    decode,
    encode,
    statement,
)
from fieldkit.record.errors import RecordTooLarge, RecordUnreadable
from fieldkit.text import Words
from tests.record.sample import sample

CONTENT = sample("Nguyễn Thị Mẫu", "ghi chú")


def written(members: Any) -> bytes:
    """JSON of the members by another library, in the one form."""
    return json.dumps(members, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def of_form(schema: str) -> RecordContent:
    paper: Any = "form" if schema == FORM_SCHEMA else "handover"
    lost = (Words("mất", "lost"),) if schema != FIRST_SCHEMA else ()
    signature = CONTENT.signature if schema != FIRST_SCHEMA else ""
    return msgspec.structs.replace(CONTENT, schema=schema, paper=paper, lost=lost, signature=signature)


@pytest.mark.parametrize("schema", [FIRST_SCHEMA, SCHEMA, FORM_SCHEMA])
def test_each_form_comes_back_as_it_was_and_is_written_in_one_way(schema: str) -> None:
    content = of_form(schema)
    data = encode(content)
    assert decode(data) == content
    assert data == written(json.loads(data))
    with pytest.raises(RecordUnreadable) as refused:
        decode(data + b"\n")
    assert "something else wrote it" in refused.value.message.render("en")


def test_each_form_has_the_members_that_its_readers_know() -> None:
    members = {schema: json.loads(encode(of_form(schema))) for schema in (FIRST_SCHEMA, SCHEMA, FORM_SCHEMA)}
    first, second, third = members.values()
    assert set(third) - set(second) == {"paper"}
    assert set(second) - set(first) == {"lost", "signature"}
    rows = [form["parts"][0]["rows"][0] for form in members.values()]
    assert [set(row) - set(rows[0]) for row in rows] == [set(), {"kind", "value"}, {"kind", "value"}]


def test_the_device_signs_a_digest_of_the_data_without_its_signature() -> None:
    members = json.loads(encode(CONTENT)) | {"signature": ""}
    digest = hashlib.sha256(written(members)).hexdigest()
    assert statement(CONTENT) == b"fieldkit record\n" + digest.encode()


def _texts(value: Any) -> int:
    if isinstance(value, dict | list | tuple):
        return sum(map(_texts, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str)


def test_a_record_of_the_largest_size_is_one_and_a_larger_one_is_none() -> None:
    (part,) = CONTENT.parts
    spare = 100_000 - _texts(msgspec.to_builtins(CONTENT))
    for larger in (0, 1):
        few: list[RecordContent] = [
            msgspec.structs.replace(
                CONTENT, parts=(msgspec.structs.replace(part, rows=part.rows * (4_000 + larger)),)
            ),
            msgspec.structs.replace(CONTENT, place="x" * (50_000 + larger)),
            msgspec.structs.replace(CONTENT, notes=("", *CONTENT.notes, *["x"] * (spare - 1 + larger))),
        ]
        for content in few:
            if larger:
                with pytest.raises(RecordTooLarge):
                    check_size(content)
                with pytest.raises(RecordTooLarge):
                    decode(encode(content))
            else:
                check_size(content)
                assert decode(encode(content)) == content


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b" " * LARGEST, "cannot be read"),
        (b" " * (LARGEST + 1), "too large"),
        (b"{}", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b"\xff", "cannot be read"),
        (b'{"schema":"fieldkit.record/2"}', "cannot be read"),
        (b'{"schema":"fieldkit.record/9"}', "of a form this release does not know: fieldkit.record/9"),
        (encode(CONTENT).replace(b'"sample":true', b'"sample":1'), "cannot be read"),
        (encode(CONTENT).replace(b'"seq":57', b'"seq":18446744073709551616'), "cannot be read"),
        (encode(CONTENT).replace("ú".encode(), "u\u0301".encode()), "something else wrote it"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_why_data_is_no_record_is_said_in_words(data: bytes, words: str) -> None:
    with pytest.raises(RecordUnreadable) as refused:
        decode(data)
    assert words in refused.value.message.render("en")
