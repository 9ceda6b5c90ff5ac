"""A decision in words: the evidence, who that makes the sender, every rule with its answer, and what follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal

from gateway.evidence.result import Evidence
from gateway.identity.identity import Identity
from gateway.policy.case import Case
from gateway.policy.decision import Decision, Discard, Disposition, Hold, Refuse, Relay, Step
from gateway.policy.match import ANSWERS, Fact
from gateway.policy.phrases import HOLDS, LEVELS, PROVIDERS, SUBMISSIONS, in_vietnamese

Language = Literal["en", "vi"]

LINE_MAX: Final = 600  # characters of what comes from mail, DNS or the policy

# conditions whose fact, where they hold, is a word of the message or of the policy and no sentence of ours
_VALUES: Final = frozenset({"attachment_type", "attachment_regex", "subject_words", "header"})
_KEYS: Final[Mapping[str, Mapping[str, str]]] = {"sender": PROVIDERS, "level": LEVELS, "submission": SUBMISSIONS}

_VI: Final[dict[str, str]] = {
    "Evidence": "Chứng cứ",
    "Sender": "Người gửi",
    "Rules": "Các quy tắc đã xét",
    "Outcome": "Kết quả",
    "author": "người gửi (From)",
    "level": "mức chứng thực",
    "provider": "loại tên miền",
    "unit": "đơn vị",
    "function": "bộ phận",
    "submission": "loại thư",
    "none": "không có",
    "malformed": "sai quy cách",
    "may rise when DNS answers": "có thể cao hơn khi DNS trả lời",
    "proposal": "đề xuất thêm vào chính sách",
    "yes": "có",
    "no": "không",
    "unknown": "chưa biết",
    "off": "chưa bắt đầu",
    "observe": "giai đoạn ghi nhận",
    "remind": "giai đoạn nhắc nhở",
    "hold": "đang áp dụng",
    "always applies": "luôn đúng",
    "unless": "ngoại lệ",
    "recipient": "người nhận",
    "rule": "quy tắc",
    "notice": "thông báo theo",
    "observed": "đã ghi nhận theo",
    "policy generation": "bản chính sách số",
    "relay": "chuyển thư (relay)",
    "hold for review": "giữ lại để xem xét (hold)",
    "days": "ngày",
    "refuse": "từ chối (refuse)",
    "discard": "bỏ, không báo cho ai (discard)",
    "route": "tuyến",
    "redirect": "chuyển đến",
    "copy to": "bản sao đến",
    "tags": "nhãn",
    "sender": "loại người gửi",
    "author_domain": "tên miền người gửi",
    "unit_kind": "loại đơn vị",
    "document_number": "số, ký hiệu văn bản",
    "attachment_type": "loại tệp đính kèm",
    "attachment_regex": "tên tệp đính kèm",
    "subject_words": "từ trong tiêu đề",
    "subject_regex": "mẫu trong tiêu đề",
    "size": "dung lượng",
    "time": "thời điểm",
    "header": "trường tiêu đề",
    "reverse_path": "địa chỉ trả về",
    "list_mail": "thư từ danh sách",
}


class _Words:
    """The language of an explanation."""

    def __init__(self, language: Language) -> None:
        self._vi = language == "vi"

    def __call__(self, word: str) -> str:
        """A word of our own."""
        return _VI.get(word, word) if self._vi else word

    def key(self, word: str, words: Mapping[str, str]) -> str:
        """A word of the policy files, with its key beside it for who looks it up there."""
        return words.get(word, word) if self._vi else word

    def reason(self, text: str) -> str:
        """A reason or fact, on one line."""
        line = " ".join(text.split())
        return _shown(in_vietnamese(line) if self._vi else line)

    def because(self, word: str, reason: str) -> str:
        """A word and what speaks for it; no brackets round what has brackets already."""
        return f"{word}: {reason}" if self._vi and "(" in word + reason else f"{word} ({reason})"

    def fact(self, fact: Fact) -> str:
        """What a condition saw."""
        condition = fact.name.rpartition(" ")[2]  # behind `unless`
        if condition in _VALUES and fact.answer == ANSWERS[True]:
            return _shown(fact.seen)
        keys = _KEYS.get(condition, {})
        return self.key(fact.seen, keys) if fact.seen in keys else self.reason(fact.seen)


def explain(
    case: Case, decision: Decision, evidence: Evidence, identity: Identity, language: Language = "en"
) -> list[str]:
    """Lines of text; headings have no indentation. Reads only, and shows mail's own words on one line each."""
    say = _Words(language)
    lines = [say("Evidence")]
    lines += (f"  {line}" for line in _evidence(evidence, say))
    lines.append(say("Sender"))
    lines += (f"  {line}" for line in _sender(case, identity, say))
    lines.append(say("Rules"))
    for step in decision.trace:
        lines += (f"  {line}" for line in _step(step, say))
    lines.append(say("Outcome"))
    lines += (f"  {line}" for line in _outcome(decision, say))
    return lines


