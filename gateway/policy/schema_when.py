"""Conditions of a rule, as written: every one given must hold; of a list, one value is enough.

Field docstrings: English, an empty line, Vietnamese.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Tag, model_validator

from gateway.policy.model import Model, null_as_word
from gateway.policy.values import Day, Hours, Many, SizeTest, Word, wrong
from gateway.policy.values_mail import AddressPattern, AuthorDomain, Extension, FieldName, Regex, ReversePath

SenderWord = Literal["free-provider", "official", "other", "unknown"]
LevelWord = Literal["signed", "authorized", "shared", "claimed"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def _document_form(value: object) -> str:
    return "<yes-no>" if isinstance(value, bool) else "<kinds>"


class TimeWindow(Model):
    """When mail arrives, in the policy's time zone.

    Thời điểm nhận thư, theo múi giờ của chính sách."""

    since: Day | None = None
    """First day.

    Từ ngày (kể cả ngày này)."""
    until: Day | None = None
    """Last day.

    Đến ngày (kể cả ngày này)."""
    weekdays: Many[Weekday] | None = None
    """Days of the week.

    Các thứ trong tuần: mon (thứ Hai) … sun (Chủ nhật)."""
    hours: Hours | None = None
    """Hours of the day; may pass midnight.

    Khung giờ trong ngày, có thể qua nửa đêm."""

    @model_validator(mode="after")
    def _in_order(self) -> TimeWindow:
        if self.since and self.until and self.until < self.since:
            raise wrong(
                "until is before since: this can never hold", "until trước since: điều kiện này không bao giờ đúng"
            )
        if not self.model_fields_set:
            raise wrong(
                "a time window needs since, until, weekdays or hours",
                "khung thời gian cần since, until, weekdays hoặc hours",
            )
        return self


class When(Model):
    """What a rule asks of a message. All that is given must hold; of a list, one value is enough.

    Điều kiện của quy tắc: mọi điều kiện đã ghi đều phải đúng; trong một danh sách chỉ cần một giá trị đúng."""

    sender: Many[SenderWord] | None = None
    """Class of the Author Domain: free-provider, official, other, or unknown (no single Author).

    Loại tên miền của người gửi: miễn phí, công vụ, khác, hoặc không xác định được."""
    author_domain: Many[AuthorDomain] | None = None
    """The Author Domain: `official`, `free-provider`, a domain, or `*.domain` for everything below it.

    Tên miền của người gửi (trường From)."""
    unit: Many[Word] | None = None
    """The sending unit: `known`, `unknown`, or ids of units.csv.

    Đơn vị gửi: known (có trong danh bạ), unknown, hoặc mã đơn vị trong units.csv."""
    unit_kind: Many[Word] | None = None
    """Kind of the sending unit, as in units.csv.

    Loại đơn vị, như trong units.csv."""
    level: Many[LevelWord] | None = None
    """How well the Author Domain is proven.

    Mức chứng thực tên miền người gửi: signed, authorized, shared, claimed."""
    recipient: Many[AddressPattern] | None = None
    """The recipient: address, `*.phong@domain`, domain, or `*.domain`.

    Người nhận: địa chỉ, mẫu địa chỉ hoặc tên miền."""
    submission: Many[Literal["administrative", "other"]] | None = None
    """Whether the message looks like an administrative submission.

    Thư có dấu hiệu là văn bản hành chính gửi đến hay không."""
    document_number: (
        Annotated[
            Annotated[bool, Tag("<yes-no>")] | Annotated[Many[Word], Tag("<kinds>")], Discriminator(_document_form)
        ]
        | None
    ) = None
    """Whether it carries a document number, or of which kinds (BC, CV, TTr …).

    Có số, ký hiệu văn bản hay không, hoặc loại văn bản (BC, CV, TTr …)."""
    attachment_type: Many[Extension] | None = None
    """An attachment's file name extension (pdf) or media type (application/pdf, image/*).

    Loại tệp đính kèm: phần mở rộng hoặc kiểu MIME."""
    attachment_regex: Regex | None = None
    """RE2 pattern that an attachment's file name contains.

    Biểu thức RE2 có trong tên tệp đính kèm."""
    subject_words: Many[Word] | None = None
    """Words of the subject, whatever their case and accents: `bao cao` finds `Báo cáo`.

    Từ ngữ trong tiêu đề, không phân biệt hoa thường và dấu."""
    subject_regex: Regex | None = None
    """RE2 pattern that the subject contains; case and accents count unless it says (?i).

    Biểu thức RE2 có trong tiêu đề."""
    size: SizeTest | None = None
    """Size of the whole message.

    Dung lượng toàn bộ thư."""
    time: TimeWindow | None = None
    """Time of arrival, in the policy's time zone.

    Thời điểm nhận thư, theo múi giờ của chính sách."""
    header: Many[FieldName] | None = None
    """Names of header fields of which one is present.

    Tên trường tiêu đề có mặt trong thư."""
    reverse_path: Many[ReversePath] | None = None
    """The envelope's reverse-path: `null` for <>, or patterns.

    Địa chỉ trả về của phong bì: null (rỗng) hoặc mẫu địa chỉ."""
    malformed: bool | None = None
    """Whether the message breaks RFC 5322 so that it proves nobody.

    Thư sai quy cách đến mức không xác định được người gửi."""
    list_mail: bool | None = None
    """Whether it came through a mailing list (List-Id).

    Thư đến qua danh sách thư (có List-Id)."""

    @model_validator(mode="before")
    @classmethod
    def _null_is_a_word(cls, data: Any) -> Any:
        return null_as_word(data)

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the conditions that are given, in the order above."""
        return tuple(name for name in type(self).model_fields if getattr(self, name) is not None)
