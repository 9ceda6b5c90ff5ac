"""Both languages: which one is used, and that nothing is missing in either."""

from __future__ import annotations

import ast
import os
import re
import socket
import string
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.cli import speech
from gateway.cli.examples import EXAMPLES
from gateway.cli.guide import GROUPS, STATUSES
from gateway.cli.speech import UnknownLanguage, catalogue, choose, count, heard, say, use
from gateway.cli.tree import Verb, verb_of
from gateway.cli.verbs import command
from gateway.identity.identity import Level, Provider
from gateway.quarantine.entry import MoveRefused, State
from gateway.responder.compose import parse_sender
from gateway.responder.template import NoticeError
from gateway.settings import Settings
from gateway.settings.listen import Address
from gateway.store.migrate import CannotStart
from gateway.store.sqlite import open_store
from gateway.supervisor.lock import Occupied, look_at, occupy
from gateway.supervisor.sockets import CannotListen, listen

FOLDER = Path(speech.__file__).parent
WORDS = {"say", "count", "heading", "Column", "_section", "print_table"}  # whose literal arguments are said


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    use("en")
    yield
    use("en")


def verbs(verb: Verb) -> Iterator[Verb]:
    yield verb
    for below in verb.verbs:
        yield from verbs(below)


def helps() -> Iterator[str]:
    for verb in verbs(verb_of(command())):
        yield from verb.help.split("\n")
        for parameter in (*verb.arguments, *verb.options):
            yield parameter.help


