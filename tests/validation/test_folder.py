"""A folder of published PDFs judged at once: a table, a workbook, a report that a token signs."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from fieldkit.errors import FieldkitError
from fieldkit.home import Home, shipped
from fieldkit.secret import Secret
from fieldkit.signature import sign, tamper
from fieldkit.token import initialisation
from fieldkit.token.agents import Agents
from fieldkit.validation.folder import gather, judge_each
from fieldkit.validation.validate import validate
from tests.conftest import Ran, Run, softhsm_configuration
from tests.pki import Pki, SoftwareSigner

PIN = "24681357"


@pytest.fixture
def folder(rsa_signer: SoftwareSigner, letter: Path, tmp_path: Path) -> Path:
    """A good, a changed, an unsigned, an empty document and something else, in a tree."""
    made = tmp_path / "công bố"
    (made / "2026").mkdir(parents=True)
    sign.sign(letter, made / "tốt.pdf", rsa_signer)
    tamper.flip(made / "tốt.pdf", made / "2026" / "sửa.PDF")
    (made / "=1+1.pdf").write_bytes(letter.read_bytes())
    (made / "rỗng.pdf").touch()
    (made / "ghi chú.txt").write_text("không phải PDF")
    return made


@pytest.fixture
def known(pki: Pki, tmp_path: Path) -> list[str | Path]:
    """The options that name root and revocation lists."""
    root = tmp_path / "root.pem"
    root.write_bytes(pki.root.public_bytes(Encoding.PEM))
    options: list[str | Path] = ["--trust", root]
    for number, data in enumerate(pki.crls()):
        path = tmp_path / f"{number}.crl"
        path.write_bytes(data)
        options += ["--crl", path]
    return options


@pytest.fixture
def token(tmp_path: Path, home: Home, rsa_signer: SoftwareSigner, monkeypatch: pytest.MonkeyPatch) -> str:
    """A token that holds the person's key and certificate; its label."""
    module = "/usr/lib/softhsm/libsofthsm2.so"
    if not Path(module).exists():
        pytest.fail("SoftHSM2 is needed: sudo apt-get install softhsm2")
    monkeypatch.setenv("SOFTHSM2_CONF", str(softhsm_configuration(home.path.parent / "softhsm2")))
    held = rsa_signer.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    with Agents([module], tmp_path / "logs") as agents:
        empty = next(each for each in agents.tokens() if not each.initialized)
        made = initialisation.initialise(agents, empty, "MẪU", Secret("13572468"), Secret(PIN))
        with agents.session(made, Secret(PIN)) as session:
            session.create_key(Secret(held), "01", "key")
            session.create_certificate(rsa_signer.certificate, "01", "certificate")
    (tmp_path / "pin").write_text(PIN + "\n")
    return "MẪU"


def test_every_pdf_below_a_folder_has_a_result_and_none_stops_another(pki: Pki, folder: Path) -> None:
    told: list[int] = []
    done = judge_each(
        gather([folder]),
        lambda path: validate(path, trust=pki.anchors, crls=pki.crls()),
        progress=lambda progress: told.append(progress.done),
    )
    found = {each.path.name: each.verdict for each in done}
    assert found == {"tốt.pdf": "pass", "sửa.PDF": "fail", "=1+1.pdf": "fail", "rỗng.pdf": "fail"}
    assert told == [0, 1, 2, 3, 4]


def test_a_folder_without_a_pdf_is_told(tmp_path: Path) -> None:
    with pytest.raises(FieldkitError) as caught:
        gather([tmp_path])
    assert caught.value.status == 4


