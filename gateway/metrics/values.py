"""Which values a label can take, and which series are there from the beginning.

A counter that appears with its first event is born as 1, and Prometheus sees no increase: the first fault of a kind
would raise no alarm. So the series that alarms look at begin at 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Final

from gateway import metrics

FATES: Final = (
    "relayed",
    "held",
    "queued",
    "refused",
    "deferred",
    "discarded",
)  # those verbs of maillog that are counted
OUTCOMES: Final = ("sent", "failed", "abandoned", "unknown", "due")
KINDS: Final = ("notice", "release", "relay")
PLACES: Final = ("smtp", "milter", "pipeline", "notice", "outbox", "resolver", "certificate", "instruments", "canary")

LISTED: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "gateway_connections": {"outcome": ("accepted", "refused", "early-talk", "bad-proxy-header", "tls-failed")},
    "gateway_milter_connections": {"outcome": ("accepted", "refused", "not-a-mail-server", "idle")},
    "gateway_milter_unseen": {"reason": ("authenticated", "internal", "elsewhere")},
    "gateway_recipients": {"fate": FATES},
    "gateway_no_room": {"short": ("disk", "memory")},
    "gateway_messages": {"reply": ("2yz", "4yz", "5yz")},
    "gateway_authentication_results": {
        "method": ("spf", "dkim", "dmarc", "arc", "iprev"),
        "result": ("none", "pass", "fail", "softfail", "neutral", "policy", "temperror", "permerror"),
    },
    "gateway_identity_level": {
        "level": ("signed", "authorized", "shared", "claimed"),
        "provider": ("official", "free-provider", "other", "unknown"),
    },
    "gateway_rule_matches": {"phase": ("decided", "observed")},
    "gateway_notices": {"fate": ("suppressed",)},
    "gateway_outgoing": {"kind": KINDS, "fate": OUTCOMES},
    "gateway_downstream_faults": {
        "fault": (
            "unreachable", "timeout", "connection lost", "closing", "refuses service", "protocol violation",
            "unexpected reply", "misconfiguration", "pool exhausted",
        )
    },
    "gateway_downstream_seconds": {
        "step": ("connect", "mail", "rcpt", "data", "content", "end of data", "deliver", "maildir")
    },
    "gateway_dns_queries": {"outcome": ("answer", "nodata", "nxdomain", "error", "down")},
    "gateway_faults": {"place": PLACES},
    "gateway_policy_reloads": {"outcome": ("ok", "unchanged", "error")},
    "gateway_policy_problems": {"severity": ("error", "warning")},
    "gateway_handovers": {"outcome": ("done", "refused", "stuck")},
    "gateway_process_restarts": {"process": ("worker", "services")},
    "gateway_certificate_expiry_timestamp_seconds": {"door": ("smtp",)},
    "gateway_check_up": {"check": ("store", "dns", "downstream", "policy")},
    "gateway_check_seconds": {"check": ("store", "dns", "downstream", "policy")},
    "gateway_held": {"state": ("pending", "held", "releasing", "uncertain")},
    "gateway_held_oldest_age_seconds": {"state": ("pending", "held", "releasing", "uncertain")},
    "gateway_outbox": {"kind": KINDS, "state": ("waiting", "due", "leased", "unknown")},
    "gateway_outbox_oldest_age_seconds": {"kind": KINDS},
}  # fmt: skip

OPEN: Final[Mapping[str, str]] = {
    "process": "`worker-0`, `worker-1` …, `services`",
    "case": "names of the cases in `policies/cases` that are canaries",
    "rule": "names of the rules in `policy.yaml`",
    "route": "names of the routes in `policy.yaml`",
    "version": "of the program",
    "python": "version of Python",
}


def begin() -> None:
    """Make the series of counters that are watched, at 0. Once for the service, in any of its processes."""
    counters = (
        metrics.connections, metrics.milter_connections, metrics.milter_unseen, metrics.fates, metrics.messages,
        metrics.outgoing, metrics.downstream_faults, metrics.dns_queries, metrics.faults, metrics.policy_reloads,
        metrics.restarts, metrics.handovers, metrics.notices, metrics.no_room,
    )  # fmt: skip
    for counter in counters:
        name = next(iter(counter.describe())).name
        for labels in product(*LISTED[name].values()):
            counter.labels(*labels).inc(0)
