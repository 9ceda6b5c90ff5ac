"""What may come next on a command line: verbs, options, values. The scripts of completion.py ask at every Tab."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.cli.speech import say
from gateway.cli.tables import safe
from gateway.cli.terminal import cut
from gateway.cli.tree import Parameter, Verb
from gateway.cli.values import FILES, FOLDERS, values_of

Answer = tuple[str, str]  # what may be written, and what it is
_DESCRIBED: Final = 60  # columns of a description


@dataclass(frozen=True, slots=True)
class Place:
    """Where on the line the cursor is."""

    verb: Verb
    given: tuple[str, ...]  # words of options that stand before
    arguments: int  # that stand before
    option: Parameter | None  # whose value is wanted
    config: str  # --config, when it was given


def completed(shell: str, words: Sequence[str]) -> int:
    """Print what may stand for the last of the words, which follow `gateway`; always 0: a Tab is no place for faults."""
    from gateway.cli.tree import verb_of
    from gateway.cli.verbs import command

    for line in answered(shell, verb_of(command()), list(words) or [""]):
        sys.stdout.write(line + "\n")
    return 0


def answered(shell: str, root: Verb, words: list[str]) -> list[str]:
    """The answers as this shell reads them; `:files` or `:folders` when the shell itself knows better."""
    *before, current = words
    prefix = ""
    if current.startswith("--") and "=" in current:  # zsh and fish; bash makes three words of it
        name, _, current = current.partition("=")
        before, prefix = [*before, name], f"{name}="
    place = _place(root, before)
    found = [*_answers(place, "" if current == "=" else current)]
    if found and found[0][0] in (FILES, FOLDERS):
        return [found[0][0]]
    return [_written(shell, prefix + value, meaning) for value, meaning in found]


def _place(root: Verb, words: Sequence[str]) -> Place:
    verb, given, arguments, config = root, list[str](), 0, os.environ.get("GATEWAY_CONFIG", "")
    option: Parameter | None = None
    for word in words:
        if word == "=":
            continue
        if option is not None:
            config = word if option.name == "config" else config
            option = None
        elif word.startswith("-") and word != "-":
            name, is_joined, value = word.partition("=")
            given.append(name)
            known = next((each for each in verb.options if name in each.words), None)
            if known and known.value and not is_joined:
                option = known
            elif known and known.name == "config":
                config = value
        elif below := next((each for each in verb.verbs if each.path[-1] == word), None):
            verb = below
        else:
            arguments += 1
    return Place(verb, tuple(given), arguments, option, config)


def _answers(place: Place, current: str) -> Iterator[Answer]:
    if place.option is not None:
        yield from values_of(place.option, place.verb.path, place.config, current)
    elif current.startswith("-"):
        for option in place.verb.options:
            if option.is_repeated or not set(option.words) & set(place.given):
                yield from ((w, say(option.help)) for w in option.words if w.startswith("--") and w.startswith(current))
    elif place.verb.verbs:
        yield from ((v.path[-1], _summary(v)) for v in place.verb.verbs if v.path[-1].startswith(current))
    elif place.arguments < len(place.verb.arguments):
        yield from values_of(place.verb.arguments[place.arguments], place.verb.path, place.config, current)


def _summary(verb: Verb) -> str:
    """The first sentence of its help, in the reader's language: paragraphs are what the catalogue knows."""
    return re.split(r"(?<=\.)\s", say(verb.help.partition("\n")[0]), maxsplit=1)[0]


def _written(shell: str, value: str, meaning: str) -> str:
    described = cut(safe(meaning), _DESCRIBED)
    if shell == "fish":
        return f"{value}\t{described}"
    if shell == "zsh":
        return value.replace(":", "\\:") + (f":{described}" if described else "")
    return value
