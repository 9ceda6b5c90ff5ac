"""An administrative directive: one file of policies/directives/, cited by notices and obligations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Document:
    """A citation by kind, number, date and issuer: "Công văn số 1077/SGDĐT-KTQLCL ngày 02/5/2019 của Sở GD&ĐT"."""

    kind: str  # "Công văn", "Chỉ thị", "Quyết định"
    number: str
    date: date
    issuer: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Directive:
    id: str  # the file's name without ".yaml"; rules name it: `notice: directive-1077`
    document: Document
    asks: str  # what it asks of units, one sentence
    grounds: tuple[Document, ...]  # what it rests on
    official_domains: tuple[str, ...]
    contact_office: str
    contact_phone: str
    contact_mailbox: str = ""
    # names of templates/*.j2 without ".j2", in the order of the notice: ("notice.vi", "notice.en")
    templates: tuple[str, ...] = ()
