"""The documentation is checked by what can check it: RFC lists, links, file names, commands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *ROOT.glob("docs/**/*.md"), ROOT / "policies" / "README.md"])
CITED = re.compile(r"RFC ?(\d{4})")


def test_every_rfc_that_the_code_cites_is_in_the_list() -> None:
    listed = set(re.findall(r"\d{4}", (ROOT / "docs" / "rfcs.md").read_text(encoding="utf-8")))
    cited = {n for p in (ROOT / "gateway").rglob("*.py") for n in CITED.findall(p.read_text(encoding="utf-8"))}
    assert cited - listed == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_and_file_names_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = [t.partition("#")[0] for t in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in t]
    missing = [target for target in targets if target and not (page.parent / target).exists()]
    missing += [name for name in re.findall(r"`(gateway/[\w/]+\.py)", text) if not (ROOT / name).exists()]
    assert missing == []


def _commands() -> list[str]:
    found = set()
    for page in PAGES:
        for line in page.read_text(encoding="utf-8").splitlines():
            if match := re.match(r"\s*gateway ((?:[a-z]+ ?){1,2})", line):
                found.add(match[1].strip())
    return sorted(found)


@pytest.mark.parametrize("words", _commands())
def test_every_command_in_the_pages_is_a_command(words: str) -> None:
    """`gateway quarantine list ...` is known when its help is."""
    command = [sys.executable, "-m", "gateway", *words.split()[:2], "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:  # the second word was an argument
        done = subprocess.run([*command[:4], "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
