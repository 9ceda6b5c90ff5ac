"""What 250 means, with the receiving server, the store and the client failing at the worst moments (safety R-1 … R-21)."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.app import node, utc_now
from gateway.demo.dns import Script
from gateway.ports import StoreError
from gateway.quarantine.entry import MoveRefused, State
from gateway.settings import Settings
from gateway.store.sqlite import SqliteStore
from tests.support.dns_server import SERVFAIL
from tests.support.node import OFFICE, SENDER, Gateway, gateway, id_of, opened, stuffed
from tests.support.sink import Act, Sink, running
from tests.support.sink import Script as SinkScript

INSPECTORS = "thanhtra.phong@longan.edu.vn"
HOLD = {
    "rules_first": [
        {"name": "inspectors", "when": {"recipient": [INSPECTORS]}, "then": {"hold": {"reason": "inspection"}}}
    ]
}
MESSAGE = b"From: <nguyenvanan@lop12a.example.org>\r\nTo: <vanthu@longan.edu.vn>\r\nSubject: Hoi\r\n\r\nxin chao\r\n"
BOTH = (INSPECTORS, OFFICE)


# ---- one transaction, two fates (R-8, R-2, docs/decisions/010) -------------------------------------------------------


@pytest.mark.parametrize(
    ("final", "reply", "states"),
    [
        (b"250 2.0.0 Ok\r\n", "250 2.0.0", [State.HELD]),
        (b"451 4.7.1 Greylisted\r\n", "451 4.7.1 Greylisted", []),
        (b"550 5.7.1 No\r\n", "550 5.7.1 No", []),
        (Act.CLOSE, "451 4.4.2", [State.UNCERTAIN]),
        (Act.RESET, "451 4.4.2", [State.UNCERTAIN]),
        ((b"250-2.0.0 Ok", Act.CLOSE), "451 4.4.2", [State.UNCERTAIN]),
    ],
)
async def test_mixed_transaction(tmp_path: Path, final: SinkScript, reply: str, states: list[State]) -> None:
    """R-8, F-10, F-11, F-12: held with the others' 2yz, withdrawn with 4yz and 5yz, in doubt where nobody knows."""
    async with gateway(tmp_path, overlay=HOLD, sink=Sink({".": final})) as gate:
        said = await gate.send(MESSAGE, recipients=BOTH)
        assert said.startswith(reply), said
        entries = await gate.entries()
        assert [entry.state for entry in entries] == states
        assert len(await gate.records()) == (1 if reply.startswith("250") else 0)
        if not states:  # nothing is left that could deliver it
            assert await gate.counts() == {"records": 0} or not any((await gate.counts()).values())
        assert all(taken.rcpts == [f"RCPT TO:<{OFFICE}>"] for taken in gate.sink.taken)


async def test_a_retry_after_a_lost_answer_is_one_entry(tmp_path: Path) -> None:
    """R-8: the uncertain copy is merged with the client's retry, so a clerk sees one entry and not two."""
    sink = Sink({".": [Act.CLOSE, b"250 2.0.0 Ok\r\n"]})
    async with gateway(tmp_path, overlay=HOLD, sink=sink) as gate:
        first = await gate.send(MESSAGE, recipients=BOTH)
        second = await gate.send(MESSAGE, recipients=BOTH)
        assert (first[:3], second[:3]) == ("451", "250")
        [entry] = await gate.entries()
        assert entry.state is State.HELD
        assert entry.id == (await gate.node.store.entry(id_of(second))).id


# ---- the receiving server is not there (F-1, F-3) ---------------------------------------------------------------------


async def test_downstream_down_is_told_at_mail(tmp_path: Path) -> None:
    """F-1: nothing is taken that could not be passed on."""
    async with gateway(tmp_path) as gate:
        await _closed(gate)
        client = await gate.connect()
        assert (await client.command(f"MAIL FROM:<{SENDER}>")).startswith("451 4.4.1 ")
        assert (await client.command("RCPT TO:<vanthu@longan.edu.vn>")).startswith("503 ")


