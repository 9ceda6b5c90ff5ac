"""SIGUSR2: the program on disk takes the place of this one, in the same process, and no connection is lost (safety O-2)."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

from gateway import maillog, metrics
from gateway.supervisor.estate import Estate
from gateway.supervisor.handover import Older
from gateway.supervisor.trial import Trial, command


class Succession:
    """First a trial: a child that reads settings and policies, opens the store and the sockets that are new, and ends.

    Only when that went well is this program replaced (execve(2)); else it goes on as if nothing had been asked.
    """

    def __init__(self, estate: Estate, environ: Mapping[str, str]) -> None:
        self._estate = estate
        self._environ = environ
        self._trial: Trial | None = None

    @property
    def is_under_way(self) -> bool:
        return self._trial is not None

    def begin(self) -> bool:
        """Start the trial; False when that cannot be done, which is told."""
        maillog.event("handover-asked", command=command())
        try:
            self._trial = Trial(self._estate.given(trial=True), self._environ)
        except OSError as error:
            self.refuse([_cannot_run(error)])
        return self.is_under_way

    def is_granted(self) -> bool | None:
        """None while the trial runs; False when it failed, which is told."""
        outcome = self._trial.outcome() if self._trial else None
        if outcome is None:
            return None
        self._trial = None
        if outcome:
            self.refuse(outcome)
        return not outcome

    def cancel(self) -> None:
        if self._trial:
            self._trial.cancel()
            self._trial = None

    def refuse(self, reasons: Sequence[str]) -> None:
        """This program goes on."""
        metrics.handovers.labels("refused").inc()
        maillog.event("handover-refused", reasons=list(reasons))

    def replace(self, older: Sequence[Older]) -> None:
        """Become the other program, with these processes as its elders. Returns only when that cannot be done."""
        handover = self._estate.given(trial=False, older=older)
        words = command()
        for number in handover.descriptors():
            os.set_inheritable(number, True)
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            os.execve(words[0], words, {**self._environ, **handover.told(os.getpid())})  # noqa: S606 -- as it was started
        except OSError as error:
            for number in handover.descriptors():
                os.set_inheritable(number, False)
            self.refuse([_cannot_run(error)])


def _cannot_run(error: OSError) -> str:
    return f"{command()[0]} cannot be run: {error.strerror}"
