"""Vietnamese that people read: NFC, with its accents, no look-alike letters, and every variable documented."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest

from gateway.responder.wording import VARIABLES, plain, unlinked
from tests.support.notices import TEMPLATE_FOLDER

HOW_TO = Path(__file__).parents[3] / "docs" / "how-to"
VIETNAMESE = [*sorted((HOW_TO / "vi").glob("*.md")), TEMPLATE_FOLDER / "notice.vi.j2"]
EVERYTHING = [*sorted(HOW_TO.glob("*/*.md")), *sorted(TEMPLATE_FOLDER.glob("*.j2"))]

# Words that are always accented; without accents they are a slip of the keyboard.
ACCENTED = """Kính gửi|đơn vị|hộp thư|công vụ|tạm giữ|tên miền|tiêu đề|văn thư|người gửi|người nhận|thông báo|văn bản
|hành chính|trân trọng|điện thoại|đề nghị|gửi lại|liên hệ|căn cứ|mã tra cứu|thời điểm|tự động|công văn|chính sách"""
BARE = "".join(
    c
    for c in unicodedata.normalize("NFD", ACCENTED.replace("đ", "d").replace("Đ", "D"))
    if not unicodedata.combining(c)
)
SLIPS = re.compile(rf"(?<![\w/.@-])(?:{BARE.replace(chr(10), '')})(?![\w.@-])", re.IGNORECASE)

# The letters of Vietnamese and of ASCII, and the signs we use: a Cyrillic "а" or a Latin "ð" looks right and is wrong.
LETTERS = set("aăâbcdđeêghiklmnoôơpqrstuưvxyfjwz")
SIGNS = set("–―…·✓✗")


def lines(path: Path) -> list[tuple[int, str]]:
    return list(enumerate(path.read_text(encoding="utf-8").splitlines(), 1))


def prose(line: str) -> str:
    """Without code, links and tags, where ASCII is right."""
    return re.sub(r"`[^`]*`|\{%.*?%\}|\{\{.*?\}\}|\]\([^)]*\)", " ", line)


def test_there_is_something_to_read() -> None:
    assert {path.name for path in EVERYTHING} >= {
        "quan-tri.md",
        "van-thu.md",
        "admin.md",
        "clerk.md",
        "notice.vi.j2",
        "notice.en.j2",
    }
    assert {path.stem for path in (HOW_TO / "vi").glob("*.md")} >= {"quan-tri", "van-thu"}


@pytest.mark.parametrize("path", EVERYTHING, ids=lambda path: path.name)
def test_every_line_is_nfc(path: Path) -> None:
    assert [n for n, line in lines(path) if not unicodedata.is_normalized("NFC", line)] == []


@pytest.mark.parametrize("path", VIETNAMESE, ids=lambda path: path.name)
def test_no_word_has_lost_its_accents(path: Path) -> None:
    found, code = [], False
    for number, line in lines(path):
        code ^= line.startswith("```")
        if not code and (slip := SLIPS.search(prose(line))):
            found.append((number, slip[0]))
    assert found == []


def test_the_search_for_lost_accents_finds_some() -> None:
    assert SLIPS.search("Kinh gui: Quy don vi")
    assert SLIPS.search("tu hop thu cua truong")
    assert not SLIPS.search("Kính gửi: Quý đơn vị")


@pytest.mark.parametrize("path", EVERYTHING, ids=lambda path: path.name)
def test_no_look_alike_letters_or_hidden_characters(path: Path) -> None:
    strange = set()
    for number, line in lines(path):
        for char in line:
            base = unicodedata.normalize("NFD", char)[0].lower()
            if not (char.isascii() or char in SIGNS or base in LETTERS or char == "đ"):
                strange.add((number, char))
    assert strange == set()


@pytest.mark.parametrize("page", ["vi/quan-tri.md", "en/admin.md"])
def test_the_guide_names_every_variable_and_no_other(page: str) -> None:
    text = (HOW_TO / page).read_text(encoding="utf-8")
    (table,) = [block for block in text.split("\n\n") if "\n| `subject`" in block]
    words = {word for row in table.split("\n")[2:] for word in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert words == set(VARIABLES)


@pytest.mark.parametrize(("vi", "en"), [("quan-tri.md", "admin.md"), ("van-thu.md", "clerk.md")])
def test_both_languages_give_the_same_commands(vi: str, en: str) -> None:
    commands = re.compile(r"gateway (?:check|explain|quarantine \w+|register \w+)(?: .*--client \S+)?")
    assert commands.findall((HOW_TO / "vi" / vi).read_text()) == commands.findall((HOW_TO / "en" / en).read_text())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ba\u0301o ca\u0301o", "Báo cáo"),
        ("a\u202eb\u200bc\ufeffd", "abcd"),
        ("a\r\nb\tc\u2028d\xa0e", "a b c d e"),
        ("x" * 201, "x" * 199 + "…"),
        ("x" * 200, "x" * 200),
        ("\x1b[31mđỏ", "[31mđỏ"),
        ("\udc80\ue000", ""),
    ],
)
def test_S_41_plain_text_of_mail(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_a_cut_never_parts_a_letter_from_its_mark() -> None:
    assert plain("xx" + "q\u0323\u0301", 4) == "xx…"


def test_AR_15_unlinked_keeps_document_numbers() -> None:
    assert unlinked("1077/SGDĐT-KTQLCL ngày 02.5.2019") == "1077/SGDĐT-KTQLCL ngày 02.5.2019"
