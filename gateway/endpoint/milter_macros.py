"""The macros that a mail server tells along with its commands: what it knows beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from gateway.endpoint.milter_codec import Command, MilterError, read_macros

_Told: TypeAlias = tuple[bytes, Mapping[str, str]]  # names and values as they came, and as they are read

_CONNECTION: Final = (Command.CONNECT.value, Command.HELO.value)
_MAIL: Final = Command.MAIL.value
_ORDER: Final = bytes((*_CONNECTION, *b"MRTLNBEU"))  # of the commands, a later one over an earlier one


class Macros:
    """Macros by the command they came with. Those of a message live until the next one begins."""

    def __init__(self) -> None:
        self._client: dict[int, _Told] = {}  # by command
        self._message: dict[int, _Told] = {}
        self._values: Mapping[str, str] | None = None  # None: to be put together
        self._last: _Told = b"", {}  # what was read last
        self._is_over = False  # the message that they belong to

    def tell(self, payload: bytes) -> None:
        """A MACRO packet, which comes before its command. Raises MilterError."""
        if not payload or payload[0] not in _ORDER:
            raise MilterError("MACRO without a command")
        command = payload[0]
        if command in _CONNECTION:
            told = self._client
        else:
            if self._is_over:
                self.forget_message()
            told = self._message
        words = payload[1:]
        if command in told and told[command][0] == words:  # as Postfix says it before each field, and each chunk
            return
        if words != self._last[0]:  # it says the same with several commands too
            self._last = words, read_macros(payload)
        told[command] = self._last
        self._values = None

    def begin_message(self) -> None:
        """MAIL: what is not of the connection or of this command belongs to a message that is no more."""
        own = None if self._is_over else self._message.get(_MAIL)
        self.forget_message()
        if own is not None:
            self._message[_MAIL] = own

    def end_message(self) -> None:
        """The message is over. Its macros can still be read, for the log."""
        self._is_over = True

    def forget_message(self) -> None:
        """ABORT: nothing of the message is left."""
        self._message.clear()
        self._values = None
        self._is_over = False

    def forget_all(self) -> None:
        """Another client comes on the same connection."""
        self._client.clear()
        self.forget_message()

    @property
    def values(self) -> Mapping[str, str]:
        """Value by name without braces."""
        if self._values is None:
            found: dict[str, str] = {}
            told = {**self._client, **self._message}
            for command in sorted(told, key=_ORDER.index):
                found |= told[command][1]
            self._values = found
        return self._values
