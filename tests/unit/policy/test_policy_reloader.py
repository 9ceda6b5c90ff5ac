"""Reloading: a broken directory changes nothing (F-34), a cold start falls back (F-35), generations come back (O-3)."""

import asyncio
import contextlib
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from gateway import maillog
from gateway.policy.parse import digest_of
from gateway.reloader import Generations, PolicyError, Reloader, read_directory, roll_back
from gateway.reloader.generations import KEEP
from tests.support.policy_cases import NOON, good_files


@pytest.fixture(autouse=True)
def _silent() -> Iterator[None]:
    maillog.write_to(None)
    yield
    maillog.write_to(sys.__stderr__.buffer if sys.__stderr__ else None)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "policies"
    write(path, good_files())
    return path


def write(directory: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text, "utf-8")


def reloader_of(directory: Path) -> Reloader:
    return Reloader(directory, directory.parent / "state", clock=lambda: NOON)


def started(directory: Path) -> Reloader:
    reloader = reloader_of(directory)
    reloader.start()
    return reloader


def policy_with(hold: str) -> str:
    return good_files()["policy.yaml"].replace("2026-11-01", hold)


def count(outcome: str) -> float:
    return REGISTRY.get_sample_value("gateway_policy_reloads_total", {"outcome": outcome}) or 0.0


def test_start_and_reload_number_the_generations(directory: Path) -> None:
    reloader = started(directory)
    first = reloader.current
    assert first.generation == 1
    assert reloader.reload() == []
    assert reloader.current is first, "equal files are the same set"
    write(directory, {"policy.yaml": policy_with("2026-12-01")})
    assert reloader.reload() == []
    assert reloader.current.generation == 2
    assert first.generation == 1, "who began with the old set keeps it"
    assert REGISTRY.get_sample_value("gateway_policy_generation") == 2


def test_F34_a_broken_file_leaves_the_old_set_in_force(directory: Path) -> None:
    reloader = started(directory)
    before, errors = reloader.current, count("error")
    write(directory, {"policy.yaml": "version: ["})
    assert reloader.reload()
    assert reloader.current is before
    assert reloader.degraded
    assert count("error") == errors + 1
    write(directory, good_files())
    assert reloader.reload() == []
    assert not reloader.degraded


def test_F34_a_golden_case_or_a_template_that_fails_leaves_the_old_set_in_force(directory: Path) -> None:
    reloader = started(directory)
    case = "cases:\n  - { name: a, to: vanthu@longan.edu.vn, expect: { disposition: discard } }\n"
    write(directory, {"cases/a.yaml": case})
    assert [problem.file for problem in reloader.reload()] == ["cases/a.yaml"]
    (directory / "cases/a.yaml").unlink()
    write(directory, {"templates/notice.vi.j2": "Subject: a\n\n{{ config.items() }}\n"})
    assert {problem.file for problem in reloader.reload()} == {"templates/notice.vi.j2"}
    assert reloader.current.generation == 1


def test_F34_a_policy_file_written_byte_by_byte_never_gives_a_broken_set(directory: Path) -> None:
    reloader = started(directory)
    old, new = reloader.current, policy_with("2026-12-01").encode()
    target = digest_of({**good_files(), "policy.yaml": new.decode()})
    for size in range(0, len(new) + 1, 2):
        (directory / "policy.yaml").write_bytes(new[:size])
        reloader.reload()
        current = reloader.current
        assert [rule.name for rule in current.rules] == ["free-provider-submission", "everything-else"]
    (directory / "policy.yaml").write_bytes(new)
    reloader.reload()
    assert reloader.current.digest == target != old.digest


@pytest.mark.parametrize("name", ["mailboxes.csv", "units.csv"])
def test_F34_a_table_that_is_gone_or_empty_leaves_the_old_set_in_force(directory: Path, name: str) -> None:
    reloader = started(directory)
    text = (directory / name).read_text("utf-8")
    (directory / name).unlink()
    assert any(problem.file == name and problem.severity == "error" for problem in reloader.reload())
    (directory / name).write_bytes(b"")
    assert any(problem.file == name and problem.severity == "error" for problem in reloader.reload())
    assert reloader.current.generation == 1
    (directory / name).write_text(text, "utf-8")
    assert not [problem for problem in reloader.reload() if problem.severity == "error"]


