"""A real authoritative server (NSD) and a real recursive one (Unbound) before it, on loopback ports, over the same zone
data as the scriptable server. Tests that use them are marked `dns`."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import pytest

from gateway.demo.dns import Script, ZoneData, presentation
from tests.support.ports import free_port


def find(program: str) -> str:
    """The path of a server, which Debian keeps outside users' PATH; skips the test where it is missing."""
    path = shutil.which(program, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if path is None:
        pytest.skip(f"{program} is not installed (Debian package {program})")
    return path


def zone_file(zone: ZoneData) -> str:
    """One zone for the root of the name space: faults cannot be written down, records and TTLs can."""
    lines = [
        "$ORIGIN .",
        "@ 60 IN SOA ns.invalid. hostmaster.invalid. 1 3600 600 86400 60",
        "@ 60 IN NS ns.invalid.",
        "ns.invalid. 60 IN A 127.0.0.1",
    ]
    for name, types in zone.items():
        for kind, entry in types.items():
            script = entry if isinstance(entry, Script) else Script(records=entry)
            lines += [f"{name}. {script.ttl} IN {kind} {presentation(kind, record)}" for record in script.records]
    return "\n".join(lines) + "\n"


@contextmanager
def _running(command: list[str], port: int, log: Path) -> Iterator[str]:
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            _await_answer(process, port, log)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _await_answer(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    query = dns.message.make_query("ns.invalid", "A")
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and process.poll() is None:
        try:
            dns.query.udp(query, "127.0.0.1", timeout=0.2, port=port)
        except (dns.exception.Timeout, OSError):
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"the DNS server does not answer: {log.read_text()}")


@contextmanager
def nsd(zone: ZoneData, directory: Path) -> Iterator[str]:
    """NSD serving the data; gives host:port."""
    program, port = find("nsd"), free_port()
    (directory / "root.zone").write_text(zone_file(zone))
    config = directory / "nsd.conf"
    config.write_text(f"""
server:
  ip-address: 127.0.0.1
  port: {port}
  username: ""
  zonesdir: "{directory}"
  database: ""
  pidfile: ""
  zonelistfile: "{directory}/zone.list"
  xfrdfile: "{directory}/xfrd.state"
  xfrdir: "{directory}"
  server-count: 1
remote-control:
  control-enable: no
zone:
  name: "."
  zonefile: "root.zone"
""")
    with _running([program, "-d", "-c", str(config)], port, directory / "nsd.log") as address:
        yield address


@contextmanager
def unbound(authority: str, directory: Path) -> Iterator[str]:
    """Unbound, caching and following CNAMEs, with all its questions sent to `authority` (host:port); gives host:port."""
    program, port = find("unbound"), free_port()
    host, _, authority_port = authority.rpartition(":")
    config = directory / "unbound.conf"
    config.write_text(f"""
server:
  interface: 127.0.0.1
  port: {port}
  username: ""
  chroot: ""
  directory: "{directory}"
  pidfile: ""
  use-syslog: no
  num-threads: 1
  do-not-query-localhost: no
  module-config: "iterator"
remote-control:
  control-enable: no
stub-zone:
  name: "."
  stub-addr: {host}@{authority_port}
""")
    with _running([program, "-d", "-p", "-c", str(config)], port, directory / "unbound.log") as address:
        yield address
