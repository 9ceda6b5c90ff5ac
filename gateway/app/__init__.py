"""The composition root: settings in, running services out. The only place that knows every part.

- `service`: `gateway run`, from the first look at settings and policies to the exit status.
- `processes`: what a worker and the services process do, from fork to end.
- `node`: the parts that each of them has, wired.
- `background`: what runs beside the doors.
- `release`: what the command line does without a running service.
"""

from gateway.app.background import background, keep_house
from gateway.app.node import Node, meet_routes, new_id, open_node, utc_now
from gateway.app.processes import open_door, open_milter, services, worker
from gateway.app.release import release_now
from gateway.app.service import contradictions, run_service

__all__ = [
    "Node",
    "background",
    "contradictions",
    "keep_house",
    "meet_routes",
    "new_id",
    "open_door",
    "open_milter",
    "open_node",
    "release_now",
    "run_service",
    "services",
    "utc_now",
    "worker",
]
