"""Everything that checks look at: settings, policies, DNS, the service; and what several of them ask, asked once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from gateway.doctor.service import Service, find_service
from gateway.doctor.wire import Server, servers_of
from gateway.evidence.zone import Answer, Question, QuestionType
from gateway.policy.policyset import PolicySet
from gateway.policy.problem import Problem
from gateway.reloader import inspect
from gateway.resolver import Resolver
from gateway.settings import Settings

DNS_SECONDS: Final = 4.0  # for one round of questions: the whole must end soon where everything is dead
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Made by `see`, inside one event loop."""

    config: str  # the file of the settings, as it is called in commands
    settings: Settings
    rules: PolicySet | None  # None: the policies have errors
    problems: list[Problem]
    service: Service
    servers: tuple[Server, ...]
    resolver: Resolver
    now: datetime
    _tasks: dict[Hashable, asyncio.Task[Any]] = field(default_factory=dict)

    @property
    def policy(self) -> PolicySet:
        """For checks that need one."""
        assert self.rules is not None
        return self.rules

    @property
    def own_domains(self) -> tuple[str, ...]:
        """Domains whose mail is ours, without those of a pattern `*.domain`."""
        return tuple(domain for domain in self.policy.own_domains if not domain.startswith("*."))

    @property
    def resolver_seconds(self) -> float:
        """How long one round of questions may take."""
        return min(self.settings.dns.timeout, DNS_SECONDS)

    async def once(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """What several checks want to know is found out once, and they share it."""
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(work())
        return cast(_T, await asyncio.shield(self._tasks[key]))

    async def ask(self, name: str, kind: QuestionType) -> Answer:
        """One DNS question, with the gateway's own resolver."""
        question = Question(name.lower().rstrip("."), kind)
        return (await self.resolver.answer([question]))[question]

    async def has_dns(self) -> bool:
        return await self.once("dns", self._has_dns)

    async def _has_dns(self) -> bool:
        try:
            async with asyncio.timeout(DNS_SECONDS):
                return await self.resolver.is_alive()
        except TimeoutError:
            return False

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self.resolver.close()


async def see(config: Path | None, settings: Settings) -> World:
    """Read the policies, find the service; nothing is asked yet."""
    now = datetime.now(UTC)
    rules, problems = await in_thread(lambda: inspect(settings.policies, now))
    dns = settings.dns.model_copy(update={"timeout": min(settings.dns.timeout, DNS_SECONDS)})
    return World(
        config=str(config or "gateway.toml"),
        settings=settings,
        rules=rules,
        problems=problems,
        service=await in_thread(lambda: find_service(settings.state)),
        servers=servers_of(settings.dns),
        resolver=Resolver(dns),
        now=now,
    )


async def in_thread(work: Callable[[], _T]) -> _T:
    """Run blocking work in a thread that nobody waits for at the end: a dead network file system holds it for ever."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def done(result: _T | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(cast(_T, result))

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as caught:
            error = caught
        if not loop.is_closed():
            loop.call_soon_threadsafe(done, result, error)

    threading.Thread(target=run, daemon=True).start()
    return await future
