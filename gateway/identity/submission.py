"""Whether a message looks like an administrative submission, for one recipient, and every sign that says so.

Two ways lead there. To an administrative mailbox (văn thư), one sign is enough: a word of the subject, a document
number, an attachment of an office type. To anybody else it takes a document number of the message's own: one in a file
name, or one in the subject that is not cited ("theo Công văn số …") or comes with an office attachment. So a parent's
letter to a teacher, and a citizen's question to the office, stay what they are.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.envelope.address import Mailbox
from gateway.envelope.folding import contains_words, folded_subject
from gateway.envelope.message import Message
from gateway.envelope.mime import Attachment, attachments
from gateway.identity.document_number import DocumentNumber, find_in_name, find_numbers
from gateway.identity.grounds import Administrative, Grounds
from gateway.identity.identity import Submission

_EXTENSIONS = {  # of files that came without a name
    "application/pdf": "pdf",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}


@dataclass(frozen=True, slots=True)
class Signs:
    """What speaks for a submission in the message itself, whoever receives it."""

    reasons: tuple[str, ...]
    numbers: tuple[DocumentNumber, ...]
    has_own_number: bool


def submission(message: Message, recipient: Mailbox, grounds: Grounds) -> Submission:
    """Judge the message for this recipient. The signs are found once per message and policy."""
    signs = signs_of(message, grounds.administrative)
    pattern = grounds.administrative.mailbox_pattern(recipient)
    is_administrative = bool(pattern and signs.reasons) or signs.has_own_number
    where = () if not pattern else (f"recipient {recipient}" + ("" if pattern == recipient.key else f" ({pattern})"),)
    return Submission(
        is_administrative,
        where + signs.reasons,
        tuple(number.text for number in signs.numbers),
        signs.numbers[0].kind if signs.numbers else "",
    )


def signs_of(message: Message, administrative: Administrative) -> Signs:
    key = ("signs", administrative)
    known: Signs | None = message.memo.get(key)
    if known is None:
        known = message.memo[key] = _find_signs(message, attachments(message), administrative)
    return known


def _find_signs(message: Message, files: tuple[Attachment, ...], administrative: Administrative) -> Signs:
    folded = folded_subject(message)
    words = [word for key, word in administrative.folded_words if contains_words(folded, key)]
    types = sorted({extension(file) for file in files} & administrative.extensions)
    in_subject = find_numbers(message.subject)
    in_names = tuple(number for file in files for number in find_in_name(file.name))
    others = [f"subject word {word}" for word in words] + [f"attachment type {name}" for name in types]
    named = [f"document number {number.text}" + (" (cited)" if number.is_cited else "") for number in in_subject]
    named += [f"document number {number.text} in a file name" for number in in_names]
    numbers: dict[str, DocumentNumber] = {}
    for number in sorted((*in_subject, *in_names), key=lambda number: number.is_cited):  # the message's own come first
        numbers.setdefault(number.key, number)
    return Signs(
        tuple(others + (named if administrative.document_number else [])),
        tuple(numbers.values()),
        administrative.document_number
        and (bool(in_names) or any(types or not number.is_cited for number in in_subject)),
    )


def extension(file: Attachment) -> str:
    """The file name's extension in lower case, else that of the media type; "" when neither is known."""
    stem, dot, suffix = file.name.rpartition(".")
    return suffix.strip().lower() if stem and dot else _EXTENSIONS.get(file.type, "")
