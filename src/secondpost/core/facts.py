"""What the rules of Smart Routing can ask of a message.

Rule: an answer is worked out only when a rule asks; nothing here is done for mail when there are no rules.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from secondpost.core import content, words
from secondpost.core.address import domain_of
from secondpost.core.fields import FIELD, HEAD_LIMIT
from secondpost.core.message import Message, Summary


class Property(StrEnum):
    """The words of the configuration; `label` is what the screen says."""

    SUBJECT = "subject"
    MESSAGE = "message"
    FROM_EMAIL = "from_email"
    FROM_NAME = "from_name"
    TO = "to"
    CC = "cc"
    BCC = "bcc"
    REPLY_TO = "reply_to"
    HEADER_NAME = "header_name"
    HEADER_VALUE = "header_value"
    INITIATOR = "initiator"
    RECIPIENT_DOMAIN = "recipient_domain"
    RECIPIENT_COUNT = "recipient_count"
    HAS_ATTACHMENTS = "has_attachments"
    MESSAGE_SIZE = "message_size"
    CONTENT_TYPE = "content_type"
    PRIORITY = "priority"

    @property
    def label(self) -> str:
        return _LABELS.get(self, self.replace("_", " ").title())


_LABELS = {
    Property.CC: "CC",
    Property.BCC: "BCC",
    Property.REPLY_TO: "Reply-To",
    Property.MESSAGE_SIZE: "Message Size (KB)",
}

NUMBERS = frozenset({Property.RECIPIENT_COUNT, Property.MESSAGE_SIZE})
_YES, _NO = ("yes",), ("no",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A message as the rules see it."""

    summary: Summary
    message: Message
    sender: str
    recipients: tuple[str, ...]
    client: str = ""
    priority: str = "normal"


def facts(
    summary: Summary,
    message: Message,
    *,
    sender: str,
    recipients: tuple[str, ...],
    client: str,
    priority: str = "",
) -> Facts:
    """The facts of a message. A priority that is not given is the one that its header asks for."""
    word = priority or summary.private.get("secondpost-priority", "") or "normal"
    return Facts(
        summary=summary, message=message, sender=sender, recipients=recipients, client=client, priority=word.lower()
    )


def number(facts: Facts, asked: Property) -> float:
    """The value of a property that is a number."""
    return len(facts.recipients) if asked is Property.RECIPIENT_COUNT else facts.message.size / 1024


def values(facts: Facts, asked: Property) -> tuple[str, ...]:
    """The values of a property; a missing one has one empty value."""
    if asked in NUMBERS:
        return (f"{number(facts, asked):g}",)
    return _SOURCES[asked](facts) or ("",)


def _bcc(facts: Facts) -> tuple[str, ...]:
    """Who gets a blind copy: named in Bcc, or a recipient that no visible field names."""
    summary = facts.summary
    visible = {address.casefold() for address in (*summary.to, *summary.cc, *summary.bcc)}
    return (*summary.bcc, *[address for address in facts.recipients if address.casefold() not in visible])


def _fields(facts: Facts) -> list[tuple[bytes, bytes]]:
    return FIELD.findall(b"\n" + facts.message.head[:HEAD_LIMIT])


def _header_values(facts: Facts) -> tuple[str, ...]:
    return tuple([words.decode(value) for _, value in _fields(facts)])


def _initiator(facts: Facts) -> tuple[str, ...]:
    """The client, what it says of itself, and the script that PHP names."""
    said = facts.summary.private.get("secondpost-initiator", "")
    scripts = [value for name, value in _fields(facts) if name.lower() == b"x-php-originating-script"]
    return (facts.client, *[said] * bool(said), *[words.decode(value) for value in scripts])


def _has_attachments(facts: Facts) -> tuple[str, ...]:
    return _YES if content.has_attachments(facts.message.head, facts.message.body) else _NO


_SOURCES: dict[Property, Callable[[Facts], tuple[str, ...]]] = {
    Property.SUBJECT: lambda facts: (facts.summary.subject,),
    Property.MESSAGE: lambda facts: (content.text_of(facts.message.head, facts.message.body),),
    Property.FROM_EMAIL: lambda facts: (facts.summary.from_email or facts.sender,),
    Property.FROM_NAME: lambda facts: (facts.summary.from_name,),
    Property.TO: lambda facts: facts.summary.to,
    Property.CC: lambda facts: facts.summary.cc,
    Property.BCC: _bcc,
    Property.REPLY_TO: lambda facts: facts.summary.reply_to,
    Property.HEADER_NAME: lambda facts: tuple([name.decode() for name, _ in _fields(facts)]),
    Property.HEADER_VALUE: _header_values,
    Property.INITIATOR: _initiator,
    Property.RECIPIENT_DOMAIN: lambda facts: tuple(dict.fromkeys(domain_of(address) for address in facts.recipients)),
    Property.HAS_ATTACHMENTS: _has_attachments,
    Property.CONTENT_TYPE: lambda facts: (facts.summary.content_type or "text/plain",),
    Property.PRIORITY: lambda facts: (facts.priority,),
}