def test_the_command_lists_a_folder_and_exits_with_no(
    fieldkit: Run, folder: Path, known: list[str | Path]
) -> None:
    ran = fieldkit("verify", folder, "--alone", *known)
    assert ran.status == 1
    assert "Documents: 4; valid 1, not valid 3, not settled 0." in ran.out
    assert "What was signed has been changed since." in ran.out
    assert "What was signed is unchanged." not in ran.out, "of many only what is to be mended"
    vietnamese = fieldkit("verify", folder / "tốt.pdf", "--alone", *known, FIELDKIT_LANG="vi")
    assert "HỢP LỆ" in vietnamese.out


def test_the_table_as_csv_holds_every_document_and_no_formula(
    fieldkit: Run, folder: Path, known: list[str | Path], tmp_path: Path
) -> None:
    out = tmp_path / "bảng.csv"
    ran = fieldkit("verify", folder, "--alone", "--out", out, "--json", *known)
    assert (ran.status, ran.result["verdict"], ran.result["table"]) == (1, "fail", str(out))
    data = out.read_bytes()
    assert data.startswith("\ufeff".encode())
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"))))
    assert len(rows) == 1 + 4
    assert rows[0][0] == "File"
    by_name = {Path(row[0]).name: row for row in rows[1:]}
    assert by_name["tốt.pdf"][3] == "Valid"
    assert len(by_name["tốt.pdf"][1]) == 64
    assert by_name["sửa.PDF"][-1] == "What was signed has been changed since."


def test_the_table_as_workbook_has_documents_signatures_and_checks(
    fieldkit: Run, folder: Path, known: list[str | Path], tmp_path: Path
) -> None:
    from openpyxl import load_workbook

    out = tmp_path / "table.xlsx"
    ran = fieldkit("verify", folder, "--out", out, "--json", *known)
    assert ran.status == 1
    book = load_workbook(out)
    assert book.sheetnames == ["Documents", "Signatures", "Checks"]
    documents = list(book["Documents"].values)
    assert [row[3] for row in documents[1:]].count("Valid") == 1
    assert len(list(book["Signatures"].values)) == 1 + 2
    judges = {row[2] for row in book["Checks"].values}
    assert {"integrity", "pdfsig-integrity", "openssl-integrity", "agreement"} <= judges
    assert all(cell.data_type != "f" for sheet in book for row in sheet.rows for cell in row)


def test_an_output_that_is_there_is_not_replaced_unasked(
    fieldkit: Run, folder: Path, known: list[str | Path], tmp_path: Path
) -> None:
    out = tmp_path / "table.csv"
    out.write_text("mine")
    ran = fieldkit("verify", folder, "--alone", "--out", out, "--json", *known)
    assert (ran.status, ran.error["code"]) == (3, "output-exists")
    assert out.read_text() == "mine"
    wrong = fieldkit("verify", folder, "--alone", "--out", tmp_path / "table.doc", "--json", *known)
    assert (wrong.status, wrong.error["code"]) == (2, "usage")


def test_a_report_is_signed_by_the_token_verifies_and_holds_the_data(
    fieldkit: Run, folder: Path, known: list[str | Path], token: str, pki: Pki, tmp_path: Path
) -> None:
    report = tmp_path / "báo cáo.pdf"
    arguments = ("--report", report, "--token", token, "--pin-file", tmp_path / "pin", "--json")
    ran = fieldkit("verify", folder, "--alone", *known, *arguments)

    assert ran.status == 1, ran.out + ran.err
    assert ran.result["report"]["signed"] is True
    issuing = pki.issuing.public_bytes(Encoding.DER)  # the token holds no chain, nor does this home
    assert validate(report, trust=pki.anchors, others=(issuing,), crls=pki.crls()).verdict == "pass"
    data = attached(report)
    assert data["basis"]["anchors"]
    assert {Path(each["file"]).name for each in data["documents"]} == {
        "tốt.pdf",
        "sửa.PDF",
        "=1+1.pdf",
        "rỗng.pdf",
    }
    text = subprocess.run(["pdftotext", report, "-"], capture_output=True, text=True, check=True).stdout
    assert "Not valid" in text
    assert "This report is signed digitally" in text
    assert PIN not in ran.out + ran.err


