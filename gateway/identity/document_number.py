"""Số, ký hiệu of administrative documents in running text and in file names (Nghị định 30/2020/NĐ-CP, appendices I and III).

`123/BC-PGDĐT`, `36/2013/QĐ-UBND`, and `1077/SGDĐT-KTQLCL` for an official letter, which has no kind in its number.
Every quantifier is bounded, so the time is linear in the text. Where a form is doubtful it is left alone: a citizen's
mail with `12/05/2019`, `24/7` or a web address in its subject must not be taken for a document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.envelope.folding import fold
from gateway.identity.document_kinds import LETTER, is_agency, kind_of

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
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}\Z")
_DASHES = str.maketrans({"–": "-", "—": "-", "‑": "-", "‐": "-", "−": "-", "\u00a0": " ", "∕": "/", "⁄": "/"})
_CITING = ("theo", "can cu", "ve", "tra loi", "phuc dap", "thuc hien", "lien quan", "trong", "tai", "hoi")
_NAMING = ("so", "cong van", "cv", "van ban", "quyet dinh", "thong bao", "ke hoach", "huong dan", "thong tu",
           "nghi dinh", "chi thi", "noi dung", "den", "tinh than", "yeu cau", "cua")  # fmt: skip
_CITING_ENDS = tuple(f" {word}" for word in _CITING)
_NAMING_ENDS = tuple(f" {word}" for word in _NAMING)


@dataclass(frozen=True, slots=True)
class DocumentNumber:
    """One number with its symbol."""

    text: str  # as written, without spaces; of a file name with "/" and "-" put back
    kind: str  # abbreviation of appendix III: "BC", "TTr"; "CV" for an official letter
    is_cited: bool = False  # stands after words as in "theo Công văn số": another document's number
    key: str = field(init=False, repr=False)  # the form in which numbers are compared: no accents, case, leading zeros

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", fold(self.text).lstrip("0"))


def find_numbers(text: str) -> tuple[DocumentNumber, ...]:
    """Every document number in running text, as a subject, in its order, each once."""
    text = text[:TEXT_MAX].translate(_DASHES)
    if "/" not in text:
        return ()
    text = _without_addresses(text)
    return _each_once(number for match in _NUMBER.finditer(text) if (number := _read(match, text)))


def find_in_name(name: str) -> tuple[DocumentNumber, ...]:
    """Every document number in a file name, where "/" cannot stand: `12_BC-THPT.pdf`, `1077-SGDĐT-KTQLCL.docx`."""
    stem = _EXTENSION.sub("", name.translate(_DASHES))
    return _each_once(number for match in _IN_NAME.finditer(stem) if (number := _read_name(match)))


def _without_addresses(text: str) -> str:
    """The words of a text without web and mail addresses."""
    return " ".join(
        "" if "://" in word or "@" in word or word.lower().startswith("www.") else word for word in text.split(" ")
    )


def _each_once(numbers: Iterator[DocumentNumber]) -> tuple[DocumentNumber, ...]:
    found: dict[str, DocumentNumber] = {}
    for number in numbers:
        found.setdefault(number.key, number)
    return tuple(found.values())


def _read(match: re.Match[str], text: str) -> DocumentNumber | None:
    segments = re.split(r" ?- ?", match["code"])
    spaced = " -" in match["code"] or "- " in match["code"]
    if spaced and not is_agency(segments[1]):
        segments = segments[:1]  # "12/BC - Trường THPT Tân An": what follows the dash is prose
    kind = kind_of(segments[0])
    if len(segments) == 1 and not (kind and match["prefix"]):
        return None  # "Lớp 11/CT": too little to go by
    if len(segments) > 1 and not (_is_issued(segments[0], segments[1]) if kind else is_agency(segments[0])):
        return None
    number = "/".join(filter(None, (match["number"], match["year"], "-".join(segments))))
    return DocumentNumber(number, kind or LETTER, _is_cited(text[: match.start()]))


def _is_issued(kind: str, issuer: str) -> bool:
    """Whether kind and issuer stand together as in `12/BC-PGDĐT`; written in capitals, any name will do: `12/BC-Cty`."""
    return is_agency(issuer) or (kind[:2].isupper() and issuer[0].isupper() and len(issuer) > 1)


def _read_name(match: re.Match[str]) -> DocumentNumber | None:
    first, second = re.split(r"[._\- ]", match["code"], maxsplit=1)
    kind = kind_of(first)
    if not is_agency(second.partition("-")[0]) or not (kind or is_agency(first)):
        return None
    if re.fullmatch("(?:19|20)[0-9]{2}", match["number"]) and not match["year"]:
        return None  # "2024_KH_THPT.pdf" begins with a year
    number = "/".join(filter(None, (match["number"], match["year"], f"{first}-{second}")))
    return DocumentNumber(number, kind or LETTER)


def _is_cited(before: str) -> bool:
    """Whether the words before a number make it another document's: "theo Công văn số", "trả lời"."""
    words = f" {fold(before[-60:])}"
    while words.endswith(_NAMING_ENDS):
        naming = next(end for end in _NAMING_ENDS if words.endswith(end))
        words = words[: -len(naming)]
    return words.endswith(_CITING_ENDS)
