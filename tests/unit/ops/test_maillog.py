"""The mail log: safe lines, and a log that is full or blocked never touches mail (F-29)."""

from __future__ import annotations

import io
import json
import os
import socket
from collections.abc import Iterator
from typing import IO, get_args

import pytest

from gateway import maillog


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    yield
    maillog.on_drop(None)
    maillog.write_to(None)


def told(stream: io.BytesIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_one_event_is_one_line_with_time_verb_and_id() -> None:
    stream = io.BytesIO()
    maillog.write_to(stream)
    maillog.fate("relayed", "7f3a", recipient="vanthu@longan.edu.vn", unit="Phòng GD&ĐT Bến Lức")
    maillog.event("started", workers=2, name="facts may have any name")
    first, second = told(stream)
    assert first.pop("time")[-1] == "Z"
    assert first == {
        "event": "relayed",
        "id": "7f3a",
        "recipient": "vanthu@longan.edu.vn",
        "unit": "Phòng GD&ĐT Bến Lức",
    }
    assert second["event"] == "started"


def test_the_verbs_are_the_words_of_the_contract() -> None:
    assert set(get_args(maillog.Verb)) == {
        *("received", "relayed", "held", "queued", "refused", "deferred", "discarded", "released", "replied", "expired")
    }


@pytest.mark.parametrize(
    "hostile",
    [
        "mx\r\n250 forged",
        "\x1b[2J\x1b]0;title\x07",
        "\x9b2J",  # CSI as one C1 character
        "\x7f\x85\u2028\u2029",
        "\u202egnp.exe\u2066",
        "\x00",
    ],
)
def test_nothing_in_a_line_steers_a_terminal(hostile: str) -> None:
    """S-44: control characters are escaped, and the value can still be read back."""
    line = maillog.encoded({"event": "refused", "helo": hostile})
    assert line.count(b"\n") == 1
    assert line.decode().strip().isprintable()
    assert json.loads(line)["helo"] == hostile


@pytest.mark.parametrize(
    "odd", ["\udcff.vn", 2**80, b"\xff", {1: "a"}, object(), float("nan")], ids=lambda odd: type(odd).__name__
)
def test_whatever_a_fact_is_the_line_is_written(odd: object) -> None:
    stream = io.BytesIO()
    maillog.write_to(stream)
    maillog.fate("refused", "1", value=odd)
    assert told(stream)[0]["event"] == "refused"


def test_a_fact_that_cannot_be_told_loses_the_line_and_nothing_else() -> None:
    class Unspeakable:
        def __str__(self) -> str:
            raise RuntimeError

    lost: list[int] = []
    maillog.write_to(io.BytesIO())
    maillog.on_drop(lambda: lost.append(1))
    maillog.fate("held", "1", value=Unspeakable())
    assert lost == [1]


@pytest.mark.parametrize("facts", [{"helo": "x" * 9000}, {f"fact{n}": "y" * 200 for n in range(60)}])
def test_long_lines_are_cut_so_that_processes_do_not_tear_each_others_lines(facts: dict[str, object]) -> None:
    line = maillog.encoded({"event": "refused", "id": "7f3a", **facts})
    assert len(line) <= 4096
    assert json.loads(line)["cut"] is True
    assert json.loads(line)["id"] == "7f3a"


def flood(lost: list[int]) -> None:
    """Far more than any pipe or socket buffer takes; a log that waits would never come back from here."""
    maillog.on_drop(lambda: lost.append(1))
    for number in range(20_000):
        maillog.fate("relayed", str(number), recipient="vanthu@longan.edu.vn")


def drained(reader: int) -> bytes:
    os.set_blocking(reader, False)
    octets = b""
    while True:
        try:
            octets += os.read(reader, 1 << 16)
        except BlockingIOError:
            return octets


def pipe() -> tuple[int, IO[bytes]]:
    reader, writer = os.pipe()
    return reader, os.fdopen(writer, "wb", buffering=0)


def stream_socket() -> tuple[int, IO[bytes]]:
    reader, writer = socket.socketpair()
    return reader.detach(), os.fdopen(writer.detach(), "wb", buffering=0)


@pytest.mark.parametrize("kind", [pipe, stream_socket])
def test_a_blocked_reader_loses_lines_and_stops_nothing(kind) -> None:
    """F-29: lines are lost and counted; those that come are whole; the log says how many are missing."""
    reader, stream = kind()
    lost: list[int] = []
    with stream:
        maillog.write_to(stream)
        flood(lost)
        assert lost
        taken = drained(reader)
        maillog.event("after")
        taken += drained(reader)
        lines = [json.loads(line) for line in taken.splitlines()]
        reports = [line["lines"] for line in lines if line["event"] == "log-lines-lost"]
        assert sum(reports) == len(lost)
        assert lines[-1]["event"] == "after"
        assert len(lines) - len(reports) - 1 + len(lost) == 20_000
        assert os.get_blocking(stream.fileno())  # whoever shares the stream is not disturbed
    os.close(reader)


def test_a_reader_that_is_gone_stops_nothing() -> None:
    reader, stream = pipe()
    lost: list[int] = []
    with stream:
        maillog.write_to(stream)
        os.close(reader)
        maillog.on_drop(lambda: lost.append(1))
        maillog.event("started")
    assert lost == [1]


def test_a_full_disk_stops_nothing() -> None:
    """F-29, with the kernel's own full device."""
    lost: list[int] = []
    with open("/dev/full", "wb", buffering=0) as full:
        maillog.write_to(full)
        maillog.on_drop(lambda: lost.append(1))
        maillog.event("started")
        maillog.event("stopped")
    assert lost == [1, 1]


def test_a_stream_that_was_closed_does_not_lead_into_another_file(tmp_path) -> None:
    with (tmp_path / "log").open("wb") as log:
        maillog.write_to(log)
    with (tmp_path / "gateway.db").open("wb"):  # gets the number that the log had
        maillog.event("started")
    assert (tmp_path / "gateway.db").read_bytes() == b""
    assert b"started" in (tmp_path / "log").read_bytes()
