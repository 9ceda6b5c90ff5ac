"""One DNS question to the name servers, through c-ares."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Final

import aiodns
import pycares

from gateway.evidence.zone import NODATA, NXDOMAIN, Answer, Outcome, Question
from gateway.resolver.records import read
from gateway.settings import DnsSettings

# c-ares keeps answers itself, without a limit in number and regardless of our settings, and cannot be told not to.
# A new channel forgets them.
RENEW_SECONDS: Final = 60.0
RENEW_QUESTIONS: Final = 10_000

_NODATA: Final = pycares.errno.ARES_ENODATA
_NXDOMAIN: Final = pycares.errno.ARES_ENOTFOUND
_SILENCE: Final = (pycares.errno.ARES_ETIMEOUT, pycares.errno.ARES_ECONNREFUSED, pycares.errno.ARES_ECANCELLED)


class Silence(Exception):
    """No name server answered."""


class Channel:
    """Retries, TCP after truncation, random ids and ports are c-ares'. Made and used inside one event loop."""

    def __init__(self, settings: DnsSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._current: aiodns.DNSResolver | None = None
        self._made = 0.0
        self._asked = 0
        self._retired: set[aiodns.DNSResolver] = set()
        self._closing: set[asyncio.Task[None]] = set()

    async def ask(self, question: Question) -> tuple[Answer, int]:
        """The answer and its TTL in seconds (0 for absence and failure); raises Silence."""
        try:
            response = await self._ready().query_dns(question.name, question.type)
        except aiodns.error.DNSError as error:
            code, text = error.args[0], str(error.args[1]) if len(error.args) > 1 else ""
            if code == _NODATA:
                return NODATA, 0
            if code == _NXDOMAIN:
                return NXDOMAIN, 0
            if code in _SILENCE:
                raise Silence(text) from error
            return Answer(Outcome.ERROR, reason=text), 0
        return read(question, response)

    async def is_alive(self) -> bool:
        """Whether a name server answers anything at all to a name that costs it nothing (RFC 6761 §6.4)."""
        try:
            await self.ask(Question(f"{secrets.token_hex(6)}.invalid", "A"))
        except Silence:
            return False
        return True

    def renew(self) -> None:
        """Begin again with a new channel; questions that are under way end in Silence."""
        for old in (*self._retired, self._current):
            if old is not None:
                self._end(old)
        self._current = None

    async def close(self) -> None:
        self.renew()
        await asyncio.gather(*self._closing)

    def _ready(self) -> aiodns.DNSResolver:
        now = self._clock()
        old = self._current
        if old is not None and self._asked < RENEW_QUESTIONS and now - self._made < RENEW_SECONDS:
            self._asked += 1
            return old
        if old is not None:
            self._retire(old)
        # c-ares shortens the wait for a server that has been quick to a quarter of a second and doubles it with each try:
        # only many tries leave a slow zone the time that the settings give it (they, not the tries, end the question)
        self._current = aiodns.DNSResolver(
            nameservers=self._settings.nameservers or None, timeout=self._settings.timeout * 0.3, tries=6
        )
        self._made, self._asked = now, 1
        return self._current

    def _retire(self, old: aiodns.DNSResolver) -> None:
        """Close the old channel when its questions must have ended."""
        self._retired.add(old)
        asyncio.get_running_loop().call_later(2 * self._settings.timeout, self._end, old)

    def _end(self, old: aiodns.DNSResolver) -> None:
        self._retired.discard(old)
        task = asyncio.get_running_loop().create_task(old.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
