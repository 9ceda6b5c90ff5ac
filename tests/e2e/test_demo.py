"""`gateway demo` as a person runs it: every story ends as it must, in both languages, and what it points at is there."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import smtplib
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.demo import show as demo
from gateway.demo.stories import STORIES
from gateway.demo.story import Outcome

GATEWAY = [sys.executable, "-m", "gateway"]
FIRST_WORDS = {"vi": "Cổng thư điện tử: thử nghiệm", "en": "The mail gateway, shown"}
NOTICE = {"vi": "Đề nghị Quý đơn vị:", "en": "Please:"}  # the notice is in both languages, whatever the demo's own
PATIENCE = 30.0  # seconds within which anything must have happened; a fast machine never waits so long


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(folder), "NO_COLOR": "1"}


def flat(text: str) -> str:
    """Without the line ends that the width of the page made."""
    return " ".join(text.split())


@pytest.fixture(scope="module", params=["vi", "en"])
def given(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, Path]:
    """The language, what the demo printed, and its folder; given once for all tests."""
    parent = tmp_path_factory.mktemp("demo")
    run = subprocess.run(
        [*GATEWAY, "demo", "--lang", request.param],
        env=environment(parent),
        cwd=parent,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")
    (folder,) = parent.iterdir()
    return request.param, run.stdout, folder


def test_every_story_has_its_row(given: tuple[str, str, Path]) -> None:
    language, printed, _ = given
    assert printed.startswith(FIRST_WORDS[language])
    rows = re.findall(r"^ ?(\d+) {2,}\S", printed, re.MULTILINE)
    assert rows[: len(STORIES)] == [str(number) for number in range(1, len(STORIES) + 1)]
    for unit in ("Trường THPT Lê", "Trường Mầm non", "Trường Tiểu học"):
        assert unit in printed
    assert "550 5.1.1" in printed, "the receiving server's own words"
    assert "550 5.7.1" in printed, "no open relay (S-8)"
    assert "451" in printed
    assert "\x1b" not in printed, "no colours in a pipe"


def test_notice_and_explanation_are_shown_in_full(given: tuple[str, str, Path]) -> None:
    language, printed, _ = given
    text = flat(printed)
    assert "Subject: Re: Báo cáo số 12/BC-THCS về tình hình thiết bị dạy học - thư đang tạm giữ" in text
    assert "Công văn số 1077/SGDĐT-KTQLCL ngày 02/5/2019" in text
    assert all(words in text for words in NOTICE.values())
    assert "free-provider-submission" in text
    said = {"vi": "chữ ký DKIM của gmail.com hợp lệ", "en": "DKIM signature of gmail.com passes"}
    assert said[language] in text


def test_what_is_printed_is_what_is_there(given: tuple[str, str, Path]) -> None:
    _, printed, folder = given
    assert str(folder) in printed
    assert len(list((folder / "letters").iterdir())) == len(STORIES)
    letters = list((folder / "maildirs" / "hoanguyen.tanan@gmail.com" / "new").iterdir())
    assert len(letters) == 1, "one notice for two reports within the window (AR-12)"
    assert b"Auto-Submitted: auto-replied" in letters[0].read_bytes()
    assert not (folder / "maildirs" / "sogddt@longan.edu.vn").exists(), "no notice to a false sender (AR-4)"
    events = [json.loads(line)["event"] for line in (folder / "mail.log").read_text(encoding="utf-8").splitlines()]
    assert {"relayed", "held", "deferred", "refused", "replied"} <= set(events)
    assert "gateway_recipients_total" in (folder / "metrics.txt").read_text(encoding="utf-8")


def test_the_commands_work_after_the_end(given: tuple[str, str, Path]) -> None:
    """Nothing of the demo runs any more; store, letters and zone are enough."""
    language, printed, folder = given
    lines = [line for line in printed.splitlines() if f"{folder}/gateway.toml" in line]
    assert len(lines) == 5
    shown = [said(line, folder) for line in lines]
    assert "hoanguyen.tanan@gmail.com" in flat(shown[0]).replace(" ", "")
    assert "12/BC-THCS" in shown[1]
    assert shown[2].count("Báo cáo") >= 5, "`bao cao` finds `Báo cáo`"
    assert "THPT Chuyên Long An" in shown[3]
    assert "THPT Lê Quý Đôn" not in shown[3]
    assert (
        "giữ lại để xem xét (hold): gửi từ nhà cung cấp thư miễn phí (free-provider)"
        if language == "vi"
        else "hold for review: free-provider"
    ) in shown[4]


def said(line: str, folder: Path) -> str:
    run = subprocess.run(
        shlex.split(line), env=environment(folder), cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, (line, run.stderr)
    return run.stdout


# ---- --stay ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def staying(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str, Path]]:
    """The demo as it stays, with all that it printed until then, and its folder."""
    process = subprocess.Popen(
        [*GATEWAY, "demo", "--stay", "--lang", "en"],
        env=environment(tmp_path),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if "Ctrl-C" in line:
            break
    (folder,) = tmp_path.iterdir()
    try:
        yield process, printed, folder
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_stay_answers_and_stops_cleanly(staying: tuple[subprocess.Popen[str], str, Path]) -> None:
    process, printed, folder = staying
    text = flat(printed)
    smtp = int(re.search(r"SMTP 127\.0\.0\.1:(\d+)", text)[1])
    http = re.search(r"http://127\.0\.0\.1:\d+", text)[0]

    assert json.loads(fetched(f"{http}/readyz"))["status"] == "ok"
    assert 'gateway_recipients_total{fate="held"}' in fetched(f"{http}/metrics")
    with smtplib.SMTP("127.0.0.1", smtp, timeout=PATIENCE) as client:
        assert client.ehlo("mail.moet.edu.vn")[0] == 250
        assert client.mail("pgdtanan.longan@moet.edu.vn")[0] == 250
        assert client.rcpt("khachhang@example.com")[0] == 550

    (release,) = [line for line in printed.splitlines() if "quarantine release" in line]
    assert "released" in said(release, folder)
    originals = [path.read_bytes() for path in (folder / "maildirs" / "vanthu@longan.edu.vn" / "new").iterdir()]
    assert sum(b'filename="12_BC-THCS.pdf"' in octets for octets in originals) == 1

    if shutil.which("curl"):
        (curl,) = [line for line in printed.splitlines() if line.startswith("curl ")]
        said(curl, folder)

    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, "")
    assert "Stopped." in rest
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP("127.0.0.1", smtp, timeout=5)


def test_stay_follows_edits_of_the_policy(staying: tuple[subprocess.Popen[str], str, Path]) -> None:
    _, printed, folder = staying
    http = re.search(r"http://127\.0\.0\.1:\d+", printed)[0]
    file = folder / "policies" / "policy.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "\n# looked at\n", encoding="utf-8")
    deadline = time.monotonic() + PATIENCE
    while "gateway_policy_generation 2.0" not in fetched(f"{http}/metrics"):
        assert time.monotonic() < deadline, "the change was not followed"
        time.sleep(0.1)


def fetched(url: str) -> str:
    with urllib.request.urlopen(url, timeout=PATIENCE) as response:
        return str(response.read().decode())


# ---- the demo is a test too -----------------------------------------------------------------------------------------


def test_another_fate_than_expected_fails_the_demo(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The parent's letter is told to have been held: the demo must say that it was not, and which it was."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    stories = [replace(story, expected=Outcome(codes=(250,), level="signed")) if n == 6 else story
               for n, story in enumerate(STORIES)]  # fmt: skip
    monkeypatch.setattr(demo, "STORIES", tuple(stories))
    with pytest.raises(demo.DemoFailed) as failure:
        demo.show("en", stay=False)
    assert "No. 7: fates:" in str(failure.value)
    assert "No. 8" not in str(failure.value)
    assert str(tmp_path) in str(failure.value), "where the log is"
    assert "met the fate that was expected" not in capsys.readouterr().out


def test_a_policy_folder_without_main_route_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "policy.yaml").write_text("version: 1\n", encoding="utf-8")
    monkeypatch.setattr("gateway.demo.policies.shipped", lambda: policies)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(demo.DemoFailed, match="main:"):
        demo.show("vi", stay=False)
