"""`when` compiled: each condition of the schema and the function that builds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.policy import conditions_message as what
from gateway.policy import conditions_sender as who
from gateway.policy.match import Clause, Condition, Setting
from gateway.policy.schema_when import When

_BUILDERS: Final[Mapping[str, Callable[[Any, Setting], Condition]]] = {
    "sender": who.sender,
    "author_domain": who.author_domain,
    "unit": who.unit,
    "unit_kind": who.unit_kind,
    "level": who.level,
    "recipient": what.recipient,
    "submission": what.submission,
    "document_number": what.document_number,
    "attachment_type": what.attachment_type,
    "attachment_regex": what.attachment_regex,
    "subject_words": what.subject_words,
    "subject_regex": what.subject_regex,
    "size": what.size,
    "time": what.time,
    "header": what.header,
    "reverse_path": what.reverse_path,
    "malformed": what.malformed,
    "list_mail": what.list_mail,
}


def compile_clause(when: When, setting: Setting) -> Clause:
    """Every given condition, in the order of the model's fields: cheap ones first."""
    return Clause(tuple((name, _BUILDERS[name](getattr(when, name), setting)) for name in when.given))
