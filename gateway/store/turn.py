"""Rows are committed in the event loop itself, at the end of the turn in which they came, while that is quick.

Waking a thread and being woken by it takes longer than such a commit, and with one message at a time it was a quarter
of what the client waited. All messages that were judged in one turn of the loop share the commit. The loop waits for
nobody: when another connection writes just now, when the disk is slow, and once in a while so that the log is
cleared away, the rows go to the writer's thread.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Sequence
from typing import Final

from gateway.store.committing import Job, RowCommitter, wake

TURN_MAX: Final = 32  # jobs in one commit here
CHECKPOINT_AFTER: Final = 256  # commits here; the next one goes to the thread, whose connection makes checkpoints
QUICK: Final = 0.002  # seconds that a commit may hold the event loop up ...
SLOW_MAX: Final = 3  # ... and how many in a row may take longer,
STALL: Final = 0.05  # or one of them longer than this,
REST: Final = 10.0  # before all go to the thread for so many seconds


class Turn:
    """The rows of this turn. Used in the event loop only."""

    def __init__(
        self,
        committer: RowCommitter,
        thread: queue.SimpleQueue[Job | None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._committer = committer
        self._thread = thread
        self._clock = clock
        self._jobs: list[Job] = []
        self._commits = 0  # since the last one that went to the thread
        self._slow = 0  # commits in a row that took longer than QUICK
        self._rests_until = 0.0

    def add(self, job: Job) -> None:
        jobs = self._jobs
        if jobs and jobs[0].loop is not job.loop:
            self._thread.put(job)
            return
        jobs.append(job)
        if len(jobs) == 1:
            job.loop.call_soon(self.end)

    def end(self) -> None:
        """Commit what has come, or leave it to the thread."""
        jobs, self._jobs = self._jobs, []
        if not jobs:
            return
        if self._commits_here(jobs):
            wake(jobs)
        else:
            self._commits = 0
            for job in jobs:
                self._thread.put(job)

    def _commits_here(self, jobs: Sequence[Job]) -> bool:
        """Whether they were committed, or failed for good."""
        begun = self._clock()
        if len(jobs) > TURN_MAX or self._commits >= CHECKPOINT_AFTER or begun < self._rests_until:
            return False
        if not self._thread.empty():  # what waits there came earlier
            return False
        done = self._committer.commit_at_once(jobs)
        self._commits += 1
        self._judge_disk(begun, self._clock())
        return done

    def _judge_disk(self, begun: float, ended: float) -> None:
        taken = ended - begun
        self._slow = self._slow + 1 if taken > QUICK else 0
        if self._slow >= SLOW_MAX or taken > STALL:
            self._slow, self._rests_until = 0, ended + REST
