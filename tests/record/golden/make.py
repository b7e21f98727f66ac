"""Make the golden record of the present form: `python -m tests.record.golden.make FOLDER`.

When the form changes: run this at the last commit of the old one, add its folder here under the number of
the form, and never touch it again. The keys are thrown away, so it is made once.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from fieldkit.action.trust_material import TrustMaterial
from fieldkit.record.handover import sign_record
from fieldkit.record.render import render
from tests.pki import Pki
from tests.record.sample import handing_over


def make(folder: Path) -> None:
    """The record, the root it is verified against, and the revocation lists of its day."""
    pki = Pki()
    officer = pki.signer()
    material = TrustMaterial(pki.anchors, (pki.issuing.public_bytes(Encoding.DER),), pki.crls())
    content = handing_over(officer.certificate)
    signed = sign_record(content, render(content), officer, folder, material)
    signed.rename(folder / "record.pdf")
    (folder / "root.der").write_bytes(pki.anchors[0])
    for number, crl in enumerate(pki.crls()):
        (folder / f"{number}.crl").write_bytes(crl)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
