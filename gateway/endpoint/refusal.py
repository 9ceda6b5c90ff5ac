"""What the SMTP door itself says. Replies of the pipeline and of the downstream server pass through unchanged."""

from __future__ import annotations

from typing import Final

from gateway.envelope.reply import Reply


class Refusal(Exception):
    """The command is answered with `reply`; with `close` the session ends there."""

    def __init__(self, reply: Reply, *, close: bool = False) -> None:
        super().__init__(str(reply))
        self.reply = reply
        self.close = close


# The session ends (RFC 5321 §3.8: 421 when the server closes by its own will)
TOO_MANY_CONNECTIONS: Final = Reply(421, "4.7.0", "Too many connections, please try again later")
TOO_MANY_ERRORS: Final = Reply(421, "4.7.0", "Too many errors, closing connection")
TIMED_OUT: Final = Reply(421, "4.4.2", "Timeout, closing connection")
TOO_SLOW: Final = Reply(421, "4.4.2", "Data arrives too slowly, closing connection")
STOPPING: Final = Reply(421, "4.3.2", "Service restarts, please try again soon")
BROKEN: Final = Reply(421, "4.3.0", "Local error, please try again later")
OUT_OF_STEP: Final = Reply(554, "5.5.0", "SMTP protocol synchronization error")
BARE_IN_COMMAND: Final = Reply(500, "5.5.2", "Commands end with CR LF and hold no other CR, LF or NUL")
ENDLESS_LINE: Final = Reply(500, "5.5.2", "Line too long")

# Commands
LINE_TOO_LONG: Final = Reply(500, "5.5.2", "Command line too long")
NOT_ASCII: Final = Reply(500, "5.5.2", "Command is not ASCII")
NOT_RECOGNIZED: Final = Reply(500, "5.5.1", "Command not recognized")
NOT_IMPLEMENTED: Final = Reply(502, "5.5.1", "Command not implemented")
NO_ARGUMENT: Final = Reply(501, "5.5.4", "No argument allowed")
HELLO_FIRST: Final = Reply(503, "5.5.1", "Send EHLO first")
NESTED_MAIL: Final = Reply(503, "5.5.1", "Nested MAIL command")
MAIL_FIRST: Final = Reply(503, "5.5.1", "Send MAIL first")
RCPT_FIRST: Final = Reply(503, "5.5.1", "Send RCPT first")
ALREADY_TLS: Final = Reply(503, "5.5.1", "TLS is already active")
NO_TLS: Final = Reply(454, "4.7.0", "TLS is not available")
HELLO_SYNTAX: Final = Reply(501, "5.5.4", "Syntax: EHLO or HELO, then your host name or [address]")
MAIL_SYNTAX: Final = Reply(501, "5.5.4", "Syntax: MAIL FROM:<address>")
RCPT_SYNTAX: Final = Reply(501, "5.5.4", "Syntax: RCPT TO:<address>")
UTF8_NEEDED: Final = Reply(553, "5.6.7", "Address is not ASCII and SMTPUTF8 was not asked for")
TOO_MANY_RECIPIENTS: Final = Reply(452, "4.5.3", "Too many recipients, send the others in another transaction")
NO_VALID_RECIPIENTS: Final = Reply(554, "5.5.1", "No valid recipients")

# Messages
TOO_BIG: Final = Reply(552, "5.3.4", "Message is larger than we accept")
HEADER_TOO_BIG: Final = Reply(552, "5.3.4", "Header section is larger than we accept")
LONG_LINE: Final = Reply(500, "5.5.2", "Message holds a line longer than we accept")
BARE_NEWLINE: Final = Reply(550, "5.5.2", "Message holds a bare CR, a bare LF or a NUL (RFC 5321 section 2.3.8)")
LEADING_SPACE: Final = Reply(550, "5.6.0", "Message starts with white space instead of a header field")
LOOP: Final = Reply(554, "5.4.6", "Too many hops: this message goes in a loop")

# What the door says yes with
DONE: Final = Reply(250, "2.0.0", "OK")
BYE: Final = Reply(221, "2.0.0", "Bye")
CANNOT_VERIFY: Final = Reply(252, "2.0.0", "Send some mail, we will try our best")
START_MAIL_INPUT: Final = Reply(354, "", "End data with <CR><LF>.<CR><LF>")
GO_AHEAD_TLS: Final = Reply(220, "2.0.0", "Ready to start TLS")