def _evidence(evidence: Evidence, say: _Words) -> Iterator[str]:
    for result in evidence.results:
        parts = [f"{result.method}={result.result}"]
        parts += (f"{name}={_shown(value)}" for name, value in result.properties)
        yield " ".join(parts) + (f" ({say.reason(result.reason)})" if result.reason else "")
    for problem in evidence.malformed:
        yield f"{say('malformed')}: {say.reason(problem)}"


def _sender(case: Case, identity: Identity, say: _Words) -> Iterator[str]:
    author = f"{_shown(identity.author_name)} <{identity.author}>".strip() if identity.author else say("malformed")
    yield f"{say('author')}: {author}"
    pending = f"; {say('may rise when DNS answers')}" if identity.level_pending else ""
    yield f"{say('level')}: {say.because(say.key(identity.level, LEVELS), say.reason(identity.level_reason) + pending)}"
    yield f"{say('provider')}: {say.because(say.key(identity.provider, PROVIDERS), say.reason(identity.provider_reason))}"
    if identity.unit:
        row = f" (mailboxes.csv:{identity.holding.line}: {identity.holding.pattern})" if identity.holding else ""
        yield f"{say('unit')}: {identity.unit.id}, {identity.unit.name}{row}"
        if identity.holding and identity.holding.function:
            yield f"{say('function')}: {identity.holding.function}"
    else:
        yield f"{say('unit')}: {say('none')}"
    for proposal in identity.proposals:
        yield f"{say('proposal')}: {_shown(proposal)}"
    kind = "administrative" if case.submission.is_administrative else "other"
    yield f"{say('submission')}: {say.key(kind, SUBMISSIONS)}"
    yield from (f"  {say.reason(reason)}" for reason in case.submission.reasons)


def _step(step: Step, say: _Words) -> Iterator[str]:
    phase = f" [{say(step.phase)}]" if step.phase else ""
    yield f"{step.rule}{phase}: {say(ANSWERS[step.answer])}"
    if not step.facts:
        yield f"  {say('always applies')}"
    for text in step.facts:
        fact = Fact.parse(text)
        exception, _, name = fact.name.rpartition(" ")
        label = f"{say(exception)} {say(name)}" if exception else say(name)
        yield f"  {label}: {say.because(say(fact.answer), say.fact(fact))}"


def _outcome(decision: Decision, say: _Words) -> Iterator[str]:
    yield f"{say('recipient')}: {decision.recipient}"
    yield f"{say('rule')}: {decision.rule}"
    yield _disposition(decision.disposition, say)
    if decision.notices:
        yield f"{say('notice')}: {', '.join(decision.notices)}"
    if decision.observed:
        yield f"{say('observed')}: {', '.join(decision.observed)}"
    if decision.generation:  # none where the policy was only read, as by the command line
        yield f"{say('policy generation')}: {decision.generation}"


def _disposition(disposition: Disposition, say: _Words) -> str:
    match disposition:
        case Hold(reason, retain):
            return f"{say('hold for review')}: {say.key(reason, HOLDS)}, {retain.days} {say('days')}"
        case Refuse(reply):
            return f"{say('refuse')}: {reply}"
        case Relay():
            parts = [f"{say('route')} {disposition.route}"]
            parts += (f"{say('redirect')} {mailbox}" for mailbox in disposition.redirect)
            parts += (f"{say('copy to')} {mailbox}" for mailbox in disposition.copy_to)
            if disposition.tags:
                parts.append(f"{say('tags')} {', '.join(disposition.tags)}")
            return f"{say('relay')}: {', '.join(parts)}"
        case Discard():
            return say("discard")


def _shown(text: str) -> str:
    """A stranger's text on one line, long enough for a whole sentence."""
    line = " ".join(text.split())
    return line if len(line) <= LINE_MAX else line[: LINE_MAX - 1] + "…"
