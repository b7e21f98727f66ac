"""What was found of documents' signatures as a table (XLSX, CSV) and as a report (PDF/A) for a token to sign.

A report says when, by what and against which anchors it was judged, and holds everything found as JSON.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from fieldkit import __version__, i18n
from fieldkit.finding import Finding
from fieldkit.record.errors import RecordNotRendered
from fieldkit.record.labels import LABELS
from fieldkit.record.render import STANDARDS, printable
from fieldkit.record.tables import LONGEST_CELL, as_it_is
from fieldkit.record.typeset import typeset
from fieldkit.text import M, Message, Words
from fieldkit.validation.folder import JudgedDocument
from fieldkit.validation.judgement import shape

TEMPLATE = "verification.typ"
ATTACHMENT = "fieldkit-verification.json"
FIELD = "Verifier"

WORDS: dict[str, Words] = {
    "title": Words("BÁO CÁO KIỂM TRA CHỮ KÝ SỐ", "REPORT ON THE VERIFICATION OF DIGITAL SIGNATURES"),
    "documents": Words("Văn bản", "Documents"),
    "signatures": Words("Chữ ký số", "Signatures"),
    "checks": Words("Kiểm tra", "Checks"),
    "file": Words("Tệp", "File"),
    "sha256": Words("Mã băm SHA-256", "SHA-256"),
    "size": Words("Dung lượng (byte)", "Size (bytes)"),
    "verdict": Words("Kết luận", "Verdict"),
    "count": Words("Số chữ ký", "Signatures"),
    "field": Words("Trường chữ ký", "Field"),
    "kind": Words("Loại", "Kind"),
    "signer": Words("Người ký", "Signer"),
    "signed-at": Words("Thời gian ký", "Signed at"),
    "level": Words("Mức", "Level"),
    "certificate": Words("Mã băm SHA-256 của chứng thư số", "SHA-256 of the certificate"),
    "reasons": Words("Lý do", "Reasons"),
    "check": Words("Mục kiểm tra", "Check"),
    "outcome": Words("Kết quả", "Outcome"),
    "required": Words("Bắt buộc", "Required"),
    "finding": Words("Nội dung", "Finding"),
    "hint": Words("Cách khắc phục", "What would settle it"),
    "detail": Words("Chi tiết kỹ thuật", "Technical detail"),
    "made": Words("Thời điểm kiểm tra", "Judged at"),
    "by": Words("Phần mềm", "Judged by"),
    "network": Words("Hỏi máy chủ của tổ chức cấp", "Authorities' servers asked"),
    "anchors": Words("Gốc tin cậy", "Trust anchors"),
    "lists": Words("Danh sách thu hồi", "Revocation lists"),
    "requests": Words("Yêu cầu đã gửi qua mạng", "Requests over the network"),
    "summary": Words("Tóm tắt", "Summary"),
    "results": Words("Kết quả từng văn bản", "Result of each document"),
    "none": Words("Không có", "None"),
    "pass": Words("Hợp lệ", "Valid"),
    "fail": Words("Không hợp lệ", "Not valid"),
    "indeterminate": Words("Chưa kết luận", "Not settled"),
    "passed": Words("Đạt", "passed"),
    "failed": Words("Không đạt", "failed"),
    "not-checked": Words("Chưa kiểm tra", "not checked"),
    "yes": LABELS["yes"],
    "no": LABELS["no"],
    "page": Words("Trang", "Page"),
    "signature": Words("Chữ ký", "Signature"),
    "timestamp": Words("Dấu thời gian", "Timestamp"),
    "note": Words(
        "Báo cáo này được ký số; mọi kết quả ở dạng dữ liệu được đính kèm trong tệp.",
        "This report is signed digitally; every result is attached inside this file as data.",
    ),
    "plain-note": Words(
        "Báo cáo này không được ký số; mọi kết quả ở dạng dữ liệu được đính kèm trong tệp.",
        "This report is not signed; every result is attached inside this file as data.",
    ),
}
OUTCOMES = {"pass": "passed", "fail": "failed", "not-checked": "not-checked"}


class VerificationBasis(msgspec.Struct, frozen=True):
    """What was judged by. at: RFC 3339. anchors, lists, requests: a line each."""

    at: str
    network: bool = False
    anchors: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    requests: tuple[str, ...] = ()


def basis(
    anchors: Sequence[bytes], crls: Sequence[bytes], requests: Sequence[str], *, network: bool
) -> VerificationBasis:
    """The basis of a run that was made now."""
    from asn1crypto import crl

    from fieldkit.validation.trust import certificates, revocation_lists

    lists = []
    for der in revocation_lists(crls):
        listed = crl.CertificateList.load(der)["tbs_cert_list"]
        end = listed["next_update"].native
        lists.append(
            f"{listed['issuer'].human_friendly}: {listed['this_update'].native:%Y-%m-%d %H:%M}Z – "
            + (f"{end:%Y-%m-%d %H:%M}Z" if end else "?")
        )
    return VerificationBasis(
        at=datetime.now().astimezone().isoformat(timespec="seconds"),
        network=network,
        anchors=tuple(
            f"{certificate.subject.human_friendly} (SHA-256 {certificate.sha256.hex()})"
            for certificate in certificates(anchors)
        ),
        lists=tuple(lists),
        requests=tuple(requests),
    )


def to_csv(done: Sequence[JudgedDocument]) -> bytes:
    """A line a signature (and one for a document without any), UTF-8 with the mark that Excel needs."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    documents, signatures = _DOCUMENT[:-1], _SIGNATURE[1:-1]
    writer.writerow([_word(title) for title in (*documents, *signatures, "reasons")])
    for judged in done:
        start = _document(judged)[:-1]
        rows = list(_signatures(judged)) or [("",) * (len(_SIGNATURE) - 1) + (_document(judged)[-1],)]
        for row in rows:
            writer.writerow([as_it_is(cell) for cell in (*start, *row[1:-1], row[-1])])
    return "\ufeff".encode() + out.getvalue().encode()


