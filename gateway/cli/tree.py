"""The command line as plain facts, for help pages, completion and manual: what the library knows, and nothing else of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_TYPES = {"str": "TEXT", "int": "NUMBER", "int range": "NUMBER", "float": "NUMBER", "Path": "PATH", "path": "PATH"}


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str  # of the function's parameter
    words: tuple[str, ...]  # --config, -c; empty for an argument
    value: str  # what stands for its value in help; "" for a switch
    help: str  # English
    is_required: bool
    is_repeated: bool
    variable: str  # the environment variable that also sets it
    choices: tuple[str, ...]
    default: str  # as a person would write it; "" when there is none worth telling


@dataclass(frozen=True, slots=True)
class Verb:
    path: tuple[str, ...]  # ("quarantine", "list"); () is gateway itself
    help: str  # English, one paragraph a line
    arguments: tuple[Parameter, ...]
    options: tuple[Parameter, ...]
    verbs: tuple[Verb, ...]


def commands(root: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command of the library's tree, with its path, parents first."""
    yield path, root
    for name, command in getattr(root, "commands", {}).items():
        if not command.hidden:
            yield from commands(command, (*path, name))


def verb_of(command: Any, path: tuple[str, ...] = ()) -> Verb:
    """The command and all below it."""
    shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    below = getattr(command, "commands", {}).items()
    return Verb(
        path,
        _text(command.help),
        tuple(_parameter(each) for each in shown if each.param_type_name == "argument"),
        tuple(_parameter(each) for each in shown if each.param_type_name == "option"),
        tuple(verb_of(each, (*path, name)) for name, each in below if not each.hidden),
    )


def _parameter(parameter: Any) -> Parameter:
    is_option = parameter.param_type_name == "option"
    is_switch = bool(getattr(parameter, "is_flag", False))
    choices = tuple(str(choice) for choice in parameter.type_descriptor.choices or ())
    default = parameter.default
    return Parameter(
        name=parameter.name,
        words=(*parameter.opts, *parameter.secondary_opts) if is_option else (),
        value="" if is_switch else _value(parameter, choices),
        help=_text(parameter.help),
        is_required=parameter.required,
        is_repeated=bool(parameter.multiple) or parameter.nargs != 1,
        variable=str(parameter.envvar or ""),
        choices=choices,
        default=str(default) if isinstance(default, int | float | str) and not is_switch else "",
    )


def _value(parameter: Any, choices: tuple[str, ...]) -> str:
    if parameter.metavar:
        return str(parameter.metavar)
    if choices:
        return "|".join(choices)
    if parameter.param_type_name == "argument":
        return str(parameter.name).upper()
    bare = str(parameter.bare_type())
    return _TYPES.get(bare.removeprefix("list[").removesuffix("]"), "TEXT")


def _text(text: str | None) -> str:
    """Docstrings are wrapped for the editor; a paragraph becomes one line."""
    paragraphs = re.split(r"\n\s*\n", (text or "").strip())
    return "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
