"""What all milter connections of one worker share."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gateway import maillog
from gateway.endpoint.limits import FreeSpace, MemoryBudget, has_room, room_for
from gateway.endpoint.milter_words import SETTINGS
from gateway.ports import Reception
from gateway.settings import MilterSettings

if TYPE_CHECKING:
    from gateway.endpoint.milter_connection import MilterConnection

DOMAINS_TOLD: Final = 100  # of others, by one worker: a mail server that relays for its clients meets many
QUIET: Final = 60.0  # seconds between two log lines of one kind about strangers


class Shared:
    """Settings, limits and the state of the worker's milter door."""

    def __init__(
        self, settings: MilterSettings, reception: Reception, *, spool: Path, loop: asyncio.AbstractEventLoop
    ) -> None:
        self.settings = settings
        self.reception = reception
        self.spool = spool
        self.loop = loop
        self.memory = MemoryBudget(settings.memory)
        self.disk = FreeSpace(spool, room_for(settings.max_size))
        self.connections: set[MilterConnection] = set()
        self.draining = False
        self._told: set[str] = set()
        self._elsewhere: set[str] = set()  # domains that were told
        self._strangers = 0
        self._quiet_until = 0.0

    def has_room(self) -> bool:
        """Whether memory and disk allow one more message (F-22, F-32)."""
        return has_room(self.memory, self.disk, self.loop.time())

    def tell_missing(self, macros: list[str]) -> None:
        """Name the mail server's setting for each macro that did not come; once for each, not for every message."""
        for macro in macros:
            if macro not in self._told:
                self._told.add(macro)
                maillog.event("macro-missing", macro=macro, setting=SETTINGS[macro])

    def tell_elsewhere(self, domain: str) -> None:
        """Mail for a domain that the policy does not call ours passes unjudged, perhaps because it was forgotten."""
        if domain not in self._elsewhere and len(self._elsewhere) < DOMAINS_TOLD:
            self._elsewhere.add(domain)
            maillog.event("not-our-domain", domain=domain, mend="if its mail is to be judged, add it to own_domains")

    def tell_stranger(self, reason: str) -> None:
        """Something that is no mail server spoke to us. A port scan must not fill the log (rspamd#3088)."""
        self._strangers += 1
        now = self.loop.time()
        if now >= self._quiet_until:
            maillog.event("milter-protocol", reason=reason, times=self._strangers)
            self._strangers, self._quiet_until = 0, now + QUIET
