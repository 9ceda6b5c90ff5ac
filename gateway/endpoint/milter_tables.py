"""The rules of the milter protocol as tables: which command may come when, and which answers fit it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from gateway.endpoint.milter_protocol import Action, Command, Step

C = Command


class Stage(StrEnum):
    """Where a dialogue is."""

    NEGOTIATING = "negotiating"
    CONNECTING = "connecting"  # negotiated, no client yet
    GREETED = "greeted"  # a client is there and no message is open
    ENVELOPE = "envelope"  # MAIL was said
    HEADER = "header"  # a field was sent
    BODY = "body"  # the header section is over
    DECIDING = "deciding"  # the message is complete; the mail server waits for our verdict
    CLOSED = "closed"


class Response(StrEnum):
    """Kinds of answers. PROGRESS and EDIT come before the final one."""

    CONTINUE = "continue"
    ACCEPT = "accept"
    DISCARD = "discard"
    REJECT = "reject"
    TEMPFAIL = "tempfail"
    REPLYCODE = "replycode"
    SKIP = "skip"
    PROGRESS = "progress"
    EDIT = "edit"


OPEN: Final = frozenset({Stage.ENVELOPE, Stage.HEADER, Stage.BODY, Stage.DECIDING})
"""The stages with a message that ABORT, QUIT or a new HELO or MAIL ends."""

ANYTIME: Final = frozenset({C.ABORT, C.QUIT, C.QUIT_NC})
"""What a mail server may say even while it waits for an answer."""

_ROWS: Final[Mapping[Stage, Mapping[Command, Stage]]] = {
    Stage.NEGOTIATING: {C.OPTNEG: Stage.CONNECTING, C.QUIT: Stage.CLOSED},
    Stage.CONNECTING: {
        C.MACRO: Stage.CONNECTING,
        C.CONNECT: Stage.GREETED,
        C.UNKNOWN: Stage.CONNECTING,
        C.ABORT: Stage.CONNECTING,
        C.QUIT: Stage.CLOSED,
        C.QUIT_NC: Stage.CONNECTING,
    },
    Stage.GREETED: {
        C.MACRO: Stage.GREETED,
        C.HELO: Stage.GREETED,
        C.MAIL: Stage.ENVELOPE,
        C.UNKNOWN: Stage.GREETED,
        C.ABORT: Stage.GREETED,
        C.QUIT: Stage.CLOSED,
        C.QUIT_NC: Stage.CONNECTING,
    },
    Stage.ENVELOPE: {
        C.MACRO: Stage.ENVELOPE,
        C.HELO: Stage.GREETED,  # Postfix tells a second EHLO before its ABORT
        C.MAIL: Stage.ENVELOPE,  # libmilter takes it for a new message, with or without ABORT
        C.RCPT: Stage.ENVELOPE,
        C.DATA: Stage.ENVELOPE,
        C.UNKNOWN: Stage.ENVELOPE,
        C.HEADER: Stage.HEADER,
        C.EOH: Stage.BODY,  # a message without any field
        C.ABORT: Stage.GREETED,
        C.QUIT: Stage.CLOSED,
        C.QUIT_NC: Stage.CONNECTING,
    },
    Stage.HEADER: {
        C.MACRO: Stage.HEADER,
        C.HEADER: Stage.HEADER,
        C.EOH: Stage.BODY,
        C.ABORT: Stage.GREETED,
        C.QUIT: Stage.CLOSED,
        C.QUIT_NC: Stage.CONNECTING,
    },
    Stage.BODY: {
        C.MACRO: Stage.BODY,
        C.BODY: Stage.BODY,
        C.BODYEOB: Stage.DECIDING,
        C.ABORT: Stage.GREETED,
        C.QUIT: Stage.CLOSED,
        C.QUIT_NC: Stage.CONNECTING,
    },
    Stage.DECIDING: {C.ABORT: Stage.GREETED, C.QUIT: Stage.CLOSED, C.QUIT_NC: Stage.CONNECTING},
    Stage.CLOSED: {},
}

NEXT: Final[Mapping[tuple[Stage, Command], Stage]] = {
    (stage, command): then for stage, row in _ROWS.items() for command, then in row.items()
}
"""The stage after a command. What is absent may not be said."""

_REFUSE: Final = frozenset({Response.REJECT, Response.TEMPFAIL, Response.REPLYCODE})
_SESSION: Final = _REFUSE | {Response.CONTINUE, Response.ACCEPT}
_MESSAGE: Final = _SESSION | {Response.DISCARD}

MAY_ANSWER: Final[Mapping[Command, frozenset[Response]]] = {
    C.CONNECT: _SESSION,
    C.HELO: _SESSION,
    C.MAIL: _MESSAGE,
    C.RCPT: _MESSAGE,
    C.DATA: _MESSAGE,
    C.UNKNOWN: _REFUSE | {Response.CONTINUE},
    C.HEADER: _MESSAGE,
    C.EOH: _MESSAGE,
    C.BODY: _MESSAGE | {Response.SKIP},
    C.BODYEOB: _MESSAGE | {Response.PROGRESS, Response.EDIT},
    **{command: frozenset() for command in (C.OPTNEG, C.MACRO, C.ABORT, C.QUIT, C.QUIT_NC)},
}
"""The answers that fit a command; OPTNEG has an answer of its own."""

FINISHED: Final = frozenset(
    {(C.BODYEOB, response) for response in _MESSAGE}
    | {(C.MAIL, response) for response in _MESSAGE - {Response.CONTINUE}}
    | {(C.RCPT, response) for response in (Response.ACCEPT, Response.DISCARD)}
)
"""The answers after which a mail server tells no more of this message, but for an ABORT."""

NO_REPLY: Final[Mapping[Command, Step]] = {
    C.CONNECT: Step.NR_CONN,
    C.HELO: Step.NR_HELO,
    C.MAIL: Step.NR_MAIL,
    C.RCPT: Step.NR_RCPT,
    C.DATA: Step.NR_DATA,
    C.UNKNOWN: Step.NR_UNKN,
    C.HEADER: Step.NR_HDR,
    C.EOH: Step.NR_EOH,
    C.BODY: Step.NR_BODY,
}
"""The step that spares the answer to a command. BODYEOB is always answered."""

ACTIONS_NEEDED: Final = Action.ADDHDRS | Action.CHGHDRS | Action.ADDRCPT | Action.DELRCPT
STEPS_NEEDED: Final = Step.HDR_LEADSPC  # without it a DKIM signature over "simple" header fields cannot be verified
_SESSION_SILENT: Final = Step.NR_CONN | Step.NR_HELO
_ENVELOPE_SILENT: Final = Step.NR_MAIL | Step.NR_RCPT
_CONTENT_SILENT: Final = Step.NR_HDR | Step.NR_EOH | Step.NR_BODY
_SILENT: Final = _SESSION_SILENT | _ENVELOPE_SILENT | _CONTENT_SILENT
_UNUSED: Final = Step.NODATA | Step.NR_DATA | Step.NOUNKNOWN | Step.NR_UNKN
STEPS_WANTED: Final = STEPS_NEEDED | _SILENT | _UNUSED | Step.SKIP