def to_xlsx(done: Sequence[JudgedDocument]) -> bytes:
    """A workbook: a document a line, a signature a line, a check a line."""
    import xlsxwriter

    out = io.BytesIO()
    settings = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_numbers": False,
        "strings_to_urls": False,
    }
    book = xlsxwriter.Workbook(out, settings)
    book.set_properties({"title": _word("title"), "created": datetime.now(UTC).replace(tzinfo=None)})
    head = book.add_format({"bold": True, "bg_color": "#EDEDED", "border": 1, "text_wrap": True})
    text = book.add_format({"text_wrap": True, "valign": "top", "border": 1, "num_format": "@"})
    sheets: tuple[tuple[str, Sequence[str], list[tuple[str, ...]], Sequence[int]], ...] = (
        ("documents", _DOCUMENT, [_document(document) for document in done], (48, 66, 14, 16, 10, 80)),
        (
            "signatures",
            _SIGNATURE,
            [row for document in done for row in _signatures(document)],
            (48, 18, 14, 40, 26, 8, 66, 16, 80),
        ),
        (
            "checks",
            _CHECK,
            [row for document in done for row in _checks(document)],
            (48, 18, 20, 14, 10, 60, 60, 60),
        ),
    )
    for name, columns, rows, widths in sheets:
        sheet = book.add_worksheet(_word(name))
        sheet.freeze_panes(1, 0)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.autofilter(0, 0, max(len(rows), 1), len(columns) - 1)
        for at, (column, width) in enumerate(zip(columns, widths, strict=True)):
            sheet.set_column(at, at, width)
            sheet.write_string(0, at, _word(column), head)
        for number, row in enumerate(rows, 1):
            for at, cell in enumerate(row):
                sheet.write_string(number, at, cell[:LONGEST_CELL], text)
    book.close()
    return out.getvalue()


_DOCUMENT = ("file", "sha256", "size", "verdict", "count", "reasons")
_SIGNATURE = ("file", "field", "kind", "signer", "signed-at", "level", "certificate", "verdict", "reasons")
_CHECK = ("file", "field", "check", "outcome", "required", "finding", "hint", "detail")


def _document(judged: JudgedDocument) -> tuple[str, ...]:
    judgement = judged.judgement
    reasons = (
        "\n".join(judged.error.lines())
        if judged.error is not None
        else "\n".join(dict.fromkeys(_reasons(judged)))
    )
    count = str(len(judgement.signatures)) if judgement is not None else ""
    return (str(judged.path), judged.sha256, str(judged.size), _word(judged.verdict), count, reasons)


def _reasons(judged: JudgedDocument) -> Iterator[str]:
    """Why the verdict is not better: what is required and did not pass."""
    assert judged.judgement is not None
    for check in (
        *judged.judgement.checks,
        *(c for signature in judged.judgement.signatures for c in signature.checks),
    ):
        if check.required and check.severity != "pass":
            yield str(check.message)


def _signatures(judged: JudgedDocument) -> Iterator[tuple[str, ...]]:
    for signature in judged.judgement.signatures if judged.judgement is not None else ():
        reasons = [
            str(check.message) for check in signature.checks if check.required and check.severity != "pass"
        ]
        yield (
            str(judged.path),
            signature.field,
            _word(signature.kind),
            signature.signer,
            signature.signed_at,
            signature.level.upper(),
            signature.sha256,
            _word(signature.verdict),
            "\n".join(reasons),
        )