async def test_a_refusing_greeting_is_not_the_senders_fault(tmp_path: Path) -> None:
    """F-3, F-6: a 554 greeting and a relay refusal are ours to mend, and never bounce mail."""
    async with gateway(tmp_path, sink=Sink({"connect": b"554 5.7.1 Go away\r\n"})) as gate:
        assert (await gate.send(MESSAGE)).startswith("451 ")
    other = tmp_path / "second"
    other.mkdir()
    async with gateway(other, sink=Sink({"RCPT": b"554 5.7.1 Relay access denied\r\n"})) as gate:
        assert (await gate.send(MESSAGE)).startswith("451 4.3.5")


async def _closed(gate: Gateway) -> None:
    """Let the route lead to a port where nobody listens."""
    text = gate.folder / "policies" / "policy.yaml"
    text.write_text(text.read_text().replace(f"port: {gate.sink.port}", "port: 1"))
    assert gate.node.reloader.reload() == []


# ---- the store fails (F-22 … F-28) ------------------------------------------------------------------------------------


class Faults:
    """Fails at the store's marked points whose name holds the word, while it is told to."""

    def __init__(self) -> None:
        self.at = ""
        self.error: Callable[[], OSError] = lambda: OSError(errno.ENOSPC, "No space left on device")

    def __call__(self, point: str) -> None:
        if self.at and self.at in point:
            raise self.error()


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Faults:
    """A store whose disk can be broken."""
    hook = Faults()

    def open_store(settings: Settings) -> SqliteStore:
        return SqliteStore(settings.state / "gateway.db", settings.state, mark=hook)

    monkeypatch.setattr(node, "open_store", open_store)
    return hook


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (lambda: OSError(errno.ENOSPC, "No space left on device"), "452 4.3.1"),
        (lambda: OSError(errno.EIO, "Input/output error"), "451 4.3.0"),
    ],
)
async def test_no_250_for_held_mail_without_a_store(
    tmp_path: Path, faults: Faults, error: Callable[[], OSError], reply: str
) -> None:
    """F-23, F-28: the disk is full or broken when held mail is to be kept; nothing is relayed for the others either."""
    async with gateway(tmp_path, overlay=HOLD) as gate:
        faults.at, faults.error = "blob", error
        said = await gate.send(MESSAGE, recipients=BOTH)
        assert said.startswith(reply), said
        assert "device" not in said
        assert "Input" not in said
        assert gate.sink.taken == []
        faults.at = ""
        assert await gate.entries() == []
        assert (await gate.send(MESSAGE)).startswith("250 "), "mail that needs no store passes (F-23)"


async def test_relayed_mail_is_250_even_if_the_register_fails(tmp_path: Path, faults: Faults) -> None:
    """DESIGN §5: after the receiving server's 250 the client must hear it; the record goes to the spill file."""
    async with gateway(tmp_path) as gate:
        faults.at = "before commit"
        reply = await gate.send(MESSAGE)
        assert reply.startswith("250 ")
        assert len(gate.sink.taken) == 1
        faults.at = ""
        if gate.node.store.healthy():
            await gate.node.store.reopen()
        await gate.node.store.import_spill()
        assert [record.id for record in await gate.records()] == [id_of(reply)]


async def test_held_mail_whose_commit_fails_gets_no_250(tmp_path: Path, faults: Faults) -> None:
    """F-27, R-1: the entry could not be committed."""
    async with gateway(tmp_path, overlay=HOLD) as gate:
        faults.at = "before commit"
        assert (await gate.send(MESSAGE, recipients=(INSPECTORS,)))[:3] in ("451", "452")
        faults.at = ""
        assert not [entry for entry in await gate.entries() if entry.state is State.HELD]


