"""The register as CSV for a spreadsheet: RFC 4180, UTF-8 with BOM, and no cell that a spreadsheet would execute."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import tzinfo

from gateway.register.record import Record

BOM = "\ufeff"
COLUMNS = (
    "time",
    "id",
    "unit_id",
    "unit_name",
    "function",
    "level",
    "provider",
    "author",
    "author_name",
    "recipients",
    "subject",
    "document_numbers",
    "document_kind",
    "attachments",
    "size",
    "fates",
    "reply",
    "notice",
)

_FORMULA = frozenset("=+-@\t\r\n\0＝＋－＠")  # also in their full-width forms (ASVS 1.2.10, safety S-38)
_INVISIBLE = " \u00a0\u200b\u200c\u200d\u2060\u3000\ufeff"  # spreadsheets skip these before they look for a formula


def safe_cell(text: str) -> str:
    """The text as a cell that is shown and never computed. NUL, which ends cells in some readers, becomes U+FFFD."""
    dangerous = text[:1] in _FORMULA or text.lstrip(_INVISIBLE)[:1] in _FORMULA
    cleaned = text.replace("\0", "\ufffd")
    return f"'{cleaned}" if text and dangerous else cleaned


def cells(record: Record, zone: tzinfo) -> list[str]:
    """One record in the order of COLUMNS; times in the given zone."""
    return [
        record.received_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
        *map(
            safe_cell,
            (
                record.id,
                record.unit_id,
                record.unit_name,
                record.function,
                record.level,
                record.provider,
                record.author,
                record.author_name,
                "; ".join(record.recipients),
                record.subject,
                "; ".join(record.document_numbers),
                record.document_kind,
                "; ".join(attachment.name for attachment in record.attachments),
            ),
        ),
        str(record.size),
        *map(
            safe_cell,
            ("; ".join(f"{recipient}: {fate}" for recipient, fate, _ in record.fates), record.reply, record.notice),
        ),
    ]


def csv_lines(records: Iterable[Record], zone: tzinfo) -> Iterator[bytes]:
    """The file in pieces: BOM and heading, then one record after the other."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    buffer.write(BOM)
    writer.writerow(COLUMNS)
    yield _drain(buffer)
    for record in records:
        writer.writerow(cells(record, zone))
        yield _drain(buffer)


def _drain(buffer: io.StringIO) -> bytes:
    octets = buffer.getvalue().encode("utf-8", "replace")
    buffer.seek(0)
    buffer.truncate()
    return octets
