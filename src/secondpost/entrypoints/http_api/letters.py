"""A message as the HTTP API takes it, and the draft that is made of it.

Rule: unknown fields are refused, types are strict, and the client is who the key says, whatever the message says.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from secondpost.core import address
from secondpost.core import message as rfc5322
from secondpost.errors import Fault, Malformed, Refusal
from secondpost.service import compose, form
from secondpost.service.credentials import Client
from secondpost.service.submit import Draft

MOST_OF_A_BATCH = 500
LONGEST_KEY = 200  # characters


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Mailboxes = Annotated[list[str], BeforeValidator(_listed, json_schema_input_type=str | list[str])]


class Strict(BaseModel):
    """No field that is not known, no text where a number is meant."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Attached(Strict):
    filename: str = Field("", description="Its name.")
    content: str = Field(description="Its bytes, in base64.")
    content_type: str = Field("", description="Such as image/png; else by the name.")
    content_id: str = Field("", description="Given for an image that the HTML shows by cid:.")


class Letter(Strict):
    """One message."""

    from_: str = Field(alias="from", description="The sender: an address, or Name <address>.")
    to: Mailboxes = Field([], description="Recipients, one or a list.")
    cc: Mailboxes = Field([], description="Recipients of copies.")
    bcc: Mailboxes = Field([], description="Recipients whom nobody else sees.")
    reply_to: Mailboxes = Field([], description="Where answers go.")
    subject: str = Field("", description="The subject.")
    text: str = Field("", description="The text part.")
    html: str = Field("", description="The HTML part.")
    headers: dict[str, str] = Field({}, description="Header fields of your own.")
    attachments: list[Attached] = Field(
        [], description="Files: filename, content (base64), content_type; content_id, if the HTML shows it."
    )
    priority: Literal["urgent", "normal", "bulk"] | None = Field(None, description="How urgent it is; else normal.")
    tags: list[str] = Field([], description="Words for the log.")
    metadata: dict[str, str] = Field({}, description="What you want to find again with the message.")
    connection: str | None = Field(None, description="Goes by this connection first; the key needs the scope choose.")
    send_at: AwareDatetime | None = Field(None, description="Not before this time; 30 days ahead at most.")


class Letters(Strict):
    """Several messages; either all of them are right, or none is taken."""

    messages: list[Letter] = Field(min_length=1, max_length=MOST_OF_A_BATCH, description="The messages.")


class Taken(BaseModel):
    """The answer to a message that is on disk."""

    id: str = Field(description="Its id: ask for it at /v1/messages/{id}.")
    status: str = Field(description="Where it stands; waiting means that it is on its way.")
    duplicate: bool = Field(description="Whether this key was used before, and this is the message of then.")


class Asked(BaseModel):
    """Who asks, and what stands beside the message: the same for every way in by HTTP."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    client: Client
    peer: str = ""
    key: str = ""
    trace: str = ""
    most: int = 1000  # recipients


def draft(letter: Letter, id: int, asked: Asked) -> Draft:
    """Raises `Malformed` with every fault of the letter, or `Refusal`."""
    if not (letter.text or letter.html or letter.attachments):
        raise Malformed([Fault("text", "There is nothing in it: give text, html or an attachment.")])
    it = compose.draft(
        id, sender=letter.from_, to=letter.to, cc=letter.cc, bcc=letter.bcc, reply_to=letter.reply_to,
        subject=letter.subject, text=letter.text, html=letter.html, headers=list(letter.headers.items()),
        attachments=[attached.model_dump() for attached in letter.attachments], priority=letter.priority or "",
        key=asked.key, tags=letter.tags, metadata=letter.metadata, send_at=letter.send_at,
    )  # fmt: skip
    it.metadata = _traced(it.metadata or {}, asked.trace)  # not what the key is compared by: each try has its own trace
    return ours(it, asked, letter.connection or "")


class Envelope(NamedTuple):
    """What stands beside a message that is written already; None and empty: as its own fields say."""

    sender: str | None = None
    recipients: Sequence[str] = ()
    connection: str = ""


def raw(content: bytes, id: int, asked: Asked, envelope: Envelope) -> Draft:
    """A draft of a message that is written already. The envelope comes from its fields where none is given."""
    if b"\0" in content:
        raise Malformed([Fault("body", "The message contains a NUL byte.")])
    content = rfc5322.crlf(content)
    summary = rfc5322.summarize(rfc5322.split(content)[0])
    check = form.Check()
    given = envelope.recipients or [*summary.to, *summary.cc, *summary.bcc]
    if not given:
        check.note("Secondpost-Rcpt-To", "There is no recipient, neither here nor in the message.")
    for text in given:
        check(form.parse, "Secondpost-Rcpt-To", text, default=None)
    author = summary.from_email if envelope.sender is None else envelope.sender
    if author:
        check(form.parse, "Secondpost-Mail-From", author, default=None)
    check.done()
    it = Draft(
        id=id, sender=author, recipients=address.once(given), content=content, key=asked.key,
        metadata=_traced({}, asked.trace),
    )  # fmt: skip
    return ours(it, asked, envelope.connection)


def ours(it: Draft, asked: Asked, connection: str) -> Draft:
    """The same draft as the key's: its senders, its name, its leave to choose a connection."""
    if len(it.recipients) > asked.most:
        raise Malformed([Fault("to", f"There are more than {asked.most} recipients.")])
    if connection and "choose" not in asked.client.scopes:
        raise Refusal(
            550, "5.7.1", "This key may not choose a connection: it has not the scope choose. Nothing was stored."
        )
    it.client, it.senders, it.peer = asked.client.name, asked.client.senders, asked.peer
    it.entrypoint, it.trusted, it.prefer = "http", False, connection
    return it


def numbered(key: str, number: int) -> str:
    """The key of one message of a batch. One that is too long is hashed, not cut: no two may become the same."""
    if not key:
        return ""
    whole = f"{key}/{number}"
    return whole if len(whole) <= LONGEST_KEY else hashlib.sha256(whole.encode()).hexdigest()


def _traced(metadata: Mapping[str, str], trace: str) -> dict[str, str]:
    return {**metadata, "traceparent": trace} if trace else dict(metadata)


def parse_id(text: str) -> int:
    """Our id, or the UUID that holds it, for clients that insist on one. Raises ValueError."""
    return uuid.UUID(text).int & (1 << 63) - 1 if len(text) == 36 else rfc5322.parse_id(text)


def as_uuid(id: int) -> str:
    """For clients that insist on a UUID."""
    return str(uuid.UUID(int=id))


def facts(notes: str) -> dict[str, Any]:
    """The notes of a log entry, as data."""
    found = json.loads(notes) if notes else {}
    return found if isinstance(found, dict) else {}
