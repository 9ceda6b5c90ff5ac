"""The site: generated pages are as the program is, every page is in the navigation, nothing is fetched from elsewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from docs.generator.pages import FOLDER, generated
from gateway.settings.models import Settings
from tests.support.pages import DOCS, ROOT, blocks

BUILD = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--nitpicky", "-q", "-E", "-b", "html"]


@pytest.mark.parametrize("name", sorted(generated()))
def test_generated_pages_are_up_to_date(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == generated()[name], "write them again: make reference"


def test_every_setting_is_explained() -> None:
    fields = dict(Settings.model_fields)
    for info in Settings.model_fields.values():
        fields |= getattr(info.annotation, "model_fields", {})
    tables = {"smtp", "milter", "dns", "store", "relay", "notice", "http"}
    silent = [name for name, info in fields.items() if not info.description and name not in tables]
    assert silent == []


def _navigation() -> set[Path]:
    found = {DOCS / "index.md"}
    for page in DOCS.rglob("*.md"):
        for block in blocks(page):
            if block.language == "{toctree}":
                names = [line for line in block.text.splitlines() if line.strip() and not line.startswith(":")]
                found |= {path for name in names for path in page.parent.glob(f"{name}.md")}
    return found


def test_every_page_is_in_the_navigation() -> None:
    assert set(DOCS.rglob("*.md")) - _navigation() == set()


@pytest.mark.parametrize(
    ("address", "is_fetched"),
    [
        ('<script src="https://cdn.example/x.js"></script>', True),
        ('<link rel="stylesheet" href="//fonts.example/css">', True),
        ('<img alt="" src="https://example.org/x.png">', True),
        ("<style>@import 'https://example.org/x.css'</style>", True),
        ('<a href="https://example.org/">out</a>', False),
        ('<script src="_static/x.js"></script>', False),
    ],
)
def test_what_a_browser_would_fetch(address: str, is_fetched: bool) -> None:
    pytest.importorskip("sphinx", reason="make docs installs it")
    from docs._site.offline import fetched

    assert bool(fetched(address, ".html")) is is_fetched


def test_search_knows_words_without_accents() -> None:
    pytest.importorskip("sphinx", reason="make docs installs it")
    from docs._site.folding import Folded, fold

    assert fold("Giữ thư, ĐƠN VỊ") == "giu thu, don vi"
    assert Folded({}).split("Sổ đăng ký: x_y 12/BC") == ["so", "dang", "ky", "x", "y", "12", "bc"]


def _site(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    command = [*BUILD, "-d", str(target / "trees"), str(source), str(target / "site")]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def _small_site(folder: Path, index: str) -> Path:
    """A site with this project's configuration and one page of its own."""
    (folder / "_static").mkdir(parents=True)
    for name in ("conf.py", "_site"):
        (folder / name).symlink_to(DOCS / name)
    (folder / "_static" / "site.css").write_text("")
    (folder / "index.md").write_text(index)
    return folder


@pytest.mark.parametrize(
    ("index", "says"),
    [
        ("# A\n\n[b](missing.md)\n", "xref_missing"),
        ("# A\n\n[b](#nowhere)\n", "xref_missing"),
        ('# A\n\n<img src="https://example.org/x.png">\n', "fetched from elsewhere"),
        ("# A\n\n```mermaid\nnothing drawn\n```\n", "no state diagram"),
    ],
)
def test_the_build_fails_on_what_is_broken(index: str, says: str, tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="make docs installs it")
    done = _site(_small_site(tmp_path / "docs", index), tmp_path)
    assert done.returncode != 0
    assert says in done.stderr


def test_the_build_fails_on_an_orphan(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="make docs installs it")
    source = _small_site(tmp_path / "docs", "# A\n")
    (source / "alone.md").write_text("# B\n")
    done = _site(source, tmp_path)
    assert done.returncode != 0
    assert "toctree" in done.stderr


def test_state_diagrams_become_tables(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="make docs installs it")
    diagram = "# A\n\n```mermaid\nstateDiagram-v2\n    [*] --> held: settle()\n    held --> released\n```\n"
    done = _site(_small_site(tmp_path / "docs", diagram), tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "the beginning" in page
    assert page.count("<tr") == 3
