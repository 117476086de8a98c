"""The parts that a person or a program gives for a message, checked one by one and written as header values.

Rule: whatever a part contains, what is made of it cannot end its line, and what is wrong is told by the part's name.
"""

import base64
import binascii
import mimetypes
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from secondpost.core import address, words
from secondpost.core.priority import Priority
from secondpost.errors import Fault, Malformed

T = TypeVar("T")
Mailbox = tuple[str, str]  # name, address

FORBIDDEN = dict.fromkeys((*range(32), 0x7F, 0x85, 0x2028, 0x2029))
LINE = 900  # characters of one value; with its name it fits the 998 of RFC 5322 section 2.1.1
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,76}")
_TYPE = re.compile(r"(?!multipart/|message/)[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
_PARAMETER = re.compile(r';[ \t]*([A-Za-z0-9-]{1,40})=("[ !#-\[\]-~]{0,200}"|[A-Za-z0-9!#$&^_.+-]{1,200})[ \t]*')
_CONTENT_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.@-]{1,200}")
# What has a part of its own, what this program or the way writes, and what it reads itself.
_RESERVED = re.compile(
    r"from|to|cc|bcc|subject|reply-to|sender|mime-version|content-.*|return-path|received|date|dkim-.*|arc-.*|resent-.*"
    r"|secondpost-.*",
    re.IGNORECASE,
)


class Attachment(NamedTuple):
    """An attachment as it is written: `inline` is the Content-ID under which HTML shows it."""

    content: bytes
    main: str
    sub: str
    filename: str
    inline: str
    parameters: Mapping[str, str]


class Check:
    """Takes the parts one after the other, and tells at the end all that is wrong with them."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def __call__(self, take: Callable[..., T], field: str, *given: object, default: T) -> T:
        """What `take` makes of a part, or `default` with the fault noted."""
        try:
            return take(field, *given)
        except Malformed as error:
            self.faults += error.faults
            return default

    def note(self, field: str, text: str) -> None:
        self.faults.append(Fault(field, text))

    def done(self) -> None:
        """Raises `Malformed` when something is wrong."""
        if self.faults:
            raise Malformed(self.faults)


def wrong(field: str, text: str, code: int = 550, status: str = "5.6.0") -> Malformed:
    return Malformed([Fault(field, text, code, status)])


def line(field: str, text: str, limit: int = LINE) -> str:
    """A value that stays in one line."""
    prose(field, text)
    if text.translate(FORBIDDEN) != text:
        raise wrong(field, f"The {field} contains a line break or a control character.")
    if len(text) > limit:
        raise wrong(field, f"The {field} is longer than {limit} characters.")
    return text


def prose(field: str, text: str) -> str:
    """Text of any length that can be written at all: half of a surrogate pair is no character, and no mail has NULs."""
    if not isinstance(text, str):
        raise wrong(field, f"The {field} has to be a str, not {type(text).__name__}.")
    if "\0" in text:
        raise wrong(field, f"The {field} contains a NUL, a control character that no mail may have.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise wrong(field, f"The {field} contains half of a character (a lone surrogate).") from None
    return text


def mailbox(field: str, text: str) -> Mailbox:
    """One mailbox: an address, or a name and an address in angle brackets."""
    name, bracket, rest = line(field, text).rpartition("<")
    parsed = parse(field, rest.removesuffix(">").strip() if bracket else text.strip())
    return name.strip().strip('"'), parsed.text


def mailboxes(field: str, given: Sequence[str], check: Check) -> list[Mailbox]:
    found = [check(mailbox, f"{field}[{number}]", text, default=("", "")) for number, text in enumerate(given)]
    return [box for box in found if box[1]]


def parse(field: str, text: str) -> address.Address:
    try:
        return address.parse(text)
    except address.AddressError as error:
        raise wrong(field, str(error), 553, "5.1.3") from None


def written(boxes: Sequence[Mailbox]) -> str:
    """Mailboxes as the value of a header field."""
    return ",\r\n ".join([f"{words.encode_phrase(name)}\r\n <{box}>" if name else box for name, box in boxes])


def subject(field: str, text: str) -> str:
    """In words of at most 75 characters (RFC 2047), which the library does not keep to in lines as long as ours."""
    plain = line(field, text)
    return plain if plain.isascii() and "=?" not in plain else words.encode_phrase(plain)


def header(field: str, name: str, text: str) -> tuple[str, str]:
    """A header field of the caller's own. A long value, such as References, is folded at its spaces."""
    if not _NAME.fullmatch(name):
        raise wrong(field, f"{name[:80]!r} is not the name of a header field.")
    if _RESERVED.fullmatch(name):
        raise wrong(
            field, f"The header field {name} is not given here: it has a part of its own, or is written for you."
        )
    line(field, text, 8 * LINE)
    if not text.isascii() or "=?" in text:
        return name, words.encode_phrase(text)
    if len(text) <= LINE:
        return name, text
    folded = re.sub(rf"(.{{1,{LINE}}})(?: |$)", "\\1\r\n ", text).rstrip("\r\n ")
    if max(map(len, folded.split("\r\n "))) > LINE:
        raise wrong(field, f"The header field {name} has a word longer than {LINE} characters.")
    return name, folded


def attachment(field: str, given: Mapping[str, str]) -> Attachment:
    """Raises `Malformed` with every fault of the attachment."""
    check = Check()
    name = check(line, f"{field}.filename", given.get("filename") or "attachment", default="attachment")
    content = check(_base64, f"{field}.content", given.get("content") or "", default=b"")
    asked = given.get("content_type") or _guessed(name)
    kind, parameters = check(_kind, f"{field}.content_type", asked, default=("", dict[str, str]()))
    inline = (given.get("content_id") or "").removeprefix("cid:").removeprefix("<").removesuffix(">")
    if inline and not _CONTENT_ID.fullmatch(inline):
        check.note(f"{field}.content_id", f"{inline[:80]!r} is not a Content-ID such as logo@example.com.")
    check.done()
    main, _, sub = kind.partition("/")
    return Attachment(content, main, sub, name, inline, parameters)


def _guessed(name: str) -> str:
    """By the name. A message is attached as a file: it goes as it is."""
    kind = mimetypes.guess_type(name)[0] or ""
    return kind if _TYPE.fullmatch(kind) else "application/octet-stream"


def _kind(field: str, text: str) -> tuple[str, dict[str, str]]:
    """`text/calendar; method=REQUEST`, taken apart."""
    kind, semicolon, rest = line(field, text).partition(";")
    kind, rest = kind.strip(), semicolon + rest
    if not _TYPE.fullmatch(kind) or _PARAMETER.sub("", rest):
        raise wrong(field, f"{text[:80]!r} is not the content type of a file, such as image/png.")
    return kind, {name.lower(): value.strip('"') for name, value in _PARAMETER.findall(rest)}


def _base64(field: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise wrong(field, "The attachment is not valid base64.") from None


def priority(field: str, word: str) -> Priority | None:
    try:
        return Priority.parse(word) if word else None
    except ValueError as error:
        raise wrong(field, f"{error}.") from None


def metadata(field: str, given: Mapping[str, str]) -> dict[str, str]:
    """What an app wants to find again with its message: few and short, since it is kept beside the log."""
    check = Check()
    if len(given) > 50:
        check.note(field, "There are more than 50 entries of metadata.")
    for name, value in list(given.items())[:50]:
        check(line, f"{field}.{name[:64]}", name, 64, default="")
        check(line, f"{field}.{name[:64]}", value, 500, default="")
    check.done()
    return dict(given)
