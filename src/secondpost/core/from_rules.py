"""The From rules of a connection, applied to the copy of a message that one attempt carries (behaviour: From rules).

Rule: what is written into the header is ours or encoded; no name or address can add a line to it.
"""

import re

from secondpost.core import mailboxes, words
from secondpost.core.address import AddressError, parse
from secondpost.core.connection import FromRules

_FROM = re.compile(rb"\n(from[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)\n)", re.IGNORECASE)
_REPLY_TO = re.compile(rb"\nreply-to[ \t]*+:", re.IGNORECASE)


def apply(head: bytes, envelope_sender: str, rules: FromRules) -> tuple[bytes, str, bool]:
    """The header block under `rules`, the reverse-path, and whether the From field changed.

    From Email: forced, the connection's; else the caller's, if any; else the connection's. From Name likewise. The
    caller's From becomes Reply-To when its address is replaced and no Reply-To was set. With Return Path on, the
    reverse-path is the From address, except the null one of a notification: it must stay null (RFC 5321 section 4.5.5).
    """
    found = _FROM.search(b"\n" + head)
    value = found[2].strip() if found else envelope_sender.encode()
    name, address = mailboxes.first_mailbox(value)
    new_address = _chosen(rules.email, address, forced=rules.force_email)
    new_name = _chosen(rules.name, name, forced=rules.force_name)
    if new_address != envelope_sender and not _is_address(new_address):
        return head, envelope_sender, False  # a malformed From is the caller's; in MAIL FROM it would be refused
    reverse_path = new_address if rules.return_path and envelope_sender else envelope_sender
    if not new_address or (found and new_name == name and new_address.lower() == address.lower()):
        return head, reverse_path, False
    start, end = (found.start(), found.start() + len(found[1])) if found else (0, 0)
    lines = _from_line(new_name, new_address)
    moved = new_address.lower() != address.lower() and _is_address(address)
    if moved and not _REPLY_TO.search(b"\n" + head):
        lines += b"Reply-To: " + value + b"\r\n"
    return head[:start] + lines + head[end:], reverse_path, True


def from_domain(from_email: str, envelope_sender: str, rules: FromRules) -> str:
    """The domain of the address that a copy is from under `rules`: what a provider may not have verified."""
    chosen = _chosen(rules.email, from_email or envelope_sender, forced=rules.force_email)
    return chosen.rpartition("@")[2].lower()


def _chosen(ours: str, callers: str, *, forced: bool) -> str:
    return (ours or callers) if forced else (callers or ours)


def _is_address(text: str) -> bool:
    try:
        parse(text)
    except AddressError:
        return False
    return True


def _from_line(name: str, address: str) -> bytes:
    if not name:
        return f"From: {address}\r\n".encode()
    return f"From: {words.encode_phrase(name)}\r\n <{address}>\r\n".encode()
