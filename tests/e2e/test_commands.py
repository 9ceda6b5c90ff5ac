"""The command `gateway` as people call it: real processes, their output and exit statuses (O-4)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from gateway.settings import load_settings
from gateway.store.sqlite import open_store
from tests.support.corpus import CorpusCase, cases
from tests.support.gateway_process import GatewayProcess, prepared
from tests.support.node import Gateway, gateway, id_of

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
    assert (done.returncode, done.stdout.strip()) == (0, f"{held}: rejected")
    assert "Nothing is held." in (await office.run("quarantine", "list")).stdout
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
    assert "2 messages" in done.stdout
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
        ("GATEWAY_NOTICE__FROM", "không phải", "sender of notices is not one mailbox"),
        ("GATEWAY_NOTICE__ROUTE", "phu", "notice.route: the policy has no route phu; there are: main"),
        ("GATEWAY_STORE__URL", "postgresql://x", "store.url must name a SQLite file"),
        ("GATEWAY_NOTICE__DKIM_KEY", "gateway.toml", "DKIM key is no unencrypted PEM private key"),
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
        assert words in done.stderr
