"""Processes of one service: the doors' sockets, N workers, one process for services, restart, drain, health.

`app.py` gives two coroutine functions that take a `Context`, and calls `run(settings, worker, services)`:

- a worker gets the sockets `smtp`, accepts on them until `context.stopping`, finishes its transactions
  and returns; it is cancelled after `settings.drain` seconds;
- the services process gets `http`, runs what exists once (health, outbox), and is stopped last.

Both watch `context.hangup` (SIGHUP: reload policies) where they like.
"""

from gateway.supervisor.bell import Bell
from gateway.supervisor.child import Pace
from gateway.supervisor.context import Context
from gateway.supervisor.health import Health
from gateway.supervisor.lock import is_full
from gateway.supervisor.run import CANNOT_START, CONFIGURATION, Unusable, run

__all__ = ["CANNOT_START", "CONFIGURATION", "Bell", "Context", "Health", "Pace", "Unusable", "is_full", "run"]
