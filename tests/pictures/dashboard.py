"""Makes docs/pictures/dashboard.png: `python -m tests.pictures.dashboard [seconds]`.

A real gateway takes mail for some minutes, a real Prometheus scrapes it, and every panel of the shipped dashboard is drawn
from what its query returns. Needs Debian's packages prometheus and chromium.
"""

from __future__ import annotations

import math
import random
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.pictures.drawing import CELL, Curve, page
from tests.support import grafana
from tests.support.certificates import write_certificate
from tests.support.corpus import CorpusCase, cases
from tests.support.dns_thread import dns_thread
from tests.support.gateway_process import GatewayProcess, prepared
from tests.support.node import ROOT
from tests.support.prometheus import Prometheus, running_prometheus
from tests.support.sink import Sink
from tests.support.sink_thread import sink_thread
from tests.support.submission import submit

TARGET = ROOT / "docs" / "pictures" / "dashboard.png"
WIDTH, STEP = 24 * CELL + 8, 2.0
# Cases of the corpus, how often of a hundred. Not 13: its DNS fails for the office's own domain, also for the canary.
SHARES = {"01": 40, "02": 5, "03": 25, "06": 10, "05": 8, "12": 4}


def chosen() -> dict[str, CorpusCase]:
    return {case.name[:2]: case for case in cases() if case.name[:2] in SHARES}


def send_for(gate: GatewayProcess, sink: Sink, seconds: float) -> None:
    """Mail that swells and ebbs; for a while the receiving server puts it off."""
    dice, known = random.Random(1077), chosen()
    begin = time.monotonic()
    while (passed := time.monotonic() - begin) < seconds:
        busy = 0.55 < passed / seconds < 0.65
        sink.script["RCPT"] = b"451 4.3.2 Busy, please try again later\r\n" if busy else b"250 2.1.5 Ok\r\n"
        case = known[dice.choices(list(SHARES), list(SHARES.values()))[0]]
        submit(
            gate.port, case.message, case.sender, case.recipients[:1], address=case.session["client"], helo=case.helo
        )
        rate = 9 + 6 * math.sin(passed / seconds * 9) + dice.uniform(-2, 2)
        time.sleep(1 / max(1.0, rate))


def curves(prometheus: Prometheus, panel: dict[str, Any], start: float, end: float) -> list[Curve]:
    """What the panel's queries return: over the time, or of a stat now."""
    found = []
    for query in grafana.queries(panel, rate_interval="20s"):
        if panel["type"] == "timeseries":
            lines = prometheus.series(query.expression, start, end, STEP)
        else:
            lines = [sample | {"values": [sample["value"]]} for sample in prometheus.query(query.expression, end)]
        for line in lines:
            points = [(moment, float(value)) for moment, value in line["values"] if value != "NaN"]
            found.append(Curve(grafana.legend(query.legend, line.get("metric", {})), points))
    return found


def shoot(text: str, target: Path, folder: Path) -> None:
    """A picture of the page by Chromium."""
    (folder / "page.html").write_text(text, encoding="utf-8")
    height = int(text.partition("<body style=")[2].partition("height:")[2].partition("px")[0]) + 8
    command = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--window-size={WIDTH},{height}",
    ]
    subprocess.run([*command, f"--screenshot={target}", f"file://{folder}/page.html"], check=True, capture_output=True)


def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        zone = {name: types for case in chosen().values() for name, types in case.served.items()}
        sink = stack.enter_context(sink_thread(Sink()))
        dns = stack.enter_context(dns_thread(zone))
        gate = prepared(folder, sink.port, dns.address, workers=2)
        paths = write_certificate(folder, until=datetime.now(UTC) + timedelta(days=64))
        settings = folder / "gateway.toml"
        lines = "".join(f'{key} = "{path}"\n' for key, path in paths.items())
        settings.write_text(settings.read_text().replace("[dns]", f"{lines}[dns]"))
        gate.start()
        stack.callback(gate.stop)
        prometheus = stack.enter_context(running_prometheus(folder / "prometheus", gate.http))
        time.sleep(5)
        start = time.time()
        send_for(gate, sink, seconds)
        end = time.time()
        panels = grafana.dashboard("en")["panels"]
        TARGET.parent.mkdir(exist_ok=True)
        shoot(page(panels, lambda panel: curves(prometheus, panel, start, end), start, end), TARGET, folder)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 240.0)
