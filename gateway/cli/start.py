"""From the words of a command line to an exit status: help at once, faults in one sentence each, quiet ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, Final

from gateway.cli.speech import UnknownLanguage, choose, heard, say, use
from gateway.cli.tables import safe

EX_USAGE: Final = 2  # not 64: what every shell and library says
EX_NOINPUT: Final = 66
INTERRUPTED, NO_READER = 130, 141  # 128 + SIGINT, 128 + SIGPIPE: what a shell shows for programs that these end


def start(arguments: Sequence[str]) -> int:
    """Do what the words after `gateway` ask for. The result is the exit status."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # a terminal that is not UTF-8
    try:
        status = _in_language(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_output()
        return NO_READER
    except KeyboardInterrupt:
        return INTERRUPTED
    return status


def _in_language(arguments: Sequence[str]) -> int:
    try:
        use(choose(() if arguments[:1] == ["_complete"] else arguments, os.environ))  # a line that is not finished yet
    except UnknownLanguage as error:
        return _refuse(say("--lang: there is no language {value}; write vi or en", value=repr(str(error))))
    match _without_language(arguments):
        case ["--help" | "-h" | "help"]:
            from gateway.cli.guide import front_page

            sys.stdout.write(front_page() + "\n")
            return 0
        case ["--version" | "-V"]:
            from importlib.metadata import version

            sys.stdout.write(f"gateway {version('mail-gateway')}\n")
            return 0
        case ["_complete", shell, *words]:
            from gateway.cli.complete import completed

            return completed(shell, words)
        case []:
            from gateway.cli.guide import front_page

            sys.stderr.write(front_page() + "\n")
            return EX_USAGE
        case words if {"--help", "-h"} & {*words}:
            return _help(words)
        case words:
            return _verb(words)


def _help(words: Sequence[str]) -> int:
    """The page of the verb that the words name, whatever else stands among them."""
    from gateway.cli.pages import page
    from gateway.cli.verbs import command

    found, path = command(), ["gateway"]
    for word in words:
        below = getattr(found, "commands", {})
        if word in below:
            found = below[word]
            path.append(word)
        elif below and not word.startswith("-"):
            return _verb([word for word in words if word not in ("--help", "-h")])
    sys.stdout.write(page(" ".join(path), found) + "\n")
    return 0


def _verb(words: Sequence[str]) -> int:
    import typer
    from typer.exceptions import TyperException

    from gateway.cli.pages import page
    from gateway.cli.verbs import command

    try:
        with command().make_context("gateway", list(words)) as context:
            context.command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    except typer.Abort as end:
        if isinstance(end.__context__, KeyboardInterrupt):
            sys.stderr.write("\n")
            return INTERRUPTED
        sys.stderr.write("\n" + say("no answer was given, so nothing was done") + "\n")
        return EX_NOINPUT
    except TyperException as refusal:
        asked: Any = getattr(refusal, "ctx", None)
        if type(refusal).__name__ == "NoArgsIsHelpError" or refusal.format_message() == "Missing command.":
            sys.stderr.write(page(asked.command_path, asked.command) + "\n")
            return EX_USAGE
        hint = say("try: {command}", command=f"{asked.command_path if asked else 'gateway'} --help")
        return _refuse(f"{heard(refusal.format_message().replace('Value error, ', ''))}\n{hint}")
    return 0


def _without_language(arguments: Sequence[str]) -> list[str]:
    """The words without a --lang before the verb; verbs have it themselves."""
    words = list(arguments)
    while words and words[0].startswith("--lang"):
        del words[: 1 if "=" in words[0] else 2]
    if words[:1] in (["--help"], ["-h"], ["--version"], ["-V"], ["help"]):
        del words[1:]
    return words


def _refuse(sentence: str) -> int:
    sys.stderr.write("\n".join(map(safe, sentence.split("\n"))) + "\n")
    return EX_USAGE


def _forget_output() -> None:
    """So that the interpreter's own flush at the end does not complain about the closed pipe."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
