"""Identity and Submission as plain values for the register (JSON), and back, so that past mail can be decided again."""

from __future__ import annotations

from datetime import date
from typing import Any

from gateway.envelope.address import Mailbox
from gateway.identity.identity import Holding, Identity, Level, Provider, Submission, Unit

_DATES = ("valid_from", "valid_until")


def plain_identity(identity: Identity) -> dict[str, Any]:
    """A dict of strings, numbers, booleans, None, lists and dicts; dates as `2026-12-01`."""
    author, unit, holding = identity.author, identity.unit, identity.holding
    return {
        "author": {"local_part": author.local_part, "domain": author.domain} if author else None,
        "author_name": identity.author_name,
        "level": str(identity.level),
        "level_reason": identity.level_reason,
        "level_pending": identity.level_pending,
        "provider": str(identity.provider),
        "provider_reason": identity.provider_reason,
        "unit": _plain_unit(unit) if unit else None,
        "holding": _plain_holding(holding) if holding else None,
        "proposals": list(identity.proposals),
    }


def plain_submission(submission: Submission) -> dict[str, Any]:
    return {
        "is_administrative": submission.is_administrative,
        "reasons": list(submission.reasons),
        "document_numbers": list(submission.document_numbers),
        "document_kind": submission.document_kind,
    }


def identity_from_plain(data: dict[str, Any]) -> Identity:
    """Undo plain_identity(). Raises KeyError, TypeError or ValueError for what it did not make."""
    return Identity(
        **data
        | {
            "author": Mailbox(**data["author"]) if data["author"] else None,
            "level": Level(data["level"]),
            "provider": Provider(data["provider"]),
            "unit": Unit(**_dated(data["unit"])) if data["unit"] else None,
            "holding": Holding(**_dated(data["holding"])) if data["holding"] else None,
            "proposals": tuple(data["proposals"]),
        }
    )


def submission_from_plain(data: dict[str, Any]) -> Submission:
    """Undo plain_submission(). Raises KeyError or TypeError for what it did not make."""
    return Submission(
        data["is_administrative"], tuple(data["reasons"]), tuple(data["document_numbers"]), data["document_kind"]
    )


def _plain_unit(unit: Unit) -> dict[str, Any]:
    return {
        "id": unit.id,
        "name": unit.name,
        "kind": unit.kind,
        "parent": unit.parent,
        "valid_from": _plain_date(unit.valid_from),
        "valid_until": _plain_date(unit.valid_until),
        "successor": unit.successor,
        "contact": unit.contact,
        "line": unit.line,
    }


def _plain_holding(holding: Holding) -> dict[str, Any]:
    return {
        "pattern": holding.pattern,
        "unit_id": holding.unit_id,
        "function": holding.function,
        "valid_from": _plain_date(holding.valid_from),
        "valid_until": _plain_date(holding.valid_until),
        "note": holding.note,
        "line": holding.line,
    }


def _plain_date(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _dated(data: dict[str, Any]) -> dict[str, Any]:
    return data | {name: date.fromisoformat(data[name]) if data[name] else None for name in _DATES}
