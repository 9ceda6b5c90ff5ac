"""One milter connection without its sockets: octets in, events out, answers in, octets out. No I/O.

The rules are tables (milter_tables). What nobody has to decide is answered here; RCPT and the end of a message, and
CONNECT and MAIL where the mail server cannot go on without an answer, are *owed*: the caller answers, when it can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NoReturn, TypeAlias

from gateway.endpoint import milter_codec as codec
from gateway.endpoint.milter_agreement import agree
from gateway.endpoint.milter_codec import Command, Frames, MacroStage, MilterError, Packet, Run
from gateway.endpoint.milter_events import (
    Aborted,
    Closed,
    Connected,
    Content,
    EndOfMessage,
    Event,
    Greeted,
    MailFrom,
    RcptTo,
)
from gateway.endpoint.milter_macros import Macros
from gateway.endpoint.milter_section import Section
from gateway.endpoint.milter_tables import (
    ANYTIME,
    FINISHED,
    MAY_ANSWER,
    NEXT,
    OPEN,
    Response,
    Stage,
)
from gateway.envelope.reply import Reply

__all__ = [
    "MAY_ANSWER",
    "NEXT",
    "Aborted",
    "Closed",
    "Connected",
    "Content",
    "Dialogue",
    "EndOfMessage",
    "Event",
    "Greeted",
    "MailFrom",
    "RcptTo",
    "Response",
    "Stage",
]

_OWED: Final[Mapping[int, Command]] = {
    command.value: command for command in (Command.CONNECT, Command.MAIL, Command.RCPT, Command.BODYEOB)
}
_FIELDS_MAY_COME: Final = frozenset({Stage.ENVELOPE, Stage.HEADER})
_NOT_FINAL: Final = frozenset({Response.PROGRESS, Response.EDIT})

_MACRO: Final = Command.MACRO.value  # names of their own cost a third of Enum's attributes
_HEADER: Final = Command.HEADER.value
_BODY: Final = Command.BODY.value
_IN_HEADER: Final = Stage.HEADER
_CONTINUE: Final = Response.CONTINUE
_EDIT: Final = Response.EDIT
_ABORTED: Final = Aborted()
_ENDED: Final = EndOfMessage()

_Emit: TypeAlias = Callable[[Event], None]
_Handler: TypeAlias = Callable[["Dialogue", bytes, _Emit], None]
_Move: TypeAlias = tuple[
    Stage, bool, _Handler | None
]  # the stage after, whether it aborts a message, what else happens


class Dialogue:
    """The state of one connection. `wanted` names the macros to ask for at each stage, with spaces between.

    `overflow` says that the header section is not what the client sent: it was too large, or a field held a line end
    that is no fold. Its `Content` is then an empty section, and the message must be refused.
    """

    def __init__(self, wanted: Mapping[MacroStage, str]) -> None:
        self.stage = Stage.NEGOTIATING
        self.owed: Command | None = None
        self._wanted = wanted
        self._frames = Frames()
        self._macros = Macros()
        self._section = Section()
        self._skips = False  # SKIP was negotiated
        self._silent: frozenset[int] = frozenset({Command.OPTNEG})  # commands that get no answer here
        self._outgoing = bytearray()

    @property
    def macros(self) -> Mapping[str, str]:
        """What the mail server has told beside its commands: "i", "auth_authen", "client_addr" ..."""
        return self._macros.values

    @property
    def overflow(self) -> bool:
        return self._section.is_broken

    # ---- what comes in ----------------------------------------------------------------------------------------------

    def receive(self, octets: bytes) -> list[Event]:
        """What has happened, in order. Raises MilterError; the connection is of no use afterwards.

        An `Aborted` takes away the answer that was owed: look at `owed` before answering.
        """
        events: list[Event] = []
        try:
            self._take(self._frames.feed(octets), events.append)
        except MilterError:
            self.stage, self.owed = Stage.CLOSED, None
            raise
        return events

    def outgoing(self) -> bytes:
        """Octets to be written now, before any answer."""
        if not self._outgoing:
            return b""
        octets = bytes(self._outgoing)
        self._outgoing.clear()
        return octets

    def _take(self, packets: Iterable[Packet | Run], emit: _Emit) -> None:
        for packet in packets:
            if isinstance(packet, Run):
                self._take_run(packet, emit)
                continue
            command, payload = packet
            move = _MOVES[self.stage].get(command)
            if move is None or (self.owed is not None and command not in ANYTIME):
                self._refuse(command)
            if command == _MACRO:
                self._macros.tell(payload)
                continue
            self.stage, aborts, handle = move
            if aborts:
                emit(_ABORTED)
            if handle is not None:
                handle(self, payload, emit)
            if command not in self._silent:
                self._settle(command)

    def _take_run(self, run: Run, emit: _Emit) -> None:
        """Header fields one behind the other: where none is answered, all at once."""
        if self.owed is None and self.stage in _FIELDS_MAY_COME and _HEADER in self._silent:
            self.stage = _IN_HEADER
            if run.macros:
                self._macros.tell(run.macros)
            self._section.extend(run.fields)
        else:
            self._take(run.packets(), emit)

    def _refuse(self, command: int) -> NoReturn:
        name = Command(command).name
        if command not in _MOVES[self.stage]:
            raise MilterError(f"{name} while {self.stage.value}")
        raise MilterError(f"{name} before the answer to {self.owed.name if self.owed else 'nothing'}")

    def _settle(self, command: int) -> None:
        """Owe the answer to this command, or give the only one there is."""
        if command in _OWED:
            self.owed = _OWED[command]
        elif command in ANYTIME:
            self.owed = None
        elif command == _BODY and self.overflow and self._skips:
            self._outgoing += codec.skip()
        else:
            self._outgoing += codec.continue_()

    def _optneg(self, payload: bytes, emit: _Emit) -> None:
        agreed = agree(payload, tuple(self._wanted.items()))
        self._skips, self._silent = agreed.skips, agreed.silent | self._silent
        self._outgoing += agreed.reply

    def _connect(self, payload: bytes, emit: _Emit) -> None:
        emit(codec.read_connect(payload))

    def _helo(self, payload: bytes, emit: _Emit) -> None:
        self._macros.end_message()  # of the message that it aborts
        emit(Greeted(codec.read_helo(payload)))

    def _mail(self, payload: bytes, emit: _Emit) -> None:
        self._macros.begin_message()
        self._section = Section()
        emit(MailFrom(*codec.read_path(payload, Command.MAIL)))

    def _rcpt(self, payload: bytes, emit: _Emit) -> None:
        emit(RcptTo(*codec.read_path(payload, Command.RCPT)))

    def _header(self, payload: bytes, emit: _Emit) -> None:
        self._section.add(*codec.read_header(payload))

    def _eoh(self, payload: bytes, emit: _Emit) -> None:
        emit(Content(self._section.octets()))

    def _body(self, payload: bytes, emit: _Emit) -> None:
        if payload:
            emit(Content(payload))

    def _bodyeob(self, payload: bytes, emit: _Emit) -> None:
        if payload:
            emit(Content(payload))
        emit(_ENDED)

    def _abort(self, payload: bytes, emit: _Emit) -> None:
        self._macros.forget_message()

    def _quit(self, payload: bytes, emit: _Emit) -> None:
        emit(Closed())

    def _quit_nc(self, payload: bytes, emit: _Emit) -> None:
        self._macros.forget_all()

    # ---- what we answer: the octets to write; RuntimeError when it does not fit what is owed ------------------------

    def proceed(self) -> bytes:
        """CONTINUE; at the end of a message: take it, with the edits so far."""
        return self._answer(_CONTINUE, codec.continue_())

    def accept(self) -> bytes:
        """Take the message, at RCPT or MAIL without showing it to us; at CONNECT whatever this client sends."""
        return self._answer(Response.ACCEPT, codec.accept())

    def discard(self) -> bytes:
        """Pass nothing on, and say 250. Only when a durable copy of it exists (safety R-23)."""
        return self._answer(Response.DISCARD, codec.discard())

    def refuse(self, reply: Reply) -> bytes:
        """Answer the client with this 4yz or 5yz reply; ValueError for others."""
        return self._answer(Response.REPLYCODE, codec.replycode(reply))

    def defer(self) -> bytes:
        """Answer the client with the mail server's own 4yz."""
        return self._answer(Response.TEMPFAIL, codec.tempfail())

    def progress(self) -> bytes:
        """We are still at it; the answer stays owed."""
        return self._answer(Response.PROGRESS, codec.progress())

    def edit(self, *packets: bytes) -> bytes:
        """Edits made with milter_codec, before the answer, which stays owed."""
        return self._answer(_EDIT, b"".join(packets))

    def _answer(self, response: Response, octets: bytes) -> bytes:
        owed = self.owed
        if owed is None or response not in MAY_ANSWER[owed]:
            raise RuntimeError(f"{response.value} to {owed.name if owed else 'nothing'}")
        if response in _NOT_FINAL:
            return octets
        self.owed = None
        if (owed, response) in FINISHED:
            self.stage = Stage.GREETED
            self._macros.end_message()
        return octets


_HANDLERS: Final[Mapping[Command, _Handler]] = {
    Command.OPTNEG: Dialogue._optneg,
    Command.CONNECT: Dialogue._connect,
    Command.HELO: Dialogue._helo,
    Command.MAIL: Dialogue._mail,
    Command.RCPT: Dialogue._rcpt,
    Command.HEADER: Dialogue._header,
    Command.EOH: Dialogue._eoh,
    Command.BODY: Dialogue._body,
    Command.BODYEOB: Dialogue._bodyeob,
    Command.ABORT: Dialogue._abort,
    Command.QUIT: Dialogue._quit,
    Command.QUIT_NC: Dialogue._quit_nc,
}


def _move(before: Stage, command: Command, after: Stage) -> _Move:
    aborts = before in OPEN and (after not in OPEN or command is Command.MAIL)
    return after, aborts, _HANDLERS.get(command)


_MOVES: Final[Mapping[Stage, Mapping[int, _Move]]] = {
    stage: {command.value: _move(stage, command, then) for (at, command), then in NEXT.items() if at is stage}
    for stage in Stage
}
"""What each command does at each stage; those that are absent may not come."""
