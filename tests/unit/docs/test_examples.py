"""What the pages show is run or parsed: settings, policies, registry rows, command lines.

Files of deploy/ that pages include have tests of their own, with the servers that read them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from gateway.cli.tree import Verb, verb_of
from gateway.cli.verbs import command
from gateway.policy.check import check
from gateway.policy.parse import load
from gateway.policy.problem import Problem
from gateway.reloader.directory import read_directory
from gateway.settings import load_settings
from tests.support.pages import PAGES, ROOT, Block, blocks, command_lines

POLICIES = ROOT / "policies"
BLOCKS = [block for page in PAGES for block in blocks(page)]
UNCHECKED = {"", "sh", "text", "powershell", "mermaid"}  # shell lines: test_command_lines
KINDS = {"policy", "rule", "rollout", "cases", "settings", "units.csv", "mailboxes.csv"}


def of_kind(*kinds: str) -> list[Block]:
    return [block for block in BLOCKS if block.kind in kinds]


def problems(files: dict[str, str]) -> list[Problem]:
    """Errors of a policy folder; golden cases are about the shipped days and are left out."""
    kept = {name: text for name, text in files.items() if not name.startswith("cases/")}
    _, found = load(kept, today=datetime.now(UTC).date(), generation=0, unread=())
    return [problem for problem in found if problem.severity == "error"]


def shipped() -> dict[str, str]:
    files, _ = read_directory(POLICIES)
    return dict(files)


def test_every_kind_is_in_use_and_known() -> None:
    directives = {"{toctree}", "{include}", "{literalinclude}"}
    strange = [str(b) for b in BLOCKS if b.language not in UNCHECKED | directives and b.kind not in KINDS]
    assert strange == [], "say what kind of file it is, so that it can be checked"
    assert {b.kind for b in BLOCKS} >= KINDS


@pytest.mark.parametrize("block", of_kind("policy", "rule", "rollout"), ids=str)
def test_policy_fragments_fit_into_the_shipped_policy(block: Block) -> None:
    files = shipped()
    policy = yaml.safe_load(files["policy.yaml"])
    part = yaml.safe_load(block.text)
    if block.kind == "policy":
        policy |= part
    else:
        name = part.get("name", "free-provider-submission")
        (rule,) = [rule for rule in policy["rules"] if rule["name"] == name]
        rule.update(part if block.kind == "rule" else {"rollout": part})
    files["policy.yaml"] = yaml.safe_dump(policy, allow_unicode=True, sort_keys=False)
    assert [problem.text() for problem in problems(files)] == []


def test_a_wrong_fragment_would_be_found() -> None:
    files = shipped()
    policy = yaml.safe_load(files["policy.yaml"]) | {"routes": {"main": {"protocol": "smtp", "starttls": "always"}}}
    files["policy.yaml"] = yaml.safe_dump(policy, allow_unicode=True, sort_keys=False)
    assert problems(files)


@pytest.mark.parametrize("block", of_kind("cases"), ids=str)
def test_cases_pass_with_the_shipped_policy(block: Block) -> None:
    policy, found = check({**shipped(), "cases/page.yaml": block.text}, now=datetime(2026, 11, 21, tzinfo=UTC))
    assert policy, found
    assert [problem.text() for problem in found if problem.file == "cases/page.yaml"] == []


@pytest.mark.parametrize("page", sorted({b.page for b in of_kind("units.csv", "mailboxes.csv")}), ids=lambda p: p.name)
def test_rows_fit_into_the_shipped_registry(page: Path) -> None:
    files = shipped()
    for block in blocks(page):
        if block.kind in ("units.csv", "mailboxes.csv"):
            files[block.kind] += "\n" + block.text
    assert [problem.text() for problem in problems(files)] == []


@pytest.mark.parametrize("block", of_kind("settings"), ids=str)
def test_settings_are_read(block: Block, tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(block.text, encoding="utf-8")
    load_settings(file, {})


def verb(words: list[str]) -> tuple[Verb, list[str]]:
    """The verb that the words begin with, and the other words."""
    found, rest = verb_of(command()), words
    while rest and (below := [each for each in found.verbs if each.path[-1] == rest[0]]):
        found, rest = below[0], rest[1:]
    return found, rest


def faults(words: list[str]) -> list[str]:
    """What of a command line the program would not understand."""
    found, rest = verb(words)
    if not found.path:
        return [f"no verb {' '.join(words)}"]
    known = {word: option for option in found.options for word in option.words}
    wrong, values, position = [], 0, 0
    while position < len(rest):
        word = rest[position]
        position += 1
        if word in ("…", "..."):
            continue
        if word.startswith("-"):
            option = known.get(word.split("=")[0])
            if option is None:
                wrong.append(f"{' '.join(found.path)} has no {word}")
            elif option.value and "=" not in word:
                position += 1
        else:
            values += 1
    if found.verbs and values:
        wrong.append(f"{' '.join(found.path)} has no verb {rest[0]}")
    elif values > len(found.arguments) and not any(each.is_repeated for each in found.arguments):
        wrong.append(f"{' '.join(found.path)} does not take {values} values")
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_command_lines_are_understood(page: Path) -> None:
    assert [fault for words in command_lines(page) for fault in faults(words)] == []


@pytest.mark.parametrize("line", ["quarantine lst", "register units --mising", "explode", "quarantine show A B"])
def test_wrong_command_lines_are_found(line: str) -> None:
    assert faults(line.split())


def test_there_are_command_lines_to_check() -> None:
    assert sum(1 for page in PAGES for _ in command_lines(page)) > 60
