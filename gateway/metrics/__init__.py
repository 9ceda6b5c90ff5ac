"""Prometheus metrics, in the words of the mail log; labels are bounded: never an address or a domain of a sender (S-44)."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from gateway.metrics.slots import child, clear, exposition, forget, use_slot

__all__ = ["child", "clear", "exposition", "forget", "use_slot"]

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

connections = Counter("gateway_connections_total", "SMTP connections by outcome", ["outcome"])
sessions = Gauge("gateway_sessions", "Open SMTP sessions", multiprocess_mode="livesum")
milter_connections = Counter(
    "gateway_milter_connections_total", "Connections to the milter door by outcome", ["outcome"]
)
milter_sessions = Gauge("gateway_milter_sessions", "Open milter connections", multiprocess_mode="livesum")
milter_unseen = Counter(
    "gateway_milter_unseen_total", "Messages passed unseen by the milter door, by reason", ["reason"]
)
fates = Counter("gateway_recipients_total", "Recipients by fate (the verbs of the mail log)", ["fate"])
messages = Counter("gateway_messages_total", "Messages by class of the final reply", ["reply"])
results = Counter("gateway_authentication_results_total", "Results of authentication methods", ["method", "result"])
levels = Counter("gateway_identity_level_total", "Messages by level of proof", ["level", "provider"])
rules = Counter("gateway_rule_matches_total", "Recipients by deciding or observing rule", ["rule", "phase"])
notices = Counter("gateway_notices_total", "Automatic responses by fate", ["fate"])
outgoing = Counter("gateway_outgoing_total", "Outbox messages by kind and fate", ["kind", "fate"])
outbox_due = Gauge("gateway_outbox_due", "Outbox messages waiting to be sent", multiprocess_mode="mostrecent")
held = Gauge("gateway_held", "Quarantine entries by open state", ["state"], multiprocess_mode="mostrecent")
unknown_outcomes = Counter(
    "gateway_unknown_outcomes_total", "Deliveries that may be repeated: no reply after end of data"
)
downstream_seconds = Histogram(
    "gateway_downstream_seconds", "Time of downstream steps, in seconds", ["step"], buckets=SECONDS
)
dns_queries = Counter("gateway_dns_queries_total", "DNS questions by outcome", ["outcome"])
dns_seconds = Histogram("gateway_dns_seconds", "Time of one DNS question, in seconds", buckets=SECONDS)
data_seconds = Histogram("gateway_data_seconds", "Time from end of data to our reply, in seconds", buckets=SECONDS)
store_seconds = Histogram("gateway_store_seconds", "Time of one durable write, in seconds", buckets=SECONDS)
store_errors = Counter("gateway_store_errors_total", "Durable writes that failed")
spilled = Counter("gateway_spilled_records_total", "Register records written to the spill file")
faults = Counter("gateway_faults_total", "Unexpected exceptions by place", ["place"])
policy_generation = Gauge("gateway_policy_generation", "Policy generation in force", multiprocess_mode="mostrecent")
policy_reloads = Counter("gateway_policy_reloads_total", "Policy reloads by outcome", ["outcome"])
log_dropped = Counter("gateway_log_lines_dropped_total", "Mail log lines given up: the log was full or blocked (F-29)")
restarts = Counter(
    "gateway_process_restarts_total", "Processes that ended by themselves and were begun anew", ["process"]
)
