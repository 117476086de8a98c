"""From what a program pipes in to a message that can be submitted: envelope, header, line ends.

Rule: what is added is made here, of checked parts; nothing in a name, a flag or a field can become another line.
"""

import os
import time

from secondpost.entrypoints.sendmail_exits import DATA, USAGE, Stop
from secondpost.entrypoints.sendmail_flags import Call

KEY = b"secondpost-idempotency-key"
_RECIPIENTS = (b"to", b"cc", b"bcc")
_RESENT = (b"resent-to", b"resent-cc", b"resent-bcc")
_HIDDEN = (b"bcc", b"resent-bcc")
_ADDRESSED = (b"from", b"sender", b"reply-to", b"to", b"cc")
_DEPTH = 10  # of aliases that lead to aliases
_HEAD = 262_144  # bytes of a header: the gateway takes no more
Field = tuple[bytes, bytes]  # its name in lower case; all its lines, with LF


class Letter:
    """A message with CRLF line ends and its envelope."""

    __slots__ = ("content", "recipients", "sender")

    def __init__(self, sender: str, recipients: list[str], content: bytes) -> None:
        self.sender = sender
        self.recipients = recipients
        self.content = content


class Caller:
    """Who calls: the name of the user and of the machine, and the local aliases."""

    __slots__ = ("aliases", "host", "user")

    def __init__(self, user: str, host: str, aliases: dict[str, str]) -> None:
        self.user, self.host, self.aliases = user, host, aliases

    def qualified(self, address: str) -> str:
        """`root` is somebody on this machine."""
        return address if "@" in address or not address else f"{address}@{self.host}"


def write(call: Call, data: bytes, caller: Caller) -> Letter:
    """The letter that `data` is, for the recipients that `call` names or that its header has. Raises `Stop`."""
    fields, body = _taken_apart(data)
    named = [part for word in call.recipients for part in _listed(word)]
    if call.from_header:
        named += _in_header(fields)
    recipients = _resolved(named, caller, {} if not call.use_aliases else caller.aliases)
    if not recipients:
        where = "in To, Cc or Bcc" if call.from_header else "on the command line; -t takes them from the header"
        raise Stop(USAGE, f"There is no recipient {where}. Nothing was sent.")
    sender = _sender(call, caller)
    for address in (sender, *recipients):
        _check(address)
    return Letter(sender, recipients, _head(fields, call, sender, caller) + b"\r\n" + _crlf(body))


# ── taking apart ────────────────────────────────────────────────────────────────────────────────────────────────────


def _taken_apart(data: bytes) -> tuple[list[Field], bytes]:
    """Header fields and body, with LF. The header ends at an empty line, or before a line that is no field.

    Raises `Stop` for a header that the gateway would not take.
    """
    data = data.replace(b"\0", b"").replace(b"\r\n", b"\n").replace(b"\r\n", b"\n")  # twice: some write CR CR LF
    fields: list[tuple[bytes, list[bytes]]] = []
    position = 0
    while position < len(data):
        if position > _HEAD:
            raise Stop(DATA, f"The header is larger than {_HEAD} bytes. Nothing was sent; shorten it.")
        end = data.find(b"\n", position)
        end = len(data) if end < 0 else end
        line = data[position:end]
        if not line:
            return _joined(fields), data[end + 1 :]
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1][1].append(_one_line(line))
        elif name := _name(line):
            fields.append((name, [_one_line(line)]))
        elif position or not line.startswith((b"From ", b">From ")):  # the first line of an mbox
            break
        position = end + 1
    return _joined(fields), data[position:]


def _joined(fields: list[tuple[bytes, list[bytes]]]) -> list[Field]:
    return [(name, b"\n".join(lines)) for name, lines in fields]


def _one_line(line: bytes) -> bytes:
    """A bare CR must not become a line end: what follows it would become a field."""
    return line.replace(b"\r", b" ")


def _name(line: bytes) -> bytes:
    """The name of the field that begins here, in lower case; empty if none does."""
    name, colon, _ = line.partition(b":")
    name = name.rstrip(b" \t")
    return name.lower() if colon and name and all(33 <= byte <= 126 for byte in name) else b""


def _crlf(body: bytes) -> bytes:
    """A bare CR, as progress bars print it, ends a line, too."""
    return body.replace(b"\r", b"\n").replace(b"\n", b"\r\n")


# ── recipients ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _in_header(fields: list[Field]) -> list[str]:
    """The recipients of To, Cc and Bcc; of a message that is sent on (RFC 5322 section 3.6.6), of Resent-To and kin."""
    names = _RESENT if any(name in _RESENT for name, _ in fields) else _RECIPIENTS
    return [address for name, line in fields if name in names for address in _listed(_value(line))]


