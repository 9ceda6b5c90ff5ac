"""What one types, and why: shown in help pages and in the manual; tests run every line."""

from __future__ import annotations

from typing import Final, NamedTuple


class Example(NamedTuple):
    line: str
    what: str  # English


_CHECK = (
    Example("gateway check", "The gateway.toml of this folder and its policies:"),
    Example("gateway check --policies copy --json", "A copy of the policies before they count, for a program:"),
)
_EXPLAIN = (
    Example(
        "gateway explain mail.eml --from c2binhduc@gmail.com --to vanthu@longan.edu.vn --client 192.0.2.25",
        "A message saved from a mail program, as if it came from that address:",
    ),
    Example(
        "gateway explain mail.eml --from c2binhduc@gmail.com --at 2027-02-01T08:00:00+07:00",
        "The same on the day when the directive is in force:",
    ),
)

EXAMPLES: Final[dict[str, tuple[Example, ...]]] = {
    "run": (
        Example("gateway run --config /etc/gateway/gateway.toml", "Until SIGTERM; then what is in hand is finished:"),
    ),
    "demo": (
        Example("gateway demo", "Seventeen messages and what becomes of each:"),
        Example("gateway demo --stay --lang en", "The same in English, and kept running to be tried by hand:"),
    ),
    "backup": (
        Example("gateway backup /srv/backup --keep 30 --quiet", "Every night, by a timer; the last thirty stay:"),
        Example("gateway backup /srv/backup", "By hand, before an upgrade:"),
    ),
    "doctor": (
        Example("gateway doctor", "Everything, after an installation or a change of the network:"),
        Example("gateway doctor --only dns,routes --strict", "Two groups, for a script that warnings must stop:"),
        Example("gateway doctor --json", "For a program:"),
    ),
    "verify": (
        Example("gateway verify", "The store of the gateway that runs here:"),
        Example("gateway verify /srv/backup", "The newest backup in a folder:"),
    ),
    "restore": (
        Example("gateway restore /srv/backup", "The newest backup, into the folder that the settings name:"),
        Example(
            "gateway restore /srv/backup/2026-11-22T191500Z --state old",
            "An older one, elsewhere, to look something up:",
        ),
    ),
    "check": _CHECK,
    "explain": _EXPLAIN,
    "policy": (Example("gateway policy list", "Begin with what was in force, and when:"),),
    "policy list": (
        Example("gateway policy list", "What was in force, and when:"),
        Example("gateway policy list --json", "The same for a program:"),
    ),
    "policy rollback": (
        Example("gateway policy rollback 40", "Back to generation 40; the gateway follows by itself:"),
    ),
    "quarantine": (Example("gateway quarantine list", "Begin with what is held:"),),
    "quarantine list": (
        Example("gateway quarantine list", "What waits for a decision:"),
        Example('gateway quarantine list --unit thcs-binh-duc --words "bao cao"', "Of one unit, with these words:"),
        Example("gateway quarantine list --all --json", "Everything that was ever held, for a program:"),
    ),
    "quarantine show": (
        Example("gateway quarantine show 7F3K-9QXM-2C4D", "The reference stands in the notice and in the list:"),
    ),
    "quarantine release": (
        Example("gateway quarantine release 7F3K-9QXM-2C4D", "The sender has telephoned, and it is right:"),
    ),
    "quarantine reject": (
        Example(
            'gateway quarantine reject 7F3K-9QXM-2C4D --reason "sent again from the official mailbox"',
            "With the reason, which is kept:",
        ),
    ),
    "quarantine delete": (
        Example(
            'gateway quarantine delete 7F3K-9QXM-2C4D --reason "personal data, sent by mistake"',
            "What must not stay on this server:",
        ),
    ),
    "register": (Example('gateway register search "bao cao"', "Begin with a search:"),),
    "register search": (
        Example('gateway register search "bao cao so ket"', "By words; accents do not matter:"),
        Example("gateway register search --number 45/BC --since 2026-11-01", "By document number, since a day:"),
        Example("gateway register search --unit thcs-binh-duc --json", "All of one unit, for a program:"),
    ),
    "register show": (Example("gateway register show 7F3K-9QXM-2C4D", "The reference stands in the list:"),),
    "register export": (
        Example("gateway register export --since 2026-11-01 --output register.csv", "A file for Excel:"),
        Example("gateway register export --json", "The same for a program:"),
    ),
    "register units": (
        Example("gateway register units --missing --since 2026-11-01", "Which units have not sent since a day:"),
        Example("gateway register units --kind thcs", "Units of one kind, with what they have sent:"),
    ),
    "completion": (
        Example("gateway completion bash > /etc/bash_completion.d/gateway", "For bash, for everybody:"),
        Example('gateway completion zsh > "${fpath[1]}/_gateway"', "For zsh:"),
        Example("gateway completion fish > ~/.config/fish/completions/gateway.fish", "For fish:"),
    ),
}
