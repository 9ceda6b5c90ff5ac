"""The Maildir route."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gateway.envelope.reply import LOCAL_ERROR
from gateway.relay import maildir
from gateway.relay.maildir import MAILDIR_FEATURES
from tests.support.relaying import CLIENT, CONTENT, EXAMS, OFFICE, SCHOOL, downstream, route, to

MAILDIR = route(0, protocol="maildir", path="mail/thu")


async def test_one_copy_per_recipient_octet_for_octet(tmp_path: Path) -> None:
    session = downstream(tmp_path).begin(MAILDIR, CLIENT)
    assert (await session.mail(SCHOOL, ())).is_positive
    assert (await session.rcpt(OFFICE)).is_positive
    delivery = await session.deliver([OFFICE, EXAMS, OFFICE], [CONTENT[:30], memoryview(CONTENT)[30:]])
    assert str(delivery.reply).startswith("250 2.0.0")
    assert [path for path, _ in delivery.replies] == [OFFICE, EXAMS]
    files = sorted((tmp_path / "mail/thu/new").iterdir(), key=lambda file: file.read_bytes())
    assert [file.read_bytes() for file in files] == [
        b"Return-Path: <c2nguyenvanrong@longan.edu.vn>\r\nDelivered-To: %s@longan.edu.vn\r\n" % name + CONTENT
        for name in (b"khaothi", b"vanthu")
    ]
    assert list((tmp_path / "mail/thu/tmp").iterdir()) == []
    assert stat.S_IMODE((tmp_path / "mail/thu").stat().st_mode) == 0o700


async def test_null_and_internationalised_paths(tmp_path: Path) -> None:
    behind = downstream(tmp_path)
    for sender in (None, to("nguyễn.văn.rỗng@longan.edu.vn").mailbox):
        session = behind.begin(MAILDIR, CLIENT)
        await session.mail(sender, ())
        assert (await session.deliver([to("văn.thư@longan.edu.vn")], [CONTENT])).reply.code == 250
    texts = sorted(file.read_bytes().decode().split("\r\n")[0] for file in (tmp_path / "mail/thu/new").iterdir())
    assert texts == ["Return-Path: <>", "Return-Path: <nguyễn.văn.rỗng@longan.edu.vn>"]


async def test_r3_on_the_disk_before_it_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is synced before it is renamed, and the directory after."""
    steps: list[str] = []
    sync, rename = os.fsync, Path.rename

    def noted_sync(handle: int) -> None:
        steps.append("directory" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        sync(handle)

    def noted_rename(self: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", noted_sync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    session = downstream(tmp_path).begin(MAILDIR, CLIENT)
    await session.mail(SCHOOL, ())
    assert (await session.deliver([OFFICE, EXAMS], [CONTENT])).reply.code == 250
    assert steps == ["file", "file", "rename", "rename", "directory"]


@pytest.mark.parametrize(("error", "expected"), [(28, "452 4.3.1"), (5, "451 4.3.0")])
async def test_r4_a_failed_sync_leaves_no_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, expected: str
) -> None:
    """F-23, F-28: the second of two copies cannot be written, so neither is delivered."""
    count = 0

    def failing(handle: int) -> None:
        nonlocal count
        count += 1
        if count == 2:
            raise OSError(error, "injected")

    monkeypatch.setattr(maildir.os, "fsync", failing)
    session = downstream(tmp_path).begin(MAILDIR, CLIENT)
    await session.mail(SCHOOL, ())
    assert str((await session.deliver([OFFICE, EXAMS], [CONTENT])).reply).startswith(expected)
    assert list((tmp_path / "mail/thu/new").iterdir()) == []
    assert list((tmp_path / "mail/thu/tmp").iterdir()) == []


async def test_probe_and_features(tmp_path: Path) -> None:
    behind = downstream(tmp_path)
    assert await behind.probe(MAILDIR) is None
    assert behind.features([MAILDIR]) == MAILDIR_FEATURES
    (tmp_path / "busy").write_bytes(b"")
    assert await behind.probe(route(0, protocol="maildir", path="busy", name="other")) == LOCAL_ERROR
