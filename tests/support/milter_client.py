"""A mail server's side of the milter protocol, written from Postfix's behaviour and sharing no code with the gateway.

It writes like Postfix: what needs no answer is collected and leaves with the next thing that does; macros come before
every step, wanted or not. What a verdict makes of the message is worked out in tests/support/mail_server.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.support.mail_server import Answer, Edit, Received, Verdict

POSTFIX_ACTIONS = 0x1FF
POSTFIX_STEPS = 0x1FFFFF
CHUNK = 65535

# (SMFIP_NO*, SMFIP_NR_*) by command; 0 where there is none
STEPS = {
    b"C": (0x1, 0x1000),
    b"H": (0x2, 0x2000),
    b"M": (0x4, 0x4000),
    b"R": (0x8, 0x8000),
    b"T": (0x200, 0x10000),
    b"L": (0x20, 0x80),
    b"N": (0x40, 0x40000),
    b"B": (0x10, 0x80000),
    b"E": (0, 0),
    b"U": (0x100, 0x20000),
}
LEADSPC, SKIP = 0x100000, 0x400
STAGES = {b"C": 0, b"H": 1, b"M": 2, b"R": 3, b"T": 4, b"E": 5, b"N": 6, b"L": 6, b"B": 5}
POSTFIX_MACROS = {
    0: "j {daemon_name} {daemon_addr} v",
    1: "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}",
    2: "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} {mail_mailer}",
    3: "i {rcpt_addr} {rcpt_host} {rcpt_mailer}",
    4: "i",
    5: "i",
    6: "i",
}
WORDS = {b"c": "continue", b"a": "accept", b"d": "discard", b"r": "reject", b"t": "tempfail", b"s": "skip"}


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What the filter chose."""

    version: int
    actions: int
    steps: int
    macros: Mapping[int, str] = field(default_factory=dict)  # by stage (SMFIM_*), when the filter asked


