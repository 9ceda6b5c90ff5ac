"""A real Prometheus with the settings that we ship, only quicker, and with the gateway under test as its target."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.node import ROOT
from tests.support.ports import free_port

SHIPPED = ROOT / "deploy" / "prometheus"
PATIENCE = 60.0  # seconds; only for a test that would hang otherwise
INSTALLED = shutil.which("prometheus") is not None and shutil.which("promtool") is not None


@dataclass(frozen=True)
class Prometheus:
    """A running server; errors of queries are AssertionErrors that name the query."""

    port: int

    def query(self, expression: str, at: float | None = None) -> list[dict[str, Any]]:
        """The samples of an instant query; a scalar counts as one."""
        found = self._ask("query", query=expression, **({"time": at} if at else {}))
        return [{"value": found["result"]}] if found["resultType"] == "scalar" else list(found["result"])

    def series(self, expression: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """The lines of a range query."""
        return list(self._ask("query_range", query=expression, start=start, end=end, step=step)["result"])

    def rules(self) -> dict[str, dict[str, Any]]:
        """Alerting rules by name, as the server has evaluated them."""
        return {rule["name"]: rule for group in self._ask("rules")["groups"] for rule in group["rules"]}

    def targets(self) -> list[dict[str, Any]]:
        return list(self._ask("targets")["activeTargets"])

    def await_true(self, condition: Callable[[], Any], complaint: str) -> None:
        until = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < until, complaint
            time.sleep(0.25)

    def _ask(self, what: str, **parameters: Any) -> Any:
        url = f"http://127.0.0.1:{self.port}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as refusal:
            raise AssertionError(f"{parameters}: {refusal.read().decode()}") from None


@contextmanager
def running_prometheus(folder: Path, target: int, interval: str = "1s") -> Iterator[Prometheus]:
    """Scrapes 127.0.0.1:target with the shipped rules."""
    folder.mkdir()
    settings = yaml.safe_load((SHIPPED / "prometheus.yml").read_text(encoding="utf-8"))
    settings["global"] = {"scrape_interval": interval, "evaluation_interval": interval}
    (job,) = settings["scrape_configs"]
    (static,) = job["static_configs"]
    static["targets"] = [f"127.0.0.1:{target}"]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    shutil.copy(SHIPPED / "alerts.yaml", folder)
    port = free_port()
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    server = Prometheus(port)

    def is_ready() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    try:
        server.await_true(is_ready, "Prometheus does not start")
        yield server
    finally:
        process.terminate()
        process.wait(PATIENCE)
