"""One connection of a mail server to our milter door: its events in order, and our answers."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, cast

from gateway import metrics
from gateway.endpoint.limits import within
from gateway.endpoint.milter_dialogue import Dialogue, Stage
from gateway.endpoint.milter_events import (
    Aborted,
    Closed,
    Connected,
    Content,
    EndOfMessage,
    Event,
    Greeted,
    MailFrom,
    RcptTo,
)
from gateway.endpoint.milter_letter import Letter, Verdict
from gateway.endpoint.milter_protocol import Command, MilterError
from gateway.endpoint.milter_shared import Shared
from gateway.endpoint.milter_tables import OPEN
from gateway.endpoint.milter_words import WANTED, Address, address_of, client_of, missing
from gateway.endpoint.transactions import report_fault

NEGOTIATION_SECONDS: Final = 10.0  # within which a mail server says that it is one
PROGRESS_SECONDS: Final = 5.0  # between two signs of life while a message is judged; Postfix waits 300 s for each
AHEAD_MAX: Final = 16  # events that wait while we are at work; a chunk of the body each, so no more is read meanwhile

_WORK: Final = (MailFrom, RcptTo, EndOfMessage)  # events that may take time
_ENDS: Final = (Aborted, Closed)
_CONNECT: Final = Command.CONNECT  # names of their own cost a third of Enum's attributes
_MAIL: Final = Command.MAIL
_RCPT: Final = Command.RCPT
_BODYEOB: Final = Command.BODYEOB


class MilterConnection(asyncio.Protocol):
    """Events that only collect are handled as they come; one task at a time handles those that take time."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._dialogue = Dialogue(WANTED)
        self._events: deque[Event] = deque()
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard = 0.0  # when the mail server last said something, loop time
        self._connected = Connected("", "", 0, "U")
        self._helo = ""
        self._letter: Letter | None = None
        self._sign: asyncio.TimerHandle | None = None  # of life, while a message is judged
        self._is_lost = False
        self._is_paused = False  # nothing more is read for now

    # ---- asyncio.Protocol -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        shared = self._shared
        self._transport = cast("asyncio.Transport", transport)
        if shared.draining or len(shared.connections) >= shared.settings.connections:
            metrics.child(metrics.milter_connections, "refused").inc()
            self._transport.abort()
            return
        shared.connections.add(self)
        metrics.milter_sessions.inc()
        self._heard = shared.loop.time()
        self._timer = shared.loop.call_later(NEGOTIATION_SECONDS, self._look_at_clock)

    def data_received(self, data: bytes) -> None:
        self._heard = self._shared.loop.time()
        try:
            events = self._dialogue.receive(data)
        except MilterError as error:
            return self._part(str(error))
        if out := self._dialogue.outgoing():
            self._write(out)
        if events:
            waiting = self._events
            waiting.extend(events)
            if self._task is None:
                self._pump()
            if len(waiting) > AHEAD_MAX and self._transport and not self._transport.is_closing():
                self._transport.pause_reading()
                self._is_paused = True
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer:
            self._timer.cancel()
        self._is_lost = True
        if self in self._shared.connections:
            self._events.append(Closed())
            self._pump()

    # ---- life -------------------------------------------------------------------------------------------------------

    @property
    def is_at_rest(self) -> bool:
        """Whether no message is under way."""
        return self._letter is None and self._task is None

    def dismiss(self) -> None:
        """The service stops: leave, if no message is under way (O-1). The mail server defers what it brings next."""
        if self.is_at_rest and self._transport:
            self._transport.close()

    def cut(self) -> None:
        """Leave now. Nothing that the mail server was promised depends on it."""
        if self._task:
            self._task.cancel()
        if self._transport:
            self._transport.abort()

    def _part(self, reason: str) -> None:
        """No mail server speaks like this; whoever it is, we have nothing to say to it."""
        metrics.child(metrics.milter_connections, "not-a-mail-server").inc()
        self._shared.tell_stranger(reason)
        if self._transport:
            self._transport.abort()

    def _look_at_clock(self) -> None:
        loop, idle = self._shared.loop, self._shared.settings.idle
        if self._dialogue.stage is Stage.NEGOTIATING:
            return self._part("says nothing")
        left = self._heard + idle - loop.time()
        if left > 0 or self._task:  # while we are at work it is for us to speak; within a message it is not
            self._timer = loop.call_later(max(left, 1.0), self._look_at_clock)
            return None
        metrics.child(metrics.milter_connections, "idle").inc()
        if self._transport:
            self._transport.abort()
        return None

    def _is_awaited(self) -> bool:
        """Whether what we are at is still wanted: an ABORT, or the end of the connection, may wait its turn."""
        return not self._events or not any(isinstance(event, _ENDS) for event in self._events)

    def _answer(self, command: Command, answer: Callable[[], bytes]) -> None:
        """Answer the command, if its answer is still owed."""
        if self._dialogue.owed is command and self._is_awaited():
            self._write(answer())

    def _write(self, octets: bytes) -> None:
        if self._transport and not self._is_lost:
            self._transport.write(octets)

    # ---- events -----------------------------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Handle what has come; in a task from the first event on that may have to wait."""
        events = self._events
        while events and self._task is None:
            event = events[0]
            if isinstance(event, Content):
                events.popleft()
                if self._letter:
                    self._letter.content(event.octets)
            elif isinstance(event, _WORK) or (self._letter and isinstance(event, _ENDS)):
                self._task = self._shared.loop.create_task(self._work())
                self._task.add_done_callback(self._worked)
            else:
                events.popleft()
                self._note(event)

    def _note(self, event: Connected | Greeted | Aborted | Closed) -> None:
        if isinstance(event, _ENDS):
            self._ended(event)
        elif isinstance(event, Greeted):
            self._helo = event.name
        else:
            self._connected, self._helo = event, ""
            metrics.child(metrics.milter_connections, "accepted").inc()
            self._answer(_CONNECT, self._dialogue.proceed)

    async def _work(self) -> None:
        while self._events:
            event = self._events.popleft()
            if isinstance(event, MailFrom):
                await self._mail(event)
            elif isinstance(event, RcptTo):
                await self._rcpt(event)
            elif isinstance(event, EndOfMessage):
                await self._judge()
            elif isinstance(event, Content):
                if self._letter:
                    self._letter.content(event.octets)
            else:
                if isinstance(event, _ENDS):
                    await self._let_go()
                self._note(event)

    def _worked(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and (error := task.exception()):
            report_fault(error, secrets.token_hex(6), "milter")
            if self._transport:
                self._transport.abort()
        if self._is_paused and self._transport and not self._transport.is_closing():
            self._transport.resume_reading()
            self._is_paused = False
        if self._events:
            self._pump()

    def _forget(self) -> None:
        if self in self._shared.connections:
            self._shared.connections.discard(self)
            metrics.milter_sessions.dec()

    # ---- a message --------------------------------------------------------------------------------------------------

    async def _mail(self, event: MailFrom) -> None:
        dialogue, macros = self._dialogue, self._dialogue.macros
        if self._letter:
            await self._let_go()
        address = address_of(self._connected, macros)
        unseen = self._why_unseen(address, macros)
        if unseen:
            metrics.child(metrics.milter_unseen, unseen).inc()
            return self._answer(_MAIL, dialogue.accept)
        if address is None:  # where every recipient is deferred there is no end of message to tell it at
            self._shared.tell_missing(["client_addr"])
        utf8 = b"SMTPUTF8" in map(bytes.upper, event.arguments)
        client = client_of(address, self._connected, self._helo, macros, utf8=utf8) if address else None
        self._letter = Letter(self._shared, client, self._is_awaited)
        refusal = await self._letter.mail(event.path, event.arguments)
        self._answer(_MAIL, partial(dialogue.refuse, refusal) if refusal else dialogue.proceed)
        if dialogue.stage not in OPEN:  # it heard the refusal, and says no more of this message
            await self._let_go()
        return None

    def _why_unseen(self, address: Address | None, macros: Mapping[str, str]) -> str:
        settings = self._shared.settings
        if macros.get("auth_authen") and not settings.judge_authenticated:
            return "authenticated"
        return "internal" if address and settings.internal and within(address, settings.internal) else ""

    async def _rcpt(self, event: RcptTo) -> None:
        dialogue = self._dialogue
        if self._letter is None:
            return self._answer(_RCPT, dialogue.accept)
        refusal = await self._letter.rcpt(event.path, event.arguments)
        if dialogue.owed is _RCPT:
            self._answer(_RCPT, partial(dialogue.refuse, refusal) if refusal else dialogue.proceed)
        elif refusal:  # nobody waits to hear it: the mail server keeps this recipient until the end of the message
            self._letter.refuse(refusal)
        return None

    async def _judge(self) -> None:
        letter, dialogue, shared = self._letter, self._dialogue, self._shared
        if letter is None:
            return self._answer(_BODYEOB, dialogue.accept)
        shared.tell_missing(missing(dialogue.macros))
        if dialogue.overflow:
            letter.malformed()
        self._progress_later()
        try:
            verdict = await letter.verdict(dialogue.macros.get("i", ""))
        finally:
            if self._sign:
                self._sign.cancel()
            self._letter = None
        return self._answer(_BODYEOB, partial(_told, dialogue, verdict))

    def _progress(self) -> None:
        self._answer(_BODYEOB, self._dialogue.progress)
        self._progress_later()

    def _progress_later(self) -> None:
        self._sign = self._shared.loop.call_later(PROGRESS_SECONDS, self._progress)

    def _ended(self, event: Aborted | Closed) -> None:
        if isinstance(event, Closed) and self._transport:
            self._transport.close()
        if self._is_lost and not self._events:
            self._forget()

    async def _let_go(self) -> None:
        letter, self._letter = self._letter, None
        if letter:
            await letter.abandon()


def _told(dialogue: Dialogue, verdict: Verdict) -> bytes:
    if verdict.refusal:
        return dialogue.refuse(verdict.refusal)
    if verdict.discard:
        return dialogue.discard()
    return dialogue.edit(verdict.edits) + dialogue.proceed()
