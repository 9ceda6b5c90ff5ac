"""A problem in a policy file: where it is, what it is, how to mend it; in English and in Vietnamese."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    file: str  # relative to the policy directory
    line: int  # from 1; 0: the file as a whole
    column: int  # from 1; 0: the line as a whole
    severity: Literal["error", "warning"]
    value: str  # what was found there, "" when nothing
    en: str  # what is wrong and how to mend it
    vi: str

    def text(self, language: Literal["en", "vi"] = "en") -> str:
        """One line: `policy.yaml:6:12: error: ...`; control characters of a value are shown, not obeyed (safety S-44)."""
        place = ":".join([self.file, *(str(n) for n in (self.line, self.column) if n)])
        word = {"en": self.severity, "vi": {"error": "lỗi", "warning": "cảnh báo"}[self.severity]}[language]
        line = f"{place}: {word}: {self.vi if language == 'vi' else self.en}"
        return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in line)

    def __str__(self) -> str:
        return self.text()