async def test_held_mail_whose_settlement_fails_is_held_from_the_spill(
    tmp_path: Path, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-1: prepared, then the database fails: 250 only because the spill file has it durably."""
    async with gateway(tmp_path, overlay=HOLD) as gate:
        prepare = SqliteStore.prepare

        async def prepare_then_break(self: SqliteStore, *arguments: object) -> None:
            await prepare(self, *arguments)  # type: ignore[arg-type]
            faults.at = "before commit"

        monkeypatch.setattr(SqliteStore, "prepare", prepare_then_break)
        reply = await gate.send(MESSAGE, recipients=(INSPECTORS,))
        faults.at = ""
        if gate.node.store.healthy():
            await gate.node.store.reopen()
        await gate.node.store.recover(utc_now())
        [entry] = await gate.entries()
        assert (reply[:3], entry.state) == ("250", State.HELD)


async def test_neither_store_nor_spill_takes_back_what_was_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-1, R-2: nothing has left us and nothing is durable: 452, and the pending entry is gone."""

    async def settle(self: SqliteStore, settlement: object) -> str:
        raise StoreError("disk full", app_reply())

    monkeypatch.setattr(SqliteStore, "settle", settle)
    async with gateway(tmp_path, overlay=HOLD) as gate:
        assert (await gate.send(MESSAGE, recipients=(INSPECTORS,))).startswith("452 4.3.1")
        assert await gate.entries() == []
        assert (await gate.send(MESSAGE)).startswith("250 "), "the receiving server has it: the client must not retry"


def app_reply() -> object:
    from gateway.envelope.reply import STORAGE_ERROR

    return STORAGE_ERROR


# ---- the client leaves (R-9, R-12, F-15, F-16) ------------------------------------------------------------------------

SLOW = {"lop12a.example.org": {"TXT": Script(records=["v=spf1 -all"], delay=0.4)}}


async def test_client_leaves_after_the_dot_and_retries(tmp_path: Path) -> None:
    """F-15, R-9, R-12: the message is finished without its client, and the retry is answered, not delivered again."""
    async with gateway(tmp_path, zone=SLOW) as gate:
        await _leave_after_dot(gate, (OFFICE,))
        await gate.taken(1)
        async with asyncio.timeout(10):
            while not (await gate.records()):
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)  # the ledger is written after the register
        reply = await gate.send(MESSAGE)
        assert reply.startswith("250 ")
        assert reply.count("[") == 1, "one id: that of the message that was delivered"
        assert id_of(reply) == (await gate.records())[0].id
        assert len(gate.sink.taken) == 1


async def test_client_leaves_after_the_dot_of_held_mail(tmp_path: Path) -> None:
    """R-12: the same for the quarantine: one entry."""
    async with gateway(tmp_path, zone=SLOW, overlay=HOLD) as gate:
        await _leave_after_dot(gate, (INSPECTORS,))
        async with asyncio.timeout(10):
            while not (await gate.entries(State.HELD)):
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        assert (await gate.send(MESSAGE, recipients=(INSPECTORS,))).startswith("250 ")
        assert len(await gate.entries()) == 1


async def test_the_ledger_is_not_asked_when_the_client_has_heard(tmp_path: Path) -> None:
    """R-12: the same octets sent again by somebody who had his 250 are a new message."""
    async with gateway(tmp_path) as gate:
        for _ in range(2):
            assert (await gate.send(MESSAGE)).startswith("250 ")
        assert len(gate.sink.taken) == 2


async def test_client_leaves_in_the_body(tmp_path: Path) -> None:
    """F-16: nothing relayed, nothing kept."""
    async with gateway(tmp_path) as gate:
        client = await gate.connect()
        assert (await client.command(f"MAIL FROM:<{SENDER}>")).startswith("250")
        assert (await client.command(f"RCPT TO:<{OFFICE}>")).startswith("250")
        assert (await client.command("DATA")).startswith("354")
        await client.send(b"From: <nguyenvanan@lop12a.example.org>\r\n\r\n" + b"dong\r\n" * 300_000)
        client.reset()
        assert (await gate.send(MESSAGE)).startswith("250 ")
        assert len(gate.sink.taken) == 1
        assert not list((gate.node.settings.state / "spool").iterdir())


async def _leave_after_dot(gate: Gateway, recipients: tuple[str, ...]) -> None:
    client = await gate.connect()
    assert (await client.command(f"MAIL FROM:<{SENDER}>")).startswith("250")
    for recipient in recipients:
        assert (await client.command(f"RCPT TO:<{recipient}>")).startswith("250")
    assert (await client.command("DATA")).startswith("354")
    gate.dns.zone = {"lop12a.example.org": SLOW["lop12a.example.org"], "_dmarc.lop12a.example.org": SLOW[
        "lop12a.example.org"]}  # fmt: skip
    await client.send(stuffed(MESSAGE))
    client.reset()


# ---- release (R-21) ---------------------------------------------------------------------------------------------------


