"""Body: what the stream between DATA and the end of data becomes, in whatever pieces it comes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.endpoint.limits import MemoryBudget
from gateway.endpoint.smtp_data import Body
from gateway.endpoint.spool import IN_MEMORY_MAX

MIB = 1024 * 1024
ALPHABET = st.sampled_from([b"\r\n", b"\r", b"\n", b".", b"..", b"\0", b"a", b"\xe1\xbb\x87", b" " * 40])


def body(spool: Path, *, size: int = 8 * MIB, line: int = 1000, memory: MemoryBudget | None = None) -> Body:
    return Body(max_size=size, max_line=line, memory=memory or MemoryBudget(64 * MIB), spool=spool)


def feed(target: Body, wire: bytes, cuts: list[int]) -> Body:
    """Feed a stream in pieces; the last holds the whole end of data, as the reader sees to."""
    places = sorted({cut for cut in cuts if 0 < cut <= len(wire) - 5})
    for start, end in zip([0, *places], places, strict=False):
        target.feed(wire[start:end])
    target.finish(wire[places[-1] if places else 0 :])
    return target


def stuffed(lines: list[bytes]) -> bytes:
    return b"\r\n" + b"".join((b"." + line if line.startswith(b".") else line) + b"\r\n" for line in lines) + b".\r\n"


@given(st.lists(st.lists(ALPHABET).map(b"".join).map(lambda x: x.split(b"\r\n")[0]), max_size=8), st.data())
def test_any_pieces_give_the_same_message(lines: list[bytes], data: st.DataObject) -> None:
    lines = [line for line in lines if not line.endswith(b"\r")]
    wire = stuffed(lines)
    cuts = data.draw(st.lists(st.integers(0, len(wire))))
    content = b"".join(line + b"\r\n" for line in lines)
    found = feed(body(Path("/nonexistent")), wire, cuts)
    assert found.content() == content
    assert found.octets == len(wire) - 5
    alone = content.replace(b"\r\n", b"")
    assert found.bare == (b"\r" in alone or b"\n" in alone or b"\0" in alone)


@given(st.lists(st.integers(0, 30), max_size=8), st.lists(st.integers(0, 300)), st.integers(5, 20))
def test_long_lines_are_found_in_any_pieces(lengths: list[int], cuts: list[int], limit: int) -> None:
    wire = stuffed([b"x" * length for length in lengths])
    found = feed(body(Path("/nonexistent"), line=limit), wire, cuts)
    assert (found.refusal is not None) == any(length > limit for length in lengths)


def test_large_messages_go_to_a_file_without_a_name(tmp_path: Path) -> None:
    """F-32: above 1 MiB nothing stays in memory, and a crash leaves no file."""
    memory = MemoryBudget(64 * MIB)
    content = (b"x" * 998 + b"\r\n") * 3000
    found = body(tmp_path, memory=memory)
    found.feed(b"\r\n" + content[:IN_MEMORY_MAX])
    assert memory.used == IN_MEMORY_MAX
    found.finish(content[IN_MEMORY_MAX:] + b".\r\n")
    assert memory.used == 0
    assert list(tmp_path.iterdir()) == []
    octets = found.content()
    found.close()
    assert not isinstance(octets, bytes)
    assert octets[:] == content


def test_no_room_in_memory_is_temporary(tmp_path: Path) -> None:
    """F-32: 452 4.3.1, and the budget is whole again."""
    memory = MemoryBudget(1000)
    found = feed(body(tmp_path, memory=memory), stuffed([b"x" * 900, b"y" * 900]), [500])
    assert found.verdict(refuse_bare=True).enhanced == "4.3.1"
    found.close()
    assert memory.used == 0


def test_no_room_on_disk_is_temporary() -> None:
    """F-22, F-23: a spool that cannot be written is 452, not an exception."""
    found = feed(body(Path("/nonexistent")), stuffed([b"x" * 900] * 2000), [65536])
    assert found.verdict(refuse_bare=True).code == 452


def test_size_counts_stuffed_dots(tmp_path: Path) -> None:
    """S-12."""
    lines = [b"." * 10] * 100  # 12 octets a line, 13 as sent
    assert feed(body(tmp_path, size=1300), stuffed(lines), []).refusal is None
    assert feed(body(tmp_path, size=1299), stuffed(lines), []).refusal.code == 552


@pytest.mark.parametrize("refuse", [True, False])
def test_bare_newlines_are_refused_or_only_noted(tmp_path: Path, refuse: bool) -> None:
    """S-2: the first weeks only note them."""
    found = feed(body(tmp_path), b"\r\nx: y\r\n\r\na\nb\r\n.\r\n", [])
    verdict = found.verdict(refuse_bare=refuse)
    assert found.bare
    assert (verdict.code == 550) if refuse else verdict is None
    assert found.content() == b"x: y\r\n\r\na\nb\r\n"
