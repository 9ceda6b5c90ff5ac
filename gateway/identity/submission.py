"""Whether a message looks like an administrative submission, for one recipient, and every sign that says so.

Two ways lead there. To an administrative mailbox (văn thư), one sign is enough: a word of the subject, a document
number, an attachment of an office type. To anybody else it takes a document number of the message's own: one in a file
name, or one in the subject that is not cited ("theo Công văn số …") or comes with an office attachment. So a parent's
letter to a teacher, and a citizen's question to the office, stay what they are.
"""

from __future__ import annotations

from itertools import chain
from operator import attrgetter

from gateway.envelope.address import Mailbox
from gateway.envelope.folding import folded_subject
from gateway.envelope.message import Message
from gateway.envelope.mime import Attachment, attachments
from gateway.identity.document_number import each_once, find_in_name, find_numbers
from gateway.identity.grounds import Administrative, Grounds
from gateway.identity.identity import Submission
from gateway.values import value

_name, _text, _is_cited = attrgetter("name"), attrgetter("text"), attrgetter("is_cited")
_EXTENSIONS = {  # of files that came without a name
    "application/pdf": "pdf",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
}


@value
class Signs:
    """What speaks for a submission in the message itself, whoever receives it."""

    reasons: tuple[str, ...]
    texts: tuple[str, ...]  # of the document numbers, the message's own first
    kind: str  # of the first number; "" when none
    has_own_number: bool


def submission(message: Message, recipient: Mailbox, grounds: Grounds) -> Submission:
    """Judge the message for this recipient. The signs are found once per message and policy."""
    signs = signs_of(message, grounds.administrative)
    pattern = grounds.administrative.mailbox_pattern(recipient)
    is_administrative = bool(pattern and signs.reasons) or signs.has_own_number
    reasons = signs.reasons
    if pattern:
        exact = "" if pattern == recipient.key else f" ({pattern})"
        reasons = (f"recipient {recipient}{exact}", *reasons)
    return Submission(is_administrative, reasons, signs.texts, signs.kind)


def signs_of(message: Message, administrative: Administrative) -> Signs:
    known: tuple[Administrative, Signs] | None = message.memo.get("signs")
    if known is None or known[0] is not administrative:
        known = message.memo["signs"] = administrative, _find_signs(message, attachments(message), administrative)
    return known[1]


def _find_signs(message: Message, files: tuple[Attachment, ...], administrative: Administrative) -> Signs:
    signs = [f"subject word {word}" for word in administrative.words.found(folded_subject(message))]
    types = sorted(administrative.extensions.intersection(map(extension, files)))
    signs += [f"attachment type {name}" for name in types]
    in_subject = find_numbers(message.subject)
    in_names = [*chain.from_iterable(map(find_in_name, map(_name, files)))]
    if not in_subject and not in_names:
        return Signs(tuple(signs), (), "", False)
    if not administrative.document_number:
        has_own_number = False
    else:
        signs += [f"document number {number.text}{' (cited)' if number.is_cited else ''}" for number in in_subject]
        signs += [f"document number {number.text} in a file name" for number in in_names]
        has_own_number = bool(in_names or types) or not all(map(_is_cited, in_subject))
    numbers = each_once(sorted((*in_subject, *in_names), key=_is_cited))  # the message's own come first
    return Signs(tuple(signs), tuple(map(_text, numbers)), numbers[0].kind, has_own_number)


def extension(file: Attachment) -> str:
    """The file name's extension in lower case, else that of the media type; "" when neither is known."""
    stem, dot, suffix = file.name.rpartition(".")
    return suffix.strip().lower() if stem and dot else _EXTENSIONS.get(file.type, "")
