"""What the demonstration prints: for a head of office on a terminal, and plain when it is piped."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage
from typing import Final
from zoneinfo import ZoneInfo

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from gateway.demo import words
from gateway.demo.fate import how_proven, reason, unit_named, what_happened
from gateway.demo.running import Stage
from gateway.demo.teller import Told
from gateway.demo.words import Language, Words
from gateway.quarantine.entry import EntryFilter

PIPED_WIDTH: Final = 110
MAX_WIDTH: Final = 120
NARROW: Final = 100  # below it the table has a column less


class Report:
    """Sections, printed as they come."""

    def __init__(self, language: Language) -> None:
        self._language = language
        width = None if sys.stdout.isatty() else PIPED_WIDTH
        self._console = Console(width=width, highlight=False, emoji=False, markup=False)
        self._console.width = min(self._console.width, MAX_WIDTH)

    def _print(self, *parts: RenderableType) -> None:
        for part in parts:
            self._console.print(part)

    def say(self, sentence: Words, **facts: object) -> None:
        self._print(Text(sentence.of(self._language).format(**facts)), Text())

    def _heading(self, title: Words, **facts: object) -> None:
        self._print(Rule(Text(title.of(self._language).format(**facts), style="bold"), align="left"), Text())

    def _table(self, columns: Sequence[Words], widths: Sequence[int], *, airy: bool = False) -> Table:
        """Columns that share the width by these parts; 0 keeps a column as narrow as its text."""
        padding = (0, 2, int(airy), 0)
        table = Table(box=None, pad_edge=False, header_style="bold", expand=True, padding=padding)
        for column, ratio in zip(columns, widths, strict=True):
            table.add_column(column.of(self._language), ratio=ratio or None, no_wrap=not ratio, overflow="fold")
        return table

    def opening(self) -> None:
        self._heading(words.TITLE)
        self.say(words.OPENING)

    def table(self, told: Iterable[Told]) -> None:
        """One line for each story: what came, from whom, how proven, what became of it."""
        narrow = self._console.width < NARROW  # the author then stands below the title
        columns = [*words.COLUMNS[:2], *words.COLUMNS[3:]] if narrow else list(words.COLUMNS)
        table = self._table(columns, (0, 26, 18, 22, 24) if narrow else (0, 20, 22, 18, 22, 26), airy=True)
        for one in told:
            title, address = one.story.title.of(self._language), one.story.letter.address.replace("@", "\n@")
            table.add_row(
                str(one.number),
                *([Text(f"{title}\n{address}")] if narrow else [Text(title), Text(address)]),
                Text(unit_named(one, self._language)),
                Text(how_proven(one, self._language)),
                Text(what_happened(one, self._language)),
            )
        self._print(table, Text())

    def as_expected(self, count: int) -> None:
        self.say(words.ALL_AS_EXPECTED, count=count)

    def notice(self, number: int, notice: EmailMessage) -> None:
        """The notice as its reader sees it."""
        self._heading(words.NOTICE, number=number)
        fields = dict(notice.raw_items())  # parsed by the library, names of two encoded words get a blank too many
        for name in words.NOTICE_FIELDS:
            value = str(make_header(decode_header(str(fields[name]))))
            self._console.print(Text.assemble((f"{name}: ", "bold"), value))
        body = notice.get_body(("plain",))
        text = body.get_content() if body is not None else ""
        self._print(Text(), Text(str(text)))

    def explanation(self, number: int, lines: Iterable[str]) -> None:
        self._heading(words.EXPLANATION, number=number)
        for line in lines:
            text = line.lstrip(" ")
            depth = len(line) - len(text)
            self._console.print(Padding(Text(text, style="" if depth else "bold"), (0, 0, 0, depth), expand=False))
        self._print(Text())

    async def held(self, stage: Stage) -> None:
        """What waits for the clerk, oldest first."""
        self._heading(words.QUARANTINE)
        table = self._table(words.QUARANTINE_COLUMNS, (0, 24, 36, 24), airy=True)
        for entry in reversed(await stage.node.store.list_entries(EntryFilter())):
            author = (entry.author or f"<{entry.reverse_path or ''}>").replace("@", "\n@")
            table.add_row(*map(Text, (entry.id, author, entry.subject, reason(entry.rule, self._language))))
        self._print(table, Text())

    async def units(self, stage: Stage) -> None:
        """The units that have sent, and how many have not."""
        self._heading(words.REGISTER)
        policy, now = stage.node.reloader.current, datetime.now(UTC)
        registry, day = policy.grounds.registry, policy.day(now)
        current = {unit.id: unit.name for unit in registry.units.values() if registry.current(unit.id, day) is unit}
        tallies = await stage.node.store.who_has_sent(list(current), datetime(2000, 1, 1, tzinfo=UTC), now)
        table = self._table(words.REGISTER_COLUMNS, (40, 20, 12, 16))
        zone = ZoneInfo(stage.settings.timezone)
        for tally in tallies:
            if tally.has_sent:
                last = f"{tally.last.astimezone(zone):%d/%m/%Y %H:%M}" if tally.last else ""
                table.add_row(current[tally.unit_id], str(tally.official), str(tally.held), last)
        self._print(table, Text())
        self.say(words.SILENT, count=sum(not tally.has_sent for tally in tallies))

    def places(self, places: Iterable[tuple[str, str]]) -> None:
        self._heading(words.PLACES)
        table = Table.grid(padding=(0, 2, 0, 0))
        for name, where in places:
            table.add_row(Text(name, style="bold"), Text(where, overflow="fold"))
        self._print(table, Text())

    def commands(self, commands: Iterable[str]) -> None:
        """Commands on one line each, however long, so that they can be copied."""
        self._heading(words.TRY)
        for command in commands:
            self._console.print(Text(command), soft_wrap=True)
        self._print(Text())

    def ending(self, sentence: Words | None) -> None:
        if sentence:
            self.say(sentence)
        self.say(words.KEPT)
