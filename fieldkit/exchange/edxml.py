"""The edXML message of the national document exchange: a value, and its XML. Nothing here judges a signature.

Elements, their nesting and their numbers are those of QCVN 102:2016/BTTTT as public programs write and read
them (edXMLEnvelope with MessageHeader, TraceHeaderList, Signature and manifest; AttachmentEncoded beside it).
The digests in the manifest are an addition of this program. Compare with the original before anything is sent
to a real agency.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape, quoteattr

import msgspec

from fieldkit.exchange import safe_xml
from fieldkit.exchange.errors import PackageUnfit
from fieldkit.text import M, nfc

NAMESPACE = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
XLINK = "http://www.w3.org/1999/xlink"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
NEW_DOCUMENT = "0"
"""BussinessDocType: 0 a new document, 1 taken back, 2 updated, 3 replaced."""


class Organ(msgspec.Struct, frozen=True):
    """An agency: its code in the exchange and its name."""

    code: str
    name: str


class MessageHeader(msgspec.Struct, frozen=True):
    """What the document is, from whom and for whom. date: ISO; document: this message's own id."""

    sender: Organ
    receiver: Organ
    number: str
    notation: str
    place: str
    date: str
    subject: str
    document: str
    signer: str = ""
    position: str = ""
    kind: str = "Công văn"
    sent: str = ""


class Attached(msgspec.Struct, frozen=True):
    """A file in the message. digest: the SHA-256 that the manifest claims, hexadecimal; "" without one."""

    name: str
    content: bytes
    content_type: str = "application/pdf"
    digest: str = ""


class Envelope(msgspec.Struct, frozen=True):
    """A whole message. faults: of one that was read, where it is not built as it has to be. receivers: the
    codes of all it is for."""

    header: MessageHeader
    attachments: tuple[Attached, ...]
    faults: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()


class StatusMessage(msgspec.Struct, frozen=True):
    """The answer to a message. sender: who answers; about: the document's id. said: the reason."""

    sender: Organ
    receiver: str
    about: str
    code: str
    said: str = ""
    at: str = ""


def write(message: Envelope) -> bytes:
    """The message as XML."""
    return "".join(_document(message)).encode()


def _document(message: Envelope) -> Iterator[str]:
    head = message.header
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<edXML xmlns={quoteattr(NAMESPACE)}>'
    yield f"<edXML:edXMLEnvelope xmlns:edXML={quoteattr(NAMESPACE)} xmlns:xlink={quoteattr(XLINK)}>"
    yield "<edXML:edXMLHeader><edXML:MessageHeader>"
    for tag, organ in (("From", head.sender), ("To", head.receiver)):
        yield f"<edXML:{tag}>{_tag('OrganId', organ.code)}{_tag('OrganName', organ.name)}</edXML:{tag}>"
    yield f"<edXML:Code>{_tag('CodeNumber', head.number)}{_tag('CodeNotation', head.notation)}</edXML:Code>"
    yield f"<edXML:PromulgationInfo>{_tag('Place', head.place)}"
    yield f"{_tag('PromulgationDate', head.date)}</edXML:PromulgationInfo>"
    yield f"<edXML:DocumentType>{_tag('TypeName', head.kind)}</edXML:DocumentType>"
    yield _tag("Subject", head.subject)
    yield f"<edXML:SignerInfo>{_tag('Position', head.position)}"
    yield f"{_tag('FullName', head.signer)}</edXML:SignerInfo>"
    yield f"{_tag('DocumentId', head.document)}</edXML:MessageHeader>"
    yield '<edXML:TraceHeaderList version="1.0"><edXML:TraceHeader>'
    yield f"{_tag('OrganId', head.sender.code)}{_tag('Timestamp', head.sent)}</edXML:TraceHeader>"
    yield f"<edXML:Bussiness>{_tag('BussinessDocType', NEW_DOCUMENT)}{_tag('Paper', '0')}</edXML:Bussiness>"
    yield "</edXML:TraceHeaderList></edXML:edXMLHeader>"
    yield '<edXML:edXMLBody><edXML:edXMLManifest version="1.0">'
    for number, attached in enumerate(message.attachments, 1):
        digest = base64.b64encode(hashlib.sha256(attached.content).digest()).decode()
        yield f'<edXML:Reference xlink:type="simple" xlink:href="cid:{number}">'
        yield _tag("AttachmentName", attached.name) + _tag("ContentType", attached.content_type)
        yield _tag("ContentId", f"cid:{number}")
        yield f'<edXML:DigestMethod Algorithm="{SHA256}"/>{_tag("DigestValue", digest)}</edXML:Reference>'
    yield "</edXML:edXMLManifest></edXML:edXMLBody></edXML:edXMLEnvelope><AttachmentEncoded>"
    for number, attached in enumerate(message.attachments, 1):
        yield "<Attachment>" + _tag("ContentType", attached.content_type, "")
        yield _tag("ContentId", f"cid:{number}", "") + _tag("AttachmentName", attached.name, "")
        encoded = base64.b64encode(attached.content).decode()
        yield f"<ContentTransferEncoded>{encoded}</ContentTransferEncoded>"
        yield "</Attachment>"
    yield "</AttachmentEncoded></edXML>\n"


