"""Addresses that no automatic response may go to: robots and our own (safety AR-8, AR-10; RFC 3834 §2, RFC 5230 §4.6)."""

from __future__ import annotations

import re
from collections.abc import Collection

from gateway.envelope.address import Mailbox, is_under

# Local-parts of programs, compared after lower-casing and without "." "-" "_".
_PROGRAM = re.compile(
    r"(?:"
    r"abuse|apache|automailer|autoreply|autoresponder|bounce|bounces|cron|daemon|ecartis|listar|listmaster"
    r"|listproc|listserv|mailerdaemon|mailman|mailnull|maildaemon|majordom|majordomo|newsletter|nobody"
    r"|notification|notifications|notify|postmaster|root|smartlist|sympa|uucp|wwwdata"
    r")\Z"
)

# Names under which offices' own systems write. Only at official domains: elsewhere they may be somebody's mailbox.
_OFFICE_PROGRAM = re.compile(
    r"(?:"
    r"admin|administrator|alert|alerts|backup|canhbao|hethong|monitor|monitoring|report|reports|scan"
    r"|scanner|system|tudong"
    r")\Z"
)

# Anywhere in the squeezed local-part; the last three are Vietnamese for "no reply".
_NO_REPLY = ("noreply", "donotreply", "dontreply", "noresponse", "khongtraloi", "khongphanhoi", "vuilongkhongtraloi")

# Lists and variable envelope return paths: owner-x, x-owner, x-request, x-bounces+y, bounce+y, x+y=example.vn.
_LIST = re.compile(r"owner[-._]|bounces?[-._+=]|.*[-._](?:owner|request|bounces?|admin-bounces|errors?)(?:\+|\Z)")
_VERP = re.compile(r"[^+]*\+[^=]*=")

_SEPARATORS = str.maketrans("", "", ".-_")


def is_robot(mailbox: Mailbox) -> bool:
    """Whether the local-part is one that programs use, whatever the domain."""
    local = mailbox.local_part.lower()
    squeezed = local.translate(_SEPARATORS)
    stem = squeezed.partition("+")[0]
    return (
        _PROGRAM.match(stem) is not None
        or any(words in squeezed for words in _NO_REPLY)
        or _LIST.match(local) is not None
        or _VERP.match(local) is not None
    )


def is_office_robot(mailbox: Mailbox, official_domains: Collection[str]) -> bool:
    """Whether an official domain's own system is likely to have written."""
    stem = mailbox.local_part.lower().translate(_SEPARATORS).partition("+")[0]
    return _OFFICE_PROGRAM.match(stem) is not None and any(
        is_under(mailbox.domain, parent) for parent in official_domains
    )
