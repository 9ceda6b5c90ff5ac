"""The macros that a mail server tells along with its commands: what it knows beside them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from gateway.endpoint.milter_codec import Command, MilterError, read_macros

_CONNECTION: Final = (Command.CONNECT.value, Command.HELO.value)
_ORDER: Final = bytes((*_CONNECTION, *b"MRTLNBEU"))  # of the commands, a later one over an earlier one


class Macros:
    """Macros by the command they came with. Those of a message live until the next one begins."""

    def __init__(self) -> None:
        self._told: dict[int, bytes] = {}  # payload by command: Postfix says the same before each field, and each chunk
        self._values: Mapping[str, str] | None = None  # None: to be read from the payloads
        self._is_over = False  # the message that they belong to

    def tell(self, payload: bytes) -> None:
        """A MACRO packet, which comes before its command. Raises MilterError."""
        if not payload or payload[0] not in _ORDER:
            raise MilterError("MACRO without a command")
        command = payload[0]
        if self._is_over and command not in _CONNECTION:
            self.forget_message()
        if self._told.get(command) != payload:
            read_macros(payload)
            self._told[command] = payload
            self._values = None

    def begin_message(self) -> None:
        """MAIL: what is not of the connection or of this command belongs to a message that is no more."""
        self._keep(_CONNECTION if self._is_over else (*_CONNECTION, Command.MAIL.value))

    def end_message(self) -> None:
        """The message is over. Its macros can still be read, for the log."""
        self._is_over = True

    def forget_message(self) -> None:
        """ABORT: nothing of the message is left."""
        self._keep(_CONNECTION)

    def forget_all(self) -> None:
        """Another client comes on the same connection."""
        self._keep(())

    def _keep(self, commands: Collection[int]) -> None:
        self._told = {command: payload for command, payload in self._told.items() if command in commands}
        self._values = None
        self._is_over = False

    @property
    def values(self) -> Mapping[str, str]:
        """Value by name without braces."""
        if self._values is None:
            found: dict[str, str] = {}
            for command in sorted(self._told, key=_ORDER.index):
                found.update(read_macros(self._told[command]))
            self._values = found
        return self._values
