"""What a rule may ask about the body: its text, and whether it has attachments.

Rule: flat and linear. Parts are found by their header blocks, wherever they are nested, and only so much is read.
"""

import re
from binascii import Error, a2b_base64, a2b_qp

from secondpost.core import words
from secondpost.core.fields import FIELD

BODY_LIMIT = 1024 * 1024  # bytes of the body that are looked at
TEXT_LIMIT = 256 * 1024  # characters of text

# A boundary line with the header block below it. Without one, dashes are only text.
_PART = re.compile(rb"(?:\A|\n)--[^\r\n]{1,76}\r?\n((?:[!-9;-~]++:[^\n]*+\n(?:[ \t][^\n]*+\n)*+)++)\r?(?=\n)")
_CHARSET = re.compile(r"charset=\"?([^\s\";]+)")
_NAMED = re.compile(r"\bname\*?\d?\*?=")
_END = re.compile(rb"\r?\n--[^\r\n]*+\s*+\Z")  # the boundary that closes a multipart

Part = tuple[dict[str, str], bytes]  # its Content-* fields, lower-cased; its content, encoded


def text_of(head: bytes, body: bytes) -> str:
    """The text of the message, plain and HTML, decoded; attachments left out."""
    found: list[str] = []
    room = TEXT_LIMIT
    for fields, content in _parts(head, body):
        if room > 0 and _is_text(fields):
            found.append(_decoded(fields, content)[:room])
            room -= len(found[-1])
    return "\n".join(found)


def has_attachments(head: bytes, body: bytes) -> bool:
    """Whether some part is an attachment, or a named part that says nothing about how to show it."""
    return any(_is_attachment(fields) for fields, _ in _parts(head, body))


def _parts(head: bytes, body: bytes) -> list[Part]:
    body = body[:BODY_LIMIT]
    starts = list(_PART.finditer(body))
    ends = [match.start() for match in starts[1:]] + [len(body)]
    top = _fields(head)
    if not starts or not top.get("content-type", "").startswith("multipart/"):
        return [(top, body)]
    return [
        (_fields(match[1]), _END.sub(b"", body[match.end() : end])) for match, end in zip(starts, ends, strict=True)
    ]


def _fields(head: bytes) -> dict[str, str]:
    return {
        key: words.decode(value).lower()
        for name, value in FIELD.findall(b"\n" + head)
        if (key := name.decode().lower()).startswith("content-")
    }


def _is_text(fields: dict[str, str]) -> bool:
    return fields.get("content-type", "text/plain").startswith("text/") and not _is_attachment(fields)


def _is_attachment(fields: dict[str, str]) -> bool:
    disposition = fields.get("content-disposition", "")
    if disposition:
        return disposition.startswith("attachment")
    return bool(_NAMED.search(fields.get("content-type", "")))


def _decoded(fields: dict[str, str], content: bytes) -> str:
    charset = _CHARSET.search(fields.get("content-type", ""))
    return words.as_text(
        _plain(fields.get("content-transfer-encoding", ""), content), charset[1] if charset else "utf-8"
    )


def _plain(encoding: str, content: bytes) -> bytes:
    if encoding == "quoted-printable":
        return a2b_qp(content)
    if encoding != "base64":
        return content
    try:
        return a2b_base64(content + b"==")
    except Error:
        return content
