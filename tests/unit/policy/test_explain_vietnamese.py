"""Explanations in Vietnamese: every reason that the source can give has a phrase, and values stay what they are."""

import re
import unicodedata
from dataclasses import replace

import pytest

from gateway.evidence.result import Evidence, MethodResult
from gateway.identity.identity import Level, Provider, Submission
from gateway.policy import explain as explanation
from gateway.policy.decide import decide
from gateway.policy.decision import Refuse
from gateway.policy.explain import explain
from gateway.policy.phrases import LEVELS, PHRASES, PROVIDERS, SUBMISSIONS, TEXT_MAX, in_vietnamese
from gateway.policy.schema_when import When
from tests.support.policy_cases import EVIDENCE, case, policy_of
from tests.support.sentences import called, findings, returned, sentences

ENGLISH = re.compile(r"\b(?:the|is|of|not|no|passes|which|with|by|and|or|than|more|has|for|in|does|key|signature)\b")


# ---- what the source can say -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file", ["identity/level.py", "identity/provider.py", "identity/submission.py", "identity/identify.py"]
)
def test_every_reason_of_identity_has_a_phrase(file: str) -> None:
    assert [text for text in sentences(file) if in_vietnamese(text) == text] == []


@pytest.mark.parametrize("file", ["policy/conditions_message.py", "policy/conditions_sender.py"])
def test_everything_that_a_condition_says_has_a_phrase(file: str) -> None:
    keys = {**LEVELS, **PROVIDERS, **SUBMISSIONS}
    said = findings(file)
    assert said
    assert [text for text in said if in_vietnamese(text) == text and text not in keys and text != "List-Id"] == []


@pytest.mark.parametrize(
    ("file", "names"),
    [
        ("evidence/spf.py", ("MethodResult",)),
        ("evidence/spf_query.py", ("_spf.PermError", "_spf.TempError")),
        ("evidence/dkim.py", ("MethodResult", "Verdict")),
        ("evidence/dkim_key.py", ("KeyFlaw",)),
        ("evidence/keys.py", ("KeyFlaw",)),
        ("evidence/signature.py", ("TagError",)),
        ("evidence/tags.py", ("TagError",)),
        ("evidence/arc.py", ("MethodResult", "ChainError")),
        ("evidence/dmarc.py", ("MethodResult",)),
        ("evidence/iprev.py", ("MethodResult",)),
        ("evidence/assess.py", ("MethodResult", "Answer")),
        ("resolver/records.py", ("Answer",)),
        ("resolver/resolver.py", ("Answer",)),
        ("envelope/header.py", ("problems.append",)),
        ("envelope/author.py", ("AuthorError",)),
        ("envelope/mime.py", ("_TooMuch",)),
    ],
)
def test_every_reason_of_evidence_and_every_flaw_of_a_message_has_a_phrase(file: str, names: tuple[str, ...]) -> None:
    said = called(file, *names)
    assert said
    assert [text for text in said if in_vietnamese(text) == text] == []


@pytest.mark.parametrize("file", ["evidence/arc.py", "evidence/dmarc.py"])
def test_reasons_that_are_returned_have_a_phrase(file: str) -> None:
    said = list(returned(file))
    assert said
    assert [text for text in said if in_vietnamese(text) == text] == []


def test_every_condition_of_the_schema_has_a_vietnamese_name() -> None:
    assert [name for name in When.model_fields if name not in explanation._VI] == []


# ---- the phrases themselves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("english", "vietnamese"), PHRASES.items(), ids=list(PHRASES))
def test_a_phrase_is_nfc_uses_its_values_and_is_reached(english: str, vietnamese: str) -> None:
    assert unicodedata.is_normalized("NFC", vietnamese)
    holes = re.findall(r"\{(\w+)[*~]?\}", english)
    assert sorted(set(re.findall(r"\{(\w+)\}", vietnamese))) == sorted(holes)
    values = {name: f"gia-tri-{number}" for number, name in enumerate(holes)}
    said = in_vietnamese(re.sub(r"\{(\w+)[*~]?\}", lambda hole: values[hole[1]], english))
    assert said == vietnamese.format(**values), "an earlier phrase takes it"


@pytest.mark.parametrize("vietnamese", [*PHRASES.values(), *explanation._VI.values()])
def test_no_english_is_left_in_a_phrase(vietnamese: str) -> None:
    bare = re.sub(r"\{\w+\}|\(\w[\w-]*\)", "", vietnamese)
    assert not ENGLISH.search(bare)


@pytest.mark.parametrize(
    ("english", "vietnamese"),
    [
        (
            "nothing proves it (SPF softfail, DKIM none); DKIM signature of moet-edu-vn.20230601.gappssmtp.com passes, "
            "which is no listed trusted signer for moet.edu.vn",
            "không có gì chứng thực (SPF softfail, DKIM none); chữ ký DKIM của moet-edu-vn.20230601.gappssmtp.com hợp lệ, "
            "nhưng bên ký này không có trong danh sách được tin cậy ký thay cho moet.edu.vn",
        ),
        (
            "malformed: From: 2 From fields instead of one; 2 Subject fields; MIME: more than 20 levels",
            "thư sai quy cách: trường From: có 2 trường From thay vì một; có 2 trường Subject; "
            "cấu trúc MIME: lồng sâu quá 20 cấp",
        ),
        (
            "administrative (recipient van.phong@longan.edu.vn (*.phong@longan.edu.vn); subject word kế hoạch; "
            "document number 12/KH-THPT (cited); document number 15/BC-THPT in a file name)",
            "văn bản hành chính (administrative): người nhận van.phong@longan.edu.vn (theo mẫu *.phong@longan.edu.vn); "
            "tiêu đề có từ “kế hoạch”; số, ký hiệu văn bản 12/KH-THPT (được viện dẫn); "
            "số, ký hiệu văn bản 15/BC-THPT trong tên tệp",
        ),
        (
            "SPF Temporary Error: DNS no answer in time for _spf.longan.edu.vn TXT",
            "lỗi SPF tạm thời: tra cứu TXT của _spf.longan.edu.vn: không trả lời kịp thời",
        ),
        ("key look-up: time-out", "tra cứu khóa: quá thời gian chờ"),
        ("shared or better, DNS has not answered", "dùng chung (shared) hoặc cao hơn, DNS chưa trả lời"),
        ("no ARC set; a new reason without a phrase", "không có bộ ARC; a new reason without a phrase"),
        ("1 attachment", "1 tệp đính kèm"),
        ("subject word {sdid} {0}", "tiêu đề có từ “{sdid} {0}”"),
    ],
)
def test_sentences_and_lists_of_them(english: str, vietnamese: str) -> None:
    assert in_vietnamese(english) == vietnamese


