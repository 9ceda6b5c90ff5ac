"""YAML of admins: places of values, YAML 1.2 words, and everything dangerous refused (S-39)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.policy.places import DEPTH_MAX, SIZE_MAX, read_yaml


def first(text: str) -> tuple[int, int, str]:
    problem = read_yaml(text, "p.yaml").problems[0]
    return problem.line, problem.column, problem.en


def test_words_are_those_of_yaml_1_2() -> None:
    text = "a: on\nb: no\nc: 2026-12-01\nd: 010\ne: 0o17\nf: 0x1F\ng: 1.5\nh: '12'\ni: true\nj: ~\nk: 12:30\nl: NO"
    assert read_yaml(text, "p.yaml").data == {
        "a": "on", "b": "no", "c": "2026-12-01", "d": 10, "e": 15, "f": 31, "g": 1.5, "h": "12", "i": True, "j": None,
        "k": "12:30", "l": "NO",
    }  # fmt: skip


def test_every_value_has_its_place() -> None:
    document = read_yaml("rules:\n  - name: a\n    when: { unit: [x, y] }\n", "p.yaml")
    assert document.place(("rules", 0, "when", "unit", 1)) == (3, 23)
    assert document.place(("rules", 0, "when"), key=True) == (3, 5)
    assert document.place(("rules", 0, "then")) == (2, 5), "what is missing is placed at what should hold it"


@pytest.mark.parametrize(
    ("text", "place", "word"),
    [
        ("a: 1\nb: 2\na: 3", (3, 1), "already in line 1"),
        ("a: &x 1", (1, 4), "anchors"),
        ("a: 1\nb: *a", (2, 4), "aliases"),
        ("a: !!python/object/apply:os.system [ls]", (1, 4), "tags"),
        ("a: !local 1", (1, 4), "tags"),
        ("a: { <<: { b: 1 } }", (1, 6), "merge"),
        ("[a, b]: 1", (1, 1), "a key must be a word"),
        ("a: 1\n---\nb: 2", (2, 1), "only one YAML document"),
        ("a:\n\t- b", (2, 1), "not with tabs"),
        ("a: [1, 2\nb: 3", (2, 2), "YAML syntax"),
        ("a: 1\nb: \x07", (2, 4), "control characters"),
        ("[" * 5000, (1, DEPTH_MAX + 1), "nested deeper"),
        ("- " * 5000, (1, 2 * DEPTH_MAX + 1), "nested deeper"),
    ],
)
def test_S39_what_is_dangerous_is_refused_at_its_place(text: str, place: tuple[int, int], word: str) -> None:
    line, column, en = first(text)
    assert (line, column) == place
    assert word in en


def test_S39_billion_laughs_ends_at_the_first_alias() -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
    )
    assert read_yaml(bomb, "p.yaml").data is None


def test_S39_size_is_bounded_in_octets() -> None:
    assert read_yaml("a: " + "ệ" * (SIZE_MAX // 3), "p.yaml").data is None
    assert read_yaml("a: " + "x" * (SIZE_MAX - 3), "p.yaml").problems == []


def test_all_problems_of_a_file_are_told_at_once() -> None:
    problems = read_yaml("a: &x 1\nb: !t 2\nb: 3\n<<: 4\n", "p.yaml").problems
    assert [problem.line for problem in problems] == [1, 2, 3, 4]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!<|>'\"\n\t #?,%@`~é\x00\ud800"), max_size=60))
def test_no_text_raises(text: str) -> None:
    read_yaml(text, "p.yaml")
