"""The manual page, from the command line itself: `python -m gateway.cli.man FOLDER` (make man) writes both languages."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.cli.examples import EXAMPLES
from gateway.cli.guide import PURPOSE, STATUSES
from gateway.cli.pages import explained, named, usage
from gateway.cli.speech import Language, say, use
from gateway.cli.tree import Parameter, Verb, verb_of

PLACES: Final[dict[Language, str]] = {"en": "gateway.1", "vi": "vi/gateway.1"}  # below the folder
COMMON: Final = ("--lang", "--help")

_FILES: Final = (
    ("/etc/gateway/gateway.toml", "settings; every value is told there"),
    ("/etc/gateway/policies/", "units, mailboxes, directives, rules and texts, read again when they change"),
    ("/var/lib/gateway/", "database, held mail, policies that were in force: back it up"),
)
_VARIABLES: Final = (
    ("GATEWAY_CONFIG", "the settings file, as --config"),
    ("GATEWAY_SMTP__LISTEN, …", "every setting, with its table before two underscores"),
    ("LC_ALL, LC_MESSAGES, LANG", "the language: English where it begins with en, else Vietnamese"),
    ("NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE", "no colours; colours even into a pipe"),
    ("COLUMNS", "how wide tables and help are set"),
)


def manual(root: Verb, language: Language) -> str:
    """The page in roff, man(7) macros."""
    use(language)
    return "\n".join(_lines(root)) + "\n"


def _lines(root: Verb) -> Iterator[str]:
    yield '.\\" -*- coding: utf-8 -*- written by make man; do not edit'
    yield '.TH GATEWAY 1 "" "mail\\-gateway"'
    yield from _section("NAME", [f"gateway \\- {_roff(say('inbound mail gateway for public offices'))}"])
    yield from _section("SYNOPSIS", [f".B gateway\n{_roff(say('VERB'))} [{_roff(say('OPTIONS'))}]"])
    yield from _section("DESCRIPTION", [_roff(say(PURPOSE))])
    yield from _section("VERBS", [line for verb in _leaves(root) for line in _verb(verb)])
    shared = [option for option in root.options if COMMON[0] in option.words or COMMON[1] in option.words]
    yield from _section("OPTIONS OF EVERY VERB", [line for option in shared for line in _parameter(option)])
    yield from _section("EXIT STATUS", _listed((str(status), meaning) for status, meaning in STATUSES))
    yield from _section("ENVIRONMENT", _listed(_VARIABLES))
    yield from _section("FILES", _listed(_FILES))
    yield from _section("OUTPUT", [f".PP\n{_roff(say(line))}" for line in _OUTPUT])


_OUTPUT: Final = (
    "Data go to standard output, everything else to standard error.",
    "On a terminal tables are as wide as it; columns without room are named below the table. Into a pipe goes one line "
    "a row, with tabs, uncut and without heading.",
    "--json prints one document: an object, or one array of all rows. Its keys are English and do not change; new ones "
    "may be added.",
)


def _leaves(verb: Verb) -> Iterator[Verb]:
    if verb.path and not verb.verbs:
        yield verb
    for below in verb.verbs:
        yield from _leaves(below)


def _verb(verb: Verb) -> Iterator[str]:
    yield f".SS {_roff(usage(verb))}"
    for paragraph in verb.help.split("\n"):
        yield f".PP\n{_roff(say(paragraph))}"
    for each in (*verb.arguments, *verb.options):
        if not set(COMMON) & set(each.words):
            yield from _parameter(each)
    for example in EXAMPLES.get(" ".join(verb.path), ()):
        yield f".PP\n{_roff(say(example.what))}"
        yield f".PP\n.RS 4\n.nf\n{_roff(example.line)}\n.fi\n.RE"


def _parameter(parameter: Parameter) -> Iterator[str]:
    yield f".TP\n.B {_roff(named(parameter) if parameter.words else parameter.value)}"
    yield _roff(explained(parameter))


def _listed(pairs: Iterator[tuple[str, str]] | tuple[tuple[str, str], ...]) -> list[str]:
    return [f".TP\n.B {_roff(word)}\n{_roff(say(meaning))}" for word, meaning in pairs]


def _section(title: str, lines: list[str]) -> Iterator[str]:
    yield f'.SH "{_roff(say(title))}"'
    yield from lines


def _roff(text: str) -> str:
    safe = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    return f"\\&{safe}" if safe.startswith(".") else safe


def write(folder: Path) -> list[Path]:
    """Write the page in both languages below the folder."""
    from gateway.cli.verbs import command

    root, written = verb_of(command()), []
    for language, place in PLACES.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(manual(root, language), encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    for page in write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/man")):
        sys.stdout.write(f"{page}\n")
