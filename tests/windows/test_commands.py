"""The command line on Windows: UTF-8 through pipes whatever the code page, words instead of tracebacks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fieldkit.home import Home
from fieldkit.sample.authority import create
from tests.kit.conftest import Office
from tests.test_docs import commands
from tests.windows import softhsm
from tests.windows.bed import Windows
from tests.windows.conftest import Caller, OnWindows, StartCaller

PIN, NEW_PIN, SO_PIN = "Ky-So-26091375!", "Ky-So-57319062?", "Mau-So-80531946!"
FORM = """\
id: aaa
version: "1"
title: {vi: Danh mục mẫu, en: Danh mục mẫu}
finish: record
sections:
  - id: only
    title: {vi: Phần duy nhất, en: Phần duy nhất}
    items:
      - {id: work, kind: text, required: true, label: {vi: Việc đã làm, en: Việc đã làm}}
      - {id: photo, kind: file, label: {vi: Ảnh, en: Ảnh}}
"""
NOTE = "Ổ khóa gãy; đã dùng token dự phòng ở Huế"
OUTSIDE = {"token watch"}  # it has no end


def test_python_there_is_windows_own(windows: Windows) -> None:
    ran = windows.python("-c", "import os, sys; print(os.name, sys.platform, sys.stdout.encoding)")
    assert ran.out.split()[:2] == ["nt", "win32"]
    assert ran.out.split()[2] != "utf-8"  # the ANSI code page: what fieldkit prints must not follow it


def test_json_in_a_pipe_is_utf8_in_vietnamese(fieldkit: OnWindows) -> None:
    assert "Kế hoạch MẪU" in fieldkit("plan", "show", "--json", "--lang", "vi").result["title"]


@pytest.mark.parametrize(("country", "code_page"), [("en_US", "cp1252"), ("vi_VN", "cp1258")])
def test_every_command_speaks_utf8_through_pipes_whatever_the_code_page(
    windows: Windows,
    start_caller: StartCaller,
    folder: Path,
    tmp_path: Path,
    tokens: str,
    country: str,
    code_page: str,
) -> None:
    surroundings = {"LC_ALL": f"{country}.UTF-8", "SOFTHSM2_CONF": tokens}
    reported = windows.python("-c", "import locale; print(locale.getencoding())", **surroundings)
    assert reported.out.strip() == code_page
    kit = Office(tmp_path).make(folder / "Bộ cài")
    call = start_caller(**surroundings)
    for language in ("vi", "en"):
        own = folder / language
        (own / "home/checklists").mkdir(parents=True)
        (own / "home/checklists/aaa.yaml").write_text(FORM, "utf-8")
        call.use(own, language)
        settings_and_papers(call, kit)
        if language == "vi":
            once(call)
        if language == "vi" and code_page == "cp1252":  # which lacks most Vietnamese letters
            token_and_documents(call, windows.drive / "home/samples/sample-letter.pdf")
        visit_and_store(call)
    if code_page == "cp1252":
        assert commands() - call.called == OUTSIDE


def settings_and_papers(call: Caller, kit: Path) -> None:
    call("setup", "--who", "Nguyễn Thị Mẫu")
    call("setup", "--manual")
    call("plan", "show")
    call("plan", "due")
    call("checklist", "list")
    call("checklist", "export", "survey", "--out", "Khảo sát.xlsx")
    call("checklist", "import", "Khảo sát.xlsx", "--out", "Khảo sát.yaml")
    call("checklist", "check", "Khảo sát.yaml")
    call("driver", "list")
    call("driver", "detect")
    call("driver", "plan", "softhsm2")
    call("driver", "install", "softhsm2", "--yes")
    call("kit", "verify", kit)
    call("kit", "load", kit, "--yes")
    call("kit", "build", "Bộ cài mới", "--platform", "Cửa sổ", "--yes")


def once(call: Caller) -> None:
    call("doctor", "--report", "Báo cáo.txt")
    call("demo", "--headless")


def token_and_documents(call: Caller, letter: Path) -> None:
    folder = call.folder
    authority = create(folder / "Tổ chức cấp")
    authority.install(Home(folder / "home"))
    for name, secret in (("pin", PIN), ("pin2", NEW_PIN), ("so", SO_PIN)):
        (folder / name).write_text(secret, "utf-8")
    (folder / "password").write_text((folder / "Tổ chức cấp/person.password").read_text().strip())
    shutil.copy(letter, folder / "Công văn.pdf")
    module = ("--module", softhsm.MODULE)
    file = r"Tổ chức cấp\person.p12"
    label = ("--token", "Ổ ký số")
    pin = ("--pin-file", "pin")
    call("token", "init", *module, "--label", label[1], *pin, "--so-pin-file", "so", "--yes")
    call("token", "list", *module)
    call("token", "show", label[1], *module)
    call("token", "change-pin", label[1], *module, *pin, "--new-pin-file", "pin2", "--yes")
    call("token", "unblock", label[1], *module, "--so-pin-file", "so", "--new-pin-file", "pin", "--yes")
    call("certificate", "inspect", file, "--password-file", "password")
    call("certificate", "check", file, "--password-file", "password")
    call("certificate", "import", file, *module, *label, "--password-file", "password", *pin, "--yes")
    call("certificate", "list", label[1], *module)
    call("certificate", "export", label[1], *module, "--out", "Chứng thư.pem")
    subject = ("--subject", "CN=Nguyễn Văn Mẫu,O=Cơ quan thường trú,C=VN")
    call("certificate", "request", *module, *label, *subject, "--out", "Yêu cầu.csr", *pin, "--yes")
    call("sign", "Công văn.pdf", *module, *label, *pin, "--out", "Đã ký.pdf", "--yes")
    assert call("verify", "Đã ký.pdf").result["verdict"] == "pass"
    data = bytearray((folder / "Đã ký.pdf").read_bytes())
    data[len(data) // 4] ^= 1
    (folder / "Đã sửa.pdf").write_bytes(bytes(data))
    assert call("verify", "Đã sửa.pdf").result["verdict"] == "fail"
    agencies = ("--from", "000.00.00.H01", "--to", "000.00.00.H02")
    call(
        "exchange",
        "pack",
        "Đã ký.pdf",
        "--out",
        "Gói tin.edxml",
        *agencies,
        "--number",
        "1",
        "--subject",
        "Về việc thử",
        "--yes",
    )
    call("exchange", "open", "Gói tin.edxml", "--out", "Văn bản đến")
    call("exchange", "rehearse", "Đã ký.pdf", "--folder", "Trao đổi", *agencies, "--yes")
    call("certificate", "remove", label[1], *module, *pin, "--yes")


def visit_and_store(call: Caller) -> None:
    folder = call.folder
    visit = call("visit", "start", "--bureau", "MAU-01", "--checklist", "aaa").result["visit"]
    (folder / "Ảnh.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(1000))
    call("visit", "answer", visit, "work", NOTE)
    call("visit", "attach", visit, "photo", "Ảnh.png")
    call("visit", "note", visit, NOTE)
    for rows in (("add-row", "work"), ("remove-row", "work/1"), ("move-row", "work/1", "1")):
        assert call("visit", rows[0], visit, *rows[1:]).error["code"] == "item-not-found"
    call("visit", "run", visit)
    shown = call("visit", "show", visit)
    assert NOTE in shown.out
    call("visit", "list")
    call("visit", "finish", visit, "--out", "Bản ghi", "--yes")
    call("visit", "amend", visit, "--reason", NOTE, "--yes")
    call("record", "export", visit, "--format", "pdf", "--out", "Bản nháp.pdf")
    call("record", "verify", "Bản nháp.pdf")
    call("record", "sign", "Bản nháp.pdf", "--token", "Không có", "--out", "Đã ký.pdf", "--yes")
    call("store", "verify")
    call("store", "repair", "--yes")
    call("store", "export", "--out", "Kho.zip")
    call("sync", "status")
    (folder / "USB của tôi").mkdir()
    call("sync", "push", "USB của tôi", "--yes")
    call("sync", "pull", "USB của tôi")