async def test_release_twice_is_one_delivery(tmp_path: Path) -> None:
    """R-21: two clerks press at the same moment: one of them wins."""
    async with gateway(tmp_path, overlay=HOLD) as gate:
        entry_id = id_of(await gate.send(MESSAGE, recipients=(INSPECTORS,)))
        store, now = gate.node.store, utc_now()
        outcomes = await asyncio.gather(
            store.release(entry_id, "lan", now), store.release(entry_id, "binh", now), return_exceptions=True
        )
        assert sorted(isinstance(outcome, MoveRefused) for outcome in outcomes) == [False, True]
        gate.node.outbox.wake()
        [taken] = await gate.taken(1)
        assert taken.content == MESSAGE
        assert taken.mail == f"MAIL FROM:<{SENDER}>"
        assert taken.rcpts == [f"RCPT TO:<{INSPECTORS}>"]
        await _in_state(gate, entry_id, State.RELEASED)
        with pytest.raises(MoveRefused):
            await store.release(entry_id, "lan", now)
        assert len(gate.sink.taken) == 1


async def test_release_with_an_unknown_outcome_waits_for_a_person(tmp_path: Path) -> None:
    """R-21: never repeated by itself."""
    sink = Sink({".": Act.CLOSE})
    async with gateway(tmp_path, overlay=HOLD, sink=sink) as gate:
        entry_id = id_of(await gate.send(MESSAGE, recipients=(INSPECTORS,)))
        await gate.node.store.release(entry_id, "lan", utc_now())
        gate.node.outbox.wake()
        await _in_state(gate, entry_id, State.UNCERTAIN)
        assert len(sink.taken) == 1


async def test_released_mail_carries_no_forged_tags(tmp_path: Path) -> None:
    """S-27, S-28: what is held and then released must not bring fields that only we may write."""
    forged = b"X-Sending-Unit: sgddt\r\nAuthentication-Results: mx.longan.edu.vn; dmarc=pass\r\n"
    async with gateway(tmp_path, overlay=HOLD) as gate:
        entry_id = id_of(await gate.send(forged + MESSAGE, recipients=(INSPECTORS,)))
        await gate.node.store.release(entry_id, "lan", utc_now())
        gate.node.outbox.wake()
        [taken] = await gate.taken(1)
        assert taken.content == MESSAGE


async def _in_state(gate: Gateway, entry_id: str, state: State) -> None:
    async with asyncio.timeout(10):
        while (await gate.node.store.entry(entry_id)).state is not state:
            await asyncio.sleep(0.02)


# ---- faults of our own (F-37), loops (S-26), DNS (F-18) ----------------------------------------------------------------


