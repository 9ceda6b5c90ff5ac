"""The outbox's doorbell: workers put rows into the store, and the services process sends them without looking in vain."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterator


class Bell:
    """A counter in the kernel, made before fork and shared by all processes of the service (eventfd(2)).

    Rings are not counted by those who hear them: ten may be heard as one. One that nobody hears, because the services
    process is being begun anew, waits for it.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        """A new bell, or the one of this descriptor, which an older program has passed to us."""
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) if descriptor is None else descriptor

    def fileno(self) -> int:
        return self._descriptor

    def ring(self) -> None:
        """Never waits and never raises: who does not hear it finds the row at the next look."""
        if self._descriptor < 0:
            return
        with contextlib.suppress(OSError):
            os.eventfd_write(self._descriptor, 1)

    @contextlib.contextmanager
    def answered(self, heard: Callable[[], object]) -> Iterator[None]:
        """Within the block, call this in the running event loop when it has been rung."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._descriptor, self._heard, heard)
        try:
            yield
        finally:
            loop.remove_reader(self._descriptor)

    def close(self) -> None:
        """From now on it rings nowhere: the descriptor's number may become another file's."""
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)

    def _heard(self, heard: Callable[[], object]) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._descriptor)
        heard()
