"""Completion, as shells do it: real bash, zsh and fish ask, and get verbs, options and values."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.complete import answered
from gateway.cli.completion import SCRIPTS, Shell
from gateway.cli.speech import use
from gateway.cli.tree import verb_of
from gateway.cli.verbs import command

REPOSITORY = Path(__file__).parents[3]
UNITS = "# mẫu\nid,name,kind,parent\nthcs-binh-duc,Trường THCS Bình Đức,thcs,\nmn-hoa-mai,Trường Mầm non Hoa Mai,mn,\n"
HELD = '{"author": "nguyenthilan.thcs@gmail.com", "subject": "Báo cáo: số 45"}'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings, units, and a store with one held and one released message; `gateway` on the path."""
    (tmp_path / "gateway.toml").write_text('policies = "rules"\nstate = "state"\n')
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/units.csv").write_text(UNITS)
    for number in (9, 12):
        (tmp_path / f"state/policies/generation-{number}").mkdir(parents=True)
    with sqlite3.connect(tmp_path / "state/gateway.db") as store:
        store.execute("CREATE TABLE entries (id, state, held_at, plain)")
        store.execute("CREATE TABLE records (id, received_at, plain)")
        store.execute("INSERT INTO entries VALUES ('7F3K-9QXM-2C4D', 'held', 2, ?)", (HELD,))
        store.execute("INSERT INTO entries VALUES ('8G3K-9QXM-2C4D', 'released', 1, ?)", (HELD,))
        store.execute("INSERT INTO records VALUES ('8G3K-9QXM-2C4D', 1, ?)", (HELD,))
    program = tmp_path / "bin/gateway"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nLC_ALL=en_US.UTF-8 exec {sys.executable} -m gateway "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    use("en")
    return tmp_path


def bash(line: str) -> list[str]:
    """What Tab would offer at the end of the line, by the rules of bash (COMP_WORDS, COMP_CWORD)."""
    words = [*line.split(" ")] if line.endswith(" ") else line.split()
    quoted = " ".join(f"'{word}'" for word in words)
    script = (
        f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _gateway gateway; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", f"compopt() {{ :; }}\n{SCRIPTS[Shell.BASH]}\n{script}"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("gateway ch", ["check"]),
        ("gateway quarantine re", ["release", "reject"]),
        ("gateway quarantine show 7", ["7F3K-9QXM-2C4D"]),
        ("gateway quarantine show ", ["7F3K-9QXM-2C4D"]),
        ("gateway register show ", ["8G3K-9QXM-2C4D"]),
        ("gateway quarantine list --un", ["--unit"]),
        ("gateway quarantine list --unit th", ["thcs-binh-duc"]),
        ("gateway register units --kind ", ["thcs", "mn"]),
        ("gateway register units --lang = e", ["en"]),
        ("gateway completion ", ["bash", "zsh", "fish"]),
        ("gateway policy rollback ", ["12", "9"]),
        ("gateway -c gateway.toml ch", ["check"]),
        ("gateway check --config gate", ["gateway.toml"]),
        ("gateway check --policies ru", ["rules"]),
        ("gateway quarantine show 7F3K-9QXM-2C4D ", []),
    ],
)
def test_bash(folder: Path, line: str, offered: list[str]) -> None:
    assert bash(line) == offered


def test_bash_completes_in_a_terminal(folder: Path) -> None:
    """Interactive: the keys are typed, Tab is pressed, the line is finished by bash itself."""
    (folder / "rc").write_text(f"PS1='ready> '\nbind 'set bell-style none'\n{SCRIPTS[Shell.BASH]}")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp("bash", ["bash", "--noprofile", "--rcfile", str(folder / "rc"), "-i"])
    try:
        shown = read_until(terminal, b"ready> ")
        for keys, finished in ((b"gateway regi\t", b"register "), (b"uni\t", b"units "), (b"--ki\tmn", b"--kind mn")):
            os.write(terminal, keys)
            shown = read_until(terminal, finished)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
    assert shown.endswith(b"--kind mn")


