"""cases/*.yaml as typed models: golden cases that every reload must pass.

Field docstrings: English, an empty line, Vietnamese.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from gateway.envelope.transaction import ForwardPath
from gateway.policy.model import Model, null_as_word
from gateway.policy.schema_when import LevelWord
from gateway.policy.values import Many, Moment, Word, wrong
from gateway.policy.values_mail import Address, BouncePath


class Expectation(Model):
    """What must come out; what is not given is not looked at.

    Kết quả phải đạt; mục nào không ghi thì không kiểm tra."""

    rule: Word | None = None
    """The rule that decides.

    Quy tắc được áp dụng."""
    disposition: Literal["relay", "hold", "refuse", "defer", "discard"] | None = None
    """What happens; `defer` is a temporary refusal.

    Cách xử lý; defer là hẹn gửi lại sau."""
    reason: Word | None = None
    """Reason of the hold.

    Lý do giữ lại."""
    notice: Word | None = None
    """The directive of the notice, or `none`.

    Văn bản của thư thông báo, hoặc none."""
    unit: Word | None = None
    """Id of the unit that is named, or `none`.

    Mã đơn vị gửi, hoặc none."""
    observed: Many[Word] | None = None
    """Rules that match in an early phase.

    Các quy tắc thỏa mãn nhưng còn ở giai đoạn ghi nhận hoặc nhắc nhở."""

    @model_validator(mode="after")
    def _something(self) -> Expectation:
        if not self.model_fields_set:
            raise wrong("expect needs rule, disposition or notice", "expect cần có rule, disposition hoặc notice")
        return self


class GoldenCase(Model):
    """One message and what the policy must do with it.

    Một thư mẫu và kết quả phải đạt."""

    name: Word
    """What the case shows.

    Nội dung tình huống."""
    at: Moment | None = None
    """When it arrives; default: now.

    Thời điểm nhận; mặc định: hiện tại."""
    sender: Annotated[str, Field(alias="from")] = ""
    """The From field: `Tên <hộp thư>`.

    Trường From."""
    to: Address
    """The recipient.

    Người nhận."""
    reverse_path: BouncePath | None = None
    """The envelope's reverse-path; default: the author.

    Địa chỉ trả về; mặc định: người gửi."""
    level: LevelWord = "claimed"
    """How well the Author Domain is proven.

    Mức chứng thực tên miền người gửi."""
    pending: bool = False
    """DNS has not answered: the level may still rise.

    DNS chưa trả lời: mức chứng thực có thể cao hơn."""
    subject: str = ""
    """Subject.

    Tiêu đề."""
    body: str = ""
    """Text.

    Nội dung."""
    attachments: Many[Word] = ()
    """File names.

    Tên các tệp đính kèm."""
    canary: bool = False
    """Judged every hour by the running gateway too, as a real message at that moment. When it is not as expected, a metric
    and the log say so; the policy is loaded all the same.

    Hệ thống đang chạy cũng kiểm tra thư này mỗi giờ như thư thật vào lúc đó. Nếu kết quả khác thì chỉ số giám sát và nhật ký
    sẽ cho biết; chính sách vẫn được nạp."""
    headers: Annotated[dict[str, str], Field(default_factory=dict)]
    """More header fields.

    Các trường tiêu đề khác."""
    message: str | None = None
    """The whole message as text, instead of from, subject, body, attachments and headers.

    Toàn bộ thư dạng văn bản, thay cho các mục trên."""
    expect: Expectation
    """What must come out.

    Kết quả phải đạt."""

    @property
    def path(self) -> ForwardPath:
        """The recipient as a forward-path."""
        return ForwardPath(self.to)

    @model_validator(mode="before")
    @classmethod
    def _null_is_a_word(cls, data: Any) -> Any:
        return null_as_word(data)

    @model_validator(mode="after")
    def _canary_is_now(self) -> GoldenCase:
        if self.canary and (self.at or self.pending):
            raise wrong(
                "a canary is judged at the present moment: take out at and pending, or canary",
                "thư thử định kỳ được kiểm tra vào thời điểm hiện tại: bỏ at và pending, hoặc bỏ canary",
            )
        return self


class CaseFile(Model):
    """A file of golden cases.

    Tệp các tình huống kiểm tra."""

    cases: Many[GoldenCase]
    """The cases.

    Các tình huống."""
