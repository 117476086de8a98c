"""The address lists of From, To, Cc, Bcc and Reply-To (RFC 5322 section 3.4), read for people and for rules.

Rule: one pass, no recursion, bounded; what is malformed is passed on as it stands, never guessed, and `address.parse` refuses it.
"""

import re

from secondpost.core import words

ADDRESS_LIMIT = 1000
_INPUT_LIMIT = 65_536

# The two forms that nearly every message uses: Name <address> and a bare address.
_ONE = re.compile(
    r"""[ \t]*+
    (?: "([^"\\\r\n]*+)"[ \t]*+ < ([^\s<>(),:;"\\]++) >
      | ([^\s<>(),:;"\\@\[\]][^<>(),:;"\\@\[\]\r\n]*+)?+ < ([^\s<>(),:;"\\]++) >
      | ([^\s<>(),:;"\\]++)
    ) [ \t]*+""",
    re.VERBOSE,
)
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"?|\\.|[()<>,;:]|[^"\\()<>,;:]++|\\', re.DOTALL)
_UNQUOTE = re.compile(r"\\(.)", re.DOTALL)

Mailbox = tuple[str, str]  # decoded display name, address as written


def first_mailbox(value: bytes) -> Mailbox:
    """The first mailbox of a field, or two empty strings."""
    found = mailboxes(value, 1)
    return found[0] if found else ("", "")


def addresses(value: bytes) -> tuple[str, ...]:
    """The addresses of a field, without names, comments and groups."""
    text = words.unicode(value[:_INPUT_LIMIT])
    match = _ONE.fullmatch(text)
    if match:
        return (match[match.lastindex or 5],)
    return tuple([address for _, address in _scan(text, ADDRESS_LIMIT)])


def mailboxes(value: bytes, limit: int = ADDRESS_LIMIT) -> list[Mailbox]:
    """The mailboxes of a field, names decoded, at most `limit`."""
    text = words.unicode(value[:_INPUT_LIMIT])
    match = _ONE.fullmatch(text)
    if match:
        quoted, first, name, second, bare = match.groups()
        return [(_name(quoted or name or ""), first or second or bare)]
    return [(_name(name), address) for name, address in _scan(text, limit)]


def _name(name: str) -> str:
    if "=?" in name:
        name = words.decode_words(name)
    return words.clean(name)


class _Box:
    """The mailbox being read."""

    __slots__ = ("angle", "comments", "inside", "outside")

    def __init__(self) -> None:
        self.outside: list[str] = []  # the display name, or a bare address
        self.angle: list[str] = []
        self.comments: list[str] = []
        self.inside = False  # between < and >

    def mailbox(self) -> Mailbox:
        outside = "".join(self.outside).strip()
        if not self.angle:
            return _phrase("".join(self.comments)), outside
        return _phrase(outside or "".join(self.comments)), _without_route("".join(self.angle).strip())


def _scan(text: str, limit: int) -> list[Mailbox]:
    found: list[Mailbox] = []
    box, depth = _Box(), 0
    for token in _TOKEN.findall(text):
        if depth or token == "(":
            depth += (token == "(") - (token == ")")
            if token not in ("(", ")"):
                box.comments.append(token)
        elif token == "," and not box.inside or token == ";":
            _close(box, found)
            if len(found) >= limit:
                return found
            box = _Box()
        elif token == ":" and not box.inside:
            box = _Box()  # what stood before was the name of a group
        else:
            _take(box, token)
    _close(box, found)
    return found


def _take(box: _Box, token: str) -> None:
    if token == "<":
        box.inside = True
    elif token == ">":
        box.inside = False
    elif box.inside:
        box.angle.append(token)
    else:
        box.outside.append(token)


def _close(box: _Box, found: list[Mailbox]) -> None:
    name, address = box.mailbox()
    address = words.clean(address)
    if address:
        found.append((name, address))


def _phrase(text: str) -> str:
    text = text.strip()
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        text = text[1:-1]
    return _UNQUOTE.sub(r"\1", text).strip()


def _without_route(address: str) -> str:
    """RFC 5321 section 4.1.2: a source route (`@a,@b:user@c`) is taken and ignored."""
    return address.rpartition(":")[2] if address.startswith("@") else address
