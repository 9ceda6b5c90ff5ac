"""Read, check, swap: one immutable set in force, whatever is in the directory at the moment."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import watchfiles

from gateway import maillog, metrics
from gateway.policy.check import check
from gateway.policy.parse import PolicySet, digest_of
from gateway.policy.problem import Problem
from gateway.reloader.directory import Stamps, read_directory, stamps
from gateway.reloader.generations import Generations
from gateway.reloader.inspection import template_problems

QUIET: Final = 0.5  # seconds without a change before the watch reads
LOOK_AGAIN: Final = 60_000  # milliseconds

Clock = Callable[[], datetime]


class PolicyError(Exception):
    """There is no policy to start with; `problems` say why. The process ends with exit status 78."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("no usable policy")
        self.problems = problems


def _now() -> datetime:
    return datetime.now(UTC)


class Reloader:
    """Holds the policy set in force. `current` is one reference: whoever read it keeps that set (safety O-3)."""

    def __init__(self, directory: Path, state: Path, *, clock: Clock = _now) -> None:
        self.directory = directory
        self.generations = Generations(state / "policies")
        self.problems: list[Problem] = []  # of the last reading
        self.degraded = ""  # why an older set than the directory's is in force; "" when all is well
        self._clock = clock
        self._lock = threading.Lock()
        self._current: PolicySet | None = None
        self._files: frozenset[str] = frozenset()  # names, of the set in force
        self._seen: Stamps = []  # of the last reading

    @property
    def current(self) -> PolicySet:
        """The set in force. Raises RuntimeError before start()."""
        if self._current is None:
            raise RuntimeError("the reloader has not been started")
        return self._current

    def start(self) -> PolicySet:
        """Read the directory; when it is broken start with the newest good generation, flagged degraded (safety F-35).

        Raises PolicyError when there is none.
        """
        if not _errors(self.reload()):
            return self.current
        found = self.problems
        for number in reversed(self.generations.numbers()):
            with contextlib.suppress(OSError):
                policy, _ = check(self.generations.read(number), now=self._clock(), generation=number)
                if policy:
                    self._current = policy
                    self.degraded = f"the policy directory has errors; generation {number} is in force"
                    metrics.policy_generation.set(number)
                    maillog.event("policy-degraded", generation=number, errors=len(_errors(found)))
                    return policy
        raise PolicyError(found)

    def reload(self) -> list[Problem]:
        """Read, check and swap; on any error the set in force stays (safety F-34). Blocking: call it in a thread."""
        with self._lock:
            return self._shown(self._reload())

    def _shown(self, problems: list[Problem]) -> list[Problem]:
        errors = len(_errors(problems))
        metrics.policy_problems.labels("error").set(errors)
        metrics.policy_problems.labels("warning").set(len(problems) - errors)
        metrics.policy_good.set(not errors)
        if not errors:
            metrics.policy_good_at.set(self._clock().timestamp())
        return problems

    def _reload(self) -> list[Problem]:
        self._seen = stamps(self.directory)
        files, problems = read_directory(self.directory)
        before = self._current
        if before and not problems and digest_of(files) == before.digest:
            self.problems, self.degraded = [p for p in self.problems if p.severity == "warning"], ""
            metrics.policy_reloads.labels("unchanged").inc()
            return self.problems
        policy, found = check(files, now=self._clock(), unread={problem.file for problem in problems})
        problems = sorted([*problems, *found, *self._gone(files), *template_problems(files)])
        if policy is None or _errors(problems):
            return self._refuse(problems)
        try:
            number = self.generations.keep(files)
        except OSError as error:
            en, vi = f"cannot be written: {error.strerror}", f"không ghi được: {error.strerror}"
            return self._refuse([*problems, Problem("state/policies", 0, 0, "error", "", en, vi)])
        policy = replace(policy, generation=number)
        self._current, self._files, self.problems, self.degraded = policy, frozenset(files), problems, ""
        metrics.policy_generation.set(number)
        metrics.policy_reloads.labels("ok").inc()
        maillog.event("policy-loaded", generation=number, digest=policy.digest, warnings=len(problems))
        return problems

    def _refuse(self, problems: list[Problem]) -> list[Problem]:
        self.problems = problems
        errors = _errors(problems)
        if self._current:
            self.degraded = f"the policy directory has {len(errors)} errors; the set in force stays"
        metrics.policy_reloads.labels("error").inc()
        generation = self._current.generation if self._current else 0
        maillog.event("policy-refused", generation=generation, errors=len(errors), first=errors[0].text())
        return problems

    def _gone(self, files: Mapping[str, str]) -> list[Problem]:
        """Tables that were there: a file half way through a save must not look like one that was taken away.

        A directory that says exactly what a kept generation says is no such file: somebody rolled back (rollback.py).
        """
        en = "the file was in force and is gone or empty; leave its header row if nothing is meant to be in it"
        vi = "tệp đang dùng đã biến mất hoặc trống; nếu muốn bỏ hết thì giữ lại riêng dòng tiêu đề"
        gone = [name for name in self._files if name.endswith(".csv") and not files.get(name, "").strip()]
        if gone and self.generations.has(files):
            return []
        return [Problem(name, 0, 0, "error", "", en, vi) for name in gone]

    async def watch(self, stop: asyncio.Event | None = None) -> None:
        """Reload after changes, until stopped: only when the directory has stood still, so that no half-saved file is read.

        Once a minute it looks by itself, for file systems that tell nothing and for changes made before it began.
        """
        changes = watchfiles.awatch(
            self.directory, stop_event=stop, step=100, debounce=400, rust_timeout=LOOK_AGAIN, yield_on_timeout=True
        )
        async for _ in changes:
            if await self._stand_still() != self._seen:
                await asyncio.to_thread(self.reload)

    async def _stand_still(self) -> Stamps:
        """Wait until nothing changes any more; how the directory looks then."""
        before = await asyncio.to_thread(stamps, self.directory)
        while True:
            await asyncio.sleep(QUIET)
            now = await asyncio.to_thread(stamps, self.directory)
            if now == before:
                return now
            before = now


def _errors(problems: list[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.severity == "error"]
