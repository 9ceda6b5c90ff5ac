"""Which mail a rule can meet at all: contradictions inside one rule, and one clause that takes in another."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from gateway.envelope.address import is_under
from gateway.policy.lint import is_ours
from gateway.policy.places import Path
from gateway.policy.schema import PolicyModel, RuleModel
from gateway.policy.schema_when import When

Finding = tuple[Path, str, str]  # below the rule; English, Vietnamese


def covers(wide: When, narrow: When) -> bool:
    """Whether all mail that fits `narrow` surely fits `wide` too."""
    return all(_covers(name, getattr(wide, name), getattr(narrow, name)) for name in wide.given)


def _covers(name: str, wide: object, narrow: object) -> bool:
    if narrow is None:
        return False
    if isinstance(wide, tuple) and isinstance(narrow, tuple) and name not in ("size",):
        rest = set(narrow) - set(wide)
        if name == "unit" and "known" in wide:
            return "unknown" not in rest
        return not rest
    return wide == narrow


def impossible(rule: RuleModel, model: PolicyModel, today: date) -> Iterator[Finding]:
    """Reasons why this rule can never apply."""
    for i, exception in enumerate(rule.unless):
        if exception.given and covers(exception, rule.when):
            yield (
                ("unless", i),
                "this exception takes in everything the rule is about",
                "ngoại lệ này loại trừ toàn bộ phạm vi của quy tắc",
            )
    when = rule.when
    yield from _author(when, model)
    yield from _unit(when)
    if when.recipient and not any(is_ours(pattern, model.own_domains) for pattern in when.recipient):
        yield ("when", "recipient"), "no such recipient is in own_domains", "không có người nhận nào thuộc own_domains"
    if when.time and when.time.until and when.time.until < today:
        yield ("when", "time"), f"it ended on {when.time.until}", f"đã hết hạn ngày {when.time.until}"
    if when.size in (("<", 0), ("<=", 0)):
        yield ("when", "size"), "no message is that small", "không có thư nào nhỏ như vậy"
    if when.malformed and when.level and "claimed" not in when.level:
        yield (
            ("when", "level"),
            "a malformed message proves nobody: its level is claimed",
            "thư sai quy cách luôn ở mức claimed",
        )


def _author(when: When, model: PolicyModel) -> Iterator[Finding]:
    if not when.sender or not when.author_domain:
        return
    possible: set[str] = set()
    for pattern in when.author_domain:
        bare = pattern.removeprefix("*.")
        if pattern == "official" or any(is_under(bare, official) for official in model.official_domains):
            possible.add("official")
        elif pattern == "free-provider":
            possible.add("free-provider")
        else:
            possible |= {"free-provider", "other"}
            if pattern != bare and any(is_under(official, bare) for official in model.official_domains):
                possible.add("official")
    if not possible & set(when.sender):
        yield (
            ("when", "author_domain"),
            "no such Author Domain is of this sender class",
            "tên miền này không thuộc loại người gửi đã ghi",
        )


def _unit(when: When) -> Iterator[Finding]:
    if when.unit == ("unknown",) and when.unit_kind:
        yield ("when", "unit_kind"), "an unknown unit has no kind", "đơn vị chưa biết thì không có loại"
    if when.sender == ("unknown",) and when.unit and "unknown" not in when.unit:
        yield (
            ("when", "unit"),
            "a message without a single Author names no unit",
            "thư không rõ người gửi thì không xác định được đơn vị",
        )
