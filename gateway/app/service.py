"""`gateway run` from the outside: what is tried before anything is opened, and then the processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from gateway import maillog
from gateway.app.node import notices_of, utc_now
from gateway.app.processes import services, worker
from gateway.endpoint.tls import certificate_advice
from gateway.policy.policyset import PolicySet
from gateway.reloader import PolicyError, Reloader
from gateway.responder.sign import SignerError
from gateway.responder.template import NoticeError
from gateway.settings import Settings, advice
from gateway.settings.sentence import Sentence
from gateway.store.faults import may_pass
from gateway.store.migrate import CannotStart, refuse_breaking
from gateway.store.sqlite import database_of, open_store
from gateway.supervisor import Unusable, is_full, run


def contradictions(settings: Settings, policy: PolicySet | None) -> list[str]:
    """What the settings ask for and cannot have, as sentences: notices' sender and key, their route, the store's name.

    `gateway check` tells them, and the service does not start with one. Reads the key's file.
    """
    found = []
    for attempt in (partial(notices_of, settings.notice), partial(database_of, settings)):
        try:
            attempt()
        except (CannotStart, SignerError, NoticeError, OSError) as error:
            found.append(str(error))
    if policy and settings.notice.route not in policy.routes:
        routes = ", ".join(policy.routes)
        found.append(f"notice.route: the policy has no route {settings.notice.route}; there are: {routes}")
    return found


def _sentences(error: PolicyError, settings: Settings) -> Sequence[str]:
    if not settings.policies.is_dir():
        return [f"{settings.policies}: there is no such folder; write the policies' folder as policies in gateway.toml"]
    return [Sentence(problem.text(), problem.text("vi")) for problem in error.problems]


def run_service(settings: Settings, told: Callable[[str], str] = str) -> int:
    """`gateway run`: the exit status. Policies and store are tried before anything is opened (exit 78).

    `told` says in the reader's language why there is no start.
    """

    def prepare(is_beside_older: bool) -> None:
        try:
            if is_beside_older:
                refuse_breaking(database_of(settings))
            policy = Reloader(settings.policies, settings.state).start()
            if found := contradictions(settings, policy):
                raise Unusable(found)
            for sentence in (*advice(settings), *certificate_advice(settings.smtp, utc_now())):
                maillog.event("settings-advice", detail=sentence)
            store = open_store(settings)
        except PolicyError as error:
            raise Unusable(_sentences(error, settings), may_pass=is_full(settings.state)) from error
        except (CannotStart, OSError) as error:
            raise Unusable([str(error)], may_pass=may_pass(error) or is_full(settings.state)) from error
        asyncio.run(store.close())

    return run(settings, worker, services, prepare=prepare, told=told)
