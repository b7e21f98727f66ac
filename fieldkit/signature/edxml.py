"""The edXML message of the national document exchange: a value, and its XML. Nothing here judges a signature.

Element names follow QCVN 102:2016/BTTTT as public programs read it (MessageHeader, TraceHeaderList,
AttachmentEncoded). The namespace and the digests in the manifest are this program's reading of it and are
to be compared with the original before anything is sent to a real agency.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

import msgspec

from fieldkit.signature import errors, safe_xml
from fieldkit.text import M, nfc

NAMESPACE = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"


class Organ(msgspec.Struct, frozen=True):
    """An agency: its code in the exchange and its name."""

    code: str
    name: str


class Header(msgspec.Struct, frozen=True):
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
    """A whole message."""

    header: Header
    attachments: tuple[Attached, ...]


def write(message: Envelope) -> bytes:
    """The message as XML."""
    return "".join(_document(message)).encode()


def _document(message: Envelope) -> Iterator[str]:
    head = message.header
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<edXML xmlns={quoteattr(NAMESPACE)}><edXMLEnvelope>'
    yield "<edXMLHeader><MessageHeader>"
    for tag, organ in (("From", head.sender), ("To", head.receiver)):
        yield f"<{tag}>{_tag('OrganId', organ.code)}{_tag('OrganName', organ.name)}</{tag}>"
    yield f"<Code>{_tag('CodeNumber', head.number)}{_tag('CodeNotation', head.notation)}</Code>"
    yield f"<PromulgationInfo>{_tag('Place', head.place)}"
    yield f"{_tag('PromulgationDate', head.date)}</PromulgationInfo>"
    yield f"<DocumentType>{_tag('TypeName', head.kind)}</DocumentType>{_tag('Subject', head.subject)}"
    yield f"<SignerInfo>{_tag('FullName', head.signer)}{_tag('Position', head.position)}</SignerInfo>"
    yield f"{_tag('DocumentId', head.document)}</MessageHeader><TraceHeaderList><TraceHeader>"
    yield f"{_tag('OrganId', head.sender.code)}{_tag('Timestamp', head.sent)}</TraceHeader></TraceHeaderList>"
    yield "</edXMLHeader><edXMLBody><edXMLManifest>"
    for number, each in enumerate(message.attachments, 1):
        digest = base64.b64encode(hashlib.sha256(each.content).digest()).decode()
        yield f'<Reference ContentId="cid:{number}">{_tag("AttachmentName", each.name)}'
        yield f'<DigestMethod Algorithm="{SHA256}"/>{_tag("DigestValue", digest)}</Reference>'
    yield "</edXMLManifest></edXMLBody></edXMLEnvelope><AttachmentEncoded>"
    for number, each in enumerate(message.attachments, 1):
        yield f'<Attachment ContentId="cid:{number}">{_tag("ContentType", each.content_type)}'
        yield _tag("AttachmentName", each.name)
        yield f"<ContentTransferEncoded>{base64.b64encode(each.content).decode()}</ContentTransferEncoded>"
        yield "</Attachment>"
    yield "</AttachmentEncoded></edXML>\n"


def _tag(name: str, text: str) -> str:
    # characters that XML cannot hold at all are left out, as a receiver would refuse the whole message
    clean = "".join(each for each in nfc(text) if each >= " " or each in "\t\n")
    return f"<{name}>{escape(clean)}</{name}>"


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
    digests = {}
    manifest = envelope.find("edXMLBody", "edXMLManifest")
    for each in manifest.children if manifest else ():
        digests[each.attributes.get("ContentId", "")] = _decoded(each.value("DigestValue")).hex()
    attachments = tuple(_attached(each, digests) for each in encoded.children if each.name == "Attachment")
    trace = envelope.find("edXMLHeader", "TraceHeaderList", "TraceHeader")
    header = Header(
        sender=Organ(head.value("From", "OrganId"), head.value("From", "OrganName")),
        receiver=Organ(head.value("To", "OrganId"), head.value("To", "OrganName")),
        number=head.value("Code", "CodeNumber"),
        notation=head.value("Code", "CodeNotation"),
        place=head.value("PromulgationInfo", "Place"),
        date=head.value("PromulgationInfo", "PromulgationDate"),
        subject=nfc(head.value("Subject")),
        document=head.value("DocumentId"),
        signer=nfc(head.value("SignerInfo", "FullName")),
        position=nfc(head.value("SignerInfo", "Position")),
        kind=head.value("DocumentType", "TypeName"),
        sent=trace.value("Timestamp") if trace else "",
    )
    return Envelope(header, attachments)


def _attached(element: safe_xml.Element, digests: dict[str, str]) -> Attached:
    return Attached(
        nfc(element.value("AttachmentName")),
        _decoded(element.value("ContentTransferEncoded")),
        element.value("ContentType"),
        digests.get(element.attributes.get("ContentId", ""), ""),
    )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _unfit("base64") from None


def status(header: Header, code: str, said: str, at: str) -> bytes:
    """The answer to a message: "03" received, "02" refused with the reason, as the exchange numbers them."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<edXMLStatus xmlns={quoteattr(NAMESPACE)}>'
        f"<From>{_tag('OrganId', header.receiver.code)}</From><To>{_tag('OrganId', header.sender.code)}</To>"
        f"{_tag('ResponseFor', header.document)}{_tag('StatusCode', code)}{_tag('Description', said)}"
        f"{_tag('Timestamp', at)}</edXMLStatus>\n"
    ).encode()


def _unfit(detail: str) -> errors.PackageUnfit:
    return errors.PackageUnfit(
        M("The package is not an edXML message: a part that it must have is missing or unreadable."),
        unchanged=M("Nothing of the package was used."),
        hint=M("Ask the sender for it again."),
        detail=detail,
    )
