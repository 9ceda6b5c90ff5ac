"""What the services process reads every few seconds (gateway/instruments.py, gateway/supervisor/health.py)."""

from __future__ import annotations

from gateway.metrics.readings import Reading

build_info = Reading("gateway_build_info", "Version of the program; the value is always 1", ["version", "python"])
ready = Reading("gateway_ready", "Whether all checks are well and the service is not stopping: 1 or 0")
check_up = Reading("gateway_check_up", "Whether a check of /readyz is well: 1 or 0", ["check"])
check_seconds = Reading("gateway_check_seconds", "Time that a check of /readyz took when it was last made", ["check"])
workers = Reading("gateway_workers", "Worker processes that there should be")
workers_up = Reading("gateway_workers_up", "Worker processes that have shown a sign of life within the last 15 seconds")
heartbeat_age = Reading(
    "gateway_heartbeat_age_seconds", "Time since the last sign of life of a process; it gives one a second", ["process"]
)

held = Reading("gateway_held", "Messages in the quarantine that wait for something or somebody, by state", ["state"])
held_oldest = Reading(
    "gateway_held_oldest_age_seconds", "Age of the oldest message in the quarantine, by state; 0 for none", ["state"]
)
held_expiring = Reading(
    "gateway_held_expiring_soon", "Messages in the quarantine whose time ends within three days and nobody has decided"
)
outbox = Reading(
    "gateway_outbox", "Messages that the gateway has to send itself, by kind and open state", ["kind", "state"]
)
outbox_oldest = Reading(
    "gateway_outbox_oldest_age_seconds", "Age of the oldest message still to be sent, by kind; 0 for none", ["kind"]
)

spill_bytes = Reading(
    "gateway_spill_bytes", "Size of spill files: register records that the database has not taken yet"
)
spill_age = Reading(
    "gateway_spill_oldest_age_seconds", "Time since the oldest spill file was last written to; 0 for none"
)
spill_unreadable = Reading(
    "gateway_spill_unreadable_bytes", "Size of spilled lines that cannot be read and are kept for a person"
)
database_bytes = Reading("gateway_database_bytes", "Size of the database with its write-ahead log")
state_free = Reading("gateway_state_free_bytes", "Room left for the gateway on the file system of the state folder")
state_size = Reading("gateway_state_size_bytes", "Size of the file system of the state folder")
state_needed = Reading(
    "gateway_state_needed_bytes",
    "Free room below which mail is put off (452): one and a half times the largest message",
)
state_inodes = Reading(
    "gateway_state_free_inodes", "Files that can still be made on the file system of the state folder"
)

downstream_up = Reading(
    "gateway_downstream_up", "Whether the server of a route took a connection when last asked: 1 or 0", ["route"]
)
downstream_probe = Reading(
    "gateway_downstream_probe_seconds",
    "Time from connecting to the end of the answer to EHLO, when last asked",
    ["route"],
)

canary_expected = Reading(
    "gateway_canary_as_expected",
    "Whether a canary of the policy met its expected fate when last judged: 1 or 0",
    ["case"],
)
canary_at = Reading(
    "gateway_canary_last_run_timestamp_seconds", "When the canaries were last judged, in seconds since 1970"
)
