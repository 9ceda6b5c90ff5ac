"""The front page, `gateway --help`: what this is, the verbs by who uses them, a first example each, exit statuses.

It stands by itself, so that it is there at once; a test holds it against the verbs that there are.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from typing import Final, NamedTuple

from gateway.cli.speech import say, used
from gateway.cli.terminal import BOLD, prose, styled

PURPOSE: Final = (
    "Inbound mail gateway for public offices: proves who sent each message, names the sending unit, "
    "holds what breaks the directive, and loses nothing."
)


class Group(NamedTuple):
    title: str
    verbs: tuple[tuple[str, str], ...]  # verb, and what it does in a few words
    example: str


GROUPS: Final = (
    Group(
        "For those who run the server",
        (
            ("demo", "show everything on this machine, with real messages"),
            ("check", "tell every mistake in settings and policies, and how to mend it"),
            ("doctor", "look at everything that an installation gets wrong; changes nothing"),
            ("run", "run the gateway"),
            ("backup", "copy the store while the gateway runs"),
            ("verify", "prove that the store, or a backup, is whole"),
            ("restore", "put a backup back"),
        ),
        "gateway check --config /etc/gateway/gateway.toml",
    ),
    Group(
        "For those who write the policies",
        (
            ("explain", "what would happen to a message, and why; changes nothing"),
            ("policy", "the policies that were in force: list, roll back"),
        ),
        "gateway explain mail.eml --from a@b.vn --to vanthu@longan.edu.vn",
    ),
    Group(
        "For clerks",
        (
            ("quarantine", "held mail: list, show, release, reject, delete"),
            ("register", "who has sent what: search, show, export; which unit has not sent"),
        ),
        'gateway register search "bao cao" --since 2026-11-01',
    ),
    Group(
        "For the shell",
        (("completion", "let Tab complete verbs, options and values"),),
        "gateway completion bash",
    ),
)

STATUSES: Final = (  # sysexits.h, but for 1, 2 and those of signals
    (0, "all is well"),
    (1, "the service has failed; with doctor --strict: there are warnings"),
    (2, "the command was not understood"),
    (65, "what was asked for cannot be done with this message, or data are wrong"),
    (66, "no such message, file, folder or unit"),
    (69, "the store, or something else that is needed, cannot be used"),
    (73, "a file cannot be written"),
    (75, "try again later: the address or the state folder is in use"),
    (78, "settings or policies have errors"),
    (130, "interrupted with Ctrl-C"),
    (141, "whoever was to read our output has gone, as in: gateway … | head"),
)


def front_page() -> str:
    """The page, as wide as the terminal, without the last line feed."""
    return "\n".join(_lines(prose()))


def _lines(room: int) -> Iterator[str]:
    yield from textwrap.wrap(say(PURPOSE), room)
    yield ""
    yield f"{heading('Usage')}: gateway {say('VERB')} [{say('OPTIONS')}]"
    yield f"{' ' * (len(say('Usage')) + 2)}gateway {say('VERB')} --help"
    for group in GROUPS:
        yield ""
        yield heading(group.title)
        for verb, summary in group.verbs:
            yield from entry(verb, say(summary), 13, room)
        yield from entry("", f"$ {group.example}", 2, room)
    yield ""
    yield heading("For every verb")
    for words, meaning in (
        ("--help, -h", "options and examples of the verb"),
        ("--lang vi|en", "the language; by default that of LANG"),
        ("--json", "for programs: of each verb that prints data"),
        ("--version", "of gateway itself"),
    ):
        yield from entry(words, say(meaning), 15, room)
    yield ""
    yield heading("Exit statuses")
    for status, meaning in STATUSES:
        yield from entry(str(status), say(meaning), 6, room)
    yield ""
    yield from textwrap.wrap(say("More: man gateway, and the folder {folder}.", folder=f"docs/how-to/{used()}"), room)


def heading(english: str) -> str:
    return styled(say(english), BOLD, sys.stdout)


def entry(word: str, meaning: str, indent: int, room: int) -> list[str]:
    """A word and what it means, set off by `indent` columns; a long word has a line of its own."""
    lead = f"  {word}"
    rest = textwrap.wrap(meaning, max(20, room - indent - 2), break_long_words=False, break_on_hyphens=False)
    if not rest or len(lead) > indent:
        return [lead, *(" " * (indent + 2) + line for line in rest)]
    return [(lead if i == 0 else "").ljust(indent + 2) + line for i, line in enumerate(rest)]
