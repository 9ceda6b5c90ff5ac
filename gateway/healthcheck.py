"""`python -m gateway.healthcheck`: ask /livez of the gateway beside us; exit 0 when it is well, else 1 and one sentence.

The HEALTHCHECK of the image runs it every few seconds, so it imports next to nothing and does not read the settings as
the service does: of the file and the variables it looks at [http] listen alone.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

DEFAULT: Final = "127.0.0.1:9925"  # as in settings/models.py
TIMEOUT: Final = 4.0  # seconds; Docker is told to wait for 5
_HERE: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - a door at all addresses is asked on loopback


def main(environ: Mapping[str, str] = os.environ) -> int:
    """The exit status; what is wrong goes to standard error, where `docker inspect` shows it."""
    try:
        complaint = ask(listen_of(environ))
    except (OSError, ValueError) as error:
        complaint = str(error) or type(error).__name__
    if complaint:
        sys.stderr.write(f"gateway: not well: {complaint}\n")
    return 1 if complaint else 0


def listen_of(environ: Mapping[str, str]) -> str:
    """[http] listen, of the variable before the file. Raises OSError and ValueError (tomllib's included)."""
    variables = {name.upper(): value for name, value in environ.items()}
    if (given := variables.get("GATEWAY_HTTP__LISTEN")) is not None:
        return given
    named = environ.get("GATEWAY_CONFIG")
    file = Path(named or "gateway.toml")
    if not named and not file.exists():
        return DEFAULT
    import tomllib

    table = tomllib.loads(file.read_text("utf-8-sig")).get("http", {})
    if not isinstance(table, dict):
        raise ValueError(f"{file}: http is no table; write [http] and the address below it: listen = ...")
    return str(table.get("listen", DEFAULT))


def ask(listen: str) -> str:
    """Empty when /livez says that every process turns its event loop, else the reason. Raises OSError and ValueError."""
    if not listen:
        return "[http] listen is empty, so nobody can be asked; give it an address, or run with --no-healthcheck"
    with _connect(listen) as connection:
        connection.settimeout(TIMEOUT)
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        reply = b""
        while part := connection.recv(4096):
            reply += part
    head, _, body = reply.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    return "" if status == [b"200"] else f"/livez answers {body.decode('utf-8', 'replace').strip() or 'nothing'}"


def _connect(listen: str) -> socket.socket:
    if listen.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(TIMEOUT)
        connection.connect(listen.removeprefix("unix:"))
        return connection
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    return socket.create_connection((_HERE.get(host, host), int(port)), TIMEOUT)


if __name__ == "__main__":
    raise SystemExit(main())
