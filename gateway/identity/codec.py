"""Identity and Submission as plain values for the register (JSON), and back, so that past mail can be decided again."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any

from gateway.envelope.address import Mailbox
from gateway.identity.identity import Holding, Identity, Level, Provider, Submission, Unit

_DATES = ("valid_from", "valid_until")


def plain_identity(identity: Identity) -> dict[str, Any]:
    """A dict of strings, numbers, booleans, None, lists and dicts; dates as `2026-12-01`."""
    result: dict[str, Any] = _plain(asdict(identity))
    return result


def plain_submission(submission: Submission) -> dict[str, Any]:
    result: dict[str, Any] = _plain(asdict(submission))
    return result


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


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, str) else value  # words of an enumeration as plain strings


def _dated(data: dict[str, Any]) -> dict[str, Any]:
    return data | {name: date.fromisoformat(data[name]) if data[name] else None for name in _DATES}
