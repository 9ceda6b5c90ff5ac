"""Values to JSON and back. JSON that a value cannot hold (a lone surrogate, from a name in broken UTF-8) is mended, not
refused: no message may be unrecordable."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, Final

import orjson

from gateway.envelope.address import Mailbox
from gateway.envelope.transaction import Client, ForwardPath, Parameters
from gateway.ports import Notice, Outgoing, OutgoingKind, Settlement
from gateway.quarantine.entry import Entry, State
from gateway.register.record import AttachmentRecord, Record

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Microseconds since 1970; raises TypeError for a naive time."""
    return (moment - EPOCH) // _MICROSECOND


def moment(value: int) -> datetime:
    """The aware UTC time of a column."""
    return EPOCH + value * _MICROSECOND


def clean(text: str) -> str:
    """Text that every database takes: no lone surrogates, no NUL."""
    if text.isascii():
        return text.replace("\0", "\ufffd")
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def dumps(value: object) -> str:
    """A dataclass or plain value as JSON."""
    try:
        return orjson.dumps(value, default=_default).decode()
    except TypeError:
        return orjson.dumps(_mended(value), default=_default).decode()


def _default(value: object) -> object:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if is_dataclass(value):
        return {field.name: _mended(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {clean(str(key)): _mended(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_mended(item) for item in value]
    return value


def entry(text: str, state: str, note: str, has_body: int) -> Entry:
    """An entry from its JSON and the columns that change."""
    plain: dict[str, Any] = orjson.loads(text)
    client = plain["client"]
    return Entry(
        **{
            **plain,
            "state": State(state),
            "note": note,
            "has_body": bool(has_body),
            "held_at": _time(plain["held_at"]),
            "retain_until": _time(plain["retain_until"]),
            "client": Client(**{**client, "address": ip_address(client["address"])}),
            "reverse_path": _mailbox(plain["reverse_path"]),
            "parameters": _parameters(plain["parameters"]),
            "recipients": _paths(plain["recipients"]),
        }
    )


def record(text: str | Mapping[str, Any], notice: str | None = None) -> Record:
    """A record from its JSON; `notice` from its column."""
    plain: dict[str, Any] = orjson.loads(text) if isinstance(text, str) else dict(text)
    return Record(
        **{
            **plain,
            "received_at": _time(plain["received_at"]),
            "recipients": tuple(plain["recipients"]),
            "document_numbers": tuple(plain["document_numbers"]),
            "attachments": tuple(AttachmentRecord(**item) for item in plain["attachments"]),
            "fates": tuple((recipient, fate, rule) for recipient, fate, rule in plain["fates"]),
            "notice": plain["notice"] if notice is None else notice,
        }
    )


def outgoing(text: str | Mapping[str, Any], content: bytes | None = None) -> Outgoing:
    """An outbox message from its JSON; `content` from its column, else from the JSON itself in base 64."""
    plain: dict[str, Any] = orjson.loads(text) if isinstance(text, str) else dict(text)
    return Outgoing(
        **{
            **plain,
            "kind": OutgoingKind(plain["kind"]),
            "reverse_path": _mailbox(plain["reverse_path"]),
            "parameters": _parameters(plain["parameters"]),
            "recipients": _paths(plain["recipients"]),
            "content": base64.b64decode(plain["content"]) if content is None else content,
            "drop": tuple((start, end) for start, end in plain["drop"]),
        }
    )


def settlement(text: str) -> Settlement:
    """A settlement from a line of the spill file. Raises ValueError, TypeError, KeyError for anything else."""
    plain = orjson.loads(text)
    return Settlement(
        record=record(plain["record"]),
        notices=tuple(
            Notice(
                **{
                    **notice,
                    "outgoing": outgoing(notice["outgoing"]),
                    "not_again_before": _time(notice["not_again_before"]),
                }
            )
            for notice in plain["notices"]
        ),
        key=base64.b64decode(plain.get("key", "")),
        key_until=_time(plain["key_until"]) if plain.get("key_until") else None,
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _mailbox(plain: Mapping[str, str] | None) -> Mailbox | None:
    return None if plain is None else Mailbox(**plain)


def _parameters(plain: Sequence[Sequence[Any]]) -> Parameters:
    return tuple((keyword, value) for keyword, value in plain)


def _paths(plain: Sequence[Mapping[str, Any]]) -> tuple[ForwardPath, ...]:
    return tuple(ForwardPath(Mailbox(**path["mailbox"]), _parameters(path["parameters"])) for path in plain)
