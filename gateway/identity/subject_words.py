"""Words and phrases that policy looks for in subjects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import compress

from gateway.envelope.folding import fold


class SubjectWords:
    """What folding.contains_words() says of each, with their folded forms made once."""

    def __init__(self, phrases: Iterable[str]) -> None:
        folded = [(phrase, fold(phrase)) for phrase in phrases]
        self._written = [phrase for phrase, text in folded if text]  # one without a letter or digit stands nowhere
        self._spaced = [f" {text} " for _, text in folded if text]

    def found(self, folded_text: str) -> Iterator[str]:
        """Those that stand in the text as whole words: as written, in the order given."""
        return compress(self._written, map(f" {folded_text} ".__contains__, self._spaced))
