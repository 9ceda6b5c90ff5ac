"""Metrics over several processes, with real forks."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway import metrics
from gateway.metrics import kinds
from gateway.metrics.files import FIRST, ValueFile

REPOSITORY = Path(__file__).parents[3]


def in_child(work: Callable[[], None]) -> None:
    """Run in a fork, as a worker does, and wait for its end."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def samples(directory: Path | None) -> dict[tuple[str, ...], float]:
    text = metrics.exposition(directory).decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_many_lives_of_two_slots_sum_up_and_leave_the_files_of_two(tmp_path: Path) -> None:
    def life(slot: int) -> Callable[[], None]:
        def work() -> None:
            metrics.use_slot(tmp_path, slot)
            metrics.fates.labels("relayed").inc()
            metrics.data_seconds.observe(0.2)
            metrics.sessions.inc(3)

        return work

    for number in range(20):
        in_child(life(number % 2))
    after = samples(tmp_path)
    assert after["gateway_recipients_total", "relayed"] == 20
    assert after[("gateway_data_seconds_count",)] == 20
    assert after["gateway_data_seconds_bucket", "0.25"] == 20
    assert after["gateway_data_seconds_bucket", "0.1"] == 0
    assert after[("gateway_sessions",)] == 6  # of the two last lives only: a new life begins without sessions
    assert len(list(tmp_path.glob("counter_*.db"))) == 2


def test_what_the_parent_counted_before_the_fork_is_not_counted_again(tmp_path: Path) -> None:
    metrics.fates.labels("held").inc(1000)

    def work() -> None:
        metrics.use_slot(tmp_path, 0)
        metrics.fates.labels("held").inc()

    in_child(work)
    in_child(work)
    assert samples(tmp_path)["gateway_recipients_total", "held"] == 2


def test_a_dead_process_takes_its_gauges_along_and_leaves_its_counters(tmp_path: Path) -> None:
    def work() -> None:
        metrics.use_slot(tmp_path, 1)
        metrics.sessions.inc(7)
        metrics.spilled.inc()

    in_child(work)
    assert samples(tmp_path)[("gateway_sessions",)] == 7
    metrics.forget(tmp_path, 1)
    after = samples(tmp_path)
    assert ("gateway_sessions",) not in after
    assert after[("gateway_spilled_records_total",)] == 1


def test_the_most_recent_gauge_wins_over_slots(tmp_path: Path) -> None:
    for slot, generation in ((0, 8), (1, 9), (2, 7)):

        def work(slot: int = slot, generation: int = generation) -> None:
            metrics.use_slot(tmp_path, slot)
            metrics.policy_generation.set(generation)

        in_child(work)
    assert samples(tmp_path)[("gateway_policy_generation",)] == 7


def test_a_new_run_begins_at_zero(tmp_path: Path) -> None:
    def work() -> None:
        metrics.use_slot(tmp_path, 0)
        metrics.spilled.inc()

    in_child(work)
    metrics.clear(tmp_path)
    assert ("gateway_spilled_records_total",) not in samples(tmp_path)


def test_a_file_that_has_just_been_made_does_not_break_the_scrape(tmp_path: Path) -> None:
    def work() -> None:
        metrics.use_slot(tmp_path, 0)
        metrics.spilled.inc()

    in_child(work)
    (tmp_path / "counter_1.db").touch()
    assert samples(tmp_path)[("gateway_spilled_records_total",)] == 1


def test_remembered_children_follow_into_the_slot(tmp_path: Path) -> None:
    relayed = metrics.child(metrics.fates, "relayed")
    assert relayed is metrics.child(metrics.fates, "relayed")

    def work() -> None:
        metrics.use_slot(tmp_path, 0)
        relayed.inc(2)

    in_child(work)
    assert samples(tmp_path)["gateway_recipients_total", "relayed"] == 2


def test_one_process_alone_needs_no_files() -> None:
    before = samples(None).get(("gateway_spilled_records_total",), 0)
    metrics.spilled.inc()
    assert samples(None)[("gateway_spilled_records_total",)] == before + 1


