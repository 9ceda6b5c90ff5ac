"""The resolver of a worker: cache, one flight per question, limits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from gateway import maillog, metrics
from gateway.evidence.names import is_askable as can_exist
from gateway.evidence.zone import NXDOMAIN, Answer, Outcome, Question, Zone
from gateway.resolver.breaker import Breaker
from gateway.resolver.cache import Cache
from gateway.resolver.channel import Channel, Silence
from gateway.resolver.records import is_askable
from gateway.resolver.unusual import UnusualNames
from gateway.settings import DnsSettings

MAX_IN_FLIGHT: Final = 500  # questions of one worker on the wire (safety S-21)

_DOWN: Final = Answer(Outcome.ERROR, reason="no name server answers")
_LATE: Final = Answer(Outcome.ERROR, reason="no answer in time")


class Resolver:
    """Implements ports.Resolver. Used inside one event loop; `clock` gives monotonic seconds."""

    def __init__(self, settings: DnsSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._cache = Cache(settings.cache_size, clock)
        self._channel = Channel(settings, clock)
        self._unusual = UnusualNames(settings)
        self._breaker = Breaker(self._channel.is_alive, settings.timeout * 0.2, self._went_down)
        self._flights: dict[Question, asyncio.Task[Answer]] = {}
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)

    @property
    def cache(self) -> Zone:
        return self._cache.fresh()

    @property
    def is_down(self) -> bool:
        """No name server answers; questions are answered with ERROR at once until one does (safety F-19)."""
        return self._breaker.is_open

    async def is_alive(self) -> bool:
        """Ask the name servers something harmless, for readiness; may take as long as an answer."""
        return await self._channel.is_alive()

    async def answer(self, questions: Collection[Question]) -> Mapping[Question, Answer]:
        """Every question answered, within `timeout` seconds for all of them together."""
        answers: dict[Question, Answer] = {}
        waiting: dict[Question, asyncio.Task[Answer]] = {}
        for question in questions:
            known = self._cache.get(question)
            if known is not None:
                answers[question] = known
            elif can_exist(question.name):
                waiting[question] = self._flight(question)
            else:
                answers[question] = NXDOMAIN
        if waiting:
            await asyncio.wait(waiting.values(), timeout=self._settings.timeout)
        for question, flight in waiting.items():
            answers[question] = flight.result() if flight.done() and not flight.cancelled() else _LATE
        return answers

    async def close(self) -> None:
        """End all questions; they are answered with ERROR."""
        self._breaker.close()
        await self._channel.close()
        for flight in tuple(self._flights.values()):
            flight.cancel()
        await asyncio.gather(*self._flights.values(), return_exceptions=True)

    def _flight(self, question: Question) -> asyncio.Task[Answer]:
        """The task that asks this question: messages that want the same answer at once share it."""
        flight = self._flights.get(question)
        if flight is None:
            flight = asyncio.get_running_loop().create_task(self._ask(question))
            self._flights[question] = flight
            flight.add_done_callback(lambda _: self._flights.pop(question, None))
        return flight

    async def _ask(self, question: Question) -> Answer:
        if self._breaker.is_open:
            metrics.dns_queries.labels("down").inc()
            return _DOWN
        begin = self._clock()
        answer, ttl = await self._within_limits(question)
        metrics.dns_seconds.observe(self._clock() - begin)
        metrics.dns_queries.labels(answer.outcome.value).inc()
        self._cache.put(question, answer, self._lifetime(answer, ttl))
        return answer

    async def _within_limits(self, question: Question) -> tuple[Answer, int]:
        doubt = asyncio.get_running_loop().call_later(self._settings.timeout * 0.4, self._breaker.doubt)
        try:
            async with asyncio.timeout(self._settings.timeout), self._slots:
                asked = self._channel if is_askable(question.name) else self._unusual
                return await asked.ask(question)
        except Silence as silence:
            self._breaker.doubt()
            return Answer(Outcome.ERROR, reason=str(silence)), 0
        except TimeoutError:
            return _LATE, 0
        except Exception as error:  # mail chose the question: whatever it broke is temperror, not a lost message
            metrics.faults.labels("resolver").inc()
            maillog.event("fault", place="resolver", question=question, error=repr(error))
            return Answer(Outcome.ERROR, reason=type(error).__name__), 0
        finally:
            doubt.cancel()

    def _lifetime(self, answer: Answer, ttl: int) -> float:
        match answer.outcome:
            case Outcome.ANSWER:
                return min(ttl, self._settings.max_ttl)
            case Outcome.ERROR:
                return self._settings.error_ttl
            case _:
                return self._settings.negative_ttl

    def _went_down(self) -> None:
        maillog.event("dns-down", nameservers=self._settings.nameservers or "system")
        self._channel.renew()  # ends the questions that wait for servers which do not answer