def test_a_report_without_a_token_says_that_it_is_not_signed(
    fieldkit: Run, folder: Path, known: list[str | Path], tmp_path: Path
) -> None:
    report = tmp_path / "report.pdf"
    ran = fieldkit("verify", folder / "tốt.pdf", "--alone", *known, "--report", report, FIELDKIT_LANG="vi")
    assert ran.status == 0, ran.out + ran.err
    text = subprocess.run(["pdftotext", report, "-"], capture_output=True, text=True, check=True).stdout
    assert "BÁO CÁO KIỂM TRA CHỮ KÝ SỐ" in text
    assert "không được ký số" in text
    alone = fieldkit("verify", folder, "--token", "MẪU", "--json")
    assert alone.status == 2


def attached(path: Path) -> Any:
    """The data inside a report."""
    listed = subprocess.run(
        ["qpdf", "--show-attachment=fieldkit-verification.json", path], capture_output=True, check=True
    )
    return json.loads(listed.stdout)


def test_a_document_behind_a_password_is_judged_with_it(
    fieldkit: Run, rsa_signer: SoftwareSigner, letter: Path, known: list[str | Path], tmp_path: Path
) -> None:
    locked, out, secret = tmp_path / "locked.pdf", tmp_path / "signed.pdf", tmp_path / "secret"
    subprocess.run(["qpdf", "--encrypt", "mat-khau", "chu", "256", "--", letter, locked], check=True)
    sign.sign(locked, out, rsa_signer, password=Secret("mat-khau"))
    secret.write_text("mat-khau\n")
    without: Ran = fieldkit("verify", out, *known, "--json")
    given = fieldkit("verify", out, *known, "--password-file", secret, "--json")
    assert (without.status, without.error["code"]) == (2, "document-encrypted")
    assert (given.status, given.result["verdict"]) == (0, "pass"), given.out
    assert "mat-khau" not in given.out + given.err


def test_a_package_signed_by_the_token_on_the_command_line_is_opened_by_its_receiver(
    fieldkit: Run, folder: Path, known: list[str | Path], token: str, pki: Pki, home: Home, tmp_path: Path
) -> None:
    authority = home.profiles / "authorities" / "sample"
    authority.mkdir(parents=True)
    (authority / "root.pem").write_bytes(pki.root.public_bytes(Encoding.PEM))
    (authority / "issuing.pem").write_bytes(pki.issuing.public_bytes(Encoding.PEM))
    for number, data in enumerate(pki.crls()):
        (authority / f"{number}.crl").write_bytes(data)
    services = (shipped("profiles") / "services.yaml").read_text()
    asked = services.replace("kind: axis\n", "kind: axis\n    signed: true\n")
    (home.profiles / "services.yaml").write_text(asked)
    package, plain = tmp_path / "p.edxml", tmp_path / "plain.edxml"
    document = folder / "tốt.pdf"

    sealed = fieldkit(
        "exchange",
        "pack",
        document,
        "--out",
        package,
        "--token",
        token,
        "--pin-file",
        tmp_path / "pin",
        "--json",
    )
    unsealed = fieldkit("exchange", "pack", document, "--out", plain)
    opened = fieldkit(
        "exchange", "open", package, "--out", tmp_path / "in", "--receiver", "000.MAU.02", "--json"
    )
    refused = fieldkit("exchange", "open", plain, "--out", tmp_path / "in2", "--json")

    assert (sealed.status, sealed.result["signed"]) == (0, True), sealed.out + sealed.err
    assert "asks for packages that are signed" in unsealed.out
    assert (opened.status, opened.result["verdict"]) == (0, "pass"), opened.out
    assert Path(opened.result["files"][0]).read_bytes() == document.read_bytes()
    assert (refused.status, refused.result["verdict"]) == (1, "fail")
    assert PIN not in sealed.out + sealed.err
