"""For users' tests: an outbox in place of all providers, and connections that fail on demand.

Rule: everything but the provider is real, the rules of fallback included; nothing leaves the process.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import ClassVar, Literal

from secondpost.core.connection import Connection
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Phase, Rejected, Unclear
from secondpost.library import post
from secondpost.mailers.base import Abilities, Crossing, Mailer, Parcel, Report, Setting, Verdict
from secondpost.service import compose

Failure = Literal["unreachable", "account", "limit", "recipient", "message", "unclear"]

_OUTCOMES: dict[Failure, Outcome] = {
    "unreachable": Deferred(Fault.UNREACHABLE, "the test lets nobody connect"),
    "account": Deferred(Fault.ACCOUNT, "the test refuses the log-in"),
    "limit": Deferred(Fault.LIMIT, "the test says: too many"),
    "recipient": Rejected(Fault.RECIPIENT, "the test knows no such mailbox"),
    "message": Rejected(Fault.MESSAGE, "the test does not want this message"),
    "unclear": Unclear("the test loses the answer"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One message as a provider would have got it."""

    connection: str
    sender: str
    to: tuple[str, ...]  # the envelope's: Cc and Bcc as well
    content: bytes = field(repr=False)

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=policy.default)

    @property
    def subject(self) -> str:
        return str(self.message["Subject"] or "")

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    def _part(self, kind: str) -> str:
        body = self.message.get_body((kind,))
        return str(body.get_content()).replace("\r\n", "\n") if body is not None else ""


@dataclass(slots=True)
class _Order:
    """`how` one connection, or any, is to fail, and how often."""

    connection: str
    how: Failure
    times: int | None


class Outbox:
    """What was sent, in order: `outbox[0]`, `len(outbox)`, `outbox.assert_sent(…)`."""

    def __init__(self) -> None:
        self.messages: list[Sent] = []
        self._orders: list[_Order] = []

    def __len__(self) -> int:
        return len(self.messages)

    def __iter__(self) -> Iterator[Sent]:
        return iter(self.messages)

    def __getitem__(self, index: int) -> Sent:
        return self.messages[index]

    # Failing -------------------------------------------------------------------------------------------------------

    def fail(self, connection: str = "", how: Failure = "unreachable", *, times: int | None = None) -> None:
        """From now on this connection, or with "" each of them, fails: for ever, or so many times."""
        if how not in _OUTCOMES:
            raise ValueError(f"{how!r} is no failure: use {', '.join(_OUTCOMES)}.")
        self._orders.append(_Order(connection, how, times))

    def heal(self) -> None:
        """From now on nothing fails."""
        self._orders.clear()

    def outcome(self, connection: str) -> Outcome:
        """What the next message by this connection meets."""
        for order in self._orders:
            if order.connection in ("", connection) and order.times != 0:
                order.times = None if order.times is None else order.times - 1
                return _OUTCOMES[order.how]
        return Accepted("kept in the outbox")

    def find(self, _mailer: str) -> type[Mailer]:
        """The mailer of every connection while this outbox is in place."""
        return type("Kept", (Keeper,), {"outbox": self})

    # Looking -------------------------------------------------------------------------------------------------------

    def sent(self, *, to: str = "", subject: str = "", contains: str = "", connection: str = "") -> list[Sent]:
        """The messages for which all that is given is true."""
        return [
            it for it in self.messages
            if (not to or to in it.to) and (not subject or subject == it.subject)
            and (not contains or contains in it.text or contains in it.html)
            and (not connection or connection == it.connection)
        ]  # fmt: skip

    def assert_sent(
        self, *, to: str = "", subject: str = "", contains: str = "", connection: str = "", count: int | None = None
    ) -> Sent:
        """The first message for which all that is given is true; with `count`, there are exactly so many."""
        found = self.sent(to=to, subject=subject, contains=contains, connection=connection)
        if not found or count not in (None, len(found)):
            wanted = {"to": to, "subject": subject, "contains": contains, "connection": connection}
            asked = ", ".join(f"{name}={value!r}" for name, value in wanted.items() if value) or "anything"
            expected = "at least 1" if count is None else str(count)
            raise AssertionError(f"{len(found)} sent with {asked}, not {expected}. {self._told()}")
        return found[0]

    def assert_nothing_sent(self) -> None:
        if self.messages:
            raise AssertionError(f"Something was sent. {self._told()}")

    def clear(self) -> None:
        """Forget what was sent."""
        self.messages.clear()

    def _told(self) -> str:
        lines = [f"  {it.subject!r} to {', '.join(it.to)} by {it.connection}" for it in self.messages]
        return "\n".join(["The outbox has:", *lines]) if lines else "The outbox is empty."


class Keeper:
    """A mailer that keeps what it is given."""

    name: ClassVar[str] = "outbox"
    title: ClassVar[str] = "Outbox"
    settings: ClassVar[tuple[Setting, ...]] = ()
    can: ClassVar[Abilities] = Abilities()
    outbox: ClassVar[Outbox]

    def __init__(self, connection: Connection) -> None:
        self._name = connection.name

    @property
    def capacity(self) -> int:
        return 10

    async def send(self, parcel: Parcel, crossing: Crossing) -> Report:
        outcome = self.outbox.outcome(self._name)
        passed = isinstance(outcome, Accepted | Unclear)
        granted = passed and await crossing.take()
        if granted and isinstance(outcome, Accepted):
            content = compose.whole(parcel.message)
            kept = Sent(connection=self._name, sender=parcel.sender, to=parcel.recipients, content=content)
            self.outbox.messages.append(kept)
        phase = Phase.POINT if granted else Phase.ENVELOPE
        outcomes = (outcome,) * len(parcel.recipients)
        return Report(outcomes=outcomes, phase=phase, abandoned=passed and not granted)

    async def verify(self) -> Verdict:
        return Verdict(outcome=self.outbox.outcome(self._name), phase=Phase.LOGIN)

    async def close(self) -> None:
        """Nothing is open."""


@contextmanager
def outbox() -> Iterator[Outbox]:
    """While it lasts, every post of this process sends into the outbox, whatever its manner and its connections."""
    before, kept = post.stage, Outbox()
    post.stage = kept.find
    try:
        yield kept
    finally:
        post.stage = before
