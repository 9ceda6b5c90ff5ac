"""Text as people look for it: `bao cao` finds `Báo cáo`, however it was typed, accented, spaced or disguised.

Folding is for comparing only. It makes `thuế` and `thuê` the same, so what is shown is always the original.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.envelope.message import Message

TEXT_MAX = 8192  # characters read; sorting combining marks (NFC, NFKC) costs quadratic time on crafted text

KNOWN_MAX = 64  # characters of a text that is remembered as folded: a document number is folded again and again

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]"
)
_MARKS = re.compile("[\u0300-\u034e\u0350-\u036f]+")  # the combining marks of Latin letters; others are looked up
_WORD = re.compile(r"[^\W_]+")


def fold(text: str) -> str:
    """Words in lower case without accents, apart by one space: `"BÁO  CÁO_số 12/BC"` gives `"bao cao so 12 bc"`."""
    return _known(text) if len(text) <= KNOWN_MAX else _fold(text[:TEXT_MAX])


def _fold(text: str) -> str:
    if text.isascii():
        return " ".join(_WORD.findall(text.lower()))
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).casefold()
    text = _MARKS.sub("", unicodedata.normalize("NFD", text))
    if not text.isascii():
        text = text.replace("đ", "d")  # strokes are no combining marks
        if not text.isascii():
            text = _foreign(text)
    return " ".join(_WORD.findall(text))


def _foreign(text: str) -> str:
    """Strokes and marks of other languages; translate() takes ten times as long, each letter is a miss."""
    text = text.replace("ð", "d").replace("ı", "i").replace("ł", "l").replace("ø", "o")
    return text if text.isascii() else "".join([char for char in text if not unicodedata.combining(char)])


_known = lru_cache(maxsize=1024)(_fold)


def folded_subject(message: Message) -> str:
    """The subject, folded; kept in message.memo."""
    folded: str | None = message.memo.get("folded subject")
    if folded is None:
        folded = message.memo["folded subject"] = fold(message.subject)
    return folded


def contains_words(folded_text: str, folded_phrase: str) -> bool:
    """Whether the phrase stands in the text as whole words; an empty phrase stands nowhere. Both are fold()ed."""
    return bool(folded_phrase) and f" {folded_phrase} " in f" {folded_text} "