def _checks(judged: JudgedDocument) -> Iterator[tuple[str, ...]]:
    if judged.judgement is None:
        return
    groups = [
        ("", judged.judgement.checks),
        *((signature.field, signature.checks) for signature in judged.judgement.signatures),
    ]
    for field, checks in groups:
        for check in checks:
            yield (
                str(judged.path),
                field,
                check.id,
                _word(OUTCOMES[check.severity]),
                _word("yes" if check.required else "no"),
                str(check.message),
                str(check.hint) if check.hint else "",
                check.detail,
            )


def as_data(done: Sequence[JudgedDocument], known: VerificationBasis) -> bytes:
    """Everything found, as JSON."""
    return msgspec.json.encode(
        {
            "form": "fieldkit-verification/1",
            "fieldkit": __version__,
            "basis": known,
            "documents": [data_of(document) for document in done],
        },
        order="sorted",
    )


def data_of(judged: JudgedDocument) -> dict[str, object]:
    """One document as the command line's JSON has it."""
    if judged.judgement is None:
        assert judged.error is not None
        data: dict[str, object] = {
            "verdict": "fail",
            "checks": [{"id": "readable", "verdict": "fail", "detail": str(judged.error.message)}],
            "signatures": [],
            "error": judged.error.as_dict(),
        }
    else:
        data = shape(judged.judgement)
    return {"file": str(judged.path), "sha256": judged.sha256} | data


def report(done: Sequence[JudgedDocument], known: VerificationBasis, *, signed: bool) -> bytes:
    """The report as a tagged PDF/A with the data attached, in the language in force, not signed yet.

    :raises RecordNotRendered: Typst refused it.
    """
    inputs = {
        "shown": json.dumps(_shown(done, known, signed), ensure_ascii=False),
        "data": as_data(done, known).decode(),
        "attachment": ATTACHMENT,
    }
    try:
        return typeset(TEMPLATE, inputs, int(datetime.fromisoformat(known.at).timestamp()), STANDARDS)[0]
    except Exception as error:  # typst raises its own and Rust's
        raise RecordNotRendered(
            M("The report could not be laid out."),
            unchanged=M("The documents were judged; nothing was written."),
            hint=M("Send the report of `fieldkit doctor` to head office."),
            detail=str(error).splitlines()[0][:200] if str(error) else type(error).__name__,
        ) from None


def _shown(done: Sequence[JudgedDocument], known: VerificationBasis, signed: bool) -> dict[str, object]:
    """What the template prints: every text in the language in force, and fit for the fonts."""
    verdicts = [document.verdict for document in done]
    return {
        "language": i18n.language(),
        "words": {name: str(words) for name, words in WORDS.items()},
        "made": printable(known.at),
        "by": f"fieldkit {__version__}",
        "network": _word("yes" if known.network else "no"),
        "anchors": [printable(anchor) for anchor in known.anchors],
        "lists": [printable(path) for path in known.lists],
        "requests": [printable(request) for request in known.requests],
        "counts": [
            [_word(verdict), str(verdicts.count(verdict))] for verdict in ("pass", "fail", "indeterminate")
        ],
        "note": _word("note" if signed else "plain-note"),
        "documents": [_printed(document) for document in done],
    }


def _printed(judged: JudgedDocument) -> dict[str, object]:
    judgement = judged.judgement
    return {
        "file": printable(str(judged.path)),
        "sha256": judged.sha256,
        "verdict": _word(judged.verdict),
        "good": judged.verdict == "pass",
        "error": [printable(line) for line in judged.error.lines()] if judged.error else [],
        "signatures": [
            [
                printable(cell)
                for cell in (signature.field, signature.signer, signature.signed_at, signature.level.upper())
            ]
            + [_word(signature.verdict)]
            for signature in (judgement.signatures if judgement is not None else ())
        ],
        "findings": [
            [
                _word(OUTCOMES[check.severity]),
                printable(f"{field}: {check.message}" if field else str(check.message)),
                printable(_said(check.hint)),
            ]
            for field, check in _noteworthy(judged)
        ],
    }


def _noteworthy(judged: JudgedDocument) -> Iterator[tuple[str, Finding]]:
    """What did not pass, the document's and each signature's; the rest is in the data."""
    if judged.judgement is None:
        return
    for check in judged.judgement.checks:
        if check.severity != "pass":
            yield "", check
    for signature in judged.judgement.signatures:
        for check in signature.checks:
            if check.severity != "pass":
                yield signature.field, check


def _said(message: Message | None) -> str:
    return str(message) if message is not None else ""


def _word(name: str) -> str:
    return str(WORDS[name])
