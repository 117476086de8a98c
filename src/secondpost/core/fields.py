"""The header block: where it ends, what is refused, what is added and dropped at acceptance, and the Received field.

Rule: fields are lines of bytes, found by one pass of a linear expression; a field that stays keeps its bytes.
"""

import re

from secondpost.core import words
from secondpost.errors import Refusal

HEAD_LIMIT = 256 * 1024
FIELD_LIMIT = 64 * 1024
COUNT_LIMIT = 1000
HOP_LIMIT = 50

# All are matched against b"\n" + head, so that each field begins with a line end: a literal, which `re` finds fast.
FIELD = re.compile(rb"\n([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)")
_REST = rb"[^\n]*+(?:\n[ \t][^\n]*+)*+(?=\n)"
_PRIVATE = rb"(?:bcc|resent-bcc|return-path|secondpost-[!-9;-~]*+)[ \t]*+:"
_IDENTITY = rb"(?:message-id|date)[ \t]*+:[ \t]*+(?:\r?+\n[ \t]++)*+"

_NO_FIELD = re.compile(rb"\n(?![!-9;-~]++[ \t]*+:|[ \t])")
_FIELD_START = re.compile(rb"\n(?=[^ \t\r])")
_COUNTED = re.compile(rb"\n(from|received)[ \t]*+:", re.IGNORECASE)
_NOTED = re.compile(rb"\n(?=[mdbrs])(?:(?=([md]))" + _IDENTITY + rb"[^\s]|" + _PRIVATE + rb")", re.IGNORECASE)
_DROPPED = re.compile(rb"\n(?:" + _PRIVATE + _REST + rb"|" + _IDENTITY + rb"\r?+(?=\n))", re.IGNORECASE)

_PLAIN = r"!#-'*+\-./0-9:=?@A-Z\[\]^_`a-z{|}~"  # neither space nor what RFC 5322 gives a meaning in a Received field
_HARMLESS = re.compile(rf"(?:[{_PLAIN}]{{0,255}}+\n){{6}}")
_UNSAFE = re.compile(rf"[^{_PLAIN}]+")
_UNKNOWN = "unknown"


def split(content: bytes) -> tuple[bytes, bytes]:
    """The header block with its closing empty line, and the body. Never raises; nothing is lost.

    The block ends at the first empty line, or before the first line that is neither a field nor a continuation (as in
    Postfix); an empty line is added there, so that a field which we add or change can never land in the body.
    """
    end = _block_end(content)
    if content.startswith(b"\r\n", end):
        return content[: end + 2], content[end + 2 :]
    head = content[:end]
    if head and not head.endswith(b"\n"):
        head += b"\r\n"
    return head + b"\r\n", content[end:]


def _block_end(content: bytes) -> int:
    if content[:1] in (b" ", b"\t"):  # a continuation of nothing
        return 0
    blank = content.find(b"\r\n\r\n", 0, HEAD_LIMIT + 4)
    block = content[: blank + 2 if blank >= 0 else HEAD_LIMIT + 4]  # a longer one is refused by `check_head`
    wrong = _NO_FIELD.search(b"\n" + block)
    return wrong.start() if wrong else len(block)


def crlf(content: bytes) -> bytes:
    """`content` with every line end made CRLF, as a message must have; itself when it has them already."""
    ends = content.count(b"\n")
    if content.count(b"\r\n") == ends == content.count(b"\r"):
        return content
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def check_head(head: bytes) -> None:
    """Raise `Refusal` for a header block that is oversize, ambiguous, looping or dangerous."""
    if len(head) > HEAD_LIMIT:
        text = f"The header block is {len(head)} bytes; at most {HEAD_LIMIT} are taken. Shorten it."
        raise Refusal(552, "5.3.4", text, "headers")
    if 0 in head:
        raise Refusal(554, "5.6.0", "The header block contains a NUL byte. Remove it.", "headers")
    lines = head.count(b"\n")
    if not lines == head.count(b"\r\n") == head.count(b"\r"):
        raise Refusal(550, "5.6.11", "The header block has a bare CR or LF. End every line with CRLF.", "headers")
    if lines > COUNT_LIMIT or len(head) > FIELD_LIMIT:
        _check_sizes(head)
    names = _COUNTED.findall(b"\n" + head)
    if len(names) > 1:
        _check_counts([name.lower() for name in names])


def _check_sizes(head: bytes) -> None:
    fields = _FIELD_START.split(head)
    if len(fields) > COUNT_LIMIT:
        text = f"The message has more than {COUNT_LIMIT} header fields. Send fewer."
        raise Refusal(554, "5.6.0", text, "headers")
    longest = max(fields, key=len)
    if len(longest) > FIELD_LIMIT:
        name = longest.partition(b":")[0][:80].decode("ascii", "replace")
        text = f"The header field {name} is longer than {FIELD_LIMIT} bytes. Shorten it."
        raise Refusal(554, "5.6.0", text, name.lower())


def _check_counts(names: list[bytes]) -> None:
    if names.count(b"from") > 1:
        text = "The message has several From fields, and programs differ in which of them they show. Send one."
        raise Refusal(554, "5.6.0", text, "from")
    if names.count(b"received") > HOP_LIMIT:
        text = (
            f"The message passed more than {HOP_LIMIT} servers: it runs in a loop. Find the connection that leads here."
        )
        raise Refusal(554, "5.4.6", text, "received")


def names(head: bytes) -> list[str]:
    """The names of all fields, as they are written and in their order."""
    return [name.decode() for name, _ in FIELD.findall(b"\n" + head)]


def complete(head: bytes, *, message_id: str, date: str) -> bytes:
    """`head` with a Message-ID and a Date, added if missing, and without Bcc, Return-Path and our private fields."""
    noted = _NOTED.findall(b"\n" + head)  # the initial of each Message-ID and Date; empty for a field to drop
    initials = b"".join(noted).lower()
    if len(noted) == 2 and initials in {b"dm", b"md"}:
        return head
    head = _DROPPED.sub(b"", b"\n" + head)[1:]
    added = "" if b"m" in initials else f"Message-ID: {message_id}\r\n"
    added += "" if b"d" in initials else f"Date: {date}\r\n"
    return append(head, added.encode())


def append(head: bytes, lines: bytes) -> bytes:
    """`head` with whole header lines added before its closing empty line."""
    return head[:-2] + lines + b"\r\n"


def received(*, helo: str, peer: str, by: str, protocol: str, id: str, when: str, recipient: str = "") -> bytes:
    """The Received field of RFC 5321 section 4.4. Every part is made harmless, whatever a client said its name was.

    `peer` is the client's IP address. Give `recipient` only when there is just one: a field that named the others would
    tell each about them.
    """
    if not _HARMLESS.fullmatch(f"{helo}\n{peer}\n{by}\n{protocol}\n{id}\n{recipient}\n"):
        helo, peer, by, protocol, id, recipient = [_safe(part) for part in (helo, peer, by, protocol, id, recipient)]
    recipient = f" for <{recipient}>" if recipient else ""
    trace = f"Received: from {helo or _UNKNOWN} ({_literal(peer)})\r\n by {by or _UNKNOWN} with {protocol} id {id}"
    return f"{trace}{recipient};\r\n {words.clean(when)}\r\n".encode()


def _literal(peer: str) -> str:
    if not peer or peer.startswith("["):
        return peer or _UNKNOWN
    return f"[IPv6:{peer.partition('%')[0]}]" if ":" in peer else f"[{peer}]"


def _safe(part: str) -> str:
    return _UNSAFE.sub("-", part)[:255]
