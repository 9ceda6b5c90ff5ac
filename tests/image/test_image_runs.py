"""The image as it runs: read-only, without privileges, with real mail through it, stopped and started (O-1, O-8)."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gateway.demo.dns import DnsServer
from tests.support.container import PATIENCE, Container, new_volume
from tests.support.image import Image
from tests.support.sink import Sink, running
from tests.support.submission import connect, submit, transact

pytestmark = [pytest.mark.image, pytest.mark.timeout(900)]
SMTP, ROUTE = 2525, 10025  # of deploy/image/gateway.toml; of policies/policy.yaml
SENDER, OFFICE = "tran.thi.mai@example.org", "vanthu@longan.edu.vn"


def letter(subject: str) -> bytes:
    return (
        f"From: Mai <{SENDER}>\r\nTo: <{OFFICE}>\r\nSubject: {subject}\r\nMessage-ID: <{len(subject)}@example.org>\r\n"
        "Date: Sun, 22 Nov 2026 08:00:00 +0700\r\n\r\nKính gửi văn thư Sở.\r\n"
    ).encode()


@pytest.fixture
def container(image: Image, network: None, tmp_path: Path) -> Iterator[Container]:
    """The image as it is, with nothing of ours but an empty volume and the resolver that Docker would write."""
    resolver = tmp_path / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\n")
    volume = new_volume(image, tmp_path / "volume")
    made = Container(image, tmp_path / "gateway", volume, {"/etc/resolv.conf": resolver})
    yield made
    made.remove()


@pytest.fixture
async def world(network: None) -> AsyncIterator[Sink]:
    """A receiving server where the sample policies say, and a DNS in which nothing exists."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(DnsServer({}, port=53))
        yield await stack.enter_async_context(running(Sink(), ROUTE))


def events(container: Container, name: str) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in container.log.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == name]


async def test_mail_is_delivered_and_held_and_a_restart_forgets_nothing(container: Container, world: Sink) -> None:
    """O-8: with the defaults that are inside, read-only root, no tmpfs; the volume is all that outlives the container."""
    await asyncio.to_thread(container.start)
    await asyncio.to_thread(container.await_healthy)
    taken = await asyncio.to_thread(submit, SMTP, letter("Lịch họp tổ chuyên môn"), SENDER, [OFFICE])
    held = await asyncio.to_thread(submit, SMTP, letter("Văn bản TUYỆT MẬT"), SENDER, [OFFICE])
    assert (taken[:3], held[:3]) == ("250", "250")
    assert [b"chuy\xc3\xaan m\xc3\xb4n" in each.content for each in world.taken] == [True]

    await asyncio.to_thread(container.signal, "TERM")
    assert await asyncio.to_thread(container.wait) == 0
    await asyncio.to_thread(container.remove)
    await asyncio.to_thread(container.start)
    await asyncio.to_thread(container.await_healthy)
    listed = await asyncio.to_thread(container.execute, "gateway", "quarantine", "list", "--json")
    [entry] = json.loads(listed.stdout)
    assert entry["state"] == "held"
    found = await asyncio.to_thread(container.execute, "gateway", "register", "search", "chuyen mon", "--json")
    assert len(json.loads(found.stdout)) == 1
    released = await asyncio.to_thread(container.execute, "gateway", "quarantine", "release", entry["id"])
    assert released.returncode == 0, released.stderr
    assert len(world.taken) == 2
    assert not events(container, "fault")


async def test_sigterm_lets_a_transaction_finish(container: Container, world: Sink) -> None:
    """O-1: `docker stop` in the middle of a message: it is taken, passed on, answered; then exit 0."""
    await asyncio.to_thread(container.start)
    await asyncio.to_thread(container.await_healthy)

    def slowly() -> str:
        client = connect(SMTP)
        transact(client, letter("Thư thứ nhất"), SENDER, [OFFICE])
        for verb, argument in (("MAIL", f"FROM:<{SENDER}>"), ("RCPT", f"TO:<{OFFICE}>"), ("DATA", "")):
            client.docmd(verb, argument)
        client.send(letter("Thư dở dang"))
        container.signal("TERM")
        until_draining(container)
        client.send(b".\r\n")
        code, text = client.getreply()
        return f"{code} {text.decode()}"

    assert (await asyncio.to_thread(slowly))[:3] == "250"
    assert await asyncio.to_thread(container.wait) == 0
    assert len(world.taken) == 2
    [stopped] = events(container, "stopped")
    assert stopped["status"] == 0