class MilterClient:
    """One connection to a milter. Methods raise IncompleteReadError or OSError when the milter goes away."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.negotiated = Negotiated(6, 0, 0)
        self.progress = 0  # PROGRESS packets heard since the last verdict
        self._waiting = bytearray()
        self._macros: dict[str, str] = {}  # of the session
        self._now: dict[str, str] = {}  # with those of the message

    @classmethod
    async def connect(cls, address: tuple[str, int] | str) -> MilterClient:
        """To host and port, or to the path of a unix socket."""
        if isinstance(address, str):
            return cls(*await asyncio.open_unix_connection(address))
        reader, writer = await asyncio.open_connection(*address)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return cls(reader, writer)

    # ---- packets ----------------------------------------------------------------------------------------------------

    def send(self, octets: bytes) -> None:
        """Raw octets, at once."""
        self.writer.write(octets)

    def _put(self, command: bytes, payload: bytes = b"") -> None:
        self._waiting += struct.pack("!I", len(payload) + 1) + command + payload
        if len(self._waiting) > 256 * 1024:
            self._flush()

    def _flush(self) -> None:
        self.writer.write(bytes(self._waiting))
        self._waiting.clear()

    async def packet(self) -> tuple[bytes, bytes]:
        """The next packet that the filter sends: its octet and its payload."""
        self._flush()
        await self.writer.drain()
        (length,) = struct.unpack("!I", await self.reader.readexactly(4))
        octets = await self.reader.readexactly(length)
        return octets[:1], octets[1:]

    async def answer(self, edits: list[Edit] | None = None) -> Answer:
        """The next final answer. Edits before it are kept in `edits`; without that list there must be none."""
        while True:
            kind, payload = await self.packet()
            if kind == b"p":
                self.progress += 1
            elif kind == b"y":
                assert payload.endswith(b"\0"), payload
                return Answer("replycode", payload[:-1].replace(b"%%", b"%").decode("ascii"))
            elif kind in WORDS:
                assert payload == b"", (kind, payload)
                return Answer(WORDS[kind])
            else:
                assert edits is not None, f"{kind!r} is no answer here"
                edits.append(Edit.read(kind, payload))

    async def _step(self, command: bytes, payload: bytes = b"", **macros: str) -> Answer | None:
        """Say it, with its macros before it, unless the filter does not want it; the answer, unless it gives none."""
        stage = STAGES[command]
        asked = self.negotiated.macros if self.negotiated.macros else POSTFIX_MACROS
        known = {**self._now, **macros}
        pairs = b""
        for name in asked.get(stage, "").split():
            value = known.get(name.strip("{}"))
            if value is not None:
                pairs += name.encode() + b"\0" + value.encode("utf-8", "surrogateescape") + b"\0"
        self._put(b"D", command + pairs)
        left_out, silent = STEPS[command]
        if self.negotiated.steps & left_out:
            return None
        self._put(command, payload)
        return None if self.negotiated.steps & silent else await self.answer()

    # ---- conversation -----------------------------------------------------------------------------------------------

    async def negotiate(
        self, version: int = 6, actions: int = POSTFIX_ACTIONS, steps: int = POSTFIX_STEPS
    ) -> Negotiated:
        """OPTNEG with Postfix's offers; asserts that the filter took no more than was offered, as Postfix does."""
        self._put(b"O", struct.pack("!III", version, actions, steps))
        kind, payload = await self.packet()
        assert kind == b"O", kind
        chosen, acts, leaves = struct.unpack_from("!III", payload)
        assert chosen <= version, chosen
        assert acts & ~actions == 0, f"actions {acts:#x} of {actions:#x}"
        assert leaves & ~steps == 0, f"steps {leaves:#x} of {steps:#x}"
        macros, rest = {}, payload[12:]
        while rest:
            names, _, after = rest[4:].partition(b"\0")
            macros[struct.unpack_from("!I", rest)[0]] = names.decode()
            rest = after
        self.negotiated = Negotiated(chosen, acts, leaves, macros)
        return self.negotiated

    async def session(
        self,
        address: str,
        helo: str,
        *,
        name: str = "",
        port: int = 40123,
        macros: Mapping[str, str] | None = None,
    ) -> tuple[Answer | None, Answer | None]:
        """CONNECT and HELO; their answers, None where the filter gives none. `address` "" is a client of unknown kind.

        Macros are by name without braces; those which the filter, or Postfix's defaults, ask for at a stage are sent.
        """
        self._macros = self._now = {"j": "mx.longan.edu.vn", "daemon_name": "mx.longan.edu.vn", **(macros or {})}
        self._macros.setdefault("v", "Postfix")
        if address:
            self._macros |= {"client_addr": address, "client_port": str(port), **(macros or {})}
        host = (name or (f"[{address}]" if address else "unknown")).encode() + b"\0"
        family = b"" if not address else b"6" if ":" in address else b"L" if "/" in address else b"4"
        rest = family + struct.pack("!H", port) + address.encode() + b"\0" if family else b"U"
        connected = await self._step(b"C", host + rest)
        return connected, await self._step(b"H", helo.encode("utf-8", "surrogateescape") + b"\0")

    async def transact(
        self,
        message: bytes,
        sender: str,
        recipients: Sequence[str],
        *,
        parameters: Sequence[str] = (),
        rcpt_parameters: Sequence[str] = (),
        macros: Mapping[str, str] | None = None,
        queue_id: str = "4c8ZqW2Jz9z1",
    ) -> Verdict:
        """One whole transaction, ended with ABORT as Postfix ends every one. Addresses come without angle brackets."""
        self.progress = 0
        self._now = {**self._macros, "mail_addr": sender, **(macros or {})}
        verdict = await self._transact(message, sender, recipients, parameters, rcpt_parameters, queue_id)
        self._put(b"A")  # leaves with what comes next
        self._now = self._macros
        return verdict

    async def _transact(
        self,
        message: bytes,
        sender: str,
        recipients: Sequence[str],
        parameters: Sequence[str],
        rcpt_parameters: Sequence[str],
        queue_id: str,
    ) -> Verdict:
        mail = await self._step(b"M", _strings(f"<{sender}>", *parameters)) or Answer("continue")
        if mail.kind != "continue":
            return Verdict(mail, answer=mail, recipients=tuple(recipients) if mail.kind == "accept" else ())
        answers: list[Answer] = []
        accepted: list[str] = []
        for recipient in recipients:
            said = await self._step(b"R", _strings(f"<{recipient}>", *rcpt_parameters), rcpt_addr=recipient)
            answers.append(said or Answer("continue"))
            if answers[-1].kind in ("accept", "discard"):  # nothing more is shown: the rest is taken without asking
                rest = (*accepted, *recipients[len(answers) - 1 :])
                return Verdict(mail, tuple(answers), answer=answers[-1], recipients=rest)
            if answers[-1].kind == "continue":
                accepted.append(recipient)
                self._now["i"] = queue_id  # Postfix has a queue id from the first accepted recipient on
        if not accepted:
            return Verdict(mail, tuple(answers))
        edits: list[Edit] = []
        final = await self._content(message, edits)
        leading = bool(self.negotiated.steps & LEADSPC)
        return Verdict(mail, tuple(answers), tuple(edits), final, tuple(accepted), self.progress, leading)

    async def _content(self, message: bytes, edits: list[Edit]) -> Answer:
        """DATA to the end of the message. An answer other than CONTINUE before the end is the final one."""
        received = Received.of(message)
        said = await self._step(b"T")
        for one in received.fields:
            if said is None or said.kind == "continue":
                value = one.shown(leading=bool(self.negotiated.steps & LEADSPC))
                said = await self._step(b"L", one.name + b"\0" + value + b"\0")
        if said is None or said.kind == "continue":
            said = await self._step(b"N")
        for start in range(0, len(received.body), CHUNK):
            if said is None or said.kind == "continue":
                said = await self._step(b"B", received.body[start : start + CHUNK])
        if said is not None and said.kind not in ("continue", "skip"):
            return said
        self._put(b"D", b"E" + self._end_macros())
        self._put(b"E")
        return await self.answer(edits)

    def _end_macros(self) -> bytes:
        asked = (self.negotiated.macros or POSTFIX_MACROS).get(5, "").split()
        known = [(name, self._now.get(name.strip("{}"))) for name in asked]
        return b"".join(_strings(name, value) for name, value in known if value is not None)

    def abort(self) -> None:
        """ABORT: the message is no more."""
        self._put(b"A")
        self._flush()

    def next_session(self) -> None:
        """QUIT_NC: another client will come on this connection."""
        self._put(b"K")
        self._flush()

    def quit(self) -> None:
        """QUIT."""
        self._put(b"Q")
        self._flush()

    async def close(self) -> None:
        """Close our side."""
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


def _strings(*words: str) -> bytes:
    return b"".join(word.encode("utf-8", "surrogateescape") + b"\0" for word in words)