async def test_F34_the_watch_reads_a_file_only_when_it_stands_still(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every cut of mailboxes.csv at the end of a row is a good file: only waiting tells a half-written one apart."""
    monkeypatch.setattr("gateway.reloader.reloader.QUIET", 0.2)
    reloader, stop = started(directory), asyncio.Event()
    old = reloader.current.digest
    rows = "".join(f"truong{i}@longan.edu.vn,thpt-tan-an,Văn thư,,,\n" for i in range(4))
    text = good_files()["mailboxes.csv"] + rows
    new = digest_of({**good_files(), "mailboxes.csv": text})
    watch = asyncio.create_task(reloader.watch(stop))
    await asyncio.sleep(0.3)  # until the watch is there; a miss is seen by the assertion at the end
    octets, seen = text.encode(), set()
    with (directory / "mailboxes.csv").open("wb", buffering=0) as stream:
        for i in range(len(octets)):
            stream.write(octets[i : i + 1])
            await asyncio.sleep(0.002)
            seen.add(reloader.current.digest)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(20):
            while reloader.current.digest == old:
                await asyncio.sleep(0.05)
    stop.set()
    await watch
    assert seen == {old}
    assert reloader.current.digest == new


def test_F35_a_broken_cold_start_takes_the_last_good_generation(directory: Path) -> None:
    good = started(directory).current
    write(directory, {"policy.yaml": ""})
    reloader = reloader_of(directory)
    policy = reloader.start()
    assert policy.digest == good.digest
    assert policy.generation == 1
    assert "generation 1" in reloader.degraded
    write(directory, good_files())
    reloader.reload()
    assert not reloader.degraded


def test_F35_without_any_generation_the_start_is_refused_with_every_problem(directory: Path) -> None:
    write(directory, {"policy.yaml": "version: 2\nrules: []\n"})
    with pytest.raises(PolicyError) as raised:
        reloader_of(directory).start()
    assert len([p for p in raised.value.problems if p.file == "policy.yaml"]) >= 4


def test_F35_a_damaged_generation_is_passed_over(directory: Path) -> None:
    reloader = started(directory)
    write(directory, {"policy.yaml": policy_with("2026-12-01")})
    reloader.reload()
    (directory.parent / "state/policies/generation-2/policy.yaml").write_bytes(b"\xff")
    write(directory, {"policy.yaml": ""})
    assert reloader_of(directory).start().generation == 1


def test_rollback_brings_a_generation_back_into_the_directory(directory: Path) -> None:
    """Done from outside, as the command does it; gateways that run take it, also when a table goes away."""
    reloader = started(directory)
    directive = good_files()["directives/directive-1077.yaml"]
    changed = {**good_files(), "policy.yaml": policy_with("2026-12-01"), "directives/more.yaml": directive}
    changed["shared-mailboxes.csv"] = "address,unit\n"
    assert changed.keys() - good_files().keys() == {"directives/more.yaml", "shared-mailboxes.csv"}
    write(directory, changed)
    reloader.reload()
    assert reloader.current.generation == 2
    other = started(directory)
    done = roll_back(directory, reloader.generations, 1)
    assert (done.written, done.removed) == (("policy.yaml",), ("directives/more.yaml", "shared-mailboxes.csv"))
    assert read_directory(directory)[0] == good_files()
    for each in (reloader, other):
        assert each.reload() == []
        assert each.current.digest == digest_of(good_files())
        assert each.current.generation == 3, "processes that read the same files agree on the number"
    assert done.aside == directory.parent / "state/policies/before-rollback"
    assert read_directory(done.aside)[0] == changed
    with pytest.raises(FileNotFoundError):
        roll_back(directory, reloader.generations, 99)


def test_generations_are_pruned_and_no_draft_is_left(directory: Path) -> None:
    generations = Generations(directory.parent / "kept")
    for i in range(KEEP + 5):
        assert generations.keep({"policy.yaml": f"# {i}"}) == i + 1
    assert generations.numbers() == list(range(6, KEEP + 6))
    assert len(list(generations.directory.iterdir())) == KEEP


def test_processes_that_keep_at_once_never_share_a_number_for_different_files(tmp_path: Path) -> None:
    generations, found = Generations(tmp_path / "kept"), []

    def keep(i: int) -> None:
        files = {"policy.yaml": f"# {i}", "directives/a.yaml": "x" * 1000}
        found.append((Generations(generations.directory).keep(files), files))

    threads = [threading.Thread(target=keep, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(number for number, _ in found) == list(range(1, 9))
    for number, files in found:
        assert generations.read(number) == files


def test_files_are_read_with_byte_order_mark_and_bounded(tmp_path: Path) -> None:
    (tmp_path / "units.csv").write_bytes(b"\xef\xbb\xbfunit_id;name\r\n")
    (tmp_path / "policy.yaml").write_bytes(b"x" * (1024 * 1024 + 1))
    (tmp_path / "free_providers.txt").write_bytes("một\n".encode("utf-16"))
    for name in (".policy.yaml.swp", ".hidden.yaml", "#policy.yaml", "policy.yaml~", "notes.docx"):
        (tmp_path / name).write_bytes(b"\xff")
    (tmp_path / "directives.yaml").mkdir()
    files, problems = read_directory(tmp_path)
    assert files == {"units.csv": "unit_id;name\r\n"}
    assert [(p.file, p.line) for p in problems] == [("free_providers.txt", 1), ("policy.yaml", 0)]
