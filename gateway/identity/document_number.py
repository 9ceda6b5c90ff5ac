"""Số, ký hiệu of administrative documents in running text and in file names (Nghị định 30/2020/NĐ-CP, appendices I and III).

`123/BC-PGDĐT`, `36/2013/QĐ-UBND`, and `1077/SGDĐT-KTQLCL` for an official letter, which has no kind in its number.
Every quantifier is bounded, so the time is linear in the text. Where a form is doubtful it is left alone: a citizen's
mail with `12/05/2019`, `24/7` or a web address in its subject must not be taken for a document.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from gateway.envelope.folding import fold
from gateway.identity.document_kinds import LETTER, is_agency, kind_of
from gateway.values import value

TEXT_MAX = 4096  # characters read of a subject

_SEGMENT = r"[^\W\d_]{1,12}(?:[&.][^\W\d_]{1,12}){0,2}"
_NUMBER = re.compile(
    rf"""(?P<prefix>\b[Ss][ốỐoO]\ {{0,2}}[:.]?\ {{0,2}})?
         (?<![\w/\-@=+])(?<![0-9][.,])(?P<number>[0-9]{{1,5}}[a-hA-H]?)
         \ ?/\ ?(?:(?P<year>(?:19|20)[0-9]{{2}})\ ?/\ ?)?
         (?P<code>{_SEGMENT}(?:(?:-|\ -|-\ |\ -\ ){_SEGMENT}(?:-{_SEGMENT}){{0,4}})?)(?![\w@/])""",
    re.VERBOSE,
)
_IN_NAME = re.compile(
    rf"""(?<![0-9A-Za-z./])(?P<number>[0-9]{{1,5}}[a-hA-H]?)[ ]?[._\- ][ ]?(?:(?P<year>(?:19|20)[0-9]{{2}})[._\- ])?
         (?P<code>[^\W\d_]{{1,12}}[._\- ]{_SEGMENT}(?:-{_SEGMENT}){{0,3}})(?![^\W_])""",
    re.VERBOSE,
)
_NUMBER_IN_SLASH = re.compile(r"[0-9][a-hA-H]? ?/")  # how every number in running text begins, its prefix left out
_LEAD = 24  # characters, more than prefix and number can be before that
_SPACED_DASH = re.compile(r" ?- ?")
_NAME_GAP = re.compile(r"[._\- ]")
_YEAR = re.compile(r"(?:19|20)[0-9]{2}\Z")
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}\Z")
_SIGNS = {"–": "-", "—": "-", "‑": "-", "‐": "-", "−": "-", "\u00a0": " ", "∕": "/", "⁄": "/"}
_PLAIN_SIGNS = str.maketrans(_SIGNS)
_OTHER_SIGN = re.compile(f"[{''.join(_SIGNS)}]")  # to look is quicker than to translate, which most texts do not need
_CITING = ("theo", "can cu", "ve", "tra loi", "phuc dap", "thuc hien", "lien quan", "trong", "tai", "hoi")
_NAMING = ("so", "cong van", "cv", "van ban", "quyet dinh", "thong bao", "ke hoach", "huong dan", "thong tu",
           "nghi dinh", "chi thi", "noi dung", "den", "tinh than", "yeu cau", "cua")  # fmt: skip
_CITING_ENDS = tuple(f" {word}" for word in _CITING)
_NAMING_ENDS = tuple(f" {word}" for word in _NAMING)


@value
class DocumentNumber:
    """One number with its symbol."""

    text: str  # as written, without spaces; of a file name with "/" and "-" put back
    kind: str  # abbreviation of appendix III: "BC", "TTr"; "CV" for an official letter
    is_cited: bool = False  # stands after words as in "theo Công văn số": another document's number

    @property
    def key(self) -> str:
        """The form in which numbers are compared: no accents, case, leading zeros."""
        number, _, symbol = self.text.partition("/")
        return f"{number.lower().lstrip('0')} {_folded(symbol)}"


_folded = lru_cache(maxsize=1024)(fold)  # of symbols, which are short, and the same in all that an office sends


def find_numbers(text: str) -> tuple[DocumentNumber, ...]:
    """Every document number in running text, as a subject, in its order, each once."""
    text = _plain_signs(text[:TEXT_MAX])
    if "/" not in text:
        return ()
    text = _without_addresses(text)
    begin = _NUMBER_IN_SLASH.search(text)
    if begin is None:
        return ()
    found = [*filter(None, map(_read, _NUMBER.finditer(text, max(0, begin.start() - _LEAD))))]
    return each_once(found) if len(found) > 1 else tuple(found)


def find_in_name(name: str) -> tuple[DocumentNumber, ...]:
    """Every document number in a file name, where "/" cannot stand: `12_BC-THPT.pdf`, `1077-SGDĐT-KTQLCL.docx`."""
    found = [*filter(None, map(_read_name, _IN_NAME.finditer(_EXTENSION.sub("", _plain_signs(name)))))]
    return each_once(found) if len(found) > 1 else tuple(found)


def each_once(numbers: Sequence[DocumentNumber]) -> tuple[DocumentNumber, ...]:
    """Without those whose key came before."""
    found: dict[str, DocumentNumber] = {}
    for number in numbers:
        found.setdefault(number.key, number)
    return tuple(found.values())


def _plain_signs(text: str) -> str:
    """The text with the dashes, spaces and slashes of a keyboard."""
    return text if text.isascii() or not _OTHER_SIGN.search(text) else text.translate(_PLAIN_SIGNS)


def _without_addresses(text: str) -> str:
    """The words of a text without web and mail addresses."""
    if not ("@" in text or "://" in text or "www." in text.lower()):
        return text
    return " ".join(
        "" if "://" in word or "@" in word or word.lower().startswith("www.") else word for word in text.split(" ")
    )


def _read(match: re.Match[str]) -> DocumentNumber | None:
    prefix, number, year, code = match.groups()
    segments = _SPACED_DASH.split(code) if " " in code else code.split("-")
    if " " in code and not is_agency(segments[1]):
        segments = segments[:1]  # "12/BC - Trường THPT Tân An": what follows the dash is prose
    kind = kind_of(segments[0])
    if len(segments) == 1:
        if not (kind and prefix):
            return None  # "Lớp 11/CT": too little to go by
    elif not (_is_issued(segments[0], segments[1]) if kind else is_agency(segments[0])):
        return None
    begin = match.start()
    return DocumentNumber(
        _joined(number, year, "-".join(segments)), kind or LETTER, _is_cited(match.string[max(0, begin - 60) : begin])
    )


def _is_issued(kind: str, issuer: str) -> bool:
    """Whether kind and issuer stand together as in `12/BC-PGDĐT`; written in capitals, any name will do: `12/BC-Cty`."""
    return is_agency(issuer) or (kind[:2].isupper() and issuer[0].isupper() and len(issuer) > 1)


def _read_name(match: re.Match[str]) -> DocumentNumber | None:
    number, year, code = match.groups()
    first, second = _NAME_GAP.split(code, maxsplit=1)
    kind = kind_of(first)
    if not is_agency(second.partition("-")[0]) or not (kind or is_agency(first)):
        return None
    if not year and _YEAR.match(number):
        return None  # "2024_KH_THPT.pdf" begins with a year
    return DocumentNumber(_joined(number, year, f"{first}-{second}"), kind or LETTER)


def _joined(number: str, year: str | None, symbol: str) -> str:
    return f"{number}/{year}/{symbol}" if year else f"{number}/{symbol}"


@lru_cache(maxsize=1024)  # of sixty characters at most, and the same few phrases stand there in nearly all mail
def _is_cited(before: str) -> bool:
    """Whether the words before a number make it another document's: "theo Công văn số", "trả lời"."""
    words = f" {fold(before)}"
    while words.endswith(_NAMING_ENDS):
        naming = next(end for end in _NAMING_ENDS if words.endswith(end))
        words = words[: -len(naming)]
    return words.endswith(_CITING_ENDS)
