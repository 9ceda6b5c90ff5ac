"""A message that breaks us is answered 451 twice and then held unjudged; what breaks, breaks before anything is relayed."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from gateway import intake, pipeline, planning
from gateway.aside import FAULTS_MAX, REMEMBERED, Faults
from gateway.quarantine.entry import State
from tests.support.node import OFFICE, gateway, id_of

RAW = b"From: a@example.org\r\nTo: vanthu@longan.edu.vn\r\nSubject: thu\r\n\r\nxin chao\r\n"
OTHER = RAW.replace(b"thu\r\n", b"khac\r\n")


def broken(*_: object, **__: object) -> None:
    raise ZeroDivisionError("a secret of ours")


@pytest.mark.parametrize(
    ("module", "part"),
    [(pipeline, "judge"), (planning, "groups"), (pipeline, "compile_record"), (planning, "received_field")],
)
async def test_r24_the_third_fault_sets_the_message_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, part: str
) -> None:
    """R-24, F-37: 451 without internals, then held; nothing is relayed meanwhile, and other messages pass."""
    async with gateway(tmp_path) as gate:
        with monkeypatch.context() as patched:
            patched.setattr(module, part, broken)
            replies = [await gate.send(RAW) for _ in range(FAULTS_MAX)]
        assert [reply[:3] for reply in replies] == ["451"] * (FAULTS_MAX - 1) + ["250"]
        assert not any("secret" in reply for reply in replies)
        (entry,) = await gate.entries(State.HELD)
        assert (entry.id, entry.reason, entry.size) == (id_of(replies[-1]), "unreadable", len(RAW))
        assert [str(path.mailbox) for path in entry.recipients] == [OFFICE]
        (record,) = await gate.records()
        assert record.fates == ((OFFICE, "held", ""),)
        assert gate.sink.taken == []

        assert (await gate.send(OTHER)).startswith("250")
        (taken,) = await gate.taken(1)
        assert taken.content.endswith(OTHER)


async def test_a_message_set_aside_can_be_released_as_it_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with gateway(tmp_path) as gate:
        with monkeypatch.context() as patched:
            patched.setattr(pipeline, "judge", broken)
            reply = [await gate.send(RAW) for _ in range(FAULTS_MAX)][-1]
        await gate.node.store.release(id_of(reply), "vanthu", gate.node.store._core.clock())
        gate.node.outbox.wake()
        (taken,) = await gate.taken(1)
    assert taken.content == RAW
    assert taken.rcpts == [f"RCPT TO:<{OFFICE}>"]


HOLD_FOR_ALL = {
    "name": "under-test",
    "when": {"recipient": [OFFICE]},
    "then": {"hold": {"reason": "x", "retain": "9d"}},
}


async def test_a_fault_after_the_copy_was_made_sets_the_message_aside_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-24: the entry that was prepared before the fault must not stand in the way of the one that is set aside."""
    async with gateway(tmp_path, overlay={"rules_first": [HOLD_FOR_ALL]}) as gate:
        monkeypatch.setattr(pipeline, "_relay", broken)
        replies = [await gate.send(RAW) for _ in range(FAULTS_MAX)]
        assert replies[-1].startswith("250"), replies
        (entry,) = await gate.entries(State.HELD)
        assert entry.reason == "unreadable"


async def test_r23_a_mail_server_that_brings_it_again_finds_it_set_aside_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with gateway(tmp_path) as gate:
        monkeypatch.setattr(pipeline, "judge", broken)
        client = await gate.milter()
        verdicts = [await client.transact(RAW, "a@example.org", (OFFICE,)) for _ in range(FAULTS_MAX + 2)]
        kinds = [verdict.answer.kind for verdict in verdicts if verdict.answer]
        assert kinds == ["replycode"] * (FAULTS_MAX - 1) + ["discard"] * 3
        assert len(await gate.records()) == 1
        assert len(await gate.entries()) == 1


async def test_setting_aside_that_fails_is_451(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with gateway(tmp_path) as gate:
        with monkeypatch.context() as patched:
            patched.setattr(pipeline, "judge", broken)
            patched.setattr(intake, "set_aside", broken)
            replies = [await gate.send(RAW) for _ in range(FAULTS_MAX + 1)]
        assert [reply[:3] for reply in replies] == ["451"] * (FAULTS_MAX + 1)
        assert await gate.entries() == []


def test_what_is_remembered_is_bounded() -> None:
    faults = Faults()
    for number in range(REMEMBERED + 10):
        assert faults.note(str(number)) == 1
    assert faults.note(str(REMEMBERED + 9)) == 2
    assert faults.note("0") == 1