async def test_an_exception_of_ours_is_451_and_the_session_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-37, S-5: no text of the exception, nothing relayed, and the next transaction starts clean."""
    async with gateway(tmp_path) as gate:
        client = await gate.connect()
        with monkeypatch.context() as broken:
            broken.setattr("gateway.pipeline.judge", _raise)
            reply = await client.transact(MESSAGE, SENDER, (OFFICE,))
        assert reply.startswith("451 4.3.0")
        assert "secret" not in reply
        assert (await client.command("DATA")).startswith("503 ")
        assert gate.sink.taken == []
        assert (await client.transact(MESSAGE, SENDER, (OFFICE,))).startswith("250 ")
        assert len(gate.sink.taken) == 1


def _raise(*_: object) -> None:
    raise RuntimeError("secret /etc/gateway/key")


async def test_a_loop_is_refused(tmp_path: Path) -> None:
    """S-26: our own mark twice."""
    mark = b"Received: from a ([192.0.2.1]) by mx.longan.edu.vn with ESMTP id X; Mon, 2 Nov 2026 08:00:00 +0700\r\n"
    async with gateway(tmp_path) as gate:
        assert (await gate.send(mark + MESSAGE)).startswith("250 ")
        assert (await gate.send(mark * 2 + MESSAGE)).startswith("554 5.4.6 ")
        assert len(gate.sink.taken) == 1


async def test_dns_trouble_of_a_stranger_does_not_stop_his_mail(tmp_path: Path) -> None:
    """F-18: delivered with temperror, no tag, no notice."""
    zone = {"lop12a.example.org": {"TXT": SERVFAIL}, "_dmarc.lop12a.example.org": {"TXT": SERVFAIL}}
    async with gateway(tmp_path, zone=zone) as gate:
        assert (await gate.send(MESSAGE)).startswith("250 ")
        assert b"spf=temperror" in gate.sink.taken[0].content
        assert b"X-Sending-Unit" not in gate.sink.taken[0].content


# ---- policies change under way (O-3, F-34) -----------------------------------------------------------------------------


async def test_a_transaction_keeps_the_policy_that_it_began_with(tmp_path: Path) -> None:
    async with gateway(tmp_path) as gate:
        client = await gate.connect()
        assert (await client.command(f"MAIL FROM:<{SENDER}>")).startswith("250")
        file = gate.folder / "policies" / "policy.yaml"
        before = file.read_text()
        file.write_text(before.replace("rules:\n", "rules:\n- {name: shut, then: {refuse: {text: Closed}}}\n"))
        (gate.folder / "policies" / "cases" / "directive-1077.yaml").unlink()
        problems = gate.node.reloader.reload()
        assert not [problem for problem in problems if problem.severity == "error"]
        assert (await client.command(f"RCPT TO:<{OFFICE}>")).startswith("250")
        assert (await client.command("DATA")).startswith("354")
        await client.send(stuffed(MESSAGE))
        assert (await client.reply()).startswith(b"250 ")
        assert (await client.transact(MESSAGE, SENDER, (OFFICE,))).startswith("550 5.7.1 Closed")
        assert b"policy=1" in gate.sink.taken[0].content
        file.write_text("rules: [")  # F-34: broken in the middle of an edit
        assert gate.node.reloader.reload()
        assert (await client.transact(MESSAGE, SENDER, (OFFICE,))).startswith("550 5.7.1 Closed")


# ---- more than one server ---------------------------------------------------------------------------------------------


async def test_recipients_of_two_routes(tmp_path: Path) -> None:
    """The first route is live, the second goes by the outbox, at least once; the register says which."""
    async with running(Sink()) as second:
        overlay = {
            "routes": {"thanhtra": {"host": "127.0.0.1", "port": second.port, "starttls": "never"}},
            "rules_first": [
                {"name": "inspectors", "when": {"recipient": [INSPECTORS]}, "then": {"relay": {"route": "thanhtra"}}}
            ],
        }
        async with gateway(tmp_path, overlay=overlay) as gate:
            reply = await gate.send(MESSAGE, recipients=(OFFICE, INSPECTORS))
            assert reply.startswith("250 ")
            async with asyncio.timeout(10):
                while not second.taken:
                    await asyncio.sleep(0.02)
            assert gate.sink.taken[0].rcpts == [f"RCPT TO:<{OFFICE}>"]
            assert second.taken[0].rcpts == [f"RCPT TO:<{INSPECTORS}>"]
            assert second.taken[0].content == gate.sink.taken[0].content
            [record] = await gate.records()
            assert [verb for _, verb, _ in record.fates] == ["relayed", "queued"]


async def test_a_redirect_by_a_second_route_is_told_as_queued(tmp_path: Path) -> None:
    """The register must not say `relayed` of what still waits in the outbox, whatever the address it goes to."""
    async with running(Sink()) as second:
        relay = {"route": "thanhtra", "redirect": ["hcqt.phong@longan.edu.vn"]}
        overlay = {
            "routes": {"thanhtra": {"host": "127.0.0.1", "port": second.port, "starttls": "never"}},
            "rules_first": [{"name": "moved", "when": {"recipient": [INSPECTORS]}, "then": {"relay": relay}}],
        }
        async with gateway(tmp_path, overlay=overlay) as gate:
            assert (await gate.send(MESSAGE, recipients=(OFFICE, INSPECTORS))).startswith("250 ")
            [record] = await gate.records()
            assert [verb for _, verb, _ in record.fates] == ["relayed", "queued"]


@pytest.mark.parametrize("protocol", ["smtp", "lmtp"])
async def test_one_full_mailbox_neither_delays_nor_doubles_the_mail_of_others(tmp_path: Path, protocol: str) -> None:
    """R-21: on a second route each recipient waits alone; who has the message does not get it with every retry."""
    staff = "hcqt.phong@longan.edu.vn"
    full = b"452 4.2.2 Mailbox full\r\n"
    late = {"RCPT": lambda line: full if INSPECTORS in line else b"250 2.1.5 Ok\r\n"}
    at_end = {".": lambda line: full if INSPECTORS in line else b"250 2.0.0 Ok\r\n"}
    second = Sink(late if protocol == "smtp" else at_end, lmtp=protocol == "lmtp")
    async with running(second):
        place = {"host": "127.0.0.1", "port": second.port, "starttls": "never", "protocol": protocol}
        relay = {"name": "inside", "when": {"recipient": [INSPECTORS, staff]}, "then": {"relay": {"route": "inside"}}}
        overlay = {"routes": {"inside": place}, "rules_first": [relay]}
        async with gateway(tmp_path, overlay=overlay) as gate:
            assert (await gate.send(MESSAGE, recipients=(OFFICE, INSPECTORS, staff))).startswith("250 ")
            async with asyncio.timeout(10):
                while (counts := await gate.counts()).get("outbox sent") != 1 or counts.get("outbox due") != 1:
                    await asyncio.sleep(0.02)
            assert sum(f"RCPT TO:<{staff}>" in taken.rcpts for taken in second.taken) == 1


async def test_two_routes_and_the_first_refuses(tmp_path: Path) -> None:
    """R-2: what waits for the second route is withdrawn with the refusal of the first."""
    async with running(Sink()) as second:
        overlay = {
            "routes": {"thanhtra": {"host": "127.0.0.1", "port": second.port, "starttls": "never"}},
            "rules_first": [
                {"name": "inspectors", "when": {"recipient": [INSPECTORS]}, "then": {"relay": {"route": "thanhtra"}}}
            ],
        }
        sink = Sink({".": b"552 5.2.2 Mailbox full\r\n"})
        async with gateway(tmp_path, overlay=overlay, sink=sink) as gate:
            assert (await gate.send(MESSAGE, recipients=(OFFICE, INSPECTORS))).startswith("552 5.2.2")
            gate.node.outbox.wake()
            await asyncio.sleep(0.3)
            assert second.taken == []


async def test_lmtp_takes_it_for_one_and_not_for_the_other(tmp_path: Path) -> None:
    """R-1: 250 for both, because the one that LMTP deferred is ours now and is tried again."""
    tries: list[str] = []

    def final(recipient: str) -> bytes:
        tries.append(recipient)
        late = OFFICE in recipient and len(tries) < 3
        return b"451 4.2.0 Locked\r\n" if late else b"250 2.0.0 Ok\r\n"

    sink = Sink({".": final}, lmtp=True)
    overlay = {"rules": [{"name": "all", "then": {"relay": {}}}]}
    async with running(sink):
        from gateway.demo.dns import DnsServer
        from tests.support.node import policy_folder

        async with DnsServer({}) as dns:
            folder = policy_folder(tmp_path / "policies", sink.port, overlay)
            text = (folder / "policy.yaml").read_text()
            (folder / "policy.yaml").write_text(text.replace("protocol: smtp", "protocol: lmtp", 1))
            async with opened(tmp_path, sink, dns) as gate:
                assert (await gate.send(MESSAGE, recipients=(OFFICE, INSPECTORS))).startswith("250 ")
                counts = await gate.counts()
                assert counts.get("outbox due", 0) + counts.get("outbox leased", 0) + counts.get("outbox sent", 0) == 1
                [record] = await gate.records()
                assert sorted(verb for _, verb, _ in record.fates) == ["queued", "relayed"]


# ---- notices ----------------------------------------------------------------------------------------------------------


async def test_one_notice_for_two_submissions(tmp_path: Path) -> None:
    """AR-12, AR-1: the second message of the same sender is held too, and answered by silence."""
    from email.utils import format_datetime

    zone = {"gmail.com": {"TXT": ["v=spf1 ip4:203.0.113.5 -all"]}}
    date = format_datetime(utc_now()).encode()
    async with gateway(tmp_path, zone=zone) as gate:
        for number in (b"1", b"2"):
            message = (
                b"From: <lethihoa@gmail.com>\r\nTo: <vanthu@longan.edu.vn>\r\nDate: " + date + b"\r\n"
                b"Subject: Bao cao so " + number + b"/BC-TH\r\n\r\nxin gui\r\n"
            )
            reply = await gate.send(message, "lethihoa@gmail.com", address="203.0.113.5")
            assert reply.startswith("250 ")
        await gate.taken(1)
        await asyncio.sleep(0.2)
        assert [taken.mail for taken in gate.sink.taken] == ["MAIL FROM:<>"]
        assert len(await gate.entries(State.HELD)) == 2