@pytest.mark.parametrize(
    "text",
    [
        "",
        "báo cáo",
        "gmail.com",
        "<a@gmail.com>",
        "2026-11-21 12:00",
        "12/BC-THPT, 13/CV-PGD",
        "; ; ",
        "a\nb",
        "\udcff",
    ],
)
def test_values_and_unknown_words_stay(text: str) -> None:
    assert in_vietnamese(text) == text


def test_hostile_text_is_left_alone() -> None:
    """S-40: bounded in length and in depth, and no pattern that backtracks."""
    nested = "malformed: " * 300 + "x"
    assert in_vietnamese(nested).count("thư sai quy cách: ") < 10
    assert in_vietnamese("no ARC set; " * TEXT_MAX) == "no ARC set; " * TEXT_MAX
    brackets = "recipient " + " (" * 1900
    assert in_vietnamese(brackets) == f"người nhận {brackets.removeprefix('recipient ')}"


# ---- in an explanation -------------------------------------------------------------------------------------------------

EVIDENCE_OF_NOBODY: Evidence = replace(EVIDENCE, arc=MethodResult("arc", "none", "no ARC set"))


def test_an_explanation_shows_the_key_behind_the_word() -> None:
    one = case(administrative=True)
    identity = replace(
        one.identity,
        level_reason="DKIM signature of gmail.com passes and is aligned with gmail.com",
        provider_reason="gmail.com is on the packaged list of free providers",
    )
    one = replace(one, submission=Submission(True, ("subject word báo cáo",)), identity=identity)
    decision = decide(
        one,
        policy_of("""\
            - name: giu
              when: { sender: free-provider, level: signed, submission: administrative }
              unless: [ { attachment_type: pdf }, { subject_regex: 'x{99}' }, { malformed: true } ]
              then: { hold: { reason: free-provider, retain: 30d } }
        """),
    )
    lines = [line.strip() for line in explain(one, decision, EVIDENCE_OF_NOBODY, identity, "vi")]
    for line in (
        "arc=none (không có bộ ARC)",
        "mức chứng thực: đã ký (signed): chữ ký DKIM của gmail.com hợp lệ và khớp với tên miền gmail.com",
        "loại tên miền: nhà cung cấp thư miễn phí (free-provider): gmail.com có trong danh sách nhà cung cấp thư miễn phí "
        "kèm theo phần mềm",
        "loại thư: văn bản hành chính (administrative)",
        "tiêu đề có từ “báo cáo”",
        "loại người gửi: có: nhà cung cấp thư miễn phí (free-provider)",
        "mức chứng thực: có: đã ký (signed)",
        "loại thư: có: văn bản hành chính (administrative): tiêu đề có từ “báo cáo”",
        "ngoại lệ loại tệp đính kèm: không (không có tệp đính kèm)",
        "ngoại lệ mẫu trong tiêu đề: không (không tìm thấy)",
        "ngoại lệ sai quy cách: không (đúng quy cách)",
        "giữ lại để xem xét (hold): gửi từ nhà cung cấp thư miễn phí (free-provider), 30 ngày",
    ):
        assert line in lines
    english = "\n".join(explain(one, decision, EVIDENCE_OF_NOBODY, identity))
    assert "level: signed (DKIM signature of gmail.com passes and is aligned with gmail.com)" in english
    assert "arc=none (no ARC set)" in english


def test_a_file_name_that_reads_like_a_reason_is_shown_as_it_is() -> None:
    raw = 'From: <a@gmail.com>\nContent-Type: application/pdf; name="not found"\n\nx\n'
    one = case(raw)
    decision = decide(one, policy_of("- name: a\n  when: { attachment_regex: found }\n  then: { discard: {} }"))
    vietnamese = explain(one, decision, one.evidence, one.identity, "vi")
    assert "    tên tệp đính kèm: có (not found)" in vietnamese
    assert "  bỏ, không báo cho ai (discard)" in vietnamese


@pytest.mark.parametrize("level", list(Level))
def test_every_level_and_provider_has_a_word_with_its_key(level: Level) -> None:
    assert LEVELS[level].endswith(f"({level})")
    assert all(PROVIDERS[provider].endswith(f"({provider})") for provider in Provider)


def test_the_generation_is_shown_where_there_is_one() -> None:
    one = case()
    decision = decide(one, policy_of("- name: a\n  when: { unit: unknown }\n  then: { refuse: { text: no } }"))
    assert isinstance(decision.disposition, Refuse)
    assert "  bản chính sách số: 7" in explain(one, decision, one.evidence, one.identity, "vi")
    unnumbered = replace(decision, generation=0)
    for language in ("en", "vi"):
        text = "\n".join(explain(one, unnumbered, one.evidence, one.identity, language))
        assert "generation" not in text
        assert "bản chính sách số" not in text
