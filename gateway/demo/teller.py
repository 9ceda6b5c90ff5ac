"""Tells the stories: sends each letter, then looks into register and mailboxes what became of it."""

from __future__ import annotations

import asyncio
import smtplib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Final
from zoneinfo import ZoneInfo

from gateway.demo.letters import Posted, post
from gateway.demo.place import ERROR_SECONDS
from gateway.demo.running import Stage
from gateway.demo.sending import Sent, send
from gateway.demo.story import Outcome, Story
from gateway.demo.words import DemoFailed
from gateway.demo.zones import silenced
from gateway.register.record import Record

NOTICES_SECONDS: Final = 20.0  # for the outbox to become empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One story as it went."""

    number: int  # from 1
    story: Story
    message_id: str
    attempts: tuple[Sent, ...]
    record: Record | None  # of the register
    seen: Outcome
    notice: EmailMessage | None  # that the author got

    @property
    def differences(self) -> list[str]:
        return self.story.expected.differences(self.seen)


async def tell(stage: Stage, stories: Sequence[Story]) -> list[Told]:
    """Send every letter in turn, wait until the notices have left, then look what became of each. Raises DemoFailed."""
    zone = ZoneInfo(stage.settings.timezone)
    sent: list[tuple[Posted, tuple[Sent, ...]]] = []
    for number, story in enumerate(stories, 1):
        posted = post(story.letter, stage.keys, datetime.now(zone))
        stage.place.letter(number).write_bytes(posted.octets)
        try:
            sent.append((posted, await _deliver(stage, story, posted.octets)))
        except (OSError, smtplib.SMTPException) as error:
            raise DemoFailed(f"{stage.place.letter(number)}: {error}") from error
    await _notices_gone(stage)
    return [
        await _told(stage, number, story, posted, attempts)
        for number, (story, (posted, attempts)) in enumerate(zip(stories, sent, strict=True), 1)
    ]


async def _deliver(stage: Stage, story: Story, octets: bytes) -> tuple[Sent, ...]:
    """One attempt; where DNS is silent at first, it recovers and there is a second."""
    stage.dns.zone = silenced(stage.names, story.silent)
    first = await _attempt(stage, story, octets)
    if not story.silent:
        return (first,)
    stage.dns.zone = stage.names
    await asyncio.sleep(2 * ERROR_SECONDS)  # the gateway remembers the failure for a moment
    return first, await _attempt(stage, story, octets)


async def _attempt(stage: Stage, story: Story, octets: bytes) -> Sent:
    return await asyncio.to_thread(send, stage.ports.smtp, story.host, story.mail_from, story.forward_paths, octets)


async def _notices_gone(stage: Stage) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + NOTICES_SECONDS
    while True:
        counts = await stage.node.store.counts()
        if not counts.get("outbox due") and not counts.get("outbox leased"):
            return
        if loop.time() > deadline:
            raise DemoFailed(f"the notices have not left; see {stage.place.log}")
        await asyncio.sleep(0.05)


async def _told(stage: Stage, number: int, story: Story, posted: Posted, attempts: tuple[Sent, ...]) -> Told:
    last = attempts[-1]
    record = await stage.node.store.show(last.id) if last.id else None
    notices = _answers(stage, story.mail_from, posted.message_id)
    copies = {address: _copy(stage, address, posted.message_id) for address in story.forward_paths}
    return Told(
        number=number,
        story=story,
        message_id=posted.message_id,
        attempts=attempts,
        record=record,
        seen=Outcome(
            codes=tuple(attempt.code for attempt in attempts),
            unit=record.unit_id if record else "",
            level=record.level if record else "",
            fates=record.fates if record else (),
            delivered=frozenset(address for address, copy in copies.items() if copy),
            tagged=frozenset(address for address, copy in copies.items() if copy and copy["X-Sending-Unit"]),
            notices=len(notices),
        ),
        notice=notices[0] if notices else None,
    )


def _copy(stage: Stage, address: str, message_id: str) -> EmailMessage | None:
    """The message as it lies in this mailbox; DemoFailed when it lies there twice."""
    found = [message for message in stage.department.messages(address) if message["Message-ID"] == message_id]
    if len(found) > 1:
        raise DemoFailed(f"{message_id} was delivered {len(found)} times to {address}")
    return found[0] if found else None


def _answers(stage: Stage, address: str, message_id: str) -> list[EmailMessage]:
    return [message for message in stage.department.messages(address) if message["In-Reply-To"] == message_id]
