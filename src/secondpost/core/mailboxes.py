"""The address lists of From, To, Cc, Bcc and Reply-To (RFC 5322 section 3.4), read for people and for rules.

Rule: one pass, no recursion, bounded. The malformed is passed on as it stands, for `address.parse` to refuse.
"""

import re

from secondpost.core import words

ADDRESS_LIMIT = 1000
_INPUT_LIMIT = 65_536

# The two forms that nearly every message uses: Name <address> and a bare address.
_SPEC = r"[^\x00-\x20\x7f-\xa0\u2028\u2029<>(),:;\"\\]{1,998}+"
_ONE = re.compile(
    rf"""
      "([^"\\\r\n]*+)"[ \t]*+ <({_SPEC})>
      | ([^\s<>(),:;"\\@\[\]][^<>(),:;"\\@\[\]\r\n]*+)?+ <({_SPEC})>
      | ({_SPEC})
    """,
    re.VERBOSE,
)
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*+"?|\[[^\[\]]*+\]|[^"\\\[()<>,;:]++|\\.|.', re.DOTALL)
_IN_COMMENT = re.compile(r"[^()\\]++|\\.|.", re.DOTALL)  # quotes mean nothing there
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)

Mailbox = tuple[str, str]  # decoded display name, address as written


def first_mailbox(value: bytes) -> Mailbox:
    """The first mailbox of a field, or two empty strings."""
    found = mailboxes(value, 1)
    return found[0] if found else ("", "")


def addresses(value: bytes) -> tuple[str, ...]:
    """The addresses of a field, without names, comments and groups."""
    text = words.unicode(value[:_INPUT_LIMIT].strip())
    match = _ONE.fullmatch(text)
    if match:
        return (match[match.lastindex or 5],)
    return tuple([address for _, address in _scan(text, ADDRESS_LIMIT)])


def mailboxes(value: bytes, limit: int = ADDRESS_LIMIT) -> list[Mailbox]:
    """The mailboxes of a field, names decoded, at most `limit`."""
    text = words.unicode(value[:_INPUT_LIMIT].strip())
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
    box, depth, position = _Box(), 0, 0
    while position < len(text) and len(found) < limit:
        piece = (_IN_COMMENT if depth else _PIECE).match(text, position)[0]  # type: ignore[index]  # one always matches
        position += len(piece)
        if depth or piece == "(":
            depth += (piece == "(") - (piece == ")")
            box.comments.append("" if piece in "()" else piece)
        elif (piece == "," and not box.inside) or piece == ";":
            box = _close(box, found)
        elif piece == ":" and not box.inside:
            box = _Box()  # what stood before was the name of a group
        else:
            _take(box, piece)
    if len(found) < limit:
        _close(box, found)
    return found


def _take(box: _Box, piece: str) -> None:
    if piece in "<>":
        box.inside = piece == "<"
    elif box.inside:
        box.angle.append(piece)
    elif box.outside or not piece.isspace():
        box.outside.append(piece)


def _close(box: _Box, found: list[Mailbox]) -> _Box:
    """Keep the mailbox that ends here, if there is one; returns the box for the next."""
    if not (box.outside or box.angle or box.comments):
        return box
    name, address = box.mailbox()
    address = words.clean(address)
    if address:
        found.append((name, address))
    return _Box()


def _phrase(text: str) -> str:
    if text.startswith('"') and text.endswith('"') and len(text) > 1:
        text = text[1:-1]
    return _ESCAPED.sub(r"\1", text)


def _without_route(address: str) -> str:
    """RFC 5321 section 4.1.2: a source route (`@a,@b:user@c`) is taken and ignored."""
    return address.rpartition(":")[2] if address.startswith("@") else address
