"""Writes docs/metrics.md from the metrics themselves: `python -m gateway.metrics.reference > docs/metrics.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from gateway import metrics
from gateway.metrics import readings, values

GROUPS: Final = (
    (
        "Doors",
        ("gateway_connections", "gateway_sessions", "gateway_milter", "gateway_data_seconds", "gateway_certificate"),
    ),
    (
        "Mail",
        ("gateway_messages", "gateway_no_room", "gateway_recipients", "gateway_authentication", "gateway_identity",
         "gateway_rule", "gateway_canary"),
    ),
    ("Held mail, notices, outbox", ("gateway_held", "gateway_notices", "gateway_out", "gateway_unknown")),
    ("Servers around us", ("gateway_downstream", "gateway_dns")),
    ("Store and disk", ("gateway_store", "gateway_spill", "gateway_database", "gateway_state")),
    ("Policy", ("gateway_policy",)),
    ("Service and processes", ("gateway_",)),
)  # fmt: skip

HEAD: Final = """\
# Metrics

<!-- Written by `python -m gateway.metrics.reference`; a test compares. Edit gateway/metrics instead. -->

The gateway serves them at `/metrics` of `[http] listen` (127.0.0.1:9925) in Prometheus' text format. Keep that address
off public networks: there is no password. Ready to be used: [settings of Prometheus](../deploy/prometheus/prometheus.yml),
[alerts](../deploy/prometheus/alerts.yaml) and [what each asks of you](how-to/en/alerts.md), dashboards of Grafana in
[English](../deploy/grafana/gateway.en.json) and [Vietnamese](../deploy/grafana/gateway.vi.json).

- Counters begin at 0 when the service begins. They are sums over all processes, also those that have died; gauges of a
  process go with it.
- Held mail, outbox, disk and processes are read every 15 seconds, readiness and the servers behind us every 30. What
  cannot be read is absent.
- No label holds an address, a domain, a subject or anything else that a stranger chooses. Its values are listed below,
  or are names from your own files.
"""


@dataclass(frozen=True, slots=True)
class Described:
    """One metric as the page tells it; `name` is that of queries."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str

    @property
    def family(self) -> str:
        """The name that values.LISTED knows."""
        return self.name.removesuffix("_total")


def described() -> list[Described]:
    """Every metric of the gateway, in the order of the code."""
    found = []
    for one in vars(metrics).values():
        if isinstance(one, Counter | Gauge | Histogram):
            (family,) = one.describe()
            name = f"{family.name}_total" if family.type == "counter" else family.name
            # the library has no public way to ask for the labels of a metric
            found.append(Described(name, family.type, one._labelnames, family.documentation))
    found += [Described(one.name, "gauge", one.labels, one.documentation) for one in readings.ALL]
    return found


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *_sections()])


def _sections() -> Iterator[str]:
    left = described()
    for title, prefixes in GROUPS:
        yield f"## {title}\n\n| Metric | Type | Meaning |\n|---|---|---|"
        for one in [one for one in left if one.name.startswith(prefixes)]:
            left.remove(one)
            yield f"| `{one.name}` | {one.kind} | {'. '.join([one.meaning, *_labels(one)])} |"
        yield ""


def _labels(one: Described) -> Iterator[str]:
    for label in one.labels:
        listed = values.LISTED.get(one.family, {}).get(label)
        yield f"**{label}**: {', '.join(f'`{value}`' for value in listed) if listed else values.OPEN.get(label, '?')}"


if __name__ == "__main__":
    sys.stdout.write(page().rstrip("\n") + "\n")