def _value(line: bytes) -> str:
    return line.partition(b":")[2].replace(b"\n", b" ").decode(errors="surrogateescape").strip()


def _listed(text: str) -> list[str]:
    """The addresses of a list. Names with commas, comments and groups are left to the real parser, which costs 5 ms."""
    if any(sign in text for sign in '"(\\:;'):
        from secondpost.core.mailboxes import addresses

        return list(addresses(text.encode(errors="surrogateescape")))
    parts = [part.strip() for part in text.split(",")]
    return [part[part.rfind("<") + 1 : -1].strip() if part.endswith(">") else part for part in parts if part]


def _resolved(names: list[str], caller: Caller, aliases: dict[str, str]) -> list[str]:
    """Each address once, in order; local names by the aliases of this machine."""
    found: dict[str, None] = {}
    for name in names:
        for address in _followed(name, aliases, _DEPTH):
            found[caller.qualified(address)] = None
    return list(found)


def _followed(name: str, aliases: dict[str, str], depth: int) -> list[str]:
    meant = aliases.get(name.lower()) if "@" not in name and depth else None
    if meant is None:
        return [name]
    # Programs, files and lists (|, /, :include:) are for a mail server that has mailboxes; we only send on.
    names = [part.strip().lstrip("\\") for part in meant.split(",")]
    names = [part for part in names if part and part[0] not in '|/:"']
    found = [address for part in names for address in ([part] if part == name else _followed(part, aliases, depth - 1))]
    return found or [name]


def read_aliases(path: str) -> dict[str, str]:
    """`name: address, address` a line, as in /etc/aliases; an indented line goes on. Unreadable: there are none."""
    found: dict[str, str] = {}
    name = ""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                text = line.partition("#")[0].rstrip()
                if text[:1] in (" ", "\t") and name:
                    found[name] += "," + text.strip()
                elif ":" in text:
                    name = text.partition(":")[0].strip().strip('"').lower()
                    found[name] = text.partition(":")[2].strip().rstrip(",")
    except OSError:
        pass
    return found


def _sender(call: Call, caller: Caller) -> str:
    if call.sender is None:
        return caller.qualified(caller.user)
    address = call.sender.strip()
    if address.endswith(">"):
        address = address[address.rfind("<") + 1 : -1].strip()
    return caller.qualified(address)


def _check(address: str) -> None:
    """It will stand between < and > in a command; the gateway checks the rest."""
    if not address.isprintable() or any(sign in address for sign in "<> ") or len(address) > 1000:
        shown = ascii(address[:80])
        raise Stop(DATA, f"{shown} is not an address. Nothing was sent to anybody; correct it and send again.")


# ── the header ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _head(fields: list[Field], call: Call, sender: str, caller: Caller) -> bytes:
    """The header block, without Bcc and with what a message must have."""
    names = {name for name, _ in fields}
    lines = [_with_host(name, line, caller) for name, line in fields if name not in _HIDDEN]
    if b"from" not in names:
        lines.append(b"From: " + _author(call.full_name, sender or caller.qualified(caller.user)))
    if b"date" not in names:
        lines.append(time.strftime("Date: %a, %d %b %Y %H:%M:%S %z").encode())
    if KEY not in names:
        # The same on every way: when an answer is lost, the next way cannot make it a second message.
        lines.append(b"Secondpost-Idempotency-Key: sendmail-" + os.urandom(16).hex().encode())
    return b"".join([line.replace(b"\n", b"\r\n") + b"\r\n" for line in lines])


def _author(name: str, address: str) -> bytes:
    name = "".join(letter if letter.isprintable() else " " for letter in name).strip()
    if not name:
        return address.encode()
    if name.isascii() and "=?" not in name:
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{address}>'.encode()
    from secondpost.core.words import encode_phrase

    return f"{encode_phrase(name)} <{address}>".replace("\r\n", "\n").encode()


def _with_host(name: bytes, line: bytes, caller: Caller) -> bytes:
    """`From: root (Cron Daemon)` becomes an address that others can read; whatever has an @ stays as it is."""
    if name not in _ADDRESSED or b"@" in line or any(sign in line for sign in (b'"', b":;", b"\\")):
        return line
    head, colon, value = line.partition(b":")
    if b"(" in value and b"," in value:  # the comma may be inside the comment
        return line
    host = caller.host.encode()
    return head + colon + b",".join([_placed(part, host) for part in value.split(b",")])


def _placed(part: bytes, host: bytes) -> bytes:
    before, bracket, rest = part.partition(b"<")
    if bracket:
        name, close, after = rest.partition(b">")
        return before + bracket + name.strip() + b"@" + host + close + after if name.strip() else part
    words = part.split(None, 1)
    if not words or words[0].startswith(b"("):
        return part
    return b" " + words[0] + b"@" + host + b"".join(b" " + word for word in words[1:])
