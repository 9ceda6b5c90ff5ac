"""The report for people: grouped, 80 columns, the verdict last; and the same as plain data for programs."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, Final

from gateway.doctor.check import Check, Finding
from gateway.doctor.finding import Language, Result, Text

WIDTH: Final = 80
SCHEMA: Final = 1  # of the plain form: raised when a key changes its meaning, not when one is added
MARKS: Final = {Result.OK: "✓", Result.WARNING: "!", Result.ERROR: "✗", Result.SKIPPED: "-"}
_COLOURS: Final = {Result.OK: "32", Result.WARNING: "33", Result.ERROR: "31", Result.SKIPPED: "2"}
_FOUND, _WHY, _MEND = Text("Found", "Kết quả"), Text("Why", "Lý do"), Text("Mend", "Cách sửa")

GROUP_TITLES: Final = {
    "settings": Text("Settings", "Cấu hình"),
    "policies": Text("Policies", "Chính sách"),
    "host": Text("This machine", "Máy chủ này"),
    "dns": Text("DNS", "DNS"),
    "domains": Text("Domains", "Tên miền"),
    "notice": Text("Notices", "Thông báo"),
    "doors": Text("SMTP door", "Cửa SMTP"),
    "tls": Text("Certificate and keys", "Chứng chỉ và khóa"),
    "milter": Text("Milter", "Milter"),
    "routes": Text("Receiving servers", "Máy chủ nhận"),
    "store": Text("State folder and database", "Thư mục trạng thái và cơ sở dữ liệu"),
    "running": Text("Running gateway", "Cổng thư đang chạy"),
}


def lines(findings: Sequence[Finding], language: Language, safe: Callable[[str], str], *, colour: bool) -> list[str]:
    """The whole report; `safe` shows control characters in words of other servers instead of obeying them (S-44)."""
    out: list[str] = []
    for group, members in groupby(findings, key=lambda finding: finding.check.group):
        out += [_painted(GROUP_TITLES[group].of(language), "1", colour)]
        explained: set[str] = set()
        for finding in members:
            first, *rest = map(safe, _told(finding, language, why=finding.check.id not in explained))
            result = finding.outcome.result
            out += [f"  {_painted(MARKS[result], _COLOURS[result], colour)} {first}", *rest]
            if result in (Result.WARNING, Result.ERROR):
                explained.add(finding.check.id)
        out.append("")
    return [*out, verdict(findings, language)]


def _told(finding: Finding, language: Language, *, why: bool) -> list[str]:
    """The lines, the first without its mark; `why` once for each check."""
    check, outcome = finding.check, finding.outcome
    title = check.title.of(language) + (f" ({outcome.subject})" if outcome.subject else "")
    found = outcome.found.of(language)
    if outcome.result in (Result.OK, Result.SKIPPED):
        first, *rest = _wrapped(f"{title}: {found}", 4)
        return [first, *(f"    {line}" for line in rest)]
    first, *rest = _wrapped(f"{title}  [{check.id}]", 4)
    told = [first, *(f"    {line}" for line in rest)]
    for word, text in (
        (_FOUND, found),
        (_WHY, check.why.of(language) if why else ""),
        (_MEND, outcome.mend.of(language)),
    ):
        if text:
            told += _labelled(word.of(language), text)
    return told


def _labelled(word: str, text: str) -> list[str]:
    head = f"{word}: "
    body = _wrapped(text, 6 + len(head))
    if not text.startswith(" "):
        return [f"      {head}{body[0]}", *(" " * (6 + len(head)) + line for line in body[1:])]
    return [f"      {head.rstrip()}", *(" " * 8 + line.strip() for line in body)]


def _wrapped(text: str, indent: int) -> list[str]:
    """Sentences are wrapped; commands, which begin with a blank, are left as they are, to be copied."""
    out: list[str] = []
    for line in text.split("\n"):
        if line.startswith(" "):
            out.append(line)
        else:
            out += textwrap.wrap(line, WIDTH - indent, break_long_words=False, break_on_hyphens=False) or [""]
    return out


def verdict(findings: Iterable[Finding], language: Language) -> str:
    """The last line."""
    count = Counter(finding.outcome.result for finding in findings)
    errors, warnings = count[Result.ERROR], count[Result.WARNING]
    well, not_seen = count[Result.OK], count[Result.SKIPPED]
    tail_en = f"{_plural(errors, 'error')}, {_plural(warnings, 'warning')}, {well} ok, {not_seen} skipped"
    tail_vi = f"{errors} lỗi, {warnings} cảnh báo, {well} đạt, {not_seen} bỏ qua"
    if errors:
        word = Text("Not well", "Chưa ổn")
    else:
        word = Text("Look again", "Cần xem lại") if warnings else Text("All is well", "Mọi mục đều ổn")
    return f"{word.of(language)}: {Text(tail_en, tail_vi).of(language)}"


def _plural(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


def _painted(text: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text


def plain(findings: Sequence[Finding], language: Language, version: str) -> dict[str, Any]:
    """For programs: docs/how-to/en/doctor.md tells the keys."""
    count = Counter(str(finding.outcome.result) for finding in findings)
    return {
        "schema": SCHEMA,
        "version": version,
        "result": worst(findings),
        "counts": {str(result): count[str(result)] for result in Result},
        "findings": [_plain(finding, language) for finding in findings],
    }


def _plain(finding: Finding, language: Language) -> dict[str, Any]:
    check, outcome = finding.check, finding.outcome
    return {
        "id": check.id,
        "group": check.group,
        "subject": outcome.subject,
        "result": str(outcome.result),
        "title": check.title.of(language),
        "found": outcome.found.of(language),
        "why": check.why.of(language),
        "mend": outcome.mend.of(language),
        "values": dict(outcome.values),
    }


def worst(findings: Iterable[Finding]) -> str:
    """error, warning or ok; what was skipped counts as ok."""
    results = {finding.outcome.result for finding in findings}
    return next((str(result) for result in (Result.ERROR, Result.WARNING) if result in results), str(Result.OK))


def catalogue(checks: Sequence[Check], language: Language) -> list[str]:
    """Ids and titles, for --list."""
    longest = max(len(check.id) for check in checks)
    return [f"{check.id:<{longest}}  {check.title.of(language)}" for check in checks]
