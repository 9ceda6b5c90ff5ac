"""Templates: what is allowed, what is named as a problem, and that nothing else renders (S-41)."""

from __future__ import annotations

import pytest

from gateway.responder.template import NoticeError, check_template, language_of, render
from gateway.responder.wording import VARIABLES, Value
from tests.support.notices import TEMPLATES

VALUES: dict[str, Value] = {
    word: {"text": "chữ", "truth": True, "list": ("moet.edu.vn", "longan.edu.vn")}[kind]
    for word, (kind, _, _) in VARIABLES.items()
}


def checked(body: str) -> list[str]:
    return [problem.en for problem in check_template(f"Subject: Re: thư\n\n{body}\n", "templates/notice.vi.j2")]


@pytest.mark.parametrize("name", TEMPLATES)
def test_shipped_templates_have_no_problem(name: str) -> None:
    assert check_template(TEMPLATES[name], f"templates/{name}.j2") == []


def test_both_languages_are_shipped() -> None:
    assert {language_of(name) for name in TEMPLATES} == {"vi", "en"}
    assert language_of("notice.vi.j2") == "vi"


@pytest.mark.parametrize(
    "body",
    [
        "Chào {{ sender }}", "{% if held %}a{% else %}b{% endif %}", "{% for g in grounds %}{{ g }}{% endfor %}",
        '{{ official_domains | join(", ") }}', "{{ subject | upper }}", '{{ unit_name if unit_name else "đơn vị" }}',
        "{# ghi chú #}", '{% if office == "x" and not held %}a{% endif %}',
    ],
)  # fmt: skip
def test_what_a_template_may_do(body: str) -> None:
    assert checked(body) == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{{ sender.domain }}", "Getattr"),
        ("{{ sender['x'] }}", "Getitem"),
        ("{{ ''.__class__.__mro__ }}", "Getattr"),
        ("{{ subject.format(held) }}", "Call"),
        ("{{ range(9) }}", "Call"),
        ("{{ 7*7 }}", "Mul"),
        ("{{ 'x' ~ subject }}", "Concat"),
        ("{{ 2 ** 9999999 }}", "Pow"),
        ("{{ '%s' % subject }}", "Mod"),
        ("{% include 'x' %}", "Include"),
        ("{% import 'x' as y %}", "Import"),
        ("{% extends 'x' %}", "Extends"),
        ("{% macro m() %}{% endmacro %}", "Macro"),
        ("{% set a = subject %}", "Assign"),
        ("{% filter upper %}x{% endfilter %}", "FilterBlock"),
        ("{% block a %}{% endblock %}", "Block"),
        ("{{ subject is defined }}", "Test"),
        ("{{ [1] }}", "List"),
        ("{{ subject | attr('x') }}", "unknown filter"),
        ("{{ subject | format }}", "unknown filter"),
        ("{{ official_domains | join(', ', 'x') }}", "unknown filter"),
        ("{{ nguoi_gui }}", "unknown variable"),
        ("{% for g in grounds %}{% endfor %}{{ g }}", "unknown variable"),
        ("{{ grounds }}", "this is a list"),
        ("{% for c in subject %}{% endfor %}", "a loop must be"),
        ("{% for a in grounds %}{% for b in grounds %}{% endfor %}{% endfor %}", "a loop must be"),
        ("{% if held %}", "template syntax"),
        ("{{ subject", "template syntax"),
        ("{{ subject < held }}", "cannot be rendered"),
        ("{% if held %}" * 150 + "{% endif %}" * 150, "cannot be rendered"),
        ("{{ " + "not " * 30_000 + "held }}", "longer than"),
        ("{{ " + "not " * 5_000 + "held }}", "nested too deep"),
    ],
)
def test_S_41_what_a_template_may_not_do(body: str, words: str) -> None:
    found = checked(body)
    assert any(words in problem for problem in found), found
    with pytest.raises(NoticeError):
        render(f"Subject: x\n\n{body}\n", VALUES)


def test_a_problem_tells_file_line_value_and_both_languages() -> None:
    (problem,) = check_template("Subject: x\n\nKính gửi\n{{ nguoi_nhan }}\n", "templates/notice.vi.j2")
    assert (problem.file, problem.line, problem.value, problem.severity) == (
        "templates/notice.vi.j2",
        4,
        "nguoi_nhan",
        "error",
    )
    assert "không có biến này" in problem.text("vi")
    assert "recipient" in problem.en


def test_every_problem_is_told_at_once() -> None:
    assert [p.line for p in check_template("Subject: x\n\n{{ a }}\n{{ b }}\n{{ c.d }}\n", "t.j2")] == [3, 4, 5]


@pytest.mark.parametrize(
    "text",
    ["", "Kính gửi\n", "\nSubject: x\n\ny\n", "Subject: x\ny\n", "Subject: {% if held %}a{% endif %}\nKính gửi\n\nx\n"],
)
def test_the_first_line_is_the_subject_and_the_second_is_empty(text: str) -> None:
    assert any('"Subject: ..."' in problem.en for problem in check_template(text, "t.j2"))


def test_as_windows_editors_save_it() -> None:
    text = "\ufeffSubject: Re: {{ subject }}\r\n\r\nKính gửi\r\n\r\n{{ entry }}\r\n"
    assert check_template(text, "t.j2") == []
    assert render(text, VALUES) == ("Re: chữ", "Kính gửi\n\nchữ\n")


@pytest.mark.parametrize("hostile", ["{{7*7}}", "{0.__class__}", "{{ subject }}", "%n%s", "${x}", "{% if %}", "{#"])
def test_S_41_values_are_never_read_as_templates(hostile: str) -> None:
    subject, text = render("Subject: {{ subject }}\n\n{{ subject }}\n", VALUES | {"subject": hostile})
    assert (subject, text) == (hostile, hostile + "\n")


def test_a_missing_value_is_an_error_and_no_empty_word() -> None:
    with pytest.raises(NoticeError, match="undefined"):
        render("Subject: x\n\n{{ sender }}\n", {})
