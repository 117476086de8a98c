"""Whether a mailer can carry a message as it is, asked before anything is sent.

Rule: what cannot be carried is refused here, with what it is; nothing is dropped silently on the way.
"""

from collections.abc import Iterator

from secondpost.core.message import split
from secondpost.core.outcome import Fault, Rejected
from secondpost.mailers.base import Abilities
from secondpost.mailers.parts import Letter, Parts


def misfit(letter: Letter, title: str) -> Rejected | None:
    """Why the provider cannot carry it, or None. Another connection may be able to."""
    why = next(_reasons(letter), None)
    return Rejected(Fault.MESSAGE, f"{title} {why}. Nothing was sent.", unsupported=True) if why else None


def _reasons(letter: Letter) -> Iterator[str]:
    can = letter.can
    if can.max_bytes and len(letter.content) > can.max_bytes:
        yield f"takes at most {can.max_bytes:,} bytes, and the message has {len(letter.content):,}"
    if can.max_recipients and len(letter.recipients) > can.max_recipients:
        yield f"takes at most {can.max_recipients} recipients at once, and the message has {len(letter.recipients)}"
    if not can.international and not all(address.isascii() for address in (letter.sender, *letter.recipients)):
        yield "takes no addresses with letters beyond ASCII"
    if can.not_in_head and can.not_in_head.encode() in split(letter.content)[0]:
        yield f"cannot carry a header field with {can.not_in_head}, which it would take for a command"
    if not can.envelope:
        yield from _of_header(letter)
    if not can.raw:
        yield from _of_parts(letter, can)


def _of_header(letter: Letter) -> Iterator[str]:
    """Where the header alone says who gets it, it must name nobody else."""
    if others := letter.parts.others:
        yield f"would send it to everybody in To and Cc, {others[0]} too, who is not to get it by this attempt"


def _of_parts(letter: Letter, can: Abilities) -> Iterator[str]:
    parts = letter.parts
    if parts.whole:
        yield f"cannot carry the message unchanged, which is {parts.whole}"
    if not parts.subject and not can.no_subject:
        yield "takes no message without a subject"
    if parts.inline and not can.inline:
        yield f"takes no images within the HTML, such as {parts.inline[0].name}"
    if parts.forms and not can.alternatives:
        yield f"takes no other forms of the text, such as {parts.forms[0].type}"
    if letter.headers and not can.headers:
        yield f"takes no header fields of the sender's own, such as {letter.headers[0][0]}"
    if can.reply_to is not None and len(parts.reply_to) > can.reply_to:
        yield f"takes at most {can.reply_to} addresses in Reply-To" if can.reply_to else "takes no Reply-To"
    yield from _of_copies(parts, can)
    if can.file_types is not None:
        endings = [(file.name, file.name.lower().rpartition(".")[2]) for file in parts.files]
        yield from (f"takes no attachment such as {name}" for name, ending in endings if ending not in can.file_types)


def _of_copies(parts: Parts, can: Abilities) -> Iterator[str]:
    for name, boxes, most in (("Cc", parts.cc, can.max_cc), ("Bcc", parts.bcc, can.max_bcc)):
        if most is not None and len(boxes) > most:
            yield f"takes at most {most} recipients in {name}, and the message has {len(boxes)}"
