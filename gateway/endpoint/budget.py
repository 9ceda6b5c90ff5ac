"""How much nonsense one session may talk (S-24)."""

from __future__ import annotations

from gateway.envelope.reply import Reply

FREE_REFUSALS = 10  # recipients refused in a session before the answers become slow


class Tarpit:
    """How long a session's next refusal of a recipient is to wait, so that guessing addresses is slow (S-24)."""

    SECONDS = 1.0

    def __init__(self) -> None:
        self._refused = 0

    def delay(self, reply: Reply) -> float:
        """Seconds to wait before this reply to RCPT."""
        if not reply.is_permanent:
            return 0.0
        self._refused += 1
        return self.SECONDS if self._refused > FREE_REFUSALS else 0.0


class Budget:
    """Errors and idle commands that a session may still make; an accepted message fills it again, as in Postfix."""

    IDLE_COMMANDS = 100  # NOOP, RSET, VRFY, EHLO, HELO, XFORWARD without mail between them

    def __init__(self, errors: int) -> None:
        self._allowed = errors
        self._errors = 0
        self._idle = 0

    def error(self) -> None:
        self._errors += 1

    def idle(self) -> None:
        self._idle += 1
        if self._idle > self.IDLE_COMMANDS:
            self._errors += 1

    def refill(self) -> None:
        self._errors = self._idle = 0

    @property
    def is_spent(self) -> bool:
        return self._errors >= self._allowed
