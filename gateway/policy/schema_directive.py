"""directives/*.yaml as typed models. Field docstrings: English, an empty line, Vietnamese."""

from __future__ import annotations

from gateway.policy.directive import Directive, Document
from gateway.policy.model import Model
from gateway.policy.values import Day, Many, Word
from gateway.policy.values_mail import Address, Domain


class DocumentModel(Model):
    """A document as it is cited.

    Văn bản được viện dẫn."""

    kind: Word
    """Công văn, Chỉ thị, Quyết định …

    Tên loại văn bản."""
    number: Word
    """Number and symbol.

    Số, ký hiệu."""
    date: Day
    """Day of signing.

    Ngày ban hành."""
    issuer: Word
    """Who issued it.

    Cơ quan ban hành."""
    subject: str = ""
    """What it is about; leave out when not known for certain.

    Trích yếu; bỏ trống nếu chưa rõ."""

    def document(self) -> Document:
        return Document(self.kind, self.number, self.date, self.issuer, self.subject)


class ContactModel(Model):
    """Whom to call.

    Nơi liên hệ."""

    office: Word
    """Office.

    Phòng, bộ phận."""
    phone: Word
    """Telephone.

    Điện thoại."""
    mailbox: Address | None = None
    """Mailbox.

    Hộp thư."""


class DirectiveModel(Model):
    """One directive that notices cite: directives/NAME.yaml; rules name it by NAME.

    Một văn bản chỉ đạo được nêu trong thư thông báo; quy tắc gọi bằng tên tệp."""

    document: DocumentModel
    """The directive itself.

    Văn bản chỉ đạo."""
    asks: Word
    """What it asks of units, in one sentence.

    Nội dung yêu cầu, một câu."""
    grounds: Many[DocumentModel] = ()
    """What it rests on.

    Các văn bản căn cứ."""
    official_domains: Many[Domain]
    """Domains to send from.

    Tên miền thư công vụ phải dùng."""
    contact: ContactModel
    """Whom to call.

    Nơi liên hệ."""
    templates: Many[Word]
    """Names of templates/*.j2, in the order of the notice.

    Tên các mẫu trong templates/, theo thứ tự trong thư."""

    def directive(self, identifier: str) -> Directive:
        return Directive(
            id=identifier,
            document=self.document.document(),
            asks=self.asks,
            grounds=tuple(ground.document() for ground in self.grounds),
            official_domains=self.official_domains,
            contact_office=self.contact.office,
            contact_phone=self.contact.phone,
            contact_mailbox=str(self.contact.mailbox or ""),
            templates=self.templates,
        )