def until_draining(container: Container) -> None:
    """Readiness is false as soon as the supervisor has heard the signal."""
    ask = "import urllib.request as u; u.urlopen('http://127.0.0.1:9925/readyz')"
    until = time.monotonic() + PATIENCE
    while "503" not in container.execute("python", "-c", ask).stderr:
        assert time.monotonic() < until, container.log[-4000:]


async def test_the_process_has_no_privileges_and_can_write_nothing_but_its_volume(
    container: Container, world: Sink
) -> None:
    """O-8: uid, no capability, no new privileges; every write outside the volume fails."""
    await asyncio.to_thread(container.start)
    await asyncio.to_thread(container.await_healthy)
    status = await asyncio.to_thread(container.first_process)
    assert status["Uid"].split() == ["10025"] * 4
    assert status["NoNewPrivs"] == "1"
    assert {name: int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == dict.fromkeys(
        ("CapPrm", "CapEff", "CapBnd", "CapAmb"), 0
    )
    writing = "import sys; open(sys.argv[1], 'w')"
    for place in ("/etc/gateway/x", "/opt/gateway/x", "/tmp/x", "/x"):
        done = await asyncio.to_thread(container.execute, "python", "-c", writing, place)
        assert "Read-only file system" in done.stderr, place
    done = await asyncio.to_thread(container.execute, "python", "-c", writing, "/var/lib/gateway/x")
    assert done.returncode == 0, done.stderr


async def test_the_health_check_tells_a_stopped_worker(container: Container, world: Sink) -> None:
    """O-5: a process that turns its event loop no more makes the container unhealthy; going on heals it."""
    await asyncio.to_thread(container.start)
    await asyncio.to_thread(container.await_healthy)
    [starting] = events(container, "starting")
    assert starting["pid"] == 1
    stop = "import os, signal; os.kill({pid}, signal.{name})"
    pids = await asyncio.to_thread(container.execute, "python", "-c", "print(open('/proc/1/task/1/children').read())")
    worker = pids.stdout.split()[0]
    stopped = await asyncio.to_thread(container.execute, "python", "-c", stop.format(pid=worker, name="SIGSTOP"))
    assert stopped.returncode == 0, stopped.stderr
    async with asyncio.timeout(PATIENCE):
        while not (sick := await asyncio.to_thread(container.healthy)).returncode:
            await asyncio.sleep(0.5)
    assert "no heartbeat" in sick.stderr
    continued = await asyncio.to_thread(container.execute, "python", "-c", stop.format(pid=worker, name="SIGCONT"))
    assert continued.returncode == 0, continued.stderr
    await asyncio.to_thread(container.await_healthy)


async def test_wrong_settings_end_it_with_78(container: Container) -> None:
    """Variables of the container are settings too: what is wrong is named, and nothing is tried again."""
    container.environment = {"GATEWAY_WORKERS": "0", "GATEWAY_SMTP__MAX_SIZE": "1"}
    container.start()
    assert container.wait() == 78
    for name in ("GATEWAY_WORKERS", "GATEWAY_SMTP__MAX_SIZE"):
        assert name in container.log


async def test_two_containers_on_one_volume_are_refused(container: Container, world: Sink, tmp_path: Path) -> None:
    """F-43: the second says which volume is in use and ends with 75."""
    await asyncio.to_thread(container.start)
    await asyncio.to_thread(container.await_healthy)
    second = Container(container.image, tmp_path / "second", container.volume, container.mounts)
    second.start()
    assert await asyncio.to_thread(second.wait) == 75
    assert "/var/lib/gateway" in second.log


async def test_the_embedded_policies_pass_their_own_check(container: Container) -> None:
    container.arguments = ("check",)
    container.start()
    assert container.wait() == 0, container.log


async def test_a_volume_of_somebody_else_is_said_in_one_sentence(container: Container, world: Sink) -> None:
    """A bind mount that root has made: who starts it reads whose it must be, and no traceback."""
    os.chown(container.volume, 0, 0)
    await asyncio.to_thread(container.start)
    assert await asyncio.to_thread(container.wait) == 78
    assert len(container.log.splitlines()) == 1, container.log
    assert "/var/lib/gateway" in container.log
    assert "10025" in container.log


async def test_the_verbs_work_in_the_running_container(container: Container, world: Sink) -> None:
    """`docker exec gateway gateway ...`"""
    await asyncio.to_thread(container.start)
    await asyncio.to_thread(container.await_healthy)
    for words in (
        ["quarantine", "list", "--json"],
        ["register", "search", "--json"],
        ["check"],
        ["doctor", "--help"],
        ["verify"],
    ):
        done = await asyncio.to_thread(container.execute, "gateway", *words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
