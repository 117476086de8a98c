"""Non-delivery reports (RFC 3464): tell the sender whom a message did not reach, and what can be done.

Rule: a report leaves with a null reverse-path, and none is made for a message that had one (RFC 5321 section 4.5.5).
"""

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from secondpost.core.ids import id_text
from secondpost.core.message import date_text

HEAD_LIMIT = 32 * 1024  # of the original header block, which is given back
_STATUS = re.compile(r"\d{3} ([245]\.\d{1,3}\.\d{1,3})\b")
_MESSAGE_ID = re.compile(rb"^message-id:\s*(<[^<>\s]{1,900}>)", re.IGNORECASE | re.MULTILINE)
_SUBJECT = re.compile(rb"^subject:[ \t]*([\x20-\x7e]{1,200})", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One recipient whom nobody served. `status` (RFC 3463) is used where `reply` has none of its own."""

    recipient: str
    reply: str
    status: str = "5.0.0"

    @property
    def exact(self) -> str:
        """The enhanced status code that says most; codes for a delay or a success are not for a report of failure."""
        found = _STATUS.match(self.reply)
        return found[1] if found and found[1].startswith("5") and self.status[0] == "5" else self.status


def build(
    *, failures: Sequence[Failure], sender: str, hostname: str, arrived: datetime, now: datetime, head: bytes, id: int
) -> bytes:
    """The report for `sender`. `head` is the header block of the message that failed; `id` makes the report unique."""
    if not sender:
        raise ValueError("there is nobody to tell: the message had a null reverse-path")
    name = id_text(id)
    parts = (
        (b"text/plain; charset=utf-8", _for_people(failures, hostname, head).encode()),
        (b"message/delivery-status", _for_machines(failures, hostname, arrived)),
        (b"text/rfc822-headers", _bounded(head)),
    )
    original = _MESSAGE_ID.search(head)
    whom = failures[0].recipient if len(failures) == 1 else f"{len(failures)} recipients"
    header = [
        f"From: Mail Delivery <postmaster@{hostname}>",
        f"To: <{_clean(sender)[:200]}>",
        f"Subject: Not delivered to {_clean(whom)[:200]}",
        f"Date: {date_text(now)}",
        f"Message-ID: <{name}@{hostname}>",
        *([f"In-Reply-To: {original[1].decode('ascii', 'replace')}"] if original else []),
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{name}"',
        "",
        "This is a report in MIME format (RFC 3464).",
        "",
        "",
    ]
    body = b"".join([b"--%b\r\n%b" % (name.encode(), _part(kind, content)) for kind, content in parts])
    return "\r\n".join(header).encode() + body + b"--%b--\r\n" % name.encode()


def _part(kind: bytes, content: bytes) -> bytes:
    if content.isascii() and max(map(len, content.split(b"\r\n"))) < 990:
        return b"Content-Type: %b\r\n\r\n%b\r\n" % (kind, content)
    encoded = binascii.b2a_qp(content.replace(b"\r\n", b"\n"), istext=True).replace(b"\n", b"\r\n")
    return b"Content-Type: %b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n%b\r\n" % (kind, encoded)


def _for_people(failures: Sequence[Failure], hostname: str, head: bytes) -> str:
    subject = _SUBJECT.search(head)
    about = f' "{subject[1].decode().strip()}"' if subject else ""
    paragraphs = [f"Your message{about} could not be delivered to:"]
    paragraphs += [_about(failure) for failure in failures]
    paragraphs.append(
        "Recipients who are not named here are not affected.\r\n"
        "The message itself is not in this report; its header fields are attached.\r\n"
        f"This report was written by the mail gateway {hostname}."
    )
    return "\r\n\r\n".join(paragraphs) + "\r\n"


def _about(failure: Failure) -> str:
    return f"  {_clean(failure.recipient)}\r\n    {_clean(failure.reply)}\r\n    {_advice(failure.exact)}"


_ADVICE = (
    ("4.4.7", "Nobody took the message in time. Check that your mail provider works, then send it again."),
    ("5.1.", "The address was refused. Check its spelling, or ask the recipient for another address."),
    ("5.2.", "The recipient's mailbox cannot take the message now. Reach them another way, or try again later."),
    ("5.3.4", "The message is too large. Send a link instead of the attachment."),
    ("5.7.", "The message was refused by a rule, for example against spam. Change it, or ask the administrator."),
    ("", "The reply above says why. If it tells you nothing, ask the administrator of this gateway."),
)


def _advice(status: str) -> str:
    return next(text for start, text in _ADVICE if status.startswith(start))


def _for_machines(failures: Sequence[Failure], hostname: str, arrived: datetime) -> bytes:
    about = f"Reporting-MTA: dns; {hostname}\r\nArrival-Date: {date_text(arrived)}\r\n"
    return "\r\n".join([about, *(_fields(failure) for failure in failures)]).encode()


def _fields(failure: Failure) -> str:
    return (
        f"Final-Recipient: {_typed(failure.recipient)}\r\nAction: failed\r\nStatus: {failure.exact}\r\n"
        f"Diagnostic-Code: smtp; {_folded(failure.reply)}\r\n"
    )


def _typed(address: str) -> str:
    """RFC 6533 section 3: an address beyond ASCII is of type utf-8, and written so that it is ASCII again."""
    if address.isascii():
        return f"rfc822; {_clean(address)}"
    return "utf-8; " + "".join(sign if sign.isascii() else f"\\x{{{ord(sign):X}}}" for sign in _clean(address))


def _clean(text: str) -> str:
    """One printable line."""
    return "".join(sign if sign.isprintable() else " " for sign in text)[:1000].strip()


def _folded(text: str) -> str:
    words = _clean(text).encode("ascii", "backslashreplace").decode()
    return "\r\n ".join(words[start : start + 900] for start in range(0, len(words), 900)) or "none"


def _bounded(head: bytes) -> bytes:
    """The header block without its empty line, cut at the end of a line."""
    head = head.removesuffix(b"\r\n")
    return head if len(head) <= HEAD_LIMIT else head[: head.rindex(b"\n", 0, HEAD_LIMIT) + 1]
