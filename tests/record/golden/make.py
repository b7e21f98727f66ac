"""Make the golden record of the present form: `python -m tests.record.golden.make FOLDER`.

When the form changes: run this at the last commit of the old one, add its folder here under the number of
the form, and never touch it again. The keys are thrown away, so it is made once.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from fieldkit.certificate import name
from fieldkit.record.content import Device, RecordContent, sha256
from fieldkit.record.handover import Material, sign_record
from fieldkit.record.render import render
from fieldkit.text import Words
from tests.record.sample import sample
from tests.signature.pki import Pki


def make(folder: Path) -> None:
    """The record, the root it is verified against, and the revocation lists of its day."""
    pki = Pki()
    officer = pki.signer()
    material = Material(pki.anchors, (pki.issuing.public_bytes(Encoding.DER),), pki.crls())
    content = handing_over(officer.certificate)
    signed = sign_record(content, render(content), officer, folder, material)
    signed.rename(folder / "record.pdf")
    (folder / "root.der").write_bytes(pki.anchors[0])
    for number, crl in enumerate(pki.crls()):
        (folder / f"{number}.crl").write_bytes(crl)


def handing_over(certificate: bytes) -> RecordContent:
    """A short record that hands over this certificate."""
    held = x509.load_der_x509_certificate(certificate)
    word = Words("một", "one")
    device = Device(
        subscriber="Nguyễn Thị Mẫu",
        subject=name.text(held.subject),
        issuer=name.text(held.issuer),
        certificate_serial=f"{held.serial_number:x}",
        not_before=held.not_valid_before_utc.isoformat(),
        not_after=held.not_valid_after_utc.isoformat(),
        sha256=sha256(certificate),
        key="rsa:2048",
        model="SoftHSM v2",
        manufacturer="",
        token_serial="7b8b",
        token_label="MAU-01",
        holder=word,
        email="",
        pin=word,
    )
    return msgspec.structs.replace(sample("Nguyễn Thị Mẫu", "ghi chú"), devices=(device,))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
