"""The command `gateway` as people call it: real processes, their output and exit statuses (O-4)."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from gateway.cli.examples import EXAMPLES
from gateway.cli.terminal import width
from gateway.settings import load_settings
from gateway.store.sqlite import open_store
from tests.support.corpus import CorpusCase, cases
from tests.support.gateway_process import GatewayProcess, prepared
from tests.support.node import Gateway, gateway, id_of

ROOT = Path(__file__).parents[2]
OFFICIAL, FREE = next(c for c in cases() if c.name[:2] == "01"), next(c for c in cases() if c.name[:2] == "02")


# ---- check, explain ---------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> GatewayProcess:
    return prepared(tmp_path, 10025, "")


def test_check_says_that_all_is_well(folder: GatewayProcess) -> None:
    done = folder.command("check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "usable (7 rules" in done.stdout
    assert "dùng được" in folder.command("check", "--lang", "vi").stdout


def test_check_names_every_problem_with_its_place(folder: GatewayProcess) -> None:
    """Exit status 78; file, line, column, value and mending, in both languages."""
    policies = folder.folder / "policies"
    with (policies / "mailboxes.csv").open("a") as file:
        file.write("khong-co-dau-a-cong,sgddt,,,,\nlan@longan.edu.vn,khong-co-don-vi,,,,\n")
    text = (policies / "policy.yaml").read_text()
    (policies / "policy.yaml").write_text(text.replace("authserv_id:", "authserv_idd:"))
    done = folder.command("check")
    assert done.returncode == 78
    lines = len((policies / "mailboxes.csv").read_text().splitlines())
    assert f"mailboxes.csv:{lines - 1}:" in done.stderr
    assert "policy.yaml:" in done.stderr
    assert "authserv_idd" in done.stderr
    assert "not usable" in done.stdout
    shown = json.loads(folder.command("check", "--json").stdout)
    assert shown["usable"] is False
    assert len(shown["problems"]) >= 2
    assert "chưa dùng được" in folder.command("check", "--lang", "vi").stdout


def test_check_warns_of_a_milter_that_others_can_reach(folder: GatewayProcess) -> None:
    """S-34: told, with what to write instead, and refused by nobody: a firewall may stand before it."""
    with (folder.folder / "gateway.toml").open("a") as file:
        file.write('[milter]\nlisten = ["0.0.0.0:8891"]\n')
    done = folder.command("check")
    assert done.returncode == 0
    assert done.stderr.startswith("milter.listen: 0.0.0.0:8891 can be reached from other hosts")
    assert "1 warning" in done.stdout
    [told] = json.loads(folder.command("check", "--json").stdout)["advice"]
    assert told == done.stderr.rstrip()


def test_run_refuses_broken_policies_without_a_generation(folder: GatewayProcess) -> None:
    """F-35: nothing to start with: exit 78, so that systemd does not try again."""
    (folder.folder / "policies" / "policy.yaml").write_text("rules: [")
    done = folder.command("run")
    assert done.returncode == 78
    assert "policy.yaml" in done.stderr


def test_settings_with_mistakes_are_told_with_names(folder: GatewayProcess) -> None:
    (folder.folder / "gateway.toml").write_text('workers = 0\nhostname = "-"\n[smtpp]\n')
    done = folder.command("check")
    assert done.returncode == 78
    for name in ("workers", "hostname", "smtpp"):
        assert name in done.stderr


def test_help_lists_the_verbs_that_there_are(folder: GatewayProcess) -> None:
    text = folder.command("--help").stdout
    for verb in ("run", "check", "explain", "quarantine", "register", "demo"):
        assert verb in text


def explain(folder: GatewayProcess, case: CorpusCase, *more: str) -> CompletedProcess[str]:
    file, zone = folder.folder / "message.eml", folder.folder / "zone.yaml"
    file.write_bytes(case.message)
    records = {name: {kind: [_text(r) for r in found] for kind, found in t.items()} for name, t in case.records.items()}
    zone.write_text(json.dumps(records))
    envelope = ["--from", case.sender, "--client", case.session["client"], "--helo", case.helo, "--zone", str(zone)]
    recipients = [part for recipient in case.recipients for part in ("--to", recipient)]
    return folder.command("explain", str(file), *envelope, *recipients, *more)


def _text(record: Any) -> str:
    return record.decode() if isinstance(record, bytes) else str(record)


def test_explain_tells_why_and_writes_nothing(folder: GatewayProcess) -> None:
    done = explain(folder, OFFICIAL)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Bến Lức" in done.stdout
    assert "unit-mail" in done.stdout
    assert "signed" in done.stdout
    assert not (folder.folder / "var").exists()


def test_explain_as_json_and_as_of_a_day(folder: GatewayProcess) -> None:
    """The rollout of the shipped policy: in September 2026 a submission is observed, from November on it is held."""
    now = json.loads(explain(folder, FREE, "--json").stdout)
    assert [decision["rule"] for decision in now["decisions"]] == ["free-provider-submission"]
    then = json.loads(explain(folder, FREE, "--json", "--at", "2026-09-15T08:00:00+07:00").stdout)
    assert [decision["rule"] for decision in then["decisions"]] == ["everything-else"]
    assert then["decisions"][0]["observed"] == ["free-provider-submission"]


@pytest.mark.parametrize(
    ("more", "status"),
    [
        (("--client", "nirgends"), 2),
        (("--at", "gestern"), 2),
        (("--to", "kein Postfach"), 2),
        (("--policies", "nowhere"), 78),
        (("--zone", "nowhere.yaml"), 66),
    ],
)
def test_explain_says_what_it_cannot_read(folder: GatewayProcess, more: tuple[str, str], status: int) -> None:
    done = explain(folder, OFFICIAL, *more)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()


def test_explain_takes_lf_files_as_mailers_save_them(folder: GatewayProcess) -> None:
    file = folder.folder / "lf.eml"
    file.write_bytes(OFFICIAL.message.replace(b"\r\n", b"\n"))
    (folder.folder / "zone.yaml").write_text("{}")
    done = folder.command("explain", str(file), "--zone", "zone.yaml", "--json")
    assert json.loads(done.stdout)["identity"]["author"] == {"local_part": "pgdbenluc", "domain": "longan.edu.vn"}


# ---- quarantine, register ---------------------------------------------------------------------------------------------


@dataclass
class Office:
    """A running gateway that has taken three messages, and commands beside it."""

    gate: Gateway
    desk: GatewayProcess
    ids: dict[str, str]

    async def run(self, *arguments: str) -> CompletedProcess[str]:
        return await asyncio.to_thread(self.desk.command, *arguments)

    async def json(self, *arguments: str) -> Any:
        done = await self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    zone = {**OFFICIAL.served, **FREE.served}
    async with gateway(tmp_path, zone=zone, outbox=False) as gate:
        ids = {}
        for name, case in (("official", OFFICIAL), ("held", FREE)):
            reply = await gate.send(case.message, case.sender, case.recipients, address=case.session["client"])
            ids[name] = id_of(reply)
        text = f'policies = "policies"\nstate = "var"\n[dns]\nnameservers = ["{gate.dns.address}"]\n'
        (tmp_path / "gateway.toml").write_text(text)
        yield Office(gate, GatewayProcess(tmp_path, 0, 0), ids)


async def test_quarantine_list_show_reject(office: Office) -> None:
    held = office.ids["held"]
    done = await office.run("quarantine", "list")
    assert held in done.stdout
    assert "nguyenthilan.thcs@gmail.com" in done.stdout
    shown = (await office.run("quarantine", "show", held)).stdout
    assert "free-provider-submission [hold]: yes" in shown
    assert "Báo cáo số 45/BC-THCS" in shown
    done = await office.run("quarantine", "reject", held, "--reason", "gửi lại bằng hộp thư công vụ")
    assert (done.returncode, done.stdout.strip()) == (
        0,
        f"{held}: rejected gửi lại bằng hộp thư công vụ",
    )
    assert "Nothing is held." in (await office.run("quarantine", "list")).stderr
    assert [entry["state"] for entry in await office.json("quarantine", "list", "--all")] == ["rejected"]
    assert "gửi lại bằng hộp thư công vụ" in (await office.run("quarantine", "show", held)).stdout
    assert (await office.run("quarantine", "release", held)).returncode == 65
    assert (await office.run("quarantine", "show", "../../etc/passwd")).returncode == 66


async def test_quarantine_release_and_delete(office: Office) -> None:
    held = office.ids["held"]
    done = await office.run("quarantine", "release", held)
    assert done.stdout.strip().startswith(f"{held}: released"), done
    released = [taken for taken in office.gate.sink.taken if "gmail.com" in taken.mail]
    assert [taken.content for taken in released] == [FREE.message]
    done = await office.run("quarantine", "delete", held, "--reason", "x")
    assert done.returncode == 65
    assert "released" in done.stderr


async def test_register_search_show_export_units(office: Office, tmp_path: Path) -> None:
    found = await office.json("register", "search", "bao cao so ket")
    assert [record["id"] for record in found] == [office.ids["official"]]
    assert [r["id"] for r in await office.json("register", "search", "--number", "45/BC")] == [office.ids["held"]]
    shown = (await office.run("register", "show", office.ids["official"])).stdout
    assert "vanthu@longan.edu.vn: relayed by rule unit-mail" in shown
    assert (await office.run("register", "show", "KHONG-CO")).returncode == 66
    done = await office.run("register", "export", "--output", "so.csv")
    assert (done.stdout, done.stderr) == ("", "so.csv: 2 messages\n")
    exported = await office.json("register", "export")
    assert exported == await office.json("register", "search")
    csv = (tmp_path / "so.csv").read_bytes().decode("utf-8-sig")
    assert len(csv.strip().splitlines()) == 3
    sent = await office.json("register", "units", "--kind", "phong-gddt")
    assert {unit["unit_id"] for unit in sent if unit["official"]} == {"pgddt-ben-luc"}
    missing = await office.json("register", "units", "--kind", "phong-gddt", "--missing")
    assert len(missing) == len(sent) - 1
    assert (await office.run("register", "search", "--since", "hôm qua")).returncode == 2


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("quarantine", "show", "7f3k-9qxm-2c4d"), 66, "no entry 7F3K-9QXM-2C4D"),
        (("quarantine", "show", "\x1b[31mX"), 66, "no entry \\u001b[31MX"),
        (("register", "show", "\x1b[31mX"), 66, "\\u001b[31MX"),
        (("register", "export", "-o", "nowhere/register.csv"), 73, "nowhere/register.csv cannot be written"),
        (("register", "units", "--kind", "nosuch"), 66, "no unit of kind nosuch; there are: "),
        (("check", "--policies", "nowhere"), 66, "nowhere: no such folder"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    folder: GatewayProcess, arguments: tuple[str, ...], status: int, words: str
) -> None:
    asyncio.run(open_store(load_settings(folder.folder / "gateway.toml", {})).close())
    done = folder.command(*arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr


def test_S44_check_shows_what_is_in_a_policy_and_does_not_obey_it(folder: GatewayProcess) -> None:
    path = folder.folder / "policies" / "policy.yaml"
    path.write_text(path.read_text("utf-8").replace("timezone: Asia", 'timezone: "\\e[31m\\nAsia/Hanoi" #', 1), "utf-8")
    done = folder.command("check", "--lang", "vi")
    assert done.returncode == 78
    assert "\\u001b[31m\\u000aAsia/Hanoi" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [("quarantine", "list"), ("register", "units", "--missing")])
def test_in_the_wrong_folder_nobody_is_told_that_nothing_is_held(
    folder: GatewayProcess, arguments: tuple[str, ...]
) -> None:
    done = folder.command(*arguments)
    assert (done.returncode, done.stdout) == (69, "")
    assert "var/gateway.db: the gateway has not run here yet" in done.stderr
    assert not (folder.folder / "var" / "gateway.db").exists()


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("GATEWAY_NOTICE__FROM", "không phải", "notice.from: not one mailbox"),
        ("GATEWAY_NOTICE__ROUTE", "phu", "notice.route: the policy has no route phu; there are: main"),
        ("GATEWAY_STORE__URL", "postgresql://x", "store.url must name a SQLite file"),
        ("GATEWAY_NOTICE__DKIM_KEY", "gateway.toml", "notice.dkim_key: not an unencrypted private key in PEM"),
    ],
)
def test_what_the_service_would_not_start_with_is_told_by_check(
    folder: GatewayProcess, variable: str, value: str, words: str
) -> None:
    dkim = {"GATEWAY_NOTICE__DKIM_DOMAIN": "longan.edu.vn", "GATEWAY_NOTICE__DKIM_SELECTOR": "gw1"}
    environment = {variable: value} | (dkim if variable.endswith("KEY") else {})
    for verb in ("check", "run"):
        done = folder.command(verb, **environment)
        assert done.returncode == 78
        assert f"{variable}: {words}" in done.stderr


# ---- the shell --------------------------------------------------------------------------------------------------------


def lines_of(*verbs: str) -> list[str]:
    return [example.line for name, them in EXAMPLES.items() if name.startswith(verbs) for example in them]


async def test_every_example_of_the_clerk_runs(office: Office, tmp_path: Path) -> None:
    """As it stands in help and manual, but for the reference; each change on a message that is still held."""
    for line in lines_of("quarantine", "register"):
        if any(verb in line for verb in ("reject", "delete", "release")):
            continue  # one message, one fate: below
        done = await office.run(*shlex.split(line.replace("7F3K-9QXM-2C4D", office.ids["held"]))[1:])
        assert done.returncode == 0, (line, done)
    assert (tmp_path / "register.csv").stat().st_size > 100
    [reject] = lines_of("quarantine reject")
    done = await office.run(*shlex.split(reject.replace("7F3K-9QXM-2C4D", office.ids["held"]))[1:], "--json")
    assert json.loads(done.stdout)["state"] == "rejected"
    for line in lines_of("quarantine release", "quarantine delete"):
        done = await office.run(*shlex.split(line.replace("7F3K-9QXM-2C4D", office.ids["held"]))[1:])
        assert done.returncode == 65, (line, done)
        assert "is rejected" in done.stderr


def test_every_example_of_the_operator_runs(folder: GatewayProcess) -> None:
    shutil.copytree(folder.folder / "policies", folder.folder / "copy")
    (folder.folder / "mail.eml").write_bytes(FREE.message)
    (folder.folder / "zone.yaml").write_text("{}")
    for line in lines_of("check", "explain", "completion"):
        words = shlex.split(line.partition(" > ")[0])[1:]
        done = folder.command(*words, *(["--zone", "zone.yaml"] if words[0] == "explain" else []))
        assert (done.returncode, done.stderr) == (0, ""), line
        assert done.stdout


def on_terminal(folder: GatewayProcess, *arguments: str, columns: int = 80, **environment: str) -> str:
    """What a person sees: the command on a terminal of this width."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(folder.folder)
        kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "LINES")}
        environ = {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm", "LC_ALL": "en_US.UTF-8", **environment}
        os.execve(sys.executable, [sys.executable, "-m", "gateway", *arguments], environ)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the other end has closed
        while part := os.read(terminal, 65536):
            shown += part
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, shown.decode()
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("language", ["en_US.UTF-8", "vi_VN.UTF-8"])
async def test_screens_fit_a_terminal_of_80_columns(office: Office, language: str) -> None:
    """No line is torn by the terminal, the reference is whole; only what the office must read whole may be longer."""
    for arguments in (("quarantine", "list"), ("register", "search"), ("register", "units")):
        shown = await asyncio.to_thread(on_terminal, office.desk, *arguments, LC_ALL=language, NO_COLOR="1")
        assert max(map(width, shown.splitlines())) <= 80, shown
        assert "\x1b" not in shown
    assert office.ids["held"] in await asyncio.to_thread(on_terminal, office.desk, "quarantine", "list", columns=40)


async def test_a_person_sees_no_log_lines(office: Office) -> None:
    """A release is logged for programs; at a terminal the sentence is enough."""
    shown = await asyncio.to_thread(on_terminal, office.desk, "quarantine", "release", office.ids["held"])
    assert shown.startswith(f"{office.ids['held']}: released")
    assert '"event"' not in shown


async def test_colours_are_for_terminals_alone(office: Office) -> None:
    assert "\x1b[1m" in await asyncio.to_thread(on_terminal, office.desk, "quarantine", "list")
    assert "\x1b" not in (await office.run("quarantine", "list")).stdout
    assert "\x1b" not in (await office.run("quarantine", "show", office.ids["held"])).stdout
    held = (await office.run("quarantine", "list")).stdout
    assert held.count("\t") == 7
    assert held.startswith(office.ids["held"] + "\t")


async def test_the_clerk_reads_vietnamese(office: Office) -> None:
    held = office.ids["held"]
    shown = (await office.run("quarantine", "show", held, "--lang", "vi")).stdout
    for words in (
        "Trạng thái",
        "đang giữ",
        "Các quy tắc đã xét",
        "free-provider-submission [hold]: có",
        "submission: có: ",
    ):
        assert words in shown
    assert "not found" not in shown
    shown = (await office.run("register", "show", office.ids["official"], "--lang", "vi")).stdout
    assert "vanthu@longan.edu.vn: đã chuyển theo quy tắc unit-mail" in shown
    done = await office.run("quarantine", "show", "KHONG-CO", "--lang", "vi")
    assert done.stderr == "không có thư bị giữ mang mã KH0NG-C0\n"


async def test_a_reader_that_goes_ends_us_silently(office: Office) -> None:
    """`gateway register export | head -0`."""
    command = f"{shlex.quote(sys.executable)} -m gateway register export | head -c 0; echo ${{PIPESTATUS[0]}}"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = await asyncio.to_thread(
        subprocess.run, ["bash", "-c", command], cwd=office.desk.folder, env=environ, capture_output=True, text=True
    )
    assert done.stderr == ""
    assert int(done.stdout) in (0, 141)  # 0: all was in the pipe before it closed


def test_output_that_nobody_reads_is_no_traceback(folder: GatewayProcess) -> None:
    read, write = os.pipe()
    os.close(read)
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    for arguments in (("--help",), ("check", "--json"), ("completion", "bash")):
        command = [sys.executable, "-m", "gateway", *arguments]
        done = subprocess.run(command, cwd=folder.folder, env=environ, stdout=write, stderr=subprocess.PIPE, timeout=60)
        assert (done.returncode, done.stderr) == (141, b""), arguments
    os.close(write)


async def test_control_c_at_a_question_changes_nothing(office: Office) -> None:
    held = office.ids["held"]

    def interrupted() -> tuple[int, str]:
        pid, terminal = pty.fork()
        if pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever runs the tests may ignore it, and it is inherited
            os.chdir(office.desk.folder)
            environ = {**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "en_US.UTF-8"}
            os.execve(sys.executable, [sys.executable, "-m", "gateway", "quarantine", "reject", held], environ)
        shown = b""
        while b"Reason" not in shown:
            shown += os.read(terminal, 4096)
        with contextlib.suppress(OSError):  # EIO: the other end has closed
            while True:  # pressed again when it came between the question and the reading of its answer
                os.write(terminal, b"\x03")
                while select.select([terminal], [], [], 1.0)[0]:
                    if not (part := os.read(terminal, 4096)):
                        raise OSError
                    shown += part
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()

    status, shown = await asyncio.to_thread(interrupted)
    assert status == 130
    assert "Traceback" not in shown
    assert [entry["state"] for entry in await office.json("quarantine", "list")] == ["held"]
    done = await office.run("quarantine", "delete", held)  # nobody answers: standard input is empty
    assert done.returncode == 66
    assert "nothing was done" in done.stderr


async def test_keys_of_json_are_those_of_the_page(office: Office) -> None:
    """docs/how-to/en/commands.md lists them; programs rely on them."""
    page = (ROOT / "docs/how-to/en/commands.md").read_text("utf-8")
    listed = {
        row[1]: set(re.findall(r"`(\w+)`", row[2])) for row in re.finditer(r"^\| `([\w ]+)` \| (.*) \|$", page, re.M)
    }
    [entry] = await office.json("quarantine", "list")
    assert set(entry) == listed["quarantine list"]
    assert set(await office.json("quarantine", "show", office.ids["held"])) == listed["quarantine list"] | {"acts"}
    assert set((await office.json("register", "search"))[0]) == listed["register search"]
    assert set((await office.json("register", "units"))[0]) == listed["register units"]
    assert set(await office.json("check")) == listed["check"]
    assert set(await office.json("check", "--policies", "policies")) == listed["check"]
