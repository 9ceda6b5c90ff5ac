"""What the services process reads for its gauges: over a real store, real files, a real receiving server (O-6)."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway import metrics
from gateway.instruments import Instruments
from gateway.metrics import gauges, values
from gateway.metrics.readings import Reading
from gateway.metrics.vitals import Vitals
from gateway.store.sqlite import SqliteStore, database_of
from tests.support.node import OFFICE, SENDER, Gateway, gateway
from tests.support.ports import free_port

HOLD_ALL = {"rules_first": [{"name": "all", "when": {}, "then": {"hold": {"reason": "inspection", "retain": "30d"}}}]}
MESSAGE = b"From: <nguyenvanan@lop12a.example.org>\r\nSubject: bao cao\r\n\r\nKinh gui.\r\n"


def utc_now() -> datetime:
    return datetime.now(UTC)


def samples(reading: Reading) -> dict[tuple[str, ...], float]:
    return {tuple(s.labels.values()): s.value for family in reading.collect() for s in family.samples}


def instruments_of(gate: Gateway, days: float = 0) -> Instruments:
    """Those of the node, `days` later."""

    async def ask() -> None:
        """Readiness has tests of its own."""

    return Instruments(
        store=gate.node.store,
        database=database_of(gate.node.settings),
        state=gate.node.settings.state,
        needed=75_000_000,
        downstream=gate.node.downstream,
        routes=lambda: gate.node.reloader.current.routes,
        heartbeats=lambda: {"worker-0": 0.4, "worker-1": 40.0, "worker-2": None, "services": 0.1},
        ask=ask,
        clock=lambda: utc_now() + timedelta(days=days),
    )


@dataclass(frozen=True)
class StoreThatHangs:
    """Its disk does not answer."""

    backlog: Any


async def test_held_mail_is_counted_with_its_age_and_what_is_about_to_end(tmp_path: Path) -> None:
    async with gateway(tmp_path, overlay=HOLD_ALL) as gate:
        await instruments_of(gate).read()
        assert samples(gauges.held) == {(state,): 0 for state in ("pending", "held", "releasing", "uncertain")}
        for number in range(3):
            assert (await gate.send(MESSAGE + b"%d\r\n" % number, SENDER, (OFFICE,))).startswith("250")
        await instruments_of(gate, days=2).read()
        assert samples(gauges.held)[("held",)] == 3
        assert samples(gauges.held_oldest)[("held",)] == pytest.approx(2 * 86_400, abs=600)
        assert samples(gauges.held_expiring) == {(): 0}
        await instruments_of(gate, days=28).read()
        assert samples(gauges.held_expiring) == {(): 3}


async def test_a_state_that_is_empty_again_is_zero_again(tmp_path: Path) -> None:
    async with gateway(tmp_path, overlay=HOLD_ALL) as gate:
        await gate.send(MESSAGE, SENDER, (OFFICE,))
        await instruments_of(gate).read()
        (entry,) = await gate.entries()
        await gate.node.store.delete(entry.id, "lan", "", utc_now())
        await instruments_of(gate).read()
        assert samples(gauges.held)[("held",)] == 0
        assert samples(gauges.held_oldest)[("held",)] == 0


async def test_what_is_to_be_sent_is_counted_by_kind(tmp_path: Path) -> None:
    async with gateway(tmp_path, overlay=HOLD_ALL, outbox=False) as gate:
        await gate.send(MESSAGE, SENDER, (OFFICE,))
        (entry,) = await gate.entries()
        await gate.node.store.release(entry.id, "lan", utc_now())
        await instruments_of(gate, days=1).read()
        assert samples(gauges.outbox)["release", "due"] == 1
        assert samples(gauges.outbox_oldest)[("release",)] == pytest.approx(86_400, abs=600)
        assert samples(gauges.outbox_oldest)[("notice",)] == 0
        assert samples(gauges.held)[("releasing",)] == 1


async def test_files_of_the_state_folder_are_measured(tmp_path: Path) -> None:
    async with gateway(tmp_path) as gate:
        spill = gate.node.settings.state / "spill-4711.jsonl"
        spill.write_bytes(b'{"record": 1}\n')
        os.utime(spill, (time.time() - 500, time.time() - 500))
        (gate.node.settings.state / "spill-unreadable.jsonl").write_bytes(b"?\n")
        await instruments_of(gate).read()
        assert samples(gauges.spill_bytes) == {(): 14}
        assert samples(gauges.spill_age)[()] == pytest.approx(500, abs=60)
        assert samples(gauges.spill_unreadable) == {(): 2}
        assert samples(gauges.database_bytes)[()] > 4096
        assert 0 < samples(gauges.state_free)[()] < samples(gauges.state_size)[()]
        assert samples(gauges.state_needed) == {(): 75_000_000}


async def test_what_hangs_is_absent_and_holds_up_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk or a server that does not come back: no old number stands for a new one, and the others are new."""
    monkeypatch.setattr("gateway.instruments.PATIENCE", 0.2)

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    async with gateway(tmp_path) as gate:
        await instruments_of(gate).read()
        gauges.state_free.clear()
        gauges.downstream_up.clear()
        await replace(instruments_of(gate), store=cast(SqliteStore, StoreThatHangs(hang)), ask=hang).read()
        assert not samples(gauges.held)
        assert not samples(gauges.outbox)
        assert not samples(gauges.ready)
        assert samples(gauges.state_free)
        assert samples(gauges.downstream_up) == {("main",): 1}


