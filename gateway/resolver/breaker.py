"""Notices that no name server answers, so that mail need not wait for each question to time out (safety F-19)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

INTERVAL: Final = 1.0  # seconds between two looks at dead servers


class Breaker:
    """Open while nothing answers. Somebody's silent zone cannot open it: a question of our own decides."""

    def __init__(self, is_alive: Callable[[], Awaitable[bool]], patience: float, opened: Callable[[], None]) -> None:
        """`is_alive` asks the servers something harmless, `patience` is the seconds that it may take,
        `opened` is called when they were found dead."""
        self._is_alive = is_alive
        self._patience = patience
        self._opened = opened
        self._watch: asyncio.Task[None] | None = None
        self.is_open = False

    def doubt(self) -> None:
        """A question has been waiting for long: find out whether the servers live."""
        if self._watch is None:
            self._watch = asyncio.get_running_loop().create_task(self._until_alive())
            self._watch.add_done_callback(self._ended)

    def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()

    async def _until_alive(self) -> None:
        while not await self._answers():
            if not self.is_open:
                self.is_open = True
                self._opened()
            await asyncio.sleep(INTERVAL)

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(self._patience):
                return await self._is_alive()
        except TimeoutError:
            return False

    def _ended(self, watch: asyncio.Task[None]) -> None:
        self._watch = None
        self.is_open = False
        if not watch.cancelled():
            watch.exception()  # whatever it was, the next doubt asks again
