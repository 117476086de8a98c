"""The arguments of SMTP commands (RFC 5321 section 4.1) and what is wrong with them.

Rule: values in, values out. What is not understood is refused, and the reply says why.
"""

import re
from binascii import Error, a2b_base64
from typing import NamedTuple

from secondpost.core import address as addresses
from secondpost.wire import server_replies as say

# The forms that nearly every client uses. What matches is an address that `core.address.parse` takes too; a length of
# 64 bytes in all keeps the local part and every label within their limits.
_ATOMS = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++)*+"
SIMPLE_PATH = rb"<(" + _ATOMS + rb"@(?:[A-Za-z0-9]++[.-])*[A-Za-z0-9]++\.[A-Za-z]++)>"
SIMPLE_LIMIT = 64
plain_mail = re.compile(rb"MAIL FROM:" + SIMPLE_PATH, re.IGNORECASE).fullmatch
plain_rcpt = re.compile(rb"RCPT TO:" + SIMPLE_PATH, re.IGNORECASE).fullmatch

# A path may be quoted (`<"a>b c"@d>`), follow a space, and miss its brackets, as some old programs send it.
_PATH = rb" *+(?:<((?:\"(?:[^\"\\]|\\.)*+\"|[^\"<> ])*+)>|([^<> ]++))(?: ++(.*+))?"
mail_path = re.compile(rb"MAIL FROM:" + _PATH, re.IGNORECASE).fullmatch
rcpt_path = re.compile(rb"RCPT TO:" + _PATH, re.IGNORECASE).fullmatch

_NOTIFY = rb"(?i:NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY)){0,2})"
_MAIL_PARAMETERS = {
    b"SIZE": re.compile(rb"=[0-9]{1,20}"),
    b"BODY": re.compile(rb"=(?i:7BIT|8BITMIME)"),
    b"SMTPUTF8": re.compile(rb""),
    b"AUTH": re.compile(rb"=[!-~]{1,500}"),  # RFC 4954 section 5: taken, and as if it were <>
    b"RET": re.compile(rb"=(?i:FULL|HDRS)"),
    b"ENVID": re.compile(rb"=[!-*,-<>-~+]{1,100}"),
}
_RCPT_PARAMETERS = {
    b"NOTIFY": re.compile(b"=" + _NOTIFY),
    b"ORCPT": re.compile(rb"=[!-~\x80-\xff]{1,500}"),  # RFC 6533: utf-8 may stand in it
}

Parameters = dict[bytes, bytes]


class Bad(Exception):
    """The reply for what is wrong. Raised for control flow inside `wire` only."""

    def __init__(self, reply: bytes) -> None:
        self.reply = reply


def parameters(text: bytes | None, known: dict[bytes, "re.Pattern[bytes]"]) -> Parameters:
    """`KEY=value KEY` as a dict with upper-case keys."""
    found: Parameters = {}
    for item in (text or b"").split():
        key, equals, value = item.partition(b"=")
        key = key.upper()
        if key not in known:
            raise Bad(say.UNKNOWN_PARAMETER)
        if key in found or not known[key].fullmatch(equals + value):
            raise Bad(say.BAD_PARAMETER)
        found[key] = value
    return found


def mail(line: bytes) -> tuple[bytes, Parameters]:
    """The path and the parameters of MAIL."""
    return _parse(mail_path(line), _MAIL_PARAMETERS, say.MAIL_SYNTAX)


def rcpt(line: bytes) -> tuple[bytes, Parameters]:
    """The path and the parameters of RCPT."""
    return _parse(rcpt_path(line), _RCPT_PARAMETERS, say.RCPT_SYNTAX)


def _parse(
    match: "re.Match[bytes] | None", known: dict[bytes, "re.Pattern[bytes]"], syntax: bytes
) -> tuple[bytes, Parameters]:
    if match is None:
        raise Bad(syntax)
    bracketed, bare, rest = match.groups()
    return bare if bracketed is None else bracketed, parameters(rest, known)


def address(path: bytes, *, smtputf8: bool, bad: bytes) -> str:
    """The address as it was given, if it is one that we can hand on."""
    if not path.isascii() and not smtputf8:
        raise Bad(say.NEED_SMTPUTF8)
    try:
        text = path.decode()
        addresses.parse(text)
    except ValueError:
        raise Bad(bad) from None
    return text


class LogIn(NamedTuple):
    """What AUTH told: who, and the secret."""

    identity: str
    secret: str


def base64_text(text: bytes) -> str:
    """One base64 token of AUTH; `=` stands for an empty one (RFC 4954 section 4)."""
    if text == b"=":
        return ""
    try:
        return a2b_base64(text, strict_mode=True).decode()
    except (Error, ValueError):
        raise Bad(say.NOT_BASE64) from None


def plain(token: bytes) -> LogIn:
    """RFC 4616: authorization identity, NUL, log-in, NUL, secret. Acting for another is not offered."""
    parts = base64_text(token).split("\0")
    if len(parts) != 3 or not parts[1] or parts[0] not in ("", parts[1]):
        raise Bad(say.PLAIN_SYNTAX)
    return LogIn(parts[1], parts[2])


def size_of(chunk: bytes) -> tuple[int, bool]:
    """`BDAT size [LAST]` (RFC 3030 section 2)."""
    match = _BDAT(chunk)
    if match is None:
        raise Bad(say.BDAT_SYNTAX)
    return int(match[1]), match[2] is not None


_BDAT = re.compile(rb"BDAT ++([0-9]{1,15})( ++LAST)? *+", re.IGNORECASE).fullmatch