async def test_every_route_is_asked_and_one_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    dead = {"host": "127.0.0.1", "port": free_port(), "protocol": "smtp", "starttls": "never"}
    async with gateway(tmp_path, overlay={"routes": {"archive": dead}}) as gate:
        await instruments_of(gate).read()
        assert samples(gauges.downstream_up) == {("main",): 1, ("archive",): 0}
        assert 0 < samples(gauges.downstream_probe)[("main",)] < 5
        policy = gate.folder / "policies" / "policy.yaml"
        policy.write_text(policy.read_text().replace("  archive:", "  archiv2:"))
        assert [p for p in await asyncio.to_thread(gate.node.reloader.reload) if p.severity == "error"] == []
        await instruments_of(gate).read()
        assert samples(gauges.downstream_up).keys() == {("main",), ("archiv2",)}


async def test_signs_of_life_are_shown(tmp_path: Path) -> None:
    async with gateway(tmp_path) as gate:
        await instruments_of(gate).read()
    assert samples(gauges.workers) == {(): 3}
    assert samples(gauges.workers_up) == {(): 1}  # one hangs, one has not begun
    assert samples(gauges.heartbeat_age) == {("worker-0",): 0.4, ("worker-1",): 40.0, ("services",): 0.1}


async def test_what_cannot_be_read_is_absent_and_not_old(tmp_path: Path) -> None:
    """A gauge that stays as it was tells a lie."""
    faults = metrics.faults.labels("instruments")
    async with gateway(tmp_path, overlay=HOLD_ALL) as gate:
        await gate.send(MESSAGE, SENDER, (OFFICE,))
        await instruments_of(gate).read()
        assert samples(gauges.held)[("held",)] == 1
        before = faults._value.get()
        await gate.node.store.close()
        await instruments_of(gate).read()
        assert samples(gauges.held) == samples(gauges.outbox) == samples(gauges.held_expiring) == {}
        assert faults._value.get() == before + 1
        assert samples(gauges.state_free)  # the others go on
        await gate.node.store.reopen()


def test_readings_are_in_the_sums_of_all_processes_too(tmp_path: Path) -> None:
    gauges.downstream_up.replace({("main",): 1})
    for directory in (None, tmp_path):
        assert b'gateway_downstream_up{route="main"} 1.0' in metrics.exposition(directory)
    gauges.downstream_up.clear()
    assert b"gateway_downstream_up{" not in metrics.exposition(tmp_path)


def test_counters_that_alarms_look_at_begin_at_zero() -> None:
    """A counter that is born with its first event shows no increase."""
    values.begin()
    families = {family.name: family for family in text_string_to_metric_families(metrics.exposition(None).decode())}
    places = {sample.labels["place"] for sample in families["gateway_faults"].samples if sample.name.endswith("_total")}
    assert places == set(values.PLACES)
    replies = {s.labels["reply"] for s in families["gateway_messages"].samples if s.name.endswith("_total")}
    assert replies == {"2yz", "4yz", "5yz"}


def test_a_late_loop_is_noticed() -> None:
    """O-5: lag is what the loop is late by, not the pause between two beats."""
    now = 100.0
    vitals = Vitals("worker-77", 1.0, lambda: now)
    for passed in (0.0, 1.0, 1.002, 4.0):
        now += passed
        vitals.beat()
    lag = {
        sample.labels.get("le", sample.name.rpartition("_")[2]): sample.value
        for family in metrics.loop_lag.collect()
        for sample in family.samples
        if sample.labels["process"] == "worker-77"
    }
    assert (lag["0.005"], lag["2.5"], lag["5.0"], lag["count"]) == (2, 2, 3, 3)
    assert lag["sum"] == pytest.approx(3.002)


def test_vitals_are_of_this_process() -> None:
    Vitals("worker-78", 1.0).beat()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    memory = metrics.process_memory.labels("worker-78")._value.get()
    assert memory == pytest.approx(pages * os.sysconf("SC_PAGESIZE"), rel=0.2)
    with open(os.devnull), open(os.devnull):
        before = metrics.process_fds.labels("worker-78")._value.get()
        Vitals("worker-78", 1.0).beat()
        assert metrics.process_fds.labels("worker-78")._value.get() == before + 2
