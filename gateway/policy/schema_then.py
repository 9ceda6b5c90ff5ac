"""What a rule does, and when it starts to do it, as written. Field docstrings: English, an empty line, Vietnamese."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from gateway.envelope.reply import Reply
from gateway.policy.model import Model
from gateway.policy.values import Many, PhaseDay, Slug, Span, Word, wrong
from gateway.policy.values_mail import Address, EnhancedCode, ReplyText, SubjectPrefix

TAGS: Final = ("unit-headers",)
_DETAIL = re.compile(r"[A-Za-z0-9_.-]{1,40}\Z")


class RelayThen(Model):
    """Pass the message on. `{}` is enough.

    Chuyển tiếp thư; ghi {} là đủ."""

    route: Word = "main"
    """A name of `routes`.

    Tên tuyến trong mục routes."""
    redirect: Many[Address] = ()
    """Mailboxes that get it instead of the recipient.

    Chuyển đến các hộp thư này thay cho người nhận."""
    copy_to: Many[Address] = ()
    """Mailboxes that get a copy.

    Gửi thêm bản sao đến các hộp thư này."""
    tags: Many[Word] = ()
    """What is written on it: `unit-headers`.

    Thông tin ghi thêm vào tiêu đề thư: unit-headers."""
    subject_prefix: SubjectPrefix = ""
    """Put before the subject. It breaks the sender's DKIM signature: better use tags.

    Thêm vào trước tiêu đề thư; làm hỏng chữ ký DKIM, nên dùng tags."""
    plus_address: Annotated[str, Field(max_length=40)] = ""
    """Detail put behind the local-part: user+detail@domain.

    Phần thêm sau tên hộp thư: user+chi-tiết@tên-miền."""

    @field_validator("plus_address")
    @classmethod
    def _plain_detail(cls, value: str) -> str:
        if value and not _DETAIL.match(value):
            raise wrong(
                "letters a-z, digits, '.', '_' and '-' only",
                "chỉ gồm chữ cái không dấu, chữ số, '.', '_' và '-'",
            )
        return value

    @model_validator(mode="after")
    def _one_target(self) -> RelayThen:
        if self.plus_address and self.redirect:
            raise wrong("plus_address and redirect exclude each other", "không dùng plus_address cùng với redirect")
        return self


class HoldThen(Model):
    """Keep the message for a person to decide.

    Giữ thư lại để văn thư xem xét."""

    reason: Slug
    """A short word of yours, for lists and statistics: free-provider.

    Lý do ngắn (chữ thường không dấu, nối bằng gạch ngang), dùng để thống kê."""
    retain: Span | None = None
    """How long it is kept: 30d (1d to 1095d).

    Thời gian lưu giữ: 30d (từ 1d đến 1095d)."""


class RefuseThen(Model):
    """Refuse with a reply to the sending server.

    Từ chối nhận thư."""

    text: ReplyText
    """ASCII text of the SMTP reply.

    Nội dung trả lời SMTP, không dấu."""
    code: Annotated[int, Field(ge=400, le=599)] = 550
    """SMTP reply code; 4xx asks the sender to try again.

    Mã trả lời SMTP; 4xx là đề nghị gửi lại sau."""
    enhanced: EnhancedCode | None = None
    """Enhanced status code (RFC 3463); default 5.7.1 or 4.7.1.

    Mã trạng thái mở rộng; mặc định 5.7.1 hoặc 4.7.1."""

    @model_validator(mode="after")
    def _same_class(self) -> RefuseThen:
        if self.enhanced and int(self.enhanced[0]) != self.code // 100:
            raise wrong(
                f"enhanced {self.enhanced} does not fit code {self.code}",
                f"enhanced {self.enhanced} không khớp với mã {self.code}",
            )
        return self

    def reply(self) -> Reply:
        return Reply(self.code, self.enhanced or f"{self.code // 100}.7.1", self.text)


class DiscardThen(Model):
    """Accept and drop; nobody is told (RFC 5321 §6.2). Write `discard: {}`.

    Nhận rồi bỏ thư, không báo cho ai."""


class Then(Model):
    """Exactly one of relay, hold, refuse, discard.

    Đúng một trong bốn: relay, hold, refuse, discard."""

    relay: RelayThen | None = None
    """Pass on.

    Chuyển tiếp."""
    hold: HoldThen | None = None
    """Keep for review.

    Giữ lại."""
    refuse: RefuseThen | None = None
    """Refuse.

    Từ chối."""
    discard: DiscardThen | None = None
    """Drop.

    Bỏ đi."""
    notice: Word | None = None
    """The directive whose notice the sender gets: a file name of directives/ without .yaml.

    Văn bản chỉ đạo dùng cho thư thông báo: tên tệp trong directives/ bỏ đuôi .yaml."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Then:
        given = [name for name in ("relay", "hold", "refuse", "discard") if getattr(self, name) is not None]
        if len(given) != 1:
            found = ", ".join(given) or "none"
            raise wrong(
                f"write exactly one of relay, hold, refuse, discard (found: {found})",
                f"ghi đúng một trong relay, hold, refuse, discard (đang có: {', '.join(given) or 'không có'})",
            )
        return self


def _meanwhile_form(value: object) -> str:
    return "<word>" if isinstance(value, str) else "<then>"


ThenOrWord = Annotated[
    Annotated[Then, Tag("<then>")] | Annotated[Literal["defer", "pass"], Tag("<word>")], Discriminator(_meanwhile_form)
]


class Phases(Model):
    """First days of the phases, in this order; a phase that is not given does not come.

    Ngày bắt đầu từng giai đoạn, theo thứ tự này."""

    observe: PhaseDay | None = None
    """From this day a match is recorded, and reading goes on.

    Từ ngày này: chỉ ghi nhận."""
    remind: PhaseDay | None = None
    """From this day the rule's notice is sent, and reading goes on, so that a later rule delivers.

    Từ ngày này: gửi thông báo nhắc nhở, thư vẫn được chuyển."""
    hold: PhaseDay | None = None
    """From this day the rule applies.

    Từ ngày này: áp dụng đầy đủ."""


class Rollout(Phases):
    """The pilot phase of a rule. Without it a rule is in force at once.

    Giai đoạn thí điểm của quy tắc; nếu không ghi thì áp dụng ngay."""

    units: Annotated[dict[str, Phases], Field(default_factory=dict)]
    """Other days for single units, by id; `never` takes a phase away.

    Ngày riêng cho từng đơn vị (theo mã); never là không áp dụng giai đoạn đó."""
    unit_kinds: Annotated[dict[str, Phases], Field(default_factory=dict)]
    """Other days for kinds of units.

    Ngày riêng cho từng loại đơn vị."""
