"""Where everything is, and what can be tried: paths, ports, and commands that work as they stand."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Final

from gateway.demo.department import HOSTNAME as DEPARTMENT
from gateway.demo.place import program
from gateway.demo.running import Stage
from gateway.demo.stories import GMAIL_REPORT
from gateway.demo.teller import Told
from gateway.demo.words import (
    CLOSED_PORTS,
    FOLDER,
    LETTERS,
    LOG,
    MAILDIRS,
    METRICS,
    POLICIES,
    PORTS,
    STAYING_PORTS,
    Language,
)

WORDS: Final = "bao cao"  # finds "Báo cáo"


def places(stage: Stage, *, stay: bool, language: Language) -> list[tuple[str, str]]:
    """What, and where."""
    place, ports = stage.place, stage.ports
    doors = [f"SMTP 127.0.0.1:{ports.smtp}", f"DNS 127.0.0.1:{ports.dns}"]
    doors.append(f"{DEPARTMENT} 127.0.0.1:{ports.department}")
    state = (STAYING_PORTS if stay else CLOSED_PORTS).of(language)
    metrics = f"http://127.0.0.1:{ports.http}/metrics, /livez, /readyz" if stay else str(place.metrics)
    return [
        (FOLDER.of(language), str(place.root)),
        (MAILDIRS.of(language), str(place.maildirs)),
        (LETTERS.of(language), str(place.letters)),
        (POLICIES.of(language), str(place.policies)),
        (LOG.of(language), str(place.log)),
        (METRICS.of(language), metrics),
        (PORTS.of(language), f"{', '.join(doors)} ({state})"),
    ]


def commands(stage: Stage, told: Sequence[Told], *, stay: bool, language: Language) -> list[str]:
    """Commands to copy. Those of the last part need the demonstration's servers, so they are shown while it stays."""
    gateway, config = program(), f"--lang {language} -c {shlex.quote(str(stage.place.config))}"
    gmail = told[GMAIL_REPORT]
    story, letter = gmail.story, shlex.quote(str(stage.place.letter(gmail.number)))
    to = " ".join(f"--to {recipient}" for recipient in story.forward_paths)
    entry = gmail.attempts[-1].id
    shown = [
        f"{gateway} quarantine list {config}",
        f"{gateway} quarantine show {entry} {config}",
        f'{gateway} register search "{WORDS}" {config}',
        f"{gateway} register units --missing --kind thpt {config}",
        f"{gateway} explain {letter} --from {story.mail_from} {to} --client {story.host.address}"
        f" --helo {story.host.name} --zone {shlex.quote(str(stage.place.zone))} {config}",
    ]
    if stay:
        url = f"smtp://127.0.0.1:{stage.ports.smtp}/{story.host.name}"
        rcpt = " ".join(f"--mail-rcpt {recipient}" for recipient in story.forward_paths)
        shown.append(f"{gateway} quarantine release {entry} {config}")
        shown.append(f"curl {url} --mail-from {story.mail_from} {rcpt} --upload-file {letter}")
    return shown