def read_until(terminal: int, wanted: bytes) -> bytes:
    """What the terminal shows, up to and with what is wanted; the test's own time limit ends the waiting."""
    shown = b""
    while wanted not in shown:
        shown += os.read(terminal, 4096)
    return shown[: shown.index(wanted) + len(wanted)]


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh(folder: Path) -> None:
    """The function fills zsh's own list: values with what they are."""
    stubs = (
        '_describe() { shift; print -rl -- "${(P@)@[-1]}"; }; _files() { print -r -- "files $*"; }; compdef() { :; }\n'
    )
    for words, offered in (
        ("gateway ch", ["check:Check settings and policies: every problem with its place a…"]),
        ("gateway quarantine show ''", ["7F3K-9QXM-2C4D:nguyenthilan.thcs@gmail.com  Báo cáo: số 45"]),
        ("gateway quarantine list --unit=th", ["--unit=thcs-binh-duc:Trường THCS Bình Đức"]),
        ("gateway check --config ''", ["files "]),
        ("gateway check --policies ''", ["files -/"]),
    ):
        ask = f"words=({words}); CURRENT=${{#words}}; _gateway"
        done = subprocess.run(
            ["zsh", "-f", "-c", stubs + SCRIPTS[Shell.ZSH] + ask], capture_output=True, text=True, timeout=60
        )
        assert (done.stdout.splitlines(), done.stderr) == (offered, ""), words


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish(folder: Path) -> None:
    (folder / "gateway.fish").write_text(SCRIPTS[Shell.FISH])
    for line, offered in (
        ("gateway ch", "check\tCheck settings and policies: every problem with its place a…"),
        ("gateway quarantine show ", "7F3K-9QXM-2C4D\tnguyenthilan.thcs@gmail.com  Báo cáo: số 45"),
    ):
        ask = f"source {folder / 'gateway.fish'}; complete -C '{line}'"
        environ = {**os.environ, "HOME": str(folder)}
        done = subprocess.run(
            ["fish", "--no-config", "-c", ask], capture_output=True, text=True, timeout=60, env=environ
        )
        assert done.stdout.splitlines() == [offered], done.stderr


def test_a_tab_reads_the_store_and_changes_nothing(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    assert answered("bash", verb_of(command()), ["quarantine", "show", ""]) == ["7F3K-9QXM-2C4D"]
    assert sorted(folder.rglob("*")) == before


def test_a_tab_where_nothing_is_offers_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    root = verb_of(command())
    assert answered("bash", root, ["quarantine", "show", ""]) == []
    assert answered("bash", root, ["quarantine", "list", "--unit", ""]) == []
    assert answered("bash", root, ["nosuch", "x"]) == []
    assert list(tmp_path.iterdir()) == []


def test_control_characters_of_a_subject_do_not_reach_the_terminal(folder: Path) -> None:
    """S-44."""
    with sqlite3.connect(folder / "state/gateway.db") as store:
        store.execute("UPDATE entries SET plain = ?", ('{"author": "a", "subject": "\\u001b[31m\\nx"}',))
    [line] = answered("zsh", verb_of(command()), ["quarantine", "show", "7"])
    assert line == "7F3K-9QXM-2C4D:a  \\u001b[31m\\u000ax"


@pytest.mark.parametrize("words", [[""], ["policy", ""], ["quarantine", ""], ["register", ""]])
def test_what_verbs_do_is_told_in_vietnamese(words: list[str]) -> None:
    """Also of those whose help has more than one sentence or paragraph."""
    use("vi")
    told = [line.partition("\t")[2] for line in answered("fish", verb_of(command()), words)]
    use("en")
    assert told
    assert [text for text in told if not any(ord(letter) > 0xFF for letter in text)] == []
