"""One word for one thing: docs/glossary.md is kept to by pages, notices and commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.pages import DOCS, ROOT

GENERATED = "kham-he-thong.md"  # made from the words of gateway/doctor, where space is short
VIETNAMESE = [
    *sorted(path for path in (DOCS / "how-to" / "vi").glob("*.md") if path.name != GENERATED),
    DOCS / "reference" / "lenh.md",
    *sorted((ROOT / "policies" / "templates").glob("*.vi.j2")),
]
# The gateway is never a bare "cổng": that word is a port as well, and then says so.
BARE = re.compile(r"\bcổng\b(?! (?:thư|\(port\)|mạng|tiếp nhận thư|\d))", re.IGNORECASE)
OTHERS = re.compile(
    r"\b(?:cách ly|phát hành thư|email|e-mail|hộp mail|thư mục chính sách công|xác thực người gửi)\b", re.IGNORECASE
)


def prose(path: Path) -> list[tuple[int, str]]:
    """Lines without code, links' targets and placeholders."""
    found, code = [], False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        code ^= line.startswith("```")
        if not code:
            found.append((number, re.sub(r"`[^`]*`|\]\([^)]*\)|\{\{.*?\}\}|\{%.*?%\}", " ", line)))
    return found


@pytest.mark.parametrize("path", VIETNAMESE, ids=lambda path: path.name)
def test_the_gateway_is_never_taken_for_a_port(path: Path) -> None:
    assert [(number, line) for number, line in prose(path) if BARE.search(line)] == []


@pytest.mark.parametrize("path", VIETNAMESE, ids=lambda path: path.name)
def test_no_other_word_for_the_same_thing(path: Path) -> None:
    assert [(number, found[0]) for number, line in prose(path) if (found := OTHERS.search(line))] == []


def test_bare_words_would_be_found() -> None:
    assert BARE.search("Mỗi thư đi qua cổng có mã")
    assert not BARE.search("cổng thư nghe ở cổng (port) 25")
    assert OTHERS.search("gửi email")


def test_no_word_stands_for_two_things() -> None:
    rows = re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    english, vietnamese = zip(*rows[2:], strict=True)
    assert len(set(english)) == len(english) > 40
    assert len(set(vietnamese)) == len(vietnamese)
