"""Prometheus metrics, in the words of the mail log; labels are bounded: never an address or a domain of a sender (S-44)."""

from __future__ import annotations

from prometheus_client import Gauge

from gateway.metrics import gauges
from gateway.metrics.kinds import Counter, Histogram
from gateway.metrics.slots import child, clear, exposition, forget, settle, use_slot

__all__ = ["child", "clear", "exposition", "forget", "gauges", "settle", "use_slot"]

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
LAGS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

connections = Counter("gateway_connections_total", "SMTP connections by outcome", ["outcome"])
sessions = Gauge("gateway_sessions", "Open SMTP sessions", multiprocess_mode="livesum")
milter_connections = Counter(
    "gateway_milter_connections_total", "Connections to the milter door by outcome", ["outcome"]
)
milter_sessions = Gauge("gateway_milter_sessions", "Open milter connections", multiprocess_mode="livesum")
milter_unseen = Counter(
    "gateway_milter_unseen_total", "Messages passed unseen by the milter door, by reason", ["reason"]
)
fates = Counter("gateway_recipients_total", "Recipients by fate, in the words of the mail log", ["fate"])
messages = Counter(
    "gateway_messages_total",
    "Messages by class of the final reply: 2yz taken, 4yz to be tried again, 5yz refused",
    ["reply"],
)
no_room = Counter(
    "gateway_no_room_total",
    "Messages put off (452) before they came, by what was short: disk, or memory for messages in hand",
    ["short"],
)
results = Counter("gateway_authentication_results_total", "Results of authentication methods", ["method", "result"])
levels = Counter(
    "gateway_identity_level_total", "Messages by level of proof and kind of mailbox", ["level", "provider"]
)
rules = Counter("gateway_rule_matches_total", "Recipients by deciding or observing rule", ["rule", "phase"])
notices = Counter(
    "gateway_notices_total",
    "Automatic responses that were not even queued, by fate; those queued are in gateway_outgoing_total",
    ["fate"],
)
outgoing = Counter("gateway_outgoing_total", "Outbox messages by kind and fate", ["kind", "fate"])
canary_changes = Counter(
    "gateway_canary_changes_total", "Canary messages whose outcome changed from one time to the next"
)
unknown_outcomes = Counter(
    "gateway_unknown_outcomes_total", "Deliveries that may be repeated: no reply after end of data"
)
downstream_faults = Counter("gateway_downstream_faults_total", "Faults of downstream servers, by kind", ["fault"])
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
policy_generation = Gauge("gateway_policy_generation", "Policy generation in force", multiprocess_mode="livemostrecent")
policy_reloads = Counter("gateway_policy_reloads_total", "Policy readings of all processes by outcome", ["outcome"])
policy_good = Gauge(
    "gateway_policy_last_reload_successful",
    "Whether the policy folder could be used when it was last read: 1 or 0",
    multiprocess_mode="livemostrecent",
)
policy_good_at = Gauge(
    "gateway_policy_last_reload_success_timestamp_seconds",
    "When the policy folder was last read and found good, in seconds since 1970",
    multiprocess_mode="livemostrecent",
)
policy_problems = Gauge(
    "gateway_policy_problems",
    "Problems found when the policy folder was last read, by severity",
    ["severity"],
    multiprocess_mode="livemostrecent",
)
certificate_expiry = Gauge(
    "gateway_certificate_expiry_timestamp_seconds",
    "End of validity of the certificate or chain in use that ends first, in seconds since 1970",
    ["door"],
    multiprocess_mode="livemostrecent",
)
log_dropped = Counter("gateway_log_lines_dropped_total", "Mail log lines given up: the log was full or blocked (F-29)")
handovers = Counter(
    "gateway_handovers_total",
    "Hand-overs to a new program (SIGUSR2) by outcome: done, refused, or stuck because the new workers do not run",
    ["outcome"],
)
restarts = Counter(
    "gateway_process_restarts_total", "Processes that ended by themselves and were begun anew", ["process"]
)

loop_lag = Histogram(
    "gateway_event_loop_lag_seconds",
    "How much later than asked for the event loop woke, measured once a second",
    ["process"],
    buckets=LAGS,
)
process_started = Gauge(
    "gateway_process_start_time_seconds",
    "When the process began, in seconds since 1970",
    ["process"],
    multiprocess_mode="livemostrecent",
)
process_memory = Gauge(
    "gateway_process_resident_memory_bytes",
    "Resident memory; pages that processes share count for each of them",
    ["process"],
    multiprocess_mode="livemostrecent",
)
process_fds = Gauge(
    "gateway_process_open_fds", "Open file descriptors", ["process"], multiprocess_mode="livemostrecent"
)
process_max_fds = Gauge(
    "gateway_process_max_fds", "Most file descriptors that may be open", ["process"], multiprocess_mode="livemostrecent"
)
process_cpu = Counter("gateway_process_cpu_seconds_total", "CPU time, of user and system together", ["process"])
