"""What goes wrong is called by its name: neither a library's fault nor another document's stands for it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from asn1crypto import x509 as asn1
from pyhanko.pdf_utils.crypt.pubkey import RecipientEncryptionPolicy
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import copy_into_new_writer

from fieldkit.errors import FieldkitError, Internal
from fieldkit.pdf.errors import DocumentEncrypted, DocumentUnfit
from fieldkit.signature import batch, preflight, sign
from fieldkit.validation import validate
from tests import papers
from tests.conftest import REPOSITORY, Run
from tests.pki import Pki, SoftwareSigner
from tests.validation import forgery


@pytest.fixture
def for_receivers(rsa_signer: SoftwareSigner, letter_bytes: bytes, tmp_path: Path) -> Path:
    """The letter, encrypted for the key of its receiver."""
    writer = copy_into_new_writer(PdfFileReader(BytesIO(letter_bytes)))
    writer.encrypt_pubkey(
        [asn1.Certificate.load(rsa_signer.certificate)],
        policy=RecipientEncryptionPolicy(ignore_key_usage=True),
        pdf_mac=False,
    )
    path = tmp_path / "for-receivers.pdf"
    with path.open("wb") as file:
        writer.write(file)
    return path


def test_a_document_encrypted_for_its_receivers_is_called_encrypted_and_no_password_is_asked_for(
    fieldkit: Run, rsa_signer: SoftwareSigner, for_receivers: Path, tmp_path: Path
) -> None:
    for use in (
        lambda: validate.validate(for_receivers, trust=()),
        lambda: sign.sign(for_receivers, tmp_path / "out.pdf", rsa_signer),
    ):
        with pytest.raises(DocumentEncrypted, match="receivers"):
            use()
    problem = preflight.preflight(for_receivers).problem
    assert isinstance(problem, DocumentEncrypted)
    ran = fieldkit("verify", for_receivers, "--json")
    assert ran.error["code"] == "document-encrypted"


def test_a_place_that_is_not_in_the_file_is_damage_and_not_a_missing_file(
    letter_bytes: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "lost.pdf"
    path.write_bytes(re.sub(rb"startxref\s+\d+", b"startxref\n-77", letter_bytes))
    with pytest.raises(DocumentUnfit):
        validate.validate(path, trust=())
    table = tmp_path / "prev.pdf"
    table.write_bytes(letter_bytes.replace(b"/Root", b"/Prev -12345 /Root", 1))
    with pytest.raises(FieldkitError) as raised:
        validate.validate(table, trust=())
    assert raised.value.code != "document-missing"


@pytest.mark.parametrize("said", ["D:20240501120000", "D:20241399", "tomorrow", "D:2024"])
def test_a_time_without_a_zone_or_that_is_none_takes_nothing_from_a_signature(
    said: str, pki: Pki, rsa_signer: SoftwareSigner, letter_bytes: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "signed.pdf"
    path.write_bytes(forgery.by_openssl(letter_bytes, rsa_signer, tmp_path, "-noattr", time=said))
    judged = validate.validate(path, trust=pki.anchors, crls=pki.crls())
    assert judged.verdict == "pass", judged.signatures
    assert (judged.signatures[0].signed_at == "") == (said in ("tomorrow", "D:20241399"))


def test_the_name_of_a_field_is_plain_text_whatever_the_document_holds(
    fieldkit: Run,
    put_on_token: Callable[[SoftwareSigner], list[str | Path]],
    rsa_signer: SoftwareSigner,
    letter: Path,
    tmp_path: Path,
) -> None:
    held = put_on_token(rsa_signer)
    fields = papers.fields(letter.read_bytes(), "Author", "Người ký")
    letter.write_bytes(papers.certified(fields, rsa_signer, 2))  # so that the empty field is chosen from it
    ran = fieldkit("sign", letter, "--out", tmp_path / "out.pdf", "--json", *held)
    assert ran.status == 0, ran.out + ran.err
    assert ran.result["field"] == "Người ký"


def test_a_fault_with_one_document_of_many_keeps_the_others(
    rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path
) -> None:
    sources = (letter, Path("no\0name.pdf"), letter)  # a name that no file can have is met nowhere
    jobs = [batch.SigningJob(source, tmp_path / f"{number}.pdf") for number, source in enumerate(sources)]
    done = batch.sign_each(jobs, rsa_signer)
    assert [each.signed is not None for each in done] == [True, False, True]
    assert isinstance(done[1].error, Internal)


def test_no_library_writes_to_a_terminal_what_it_logs() -> None:
    code = (
        "import logging; from fieldkit.__main__ import main; main(['checklist', '--help'])\n"
        "try: 1 / 0\n"
        "except ZeroDivisionError:\n"
        "    for name in ('pyhanko_certvalidator', 'asyncio', 'any.library', None):\n"
        "        logging.getLogger(name).exception('torn')\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY)
    assert (ran.returncode, ran.stderr) == (0, "")
