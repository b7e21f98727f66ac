"""The fixed words of a record on paper and in tables, in both languages. They belong to the paper's form, so
they are no catalog messages: a record keeps its words whatever language the screens are in.
"""

from __future__ import annotations

from fieldkit.checklist.kinds import YES_NO
from fieldkit.text import Words

LABELS: dict[str, Words] = {choice.value: choice.label for choice in YES_NO} | {
    "country": Words("CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", "SOCIALIST REPUBLIC OF VIET NAM"),
    "motto": Words("Độc lập - Tự do - Hạnh phúc", "Independence - Freedom - Happiness"),
    "number": Words("Số", "No."),
    "sample": Words("MẪU", "SAMPLE"),
    "sample-line": Words(
        "MẪU: cơ quan, người và chứng thư số đều là giả định, không có giá trị pháp lý",
        "SAMPLE: agency, people and certificates are invented; without legal effect",
    ),
    "draft": Words("DỰ THẢO", "DRAFT"),
    "lost": Words(
        "KHÔNG ĐẦY ĐỦ: một phần dữ liệu của chuyến triển khai bị mất hoặc hỏng",
        "NOT COMPLETE: something of the visit is lost or damaged",
    ),
    "replaces": Words("Biên bản này thay thế biên bản", "This record replaces the record"),
    "reason": Words("Lý do", "Reason"),
    "basis": Words("Căn cứ", "On the basis of"),
    "today": Words("Thời gian lập", "Made at"),
    "place": Words("Địa điểm", "Place"),
    "parties": Words("Các bên", "The parties"),
    "giver": Words("Bên giao", "Handing over"),
    "receiver": Words("Bên nhận", "Receiving"),
    "agency": Words("Cơ quan, đơn vị", "Agency"),
    "person": Words("Người đại diện", "Represented by"),
    "office": Words("Chức vụ", "Title"),
    "address": Words("Địa chỉ", "Address"),
    "phone": Words("Điện thoại", "Telephone"),
    "code": Words("Mã định danh", "Agency code"),
    "devices": Words("Thiết bị và chứng thư số bàn giao", "Token and certificate handed over"),
    "device": Words("Thiết bị", "Device"),
    "fact": Words("Nội dung", "What"),
    "value": Words("Chi tiết", "Value"),
    "subscriber": Words("Thuê bao", "Subscriber"),
    "holder": Words("Đối tượng sử dụng", "Kind of holder"),
    "email": Words("Thư điện tử công vụ", "Official e-mail"),
    "model": Words("Loại thiết bị", "Model"),
    "token-serial": Words("Số hiệu thiết bị", "Device serial number"),
    "token-label": Words("Nhãn thiết bị", "Device label"),
    "subject": Words("Chủ thể chứng thư số", "Certificate subject"),
    "issuer": Words("Tổ chức cấp", "Issuer"),
    "certificate-serial": Words("Số hiệu chứng thư số", "Certificate serial number"),
    "validity": Words("Thời hạn", "Validity"),
    "until": Words("đến", "to"),
    "certificate-sha256": Words("Mã băm SHA-256 của chứng thư số", "SHA-256 of the certificate"),
    "key": Words("Khóa", "Key"),
    "pin": Words("Mã PIN (không ghi vào biên bản)", "PIN (never recorded)"),
    "condition": Words("Tình trạng khi bàn giao", "Condition at handover"),
    "tests": Words("Kết quả ký thử", "Test signatures"),
    "row": Words("STT", "No."),
    "document": Words("Văn bản", "Document"),
    "level": Words("Mức", "Level"),
    "outcome": Words("Kết luận", "Outcome"),
    "file-sha256": Words("Mã băm SHA-256 của tệp đã ký", "SHA-256 of the signed file"),
    "checklist": Words("Nội dung đã thực hiện", "What was done"),
    "item": Words("Mục", "Item"),
    "item-id": Words("Mã mục", "Item id"),
    "section": Words("Phần", "Section"),
    "answer": Words("Kết quả", "Result"),
    "who": Words("Người ghi", "Entered by"),
    "when": Words("Thời điểm ghi", "Entered at"),
    "files": Words("SHA-256 của tệp kèm theo", "SHA-256 of attached files"),
    "findings": Words("Phát hiện", "Findings"),
    "finding": Words("Nội dung phát hiện", "Finding"),
    "detail": Words("Chi tiết kỹ thuật", "Technical detail"),
    "notes": Words("Ghi chú", "Notes"),
    "duties": Words("Trách nhiệm của các bên", "Duties of the parties"),
    "duty-1": Words(
        "Bên nhận tự bảo quản thiết bị, giữ bí mật mã PIN, không cho người khác mượn hoặc sử dụng thiết bị.",
        "The receiving party keeps the token, keeps the PIN secret, and lends the token to nobody.",
    ),
    "duty-2": Words(
        "Khi mất, hỏng thiết bị hoặc nghi lộ khóa bí mật, bên nhận báo ngay cho bên giao để"
        " thu hồi chứng thư số.",
        "If the token is lost or damaged, or the private key may be exposed, the receiving party reports it"
        " at once, so that the certificate is revoked.",
    ),
    "duty-3": Words(
        "Bên giao hỗ trợ bên nhận trong quá trình sử dụng, gia hạn, thay đổi và thu hồi chứng thư số.",
        "The handing-over party helps with use, renewal, change and revocation of the certificate.",
    ),
    "duty-4": Words(
        "Thiết bị của chứng thư số hết hạn hoặc bị thu hồi được giao lại theo quy định.",
        "The token of an expired or revoked certificate is returned as the rules say.",
    ),
    "copies": Words(
        "Biên bản được lập dưới dạng điện tử, ký bằng chính chứng thư số được bàn giao; dữ liệu gốc"
        " được đính kèm trong tệp này. Mỗi bên giữ một bản có giá trị như nhau.",
        "This record is electronic and signed with the very certificate handed over; its data is attached"
        " inside this file. Each party keeps a copy of equal standing.",
    ),
    "journal": Words("Nhật ký của thiết bị lập biên bản", "Journal this record was made from"),
    "journal-device": Words("Thiết bị ghi", "Recording device"),
    "journal-seq": Words("Mục cuối", "Last entry"),
    "journal-hash": Words("Mã băm", "Hash"),
    "visit": Words("Chuyến triển khai", "Visit"),
    "checklist-version": Words("Danh mục kiểm tra", "Checklist"),
    "signed-off": Words("Cán bộ nhận chấp thuận lúc", "Accepted by the officer at"),
    "signoff-head": Words("Trên nhật ký tại", "On the journal at"),
    "renderer": Words("Phần mềm lập biên bản", "Made by"),
    "for-giver": Words("ĐẠI DIỆN BÊN GIAO", "FOR THE HANDING-OVER PARTY"),
    "for-receiver": Words("ĐẠI DIỆN BÊN NHẬN", "FOR THE RECEIVING PARTY"),
    "sign-here": Words("(Ký số, ghi rõ họ tên)", "(Digital signature and full name)"),
    "page": Words("Trang", "Page"),
    "record": Words("Biên bản", "Record"),
    "bureau": Words("Cơ quan thường trú", "Bureau"),
    "signed-by": Words("Ký bởi", "Signed by"),
    "signed-at": Words("Thời gian ký", "Signed at"),
    "pass": Words("Đạt", "passed"),
    "fail": Words("Không đạt", "failed"),
    "not-checked": Words("Chưa kiểm tra", "not checked"),
    "indeterminate": Words("Chưa kết luận", "not settled"),
    "warning": Words("Lưu ý", "warning"),
    "info": Words("Thông tin", "information"),
    "none": Words("Không có", "None"),
    "holder-person": Words("Cá nhân", "Person"),
    "holder-agency": Words("Cơ quan, tổ chức", "Agency"),
    "pin-set": Words("Cán bộ nhận tự đặt", "Set by the receiving officer"),
    "pin-changed": Words("Đã đổi so với khi giao", "Changed from the one it was delivered with"),
    "pin-unknown": Words("Không có thông tin", "Not known"),
    "unit": Words("Đơn vị quản lý thuê bao", "Subscriber-managing unit"),
    "technician": Words("Cán bộ kỹ thuật triển khai", "Deployment technician"),
    "title": Words(
        "Biên bản bàn giao chứng thư số và thiết bị lưu khóa bí mật",
        "Handover record of a certificate and its token",
    ),
}