def _tag(name: str, text: str, prefix: str = "edXML:") -> str:
    # characters that XML cannot hold at all are left out, as a receiver would refuse the whole message
    clean = "".join(character for character in nfc(text) if character >= " " or character in "\t\n")
    return f"<{prefix}{name}>{escape(clean)}</{prefix}{name}>"


def read(data: bytes) -> Envelope:
    """The message in `data`, as a receiver reads it.

    :raises PackageUnfit: it is not such a message.
    """
    root = safe_xml.parse(data)
    envelope = root if root.name == "edXMLEnvelope" else root.find("edXMLEnvelope")
    head = envelope.find("edXMLHeader", "MessageHeader") if envelope else None
    encoded = root.find("AttachmentEncoded") or (envelope.find("AttachmentEncoded") if envelope else None)
    if envelope is None or head is None or encoded is None:
        raise _unfit("edXMLEnvelope, MessageHeader, AttachmentEncoded")
    manifest = envelope.find("edXMLBody", "edXMLManifest")
    references = manifest.children if manifest else []
    digests = {
        _content_id(reference): _decoded(reference.value("DigestValue")).hex() for reference in references
    }
    attachments = tuple(_attached(child, digests) for child in encoded.children if child.name == "Attachment")
    trace = envelope.find("edXMLHeader", "TraceHeaderList", "TraceHeader")
    header = MessageHeader(
        sender=Organ(head.value("From", "OrganId"), nfc(head.value("From", "OrganName"))),
        receiver=Organ(head.value("To", "OrganId"), nfc(head.value("To", "OrganName"))),
        number=head.value("Code", "CodeNumber"),
        notation=nfc(head.value("Code", "CodeNotation")),
        place=nfc(head.value("PromulgationInfo", "Place")),
        date=head.value("PromulgationInfo", "PromulgationDate"),
        subject=nfc(head.value("Subject")),
        document=head.value("DocumentId"),
        signer=nfc(head.value("SignerInfo", "FullName")),
        position=nfc(head.value("SignerInfo", "Position")),
        kind=nfc(head.value("DocumentType", "TypeName")),
        sent=trace.value("Timestamp") if trace else "",
    )
    receivers = tuple(child.value("OrganId") for child in head.children if child.name == "To")
    faults = tuple(_faults(root, envelope, head, references, encoded))
    return Envelope(header, attachments, faults, receivers)


def _faults(
    root: safe_xml.Element,
    envelope: safe_xml.Element,
    head: safe_xml.Element,
    references: Sequence[safe_xml.Element],
    encoded: safe_xml.Element,
) -> Iterator[str]:
    """Where the message is not built as the exchange's messages are, each as a path and what is wrong."""
    for element in (root, envelope):
        if element.namespace != NAMESPACE:
            yield f"{element.name}: namespace {element.namespace or 'none'}"
    yield from _doubled(root, head, encoded)
    for path, form in FORMS.items():
        names = path.split("/")
        parent = head.find(*names[:-1]) if len(names) > 1 else head
        children = [child for child in parent.children if child.name == names[-1]] if parent else []
        if len(children) != 1:
            yield f"{path}: {len(children)} times, once is needed"
        elif not re.fullmatch(form, children[0].text.strip(), re.DOTALL):
            yield f"{path}: {children[0].text.strip()[:40]!r}"
    trace = envelope.find("edXMLHeader", "TraceHeaderList")
    if trace is None or trace.find("TraceHeader", "OrganId") is None:
        yield "TraceHeaderList/TraceHeader/OrganId: none"
    listed = [_content_id(reference) for reference in references]
    held = [_content_id(child) for child in encoded.children if child.name == "Attachment"]
    if not all(held) or len(set(held)) < len(held):
        yield "Attachment/ContentId: missing, or twice the same"
    if sorted(listed) != sorted(held):
        yield "edXMLManifest: does not list exactly the attachments"
    called = {_content_id(reference): nfc(reference.value("AttachmentName")) for reference in references}
    names = []
    for child in encoded.children:
        names.append(nfc(child.value("AttachmentName")))
        counts = Counter(part.name for part in child.children)
        if child.name != "Attachment" or counts["ContentTransferEncoded"] != 1 or max(counts.values()) > 1:
            yield f"{child.name}: not one content, with one name"
        if called.get(_content_id(child), "") not in ("", names[-1]):
            yield f"Attachment/AttachmentName: {names[-1][:40]!r} is another one in the manifest"
    if not all(names) or len(set(names)) < len(names):
        yield "Attachment/AttachmentName: missing, or twice the same"


