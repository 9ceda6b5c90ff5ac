"""docs/reference/cli.md and lenh.md: every verb as its own help page has it, in English and in Vietnamese."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.cli import speech
from gateway.cli.examples import EXAMPLES
from gateway.cli.guide import GROUPS, PURPOSE, STATUSES
from gateway.cli.pages import explained, named, usage
from gateway.cli.speech import Language, say
from gateway.cli.tree import Parameter, Verb, verb_of
from gateway.cli.verbs import command

_TITLES = {
    "en": (
        "Commands",
        "This page is generated from the program; do not edit it.",
        "Exit statuses",
        "Options of every verb",
    ),
    "vi": (
        "Các lệnh",
        "Trang này được tạo tự động từ chương trình; không sửa bằng tay.",
        "Mã kết thúc",
        "Tùy chọn chung của mọi lệnh",
    ),
}
_COLUMNS = {"en": ("Option", "Meaning"), "vi": ("Tùy chọn", "Ý nghĩa")}


def page(language: Language) -> str:
    """The whole page in one language."""
    before = speech.used()
    speech.use(language)
    try:
        return "\n".join(_lines(verb_of(command()), language)) + "\n"
    finally:
        speech.use(before)


def _lines(root: Verb, language: Language) -> Iterator[str]:
    title, note, statuses, shared = _TITLES[language]
    yield from (f"# {title}", "", f"{say(PURPOSE)} {note}", "")
    by_name = {verb.path[0]: verb for verb in root.verbs}
    for group in GROUPS:
        yield f"- {say(group.title)}: " + ", ".join(f"[`{word}`](#gateway-{word})" for word, _ in group.verbs)
    for group in GROUPS:
        for word, _ in group.verbs:
            yield from _verb(by_name[word], language, {each.name for each in root.options})
    yield from ("", f"## {shared}", "", *_table(root.options, language))
    yield from ("", f"## {statuses}", "", "| | |", "|---|---|")
    for code, meaning in STATUSES:
        yield f"| `{code}` | {_cell(say(meaning))} |"


def _verb(verb: Verb, language: Language, shared: set[str]) -> Iterator[str]:
    hashes = "#" * (1 + len(verb.path))
    yield from ("", f"{hashes} gateway {' '.join(verb.path)}", "")
    yield from (say(paragraph) for paragraph in verb.help.split("\n"))
    yield from ("", "```text", usage(verb), "```")
    own = [each for each in (*verb.arguments, *verb.options) if each.name not in shared]
    if own:
        yield from ("", *_table(own, language))
    for example in EXAMPLES.get(" ".join(verb.path), ()):
        yield from ("", say(example.what), "", "```sh", example.line, "```")
    for below in verb.verbs:
        yield from _verb(below, language, shared)


def _table(parameters: list[Parameter] | tuple[Parameter, ...], language: Language) -> Iterator[str]:
    option, meaning = _COLUMNS[language]
    yield f"| {option} | {meaning} |"
    yield "|---|---|"
    for each in parameters:
        yield f"| `{_cell(named(each) if each.words else each.value)}` | {_cell(explained(each))} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