FORM_LABELS: dict[str, Words] = LABELS | {
    "filled-in-by": Words("Người lập phiếu", "Filled in by"),
    "answered-by": Words("Người cung cấp thông tin", "Answered by"),
    "unit-of": Words("Đơn vị", "Unit"),
    "form-made": Words("Thời gian lập", "Made at"),
    "form-answer": Words("Trả lời", "Answer"),
    "form-item": Words("Nội dung", "Item"),
    "form-replaces": Words("Phiếu này thay thế phiếu", "This form replaces the form"),
    "form-journal": Words("Thông tin lưu trữ điện tử", "Electronic filing"),
    "form-renderer": Words("Phần mềm lập phiếu", "Made by"),
    "form-closed": Words("Hoàn thành lúc", "Closed at"),
    "form-note": Words(
        "Phiếu được lập dưới dạng điện tử; dữ liệu gốc được đính kèm trong tệp này.",
        "This form is electronic; its data is attached inside this file.",
    ),
    "for-maker": Words("NGƯỜI LẬP PHIẾU", "FILLED IN BY"),
    "for-bureau": Words("XÁC NHẬN CỦA CƠ QUAN", "CONFIRMED BY THE AGENCY"),
    "sign-by-hand": Words("(Ký, ghi rõ họ tên)", "(Signature and full name)"),
}
"""Those of a form that is printed as it was filled in, besides."""


def label(name: str, language: str) -> str:
    """A label in "vi" or "en", or as "vi / en" in both."""
    return shown(FORM_LABELS[name], language)


def shown(words: Words, language: str) -> str:
    """A text in "vi" or "en", or in both where they differ."""
    if language != "both" or words.vi == words.en:
        return words.render(language)
    return f"{words.vi} / {words.en}"
