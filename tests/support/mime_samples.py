"""Messages with attachments, made in a line."""

from __future__ import annotations

import base64

from gateway.envelope.message import Message


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def message(
    body: str = "Kính gửi.\n", *, subject: str = "Báo cáo", sender: str = "a@example.vn", extra: str = ""
) -> Message:
    return Message(crlf(f"From: {sender}\nSubject: {subject}\n{extra}\n{body}"))


def part(octets: bytes, *fields: str) -> bytes:
    """One base64 part with these header fields."""
    header = "".join(f"{field}\r\n" for field in (*fields, "Content-Transfer-Encoding: base64"))
    return header.encode() + b"\r\n" + base64.encodebytes(octets).replace(b"\n", b"\r\n")


def multipart(*parts: bytes, subject: str = "Báo cáo", sender: str = "a@example.vn") -> bytes:
    head = crlf(f'From: {sender}\nSubject: {subject}\nContent-Type: multipart/mixed; boundary="=_b"\n\npreamble\n')
    return head + b"".join(b"--=_b\r\n" + one + b"\r\n" for one in parts) + b"--=_b--\r\nepilogue\r\n"


def with_files(*names: str, subject: str = "Báo cáo", sender: str = "a@example.vn") -> Message:
    """A message with one small attachment for each name, none without names."""
    if not names:
        return message(subject=subject, sender=sender)
    files = (
        part(
            name.encode(),
            "Content-Type: application/octet-stream",
            f'Content-Disposition: attachment; filename="{name}"',
        )
        for name in names
    )
    return Message(multipart(b"Content-Type: text/plain\r\n\r\nxin gui\r\n", *files, subject=subject, sender=sender))
