"""The words of the milter protocol, version 6, with libmilter's names and values.

There is no RFC. The protocol is what Sendmail's libmilter and Postfix's milter client say to each other.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag

VERSION = 6
CHUNK_SIZE = 65535  # octets of the body in one packet, at most (MILTER_CHUNK_SIZE)


class MilterError(Exception):
    """What no mail server says; the text is one short sentence for the log. No content of a mail can cause it."""


class Command(IntEnum):
    """What a mail server says (SMFIC_*): the octet that starts the packet."""

    OPTNEG = ord("O")
    MACRO = ord("D")
    CONNECT = ord("C")
    HELO = ord("H")
    MAIL = ord("M")
    RCPT = ord("R")
    DATA = ord("T")
    HEADER = ord("L")
    EOH = ord("N")
    BODY = ord("B")
    BODYEOB = ord("E")
    ABORT = ord("A")
    QUIT = ord("Q")
    QUIT_NC = ord("K")
    UNKNOWN = ord("U")


class Action(IntFlag):
    """What a filter may do to a message (SMFIF_*)."""

    ADDHDRS = 0x01  # INSHEADER too
    CHGBODY = 0x02
    ADDRCPT = 0x04
    DELRCPT = 0x08
    CHGHDRS = 0x10
    QUARANTINE = 0x20
    CHGFROM = 0x40
    ADDRCPT_PAR = 0x80
    SETSYMLIST = 0x100


class Step(IntFlag):
    """What of the conversation can be left out, and how octets are sent (SMFIP_*)."""

    NOCONNECT = 0x01
    NOHELO = 0x02
    NOMAIL = 0x04
    NORCPT = 0x08
    NOBODY = 0x10
    NOHDRS = 0x20
    NOEOH = 0x40
    NR_HDR = 0x80
    NOUNKNOWN = 0x100
    NODATA = 0x200
    SKIP = 0x400
    RCPT_REJ = 0x800
    NR_CONN = 0x1000
    NR_HELO = 0x2000
    NR_MAIL = 0x4000
    NR_RCPT = 0x8000
    NR_DATA = 0x10000
    NR_UNKN = 0x20000
    NR_EOH = 0x40000
    NR_BODY = 0x80000
    HDR_LEADSPC = 0x100000
    MDS_256K = 0x10000000
    MDS_1M = 0x20000000


class MacroStage(IntEnum):
    """For which step a filter asks for macros (SMFIM_*)."""

    CONNECT = 0
    HELO = 1
    ENVFROM = 2
    ENVRCPT = 3
    DATA = 4
    EOM = 5
    EOH = 6
