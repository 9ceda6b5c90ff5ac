"""Messages keep their octets (safety R-16, S-27, S-28) and know their fields."""

import mmap
import tempfile

from gateway.envelope.message import Message

RAW = "From: Thầy An <an@example.vn>\r\nSubject: Báo\r\n cáo\r\nReceived: a\r\nreceived: b\r\n\r\nnội dung\r\n".encode()


def test_fields_subject_and_body() -> None:
    message = Message(RAW)
    assert message.subject == "Báo cáo"
    assert message.received_count == 2
    assert bytes(message.body).decode() == "nội dung\r\n"
    assert message.text(b"x-absent") == ""
    assert message.size == len(RAW)


def test_an_mmap_reads_the_same() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(RAW)
        file.flush()
        mapped = Message(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    assert mapped.fields == Message(RAW).fields
    assert mapped.author == Message(RAW).author
    assert bytes(mapped.body) == bytes(Message(RAW).body)


def test_R16_segments_are_the_octets_received() -> None:
    message = Message(RAW)
    assert b"".join(message.segments()) == RAW
    assert b"".join(message.segments(b"X: 1\r\n")) == b"X: 1\r\n" + RAW


def test_R16_dropped_fields_leave_everything_else_as_it_was() -> None:
    message = Message(RAW)
    kept = b"".join(message.segments(drop=reversed(message.all(b"received"))))
    assert kept == RAW.replace(b"Received: a\r\n", b"").replace(b"received: b\r\n", b"")


def test_a_message_without_header_or_without_body() -> None:
    assert bytes(Message(b"\r\nbody").body) == b"body"
    assert bytes(Message(b"From: a@x.vn\r\n").body) == b""
    assert Message(b"From: a@x.vn").author is not None
    assert Message(b"").problems == ("From: 0 From fields instead of one",)
