"""Search without accents, as people type in a hurry: `giu thu` finds `giữ thư`, and so does `giữ thư`."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

from sphinx.search import SearchLanguage, languages

_WORD: Final = re.compile(r"[^\W_]+")

# The same in the reader's browser: index and query must be folded alike.
_FOLD_QUERY: Final = r"""
function splitQuery(query) {
  const plain = query.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase().replace(/đ/g, "d");
  return plain.match(/[\p{L}\p{N}]+/gu) || [];
}
"""
_NO_STEMS: Final = "class Stemmer { stemWord(word) { return word; } }"


def fold(text: str) -> str:
    """Small letters without marks."""
    plain = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return plain.lower().replace("đ", "d")


class Folded(SearchLanguage):
    """English and Vietnamese words, folded; no stems, no stop words."""

    lang = "folded"
    language_name = "Folded"
    js_stemmer_code = _NO_STEMS
    js_splitter_code = _FOLD_QUERY
    stopwords: frozenset[str] = frozenset()  # type: ignore[assignment]

    def split(self, input: str) -> list[str]:  # noqa: A002 -- Sphinx's name
        return _WORD.findall(fold(input))

    def stem(self, word: str) -> str:
        return word

    def word_filter(self, word: str) -> bool:
        return len(word) > 1


def setup(app: Any) -> dict[str, bool]:
    """Sphinx's entry point."""
    languages["folded"] = Folded
    app.config.html_search_language = "folded"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
