"""Papers to try signatures on: an official letter as agencies write it, marked MẪU – SAMPLE."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path

from fieldkit.home import PACKAGE
from fieldkit.sample.place import replace
from fieldkit.text import nfc

TEMPLATE = Path(__file__).with_name("letter.typ")
FONTS = ("Tinos", "Libertinus Serif")  # the widths of Times; the other one is inside Typst
FONT_FOLDERS = (PACKAGE / "record" / "fonts",)
BODY = (
    "Thực hiện kế hoạch triển khai chữ ký số chuyên dùng công vụ, cơ quan thường trú đã tiếp nhận thiết bị "
    "lưu khóa bí mật và chứng thư số, cài đặt trình điều khiển và được hướng dẫn sử dụng.",
    "Văn bản này được lập để ký thử: chữ ký số của người có thẩm quyền và con dấu của cơ quan được đặt đúng "
    "vị trí theo quy định về thể thức văn bản, sau đó được kiểm tra bằng nhiều công cụ độc lập.",
    "Mọi tên người, tên cơ quan và số hiệu trong văn bản này đều là giả định. Văn bản không có giá trị "
    "pháp lý và không dùng để gửi, nhận./.",
)
COPIES = ("Như trên;", "Lưu: VT (MẪU).")


def letter(
    path: Path,
    *,
    signer_title: str,
    signer_name: str,
    number: str = "07/CV-MẪU",
    agency: str = "Cơ quan thường trú Sông Mơ (mẫu)",
    superior: str = "Cơ quan mẫu",
    place: str = "Sông Mơ",
    receiver: str = "Trung tâm Tin học (mẫu)",
    subject: str = "ký thử văn bản điện tử bằng chữ ký số (mẫu)",
    body: Sequence[str] = BODY,
    on: date | None = None,
) -> None:
    """Write a letter to `path` as PDF; the same words and day give the same bytes on every machine."""
    import typst

    day = on or date.today()
    data = {
        "notice": "không có giá trị pháp lý",
        "superior": superior,
        "agency": agency,
        "number": number,
        "place": place,
        "day": f"{day.day:02d}",
        "month": f"{day.month:02d}" if day.month < 3 else str(day.month),  # decree 30/2020, annex I, I.II.4
        "year": str(day.year),
        "subject": subject,
        "receiver": receiver,
        "body": list(body),
        "copies": list(COPIES),
        "signer_title": signer_title,
        "signer_name": signer_name,
        "fonts": list(FONTS),
    }
    made = typst.compile(
        str(TEMPLATE),
        root=str(TEMPLATE.parent),
        sys_inputs={"data": nfc(json.dumps(data, ensure_ascii=False))},
        font_paths=[str(folder) for folder in FONT_FOLDERS if folder.is_dir()],
        ignore_system_fonts=True,
        timestamp=int(datetime.combine(day, time(), UTC).timestamp()),
    )
    assert isinstance(made, bytes)
    replace(path, made)
