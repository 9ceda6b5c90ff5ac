"""The documentation as data: pages, fenced blocks with their kind, and the command lines in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])
ENDS = ("|", "||", ">", ">>", "2>", "<", "&&", ";", "&")  # where a command ends, or a file begins
_FENCE = re.compile(r"^( *)```(\S*) *([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Block:
    page: Path
    line: int
    language: str  # first word of the info string
    kind: str  # the rest of it
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Every fenced block of a page."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        indent = len(match[1])
        body = "".join(line[indent:] for line in match[4].splitlines(keepends=True))
        yield Block(page, text.count("\n", 0, match.start()) + 1, match[2], match[3].strip(), body)


def command_lines(page: Path) -> Iterator[list[str]]:
    """The words of each `gateway …` in shell blocks and in code spans, without comments and what a pipe leads to."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in blocks(page) if block.language in ("sh", "") for line in block.text.splitlines()]
    lines += re.findall(r"`(gateway [^`]+)`", _FENCE.sub("", text))
    for line in lines:
        if match := re.match(r"(?:\S+=\S+ )?(?:runuser -u \S+ -- )?(?:\S*/)?(gateway [a-z].*)", line.strip()):
            words = shlex.split(match[1], comments=True)
            ends = [words.index(sign) for sign in ENDS if sign in words]
            yield words[1 : min(ends, default=len(words))]