ONCE = (
    "edXML",
    "edXMLEnvelope",
    "edXMLHeader",
    "MessageHeader",
    "TraceHeaderList",
    "edXMLBody",
    "edXMLManifest",
    "AttachmentEncoded",
)
"""What a message has once, wherever it stands: two would be two messages, of which readers show either."""
REPEATED = ("To", "Bussiness", "BussinessDocumentInfo", "ResponseFor", "Responsefor", "ToPlaces")
"""What a MessageHeader may have several times."""


def _doubled(root: safe_xml.Element, head: safe_xml.Element, encoded: safe_xml.Element) -> Iterator[str]:
    """What is there twice, or where it is not read, so that another reader might take it for the message."""
    count = Counter(element.name for element in root.all())
    yield from (f"{name}: {count[name]} times" for name in ONCE if count[name] > 1)
    inside = Counter(element.name for element in head.children)
    yield from (
        f"MessageHeader/{name}: {times} times"
        for name, times in inside.items()
        if times > 1 and name not in REPEATED
    )
    if count["Attachment"] != len(encoded.children):
        yield "Attachment: one stands outside AttachmentEncoded"
    yield from (
        f"{element.name}: a comment in its text"
        for element in root.all()
        if element.commented and element.text.strip()
    )


FORMS = {
    "From/OrganId": r"\S.{0,199}",
    "To/OrganId": r"\S.{0,199}",
    "Code/CodeNumber": r"\S.{0,99}",
    "Code/CodeNotation": r"\S.{0,199}",
    "PromulgationInfo/PromulgationDate": r"\d{4}[-/]\d\d[-/]\d\d",
    "Subject": r"\S.{0,3999}",
    "DocumentId": r"\S.{0,199}",
}
"""What a MessageHeader has to hold, each once, and what it looks like."""


def _content_id(element: safe_xml.Element) -> str:
    """What joins an attachment to its place in the manifest: an element, an attribute, or the link."""
    content_ids = (element.value("ContentId"), element.attributes.get("ContentId", ""))
    named = {content_id.removeprefix("cid:") for content_id in content_ids if content_id} or {
        element.attributes.get("href", "").removeprefix("cid:")
    }
    return named.pop() if len(named) == 1 else ""  # one that contradicts itself names nothing


def _attached(element: safe_xml.Element, digests: dict[str, str]) -> Attached:
    return Attached(
        nfc(element.value("AttachmentName")),
        _decoded(element.value("ContentTransferEncoded")),
        element.value("ContentType"),
        digests.get(_content_id(element), ""),
    )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _unfit("base64") from None


def status(header: MessageHeader, code: str, said: str, at: str) -> bytes:
    """The answer to a message: "03" received, "02" refused with the reason, as the exchange numbers them."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<edXML xmlns={quoteattr(NAMESPACE)}>'
        f"<edXML:edXMLEnvelope xmlns:edXML={quoteattr(NAMESPACE)}><edXML:edXMLHeader><edXML:MessageHeader>"
        f"<edXML:ResponseFor>{_tag('OrganId', header.sender.code)}"
        f"{_tag('Code', f'{header.number}/{header.notation}')}{_tag('PromulgationDate', header.date)}"
        f"{_tag('DocumentId', header.document)}</edXML:ResponseFor>"
        f"<edXML:From>{_tag('OrganId', header.receiver.code)}"
        f"{_tag('OrganName', header.receiver.name)}</edXML:From>"
        f"{_tag('StatusCode', code)}{_tag('Description', said)}{_tag('Timestamp', at)}"
        "</edXML:MessageHeader></edXML:edXMLHeader></edXML:edXMLEnvelope></edXML>\n"
    ).encode()


def read_status(data: bytes) -> StatusMessage:
    """The answer in `data`, as the sender of the message reads it.

    :raises PackageUnfit: it is no answer.
    """
    root = safe_xml.parse(data)
    head = root.find("edXMLEnvelope", "edXMLHeader", "MessageHeader")
    if head is None or not head.value("StatusCode") or not head.value("ResponseFor", "DocumentId"):
        raise _unfit("StatusCode, ResponseFor/DocumentId")
    return StatusMessage(
        sender=Organ(head.value("From", "OrganId"), nfc(head.value("From", "OrganName"))),
        receiver=head.value("ResponseFor", "OrganId"),
        about=head.value("ResponseFor", "DocumentId"),
        code=head.value("StatusCode"),
        said=nfc(head.value("Description")),
        at=head.value("Timestamp"),
    )


def _unfit(detail: str) -> PackageUnfit:
    return PackageUnfit(
        M("The package is not an edXML message: a part that it must have is missing or unreadable."),
        unchanged=M("Nothing of the package was used."),
        hint=M("Ask the sender for it again."),
        detail=detail,
    )
