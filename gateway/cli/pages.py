"""The help page of one verb: what it does, its arguments and options, examples."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from gateway.cli.examples import EXAMPLES
from gateway.cli.guide import entry, front_page, heading
from gateway.cli.speech import say
from gateway.cli.terminal import prose
from gateway.cli.tree import Parameter, Verb, verb_of

_INDENT = 24


def page(name: str, command: Any) -> str:
    """The page of the library's command; `name` is how it was called, such as `gateway register search`."""
    path = tuple(name.split()[1:])
    return "\n".join(_lines(verb_of(command, path), prose())) if path else front_page()


def usage(verb: Verb) -> str:
    """`gateway quarantine show [OPTIONS] ID`."""
    words = ["gateway", *verb.path, f"[{say('OPTIONS')}]", *([say("VERB")] if verb.verbs else [])]
    return " ".join([*words, *(_piece(each) for each in verb.arguments)])


def explained(parameter: Parameter) -> str:
    """Its help, with what else one has to know of it."""
    more = []
    if parameter.is_required and parameter.words:
        more.append(say("required"))
    if parameter.is_repeated:
        more.append(say("may be given several times"))
    if parameter.default:
        more.append(say("default: {value}", value=parameter.default))
    if parameter.variable:
        more.append(say("environment: {value}", value=parameter.variable))
    return " ".join(filter(None, (say(parameter.help), f"[{'; '.join(more)}]" if more else "")))


def named(option: Parameter) -> str:
    """`-c, --config PATH`."""
    words = ", ".join(sorted(option.words, key=lambda word: (len(word) > 2, word)))
    return f"{words} {option.value}".strip()


def _piece(argument: Parameter) -> str:
    dots = "…" if argument.is_repeated else ""
    return f"{argument.value}{dots}" if argument.is_required else f"[{argument.value}]{dots}"


def _lines(verb: Verb, room: int) -> Iterator[str]:
    yield f"{heading('Usage')}: {usage(verb)}"
    for paragraph in verb.help.split("\n"):
        yield ""
        yield from textwrap.wrap(say(paragraph), room)
    if verb.verbs:
        yield from ("", heading("Verbs"))
        for below in verb.verbs:
            yield from entry(below.path[-1], say(below.help.partition("\n")[0]), 13, room)
    for title, parameters in (("Arguments", verb.arguments), ("Options", verb.options)):
        if parameters:
            yield from ("", heading(title))
        for each in parameters:
            yield from entry(named(each) if each.words else each.value, explained(each), _INDENT, room)
    if examples := EXAMPLES.get(" ".join(verb.path)):
        yield from ("", heading("Examples"))
        for example in examples:
            yield from textwrap.wrap(say(example.what), room, initial_indent="  # ", subsequent_indent="  # ")
            yield f"  {example.line}"
