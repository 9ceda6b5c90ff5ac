"""Help that teaches: every verb on the front page, with examples that can be typed; the manual is up to date."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.examples import EXAMPLES
from gateway.cli.guide import GROUPS, STATUSES, front_page
from gateway.cli.man import PLACES, manual
from gateway.cli.pages import page
from gateway.cli.speech import Language, say, use
from gateway.cli.start import start
from gateway.cli.terminal import width
from gateway.cli.tree import Verb, commands, verb_of
from gateway.cli.verbs import command

REPOSITORY = Path(__file__).parents[3]
LANGUAGES: tuple[Language, ...] = ("en", "vi")


def leaves(verb: Verb) -> Iterator[Verb]:
    if not verb.verbs:
        yield verb
    for below in verb.verbs:
        yield from leaves(below)


VERBS = [*leaves(verb_of(command()))]
NAMES = [" ".join(verb.path) for verb in VERBS]


def lines() -> list[str]:
    return [example.line for examples in EXAMPLES.values() for example in examples] + [
        group.example for group in GROUPS
    ]


def test_the_front_page_has_every_verb_once() -> None:
    assert sorted(verb for group in GROUPS for verb, _ in group.verbs) == sorted(
        below.path[0] for below in verb_of(command()).verbs
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_verb_has_an_example(name: str) -> None:
    assert EXAMPLES[name]
    assert all(example.line.startswith(f"gateway {name}") for example in EXAMPLES[name])


def test_no_example_is_of_a_verb_that_is_gone() -> None:
    assert set(EXAMPLES) - {" ".join(path) for path, _ in commands(command())} == set()


@pytest.mark.parametrize("line", lines())
def test_every_example_is_understood(line: str) -> None:
    """Verb, options and values are read as they stand (tests/e2e/test_commands.py runs what can be run here)."""
    words = shlex.split(re.sub(r" > \S+$", "", line))
    found, rest = command(), words[1:]
    while rest and rest[0] in getattr(found, "commands", {}):
        found, rest = found.commands[rest[0]], rest[1:]
    assert not getattr(found, "commands", {})
    found.make_context(found.name, rest)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("columns", ["80", "100", "200"])
def test_no_page_is_wider_than_the_terminal(language: Language, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    use(language)
    monkeypatch.setenv("COLUMNS", columns)
    typed = {line.strip() for line in lines()}
    pages = [front_page(), *(page(" ".join(("gateway", *path)), each) for path, each in commands(command()))]
    wide = [line for text in pages for line in text.splitlines() if width(line) > min(int(columns), 100)]
    assert [line for line in wide if line.strip() not in typed] == []


def test_groups_tell_in_vietnamese_what_their_verbs_do() -> None:
    """A verb whose help has several paragraphs was told in English."""
    use("vi")
    shown = {path: page(" ".join(("gateway", *path)), each) for path, each in commands(command()) if path}
    assert [
        (path, below.path)
        for path, each in commands(command())
        for below in verb_of(each, path).verbs
        if path and below.help.split()[0] + " " in shown[path]
    ] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_manual_is_that_of_this_command_line(language: Language) -> None:
    """`make man` writes it."""
    written = (REPOSITORY / "docs/man" / PLACES[language]).read_text("utf-8")
    assert written == manual(verb_of(command()), language)


@pytest.mark.parametrize(("language", "page"), [("en", "en/commands.md"), ("vi", "vi/dong-lenh.md")])
def test_exit_statuses_are_those_of_the_page(language: Language, page: str) -> None:
    use(language)
    text = (REPOSITORY / "docs/how-to" / page).read_text("utf-8").replace("\\|", "|")
    rows = [f"| {status} | {say(meaning)} |" for status, meaning in STATUSES]
    assert [row for row in rows if row not in text] == []


def test_help_and_version_are_there_at_once() -> None:
    """Without the library of the command line, which costs as much as Python itself, and without that of tables."""
    code = (
        "import sys; from gateway.cli.start import start; start(sys.argv[1:]);"
        "print({'typer', 'rich', 'pydantic', 'asyncio', 'sqlalchemy'} & {*sys.modules}, file=sys.stderr)"
    )
    for arguments in (["--help"], ["--version"], ["--lang", "en", "-h"]):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
        assert done.stderr == "set()\n"
        assert done.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, "Usage: gateway"),
        (["quarantine"], 2, "Usage: gateway quarantine"),
        (["register", "--lang", "en"], 2, "Usage: gateway register"),
        (["regster"], 2, "No such command 'regster'. Did you mean 'register'"),
        (["quarantine", "shw", "--help"], 2, "No such command 'shw'."),
        (["quarantine", "list", "--unti", "x"], 2, "No such option: --unti"),
        (["quarantine", "list", "--limit", "0"], 2, "should be greater than or equal to 1"),
        (["quarantine", "show"], 2, "Missing argument 'ID'."),
        (["completion", "tcsh"], 2, "'tcsh' is not one of"),
        (["check", "--lang", "fr"], 2, "there is no language 'fr'; write vi or en"),
        (["\x1b[31m"], 2, "No such command '\\x1b[31m'."),
    ],
)
def test_what_is_typed_wrong_is_told_in_a_sentence(arguments: list[str], status: int, words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=60,
        env={**os.environ, "LC_ALL": "en_US.UTF-8"},
    )
    assert (done.returncode, done.stdout) == (status, "")
    assert words in done.stderr
    assert "\x1b" not in done.stderr


VIETNAMESE = (
    (["regster"], "không có lệnh 'regster'; có phải ý muốn viết là 'register'"),
    (["quarantine", "list", "--unti", "x"], "không có tùy chọn --unti"),
    (["quarantine", "list", "--limit", "0"], "phải từ 1 trở lên"),
    (["quarantine", "show"], "thiếu tham số ID"),
    (["quarantine", "list", "--limit", "x"], "không phải số nguyên"),
    (["quarantine", "list", "--unit"], "tùy chọn --unit cần có giá trị"),
    (["quarantine", "list", "x"], "thừa tham số: x"),
    (["completion", "tcsh"], "không thuộc các giá trị"),
)


@pytest.mark.parametrize(("arguments", "words"), VIETNAMESE)
def test_what_is_typed_wrong_is_told_in_vietnamese(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start([*arguments, "--lang=vi"] if arguments[-1] != "--unit" else ["--lang=vi", *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert words in told.err
    assert "xem hướng dẫn: gateway" in told.err
