"""The content of a message as the DATA and BDAT commands carry it.

Rule: exactly one message leaves. Bytes with a bare CR or LF are refused: some receiver would see an end in them (S2).
"""

import re

from secondpost.core.outcome import Fault, Rejected

BARE = "The message has a bare CR or LF in it, which could smuggle a second message past the provider. It was not sent."
EIGHT_BIT = "The message has 8-bit content, and this server takes only 7-bit mail (it does not offer 8BITMIME)."


class Unsendable(Exception):
    """The content cannot go out through this session. `outcome` says why."""

    def __init__(self, outcome: Rejected) -> None:
        super().__init__(outcome.reply)
        self.outcome = outcome


def check(content: bytes) -> None:
    """Raises `Unsendable` unless every CR is followed by LF, and every LF preceded by CR."""
    pairs = content.count(b"\r\n")
    if content.count(b"\n") != pairs or content.count(b"\r") != pairs:
        raise Unsendable(Rejected(Fault.MESSAGE, BARE))


def whole(head: bytes, body: bytes, *, stuffed: bool) -> bytes:
    """A message that is in memory: checked, ended by CRLF; `stuffed`: its dots doubled and the final one added."""
    content = head + body
    check(content)
    if content and not content.endswith(b"\r\n"):
        content += b"\r\n"
    if not stuffed:
        return content
    if b"\r\n." in content:  # RFC 5321 section 4.5.2
        content = content.replace(b"\r\n.", b"\r\n..")
    if content.startswith(b"."):
        content = b"." + content
    return content + b".\r\n"


class Blocks:
    """The same for a message that comes in blocks, cut anywhere, for DATA."""

    __slots__ = ("_fresh", "_held", "_seven_bit")

    def __init__(self, *, seven_bit: bool) -> None:
        self._seven_bit = seven_bit
        self._held = b""  # a CR whose LF may be in the next block
        self._fresh = True  # the next byte begins a line

    def feed(self, block: bytes) -> bytes:
        """The bytes to write for this block. Raises `Unsendable`."""
        block = self._held + block
        self._held = b"\r" if block.endswith(b"\r") else b""
        block = block.removesuffix(b"\r")
        check(block)
        if self._seven_bit and not block.isascii():
            raise Unsendable(Rejected(Fault.MESSAGE, EIGHT_BIT, unsupported=True))
        if not block:
            return b""
        begins_with_dot = self._fresh and block.startswith(b".")
        self._fresh = block.endswith(b"\r\n")
        if b"\r\n." in block:
            block = block.replace(b"\r\n.", b"\r\n..")
        return b"." + block if begins_with_dot else block

    def end(self) -> bytes:
        """The last bytes, which cross the point of no return. Raises `Unsendable`."""
        if self._held:
            raise Unsendable(Rejected(Fault.MESSAGE, BARE))
        return b".\r\n" if self._fresh else b"\r\n.\r\n"


_ADDRESS = re.compile(r'(?:[^\x00-\x20\x7f<>"@\\]+|"(?:[^\x00-\x1f\x7f"\\]|\\[ -~])*")(?:@[^\x00-\x20\x7f<>"@]+)?')
# IDNA 2003, which Python has, maps these to other names than today's registries do: mail would go to a stranger.
_DEVIANT = frozenset("ßς\u200c\u200d")


def path(address: str) -> str | None:
    """An address as it may stand between < and >; its domain becomes ASCII where that is safe. None: not an address.

    What is still not ASCII needs SMTPUTF8 (RFC 6531).
    """
    if not _ADDRESS.fullmatch(address):
        return None
    if address.isascii():
        return address
    local, _, domain = address.rpartition("@")
    if not local.isascii() or not _DEVIANT.isdisjoint(domain):
        return address
    try:
        return f"{local}@{domain.encode('idna').decode()}"
    except UnicodeError:
        return address