def literals(file: Path) -> Iterator[str]:
    """Texts that a module hands to say() and its like."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in WORDS:
            for argument in node.args:
                for part in ast.walk(argument) if not isinstance(argument, ast.Call) else ():
                    if (
                        isinstance(part, ast.Constant)
                        and isinstance(part.value, str)
                        and re.search("[a-zA-Z]", part.value)
                    ):
                        yield part.value


def said() -> set[str]:
    found = {text for file in FOLDER.glob("*.py") if "vietnamese" not in file.name for text in literals(file)}
    found |= {text for group in GROUPS for text in (group.title, *(summary for _, summary in group.verbs))}
    found |= {meaning for _, meaning in STATUSES} | {each.what for them in EXAMPLES.values() for each in them}
    return found | {*map(str, State), *map(str, Level), *map(str, Provider)}


def test_every_help_text_has_its_vietnamese() -> None:
    assert sorted(text for text in helps() if text not in catalogue()) == []


def test_every_sentence_of_the_verbs_has_its_vietnamese() -> None:
    missing = {text for text in said() if text not in catalogue() and (" " in text or text[:1].isupper())}
    missing = {text for text in missing if not text.startswith((".", "gateway "))}  # roff, and what is typed
    assert sorted(missing) == []


def test_states_and_levels_have_their_vietnamese() -> None:
    assert [word for word in (*State, *Level, *Provider) if str(word) not in catalogue()] == []


def test_both_languages_have_the_same_values_to_fill_in() -> None:
    def names(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert [english for english, vietnamese in catalogue().items() if names(english) != names(vietnamese)] == []


def test_vietnamese_is_vietnamese() -> None:
    """No sentence was left in English."""
    same = {"SHA-256", "--client: {why}"}
    left = [english for english, vietnamese in catalogue().items() if vietnamese == english and english not in same]
    assert [text for text in left if re.search("[a-z]", re.sub("{[^}]*}", "", text))] == []


@pytest.mark.parametrize(
    ("arguments", "environ", "language"),
    [
        ([], {}, "vi"),
        ([], {"LANG": "C.UTF-8"}, "vi"),
        ([], {"LANG": "vi_VN.UTF-8"}, "vi"),
        ([], {"LANG": "en_GB.UTF-8"}, "en"),
        ([], {"LANG": "vi_VN.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en"),
        ([], {"LANG": "en_US.UTF-8", "LC_ALL": "vi_VN.UTF-8"}, "vi"),
        (["check", "--lang", "en"], {"LANG": "vi_VN.UTF-8"}, "en"),
        (["--lang=vi", "check"], {"LANG": "en_US.UTF-8"}, "vi"),
        (["register", "search", "--", "--lang", "en"], {}, "vi"),
    ],
)
def test_the_language_is_that_of_the_option_or_the_environment(
    arguments: list[str], environ: dict[str, str], language: str
) -> None:
    assert choose(arguments, environ) == language


@pytest.mark.parametrize("arguments", [["--lang", "fr"], ["check", "--lang"], ["--lang="]])
def test_a_language_that_we_do_not_speak_is_refused(arguments: list[str]) -> None:
    with pytest.raises(UnknownLanguage):
        choose(arguments, {})


def test_plurals() -> None:
    assert [count(n, "{n} warning", "{n} warnings") for n in (0, 1, 2)] == ["0 warnings", "1 warning", "2 warnings"]
    use("vi")
    assert [count(n, "{n} warning", "{n} warnings") for n in (1, 2)] == ["1 cảnh báo", "2 cảnh báo"]


def test_faults_from_below_are_said_in_vietnamese() -> None:
    refused = str(MoveRefused("7F3K-9QXM-2C4D", State.RELEASED, State.REJECTED))
    unknown = "something that nobody has translated"
    assert heard(refused) == refused
    use("vi")
    assert heard(refused) == "thư 7F3K-9QXM-2C4D ở trạng thái đã cho đi; không thể chuyển thành đã từ chối"
    assert heard(f"--client: 'x' does not appear to be an IPv4 or IPv6 address\n{unknown}") == (
        f"--client: 'x' không phải địa chỉ IPv4 hoặc IPv6\n{unknown}"
    )
    assert say("Nothing is held.") == "Không có thư nào đang bị giữ."


FAULTS = {"CannotStart", "CannotListen", "Occupied", "NoticeError", "SignerError", "NotUnderstood"}
WHERE = (
    "store/migrate.py",
    "store/sqlite.py",
    "supervisor/sockets.py",
    "supervisor/lock.py",
    "supervisor/handover.py",
    "responder/sign.py",
)


def raised() -> Iterator[str]:
    """Sentences that end a start, with the word X1 for each value."""
    for name in WHERE:
        for node in ast.walk(ast.parse((FOLDER.parent / name).read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in FAULTS and node.args:
                said = node.args[0]
                parts = said.values if isinstance(said, ast.JoinedStr) else [said]
                text = "".join(str(p.value) if isinstance(p, ast.Constant) else "X1" for p in parts)
                if re.search("[a-z]", text.replace("X1", "")):
                    yield text


def test_every_fault_at_start_has_its_vietnamese() -> None:
    """Those that are put together from pieces are made by real faults below."""
    use("vi")
    found = {*raised()}
    assert len(found) > 15
    pieces = {text for text in found if text.startswith("X1; ") or text == "X1: X1; X1"}
    assert sorted(text for text in found - pieces if heard(text) == text) == []


ENGLISH = re.compile(r"\b(?:the|is|this|and|another|user|write|make|give|folder|directory|not|must|cannot|be)\b")


def test_faults_at_start_are_said_in_vietnamese_to_the_end(tmp_path: Path) -> None:
    """As the parts raise them, pieces and the operating system's words included."""
    use("vi")
    file, folder = tmp_path / "f", tmp_path / "d"
    file.write_text("")
    folder.mkdir()
    (folder / "gateway.db").write_text("no database at all")
    held = occupy(tmp_path / "state")
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        attempts: list[Callable[[], object]] = [
            lambda: look_at(file),
            lambda: look_at(file / "below"),
            lambda: occupy(tmp_path / "state"),
            lambda: listen(Address("127.0.0.1", port)),
            lambda: listen(Address("192.0.2.77", port)),
            lambda: listen(Address("no-such-host.invalid", port)),
            lambda: listen(Address("", 0, str(file))),
            lambda: listen(Address("", 0, str(tmp_path / "none/socket"))),
            lambda: open_store(Settings(state=folder)),
            lambda: open_store(Settings(state=file)),
            lambda: parse_sender("a@longan.edu.vn, b@longan.edu.vn"),
            lambda: parse_sender("văn.thư@longan.edu.vn"),
        ]
        told = []
        for attempt in attempts:
            with pytest.raises((Occupied, CannotListen, CannotStart, NoticeError)) as fault:
                attempt()
            told.append(re.sub(r"chown .*|/\S+", "", heard(str(fault.value))).partition(" (")[0])
    os.close(held)
    assert [text for text in told if ENGLISH.search(text)] == []
    assert all(re.search("[ăâđêôơưạ-ỹ]", text) for text in told), told