@pytest.mark.parametrize("first", ["import prometheus_client", "import gateway.metrics"])
def test_the_order_of_imports_does_not_matter(tmp_path: Path, first: str) -> None:
    code = f"""
{first}
import os, sys, pathlib
from gateway import metrics
directory = pathlib.Path(sys.argv[1])
if os.fork() == 0:
    metrics.use_slot(directory, 0)
    metrics.rules.labels("unit-mail", "decided").inc()
    os._exit(0)
os.wait()
sys.stdout.buffer.write(metrics.exposition(directory))
"""
    run = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=REPOSITORY, check=True, capture_output=True)
    assert b'gateway_rule_matches_total{phase="decided",rule="unit-mail"} 1.0' in run.stdout


# ---- a disk without room (safety F-22) --------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _fill(folder: Path) -> Path:
    file = folder / "filling"
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as filling:
        while True:
            filling.write(bytes(4096))
    return file


def test_a_full_disk_ends_no_process(small_disk: Path) -> None:
    """Values have no place in files: they are in memory, and go into the files when there is room again."""
    filling = _fill(small_disk)

    def work() -> None:
        metrics.use_slot(small_disk / "metrics", 0)
        metrics.fates.labels("relayed").inc(3)
        metrics.sessions.inc(2)
        filling.unlink()
        metrics.settle()
        metrics.fates.labels("relayed").inc()

    in_child(work)
    after = samples(small_disk / "metrics")
    assert after["gateway_recipients_total", "relayed"] == 4
    assert after[("gateway_sessions",)] == 2


def test_a_disk_that_fills_up_later_ends_no_process_either(small_disk: Path) -> None:
    """Series that begin then may need another page of a file, and a file larger than it was."""

    def work() -> None:
        metrics.use_slot(small_disk, 0)
        metrics.rules.labels("before", "decided").inc(5)
        _fill(small_disk)
        for number in range(2000):
            metrics.rules.labels(f"rule-{number}", "decided").inc()
        metrics.rules.labels("before", "decided").inc()

    in_child(work)
    after = samples(small_disk)
    assert after["gateway_rule_matches_total", "decided", "before"] == 6
    assert after["gateway_rule_matches_total", "decided", "rule-0"] == 1


def test_a_counter_goes_on_where_its_slot_ended_when_room_comes_late(small_disk: Path) -> None:
    def first() -> None:
        metrics.use_slot(small_disk, 0)
        metrics.fates.labels("held").inc(7)

    def second() -> None:
        subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
        metrics.use_slot(small_disk, 0)
        metrics.fates.labels("held").inc()
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
        metrics.settle()

    in_child(first)
    in_child(second)
    assert samples(small_disk)["gateway_recipients_total", "held"] == 8


def test_a_read_only_disk_does_not_end_who_counts_the_dead(small_disk: Path) -> None:
    in_child(lambda: (metrics.use_slot(small_disk, 0), metrics.sessions.inc())[0])
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    metrics.forget(small_disk, 0)


# ---- the shorter way of counters and histograms ----------------------------------------------------------------------


@pytest.mark.parametrize("amount", [0.0, 0.005, 0.0051, 0.25, 60.0, 300.0, 300.1, float("inf")])
def test_an_amount_falls_into_the_bucket_where_the_library_puts_it(amount: float) -> None:
    ours = kinds.Histogram("x", "x", buckets=metrics.SECONDS, registry=None)
    theirs = prometheus_client.Histogram("x", "x", buckets=metrics.SECONDS, registry=None)
    for histogram in (ours, theirs):
        histogram.observe(amount)
        histogram.observe(0.1)
    assert ours.collect()[0].samples[:-1] == theirs.collect()[0].samples[:-1]  # the last one: when it was made


def test_a_counter_only_goes_up_and_needs_its_labels() -> None:
    counter = kinds.Counter("x", "x", ["label"], registry=None)
    with pytest.raises(ValueError, match="label"):
        counter.inc()
    series = counter.labels("a")
    series.inc()
    series.inc(1.5)
    with pytest.raises(ValueError, match="up"):
        series.inc(-1)
    assert series._value.get() == 2.5


def test_values_keep_their_place_when_the_file_grows(tmp_path: Path) -> None:
    file = ValueFile(tmp_path / "counter_0.db")
    first = file.place("first")
    first[0] = 1.0
    for number in range(FIRST // 64):
        file.place(f"{number:0100}")[0] = number
    first[0] += 1.0
    again = ValueFile(tmp_path / "counter_0.db")
    assert (tmp_path / "counter_0.db").stat().st_size > FIRST
    assert (again.place("first")[0], again.place(f"{7:0100}")[0]) == (2.0, 7.0)
