"""policy.yaml as typed models. Field docstrings say each thing in English, then in Vietnamese: they become the JSON Schema
that editors read, and policies/README.md."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gateway.policy.model import Model
from gateway.policy.schema_then import Rollout, Then, ThenOrWord
from gateway.policy.schema_when import When
from gateway.policy.values import Many, Slug, Word
from gateway.policy.values_mail import AddressPattern, Domain, DomainPattern, Extension


class RouteModel(Model):
    """A downstream server, or a Maildir for trying out.

    Máy chủ nhận thư phía sau, hoặc Maildir để chạy thử."""

    protocol: Literal["smtp", "lmtp", "maildir"] = "smtp"
    """How to hand mail over.

    Giao thức."""
    host: str = ""
    """Name or address of the server.

    Tên hoặc địa chỉ máy chủ."""
    port: Annotated[int, Field(ge=1, le=65535)] = 25
    """Its port.

    Số hiệu cổng (port)."""
    path: str = ""
    """Of a Maildir, relative to the state directory.

    Đường dẫn Maildir, tính từ thư mục trạng thái."""
    starttls: Literal["never", "may", "must"] = "may"
    """Whether to use TLS.

    Có dùng TLS hay không."""
    xclient: bool = True
    """Tell the server who the client was (XCLIENT, else XFORWARD) where it offers that.

    Báo cho máy chủ phía sau biết máy khách thật."""


class AdministrativeModel(Model):
    """What makes a message an administrative submission.

    Dấu hiệu của thư gửi văn bản hành chính."""

    mailboxes: Many[AddressPattern] = ()
    """Recipients to whom submissions go.

    Các hộp thư tiếp nhận văn bản."""
    subject_words: Many[Word] = ()
    """Words of the subject, whatever case and accents.

    Từ ngữ trong tiêu đề, không phân biệt hoa thường và dấu."""
    document_number: bool = True
    """A document number in subject or file name counts.

    Tính cả số, ký hiệu văn bản trong tiêu đề hoặc tên tệp."""
    attachment_types: Many[Extension] = ()
    """Extensions of attached documents.

    Phần mở rộng của tệp văn bản đính kèm."""


class RuleModel(Model):
    """Rules are read top to bottom; the first that applies wins; the last must always apply.

    Quy tắc được xét từ trên xuống; quy tắc đầu tiên thỏa mãn được áp dụng; quy tắc cuối phải luôn đúng."""

    name: Slug
    """A name, once in the file: small letters, digits, hyphens.

    Tên duy nhất: chữ thường không dấu, chữ số, gạch ngang."""
    when: When = When()
    """Conditions; none: always applies.

    Điều kiện; không ghi là luôn đúng."""
    unless: Many[When] = ()
    """Exceptions: the rule does not apply where one of these holds.

    Ngoại lệ: không áp dụng nếu một trong các mục này đúng."""
    rollout: Rollout | None = None
    """Pilot phase.

    Giai đoạn thí điểm."""
    then: Then
    """What happens.

    Cách xử lý."""
    meanwhile: ThenOrWord = "defer"
    """What happens while DNS trouble leaves the answer open: `defer` (451, try later), `pass` (go on reading), or as in then.

    Cách xử lý khi DNS trục trặc nên chưa thể kết luận: defer (hẹn gửi lại), pass (xét tiếp), hoặc như then."""


class PolicyModel(Model):
    """policies/policy.yaml.

    Tệp chính sách chính."""

    version: Literal[1]
    """Version of this format: 1.

    Phiên bản của định dạng tệp: 1."""
    authserv_id: Domain
    """Our name in Authentication-Results (RFC 8601).

    Tên của cổng thư trong trường Authentication-Results."""
    timezone: str = "Asia/Ho_Chi_Minh"
    """Time zone of rollout days and time windows.

    Múi giờ của các ngày và khung giờ trong tệp này."""
    own_domains: Many[DomainPattern]
    """Mail for these domains is accepted: exact, or `*.domain`.

    Tên miền mà cổng thư nhận thư."""
    official_domains: Many[Domain] = ()
    """Domains of official mailboxes, with everything below them.

    Tên miền thư công vụ (kể cả tên miền con)."""
    shared_clouds: Many[Domain] = ()
    """Names of SPF records through which any tenant of a cloud passes.

    Bản ghi SPF của dịch vụ đám mây dùng chung."""
    trusted_signers: Annotated[dict[str, Many[Domain]], Field(default_factory=dict)]
    """For an Author Domain, exact signing domains of its mail host that count as its own.

    Tên miền ký DKIM của nhà cung cấp được chấp nhận cho từng tên miền."""
    trusted_sealers: Many[Domain] = ()
    """ARC sealers whose chain lifts `claimed` to `shared`.

    Bên niêm phong ARC được tin cậy."""
    routes: dict[str, RouteModel]
    """Downstream servers by name; `main` is used where a rule names none.

    Các tuyến chuyển thư; main là tuyến mặc định."""
    administrative: AdministrativeModel = AdministrativeModel()
    """Signs of an administrative submission.

    Dấu hiệu văn bản hành chính."""
    rules: Many[RuleModel]
    """The rules, in order.

    Danh sách quy tắc, theo thứ tự."""
