"""What `gateway doctor` prints: 80 columns, two languages, colours, JSON; and that a check which breaks is told."""

from __future__ import annotations

import asyncio
import json
import unicodedata
from pathlib import Path

import pytest

from gateway.cli.tables import safe
from gateway.doctor.check import Check, Finding
from gateway.doctor.examine import CHECKS, GROUPS, chosen, outcomes_of
from gateway.doctor.finding import Language, Text, error, ok, same, skipped, warning
from gateway.doctor.report import GROUP_TITLES, catalogue, lines, plain, verdict, worst
from gateway.doctor.world import World
from tests.support.doctoring import world

_BOTH: tuple[Language, ...] = ("en", "vi")
COMMAND = "  openssl req -new -newkey rsa:2048 -nodes -keyout /etc/gateway/tls/privkey.pem -out /etc/gateway/tls/mx.csr"
MANY = [
    Finding(CHECKS[0], ok(same("gateway.toml"))),
    Finding(CHECKS[1], warning(Text("word " * 40, "từ ngữ " * 40), Text(f"Run:\n{COMMAND}", f"Chạy:\n{COMMAND}"))),
    Finding(
        CHECKS[9], error(Text("220 evil\x1b[2J\u202e", "220 evil\x1b[2J\u202e"), same(COMMAND), "192.0.2.53:53", n=1)
    ),
    Finding(CHECKS[9], error(same("again"), same(COMMAND), "192.0.2.54:53")),
    Finding(CHECKS[10], skipped(Text("no name server answers", "không máy chủ nào trả lời"))),
]


@pytest.mark.parametrize("language", ["en", "vi"])
def test_lines_fit_eighty_columns_but_for_commands_to_be_copied(language: str) -> None:
    shown = lines(MANY, language, safe, colour=False)  # type: ignore[arg-type]
    assert [line for line in shown if len(line) > 80 and COMMAND.strip() not in line] == []
    assert any(COMMAND.strip() in line for line in shown)
    assert shown[-1] == verdict(MANY, language)  # type: ignore[arg-type]


def test_words_of_other_servers_are_shown_and_not_obeyed() -> None:
    """S-44: also where our own colours are wanted."""
    for colour in (False, True):
        text = "\n".join(lines(MANY, "en", safe, colour=colour))
        assert "\x1b[2J" not in text
        assert "\u202e" not in text
        assert ("\x1b[31m✗\x1b[0m" in text) == colour


def test_why_is_told_once_for_each_check() -> None:
    why = CHECKS[9].why.en
    text = " ".join("\n".join(lines(MANY, "en", safe, colour=False)).split())
    assert text.count(why) == 1


def test_verdict_and_worst() -> None:
    assert verdict(MANY, "en") == "Not well: 2 errors, 1 warning, 1 ok, 1 skipped"
    assert verdict(MANY[:1], "vi") == "Mọi mục đều ổn: 0 lỗi, 0 cảnh báo, 1 đạt, 0 bỏ qua"
    assert [worst(MANY), worst(MANY[:2]), worst(MANY[-1:])] == ["error", "warning", "ok"]


def test_plain_form_has_the_keys_that_are_documented() -> None:
    told = json.loads(json.dumps(plain(MANY, "en", "1.2.3"), default=str))
    assert told["schema"] == 1
    assert told["counts"] == {"ok": 1, "warning": 1, "error": 2, "skipped": 1}
    page = (Path(__file__).resolve().parents[3] / "docs" / "how-to" / "en" / "doctor.md").read_text()
    for key in (*told, *told["findings"][0]):
        assert f"`{key}`" in page, key
    assert told["findings"][2]["values"] == {"n": 1}


def test_every_check_has_its_words_in_both_languages_and_a_line_in_the_pages() -> None:
    pages = Path(__file__).resolve().parents[3] / "docs" / "how-to"
    both = [(pages / name).read_text() for name in ("en/doctor.md", "vi/kham-he-thong.md")]
    for check in CHECKS:
        for text in (check.title, check.why):
            assert text.en
            assert text.vi
            assert unicodedata.is_normalized("NFC", text.vi)
        rows = [f"| `{check.id}` | {check.title.of(each)} | {check.why.of(each)} |" for each in _BOTH]
        assert [row for row, page in zip(rows, both, strict=True) if row not in page] == []
    assert set(GROUP_TITLES) == set(GROUPS)
    ids = [check.id for check in CHECKS]
    assert len(set(ids)) == len(ids)


def test_choosing() -> None:
    assert chosen(()) == CHECKS
    assert [check.id for check in chosen(["store.disk", "tls"])] == ["tls.certificate", "tls.keys", "store.disk"]
    with pytest.raises(ValueError, match="dnss"):
        chosen(["dnss"])
    assert catalogue(chosen(["tls"]), "vi") == ["tls.certificate  Chứng chỉ", "tls.keys         Khóa bí mật"]


async def test_a_check_that_breaks_or_hangs_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks(_: World) -> list[object]:
        raise RuntimeError("oh")

    async def hangs(_: World) -> list[object]:
        await asyncio.sleep(3600)
        return []

    monkeypatch.setattr("gateway.doctor.examine.SECONDS", 0.1)
    async with world(tmp_path) as seen:
        for look, word in ((breaks, "RuntimeError"), (hangs, "no outcome")):
            [outcome] = await outcomes_of(Check("x.y", same("x"), same("y"), look), seen)  # type: ignore[arg-type]
            assert (outcome.result, word in outcome.found.en) == ("error", True)
