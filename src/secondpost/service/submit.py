"""Taking a message in: check it, choose its route, and put it on disk with its deliveries.

Rule: a submission's future resolves only after the commit that carries it is on disk (RFC 5321 section 6.1).
"""

import asyncio
import json
import logging
from asyncio import Future, Task
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from secondpost.core import address
from secondpost.core import message as rfc5322
from secondpost.core.delivery import Move
from secondpost.core.message import Message, Summary, Tail
from secondpost.core.priority import Priority
from secondpost.errors import Fault, Malformed, Refusal, StoreError, StoreUnavailable
from secondpost.service import form
from secondpost.service.desk import Desk, Verdict
from secondpost.service.worker import Worker
from secondpost.store.base import Delivery, Lease, Receipt, Store, Submission

logger = logging.getLogger(__name__)

INTAKE_DEADLINE = timedelta(seconds=20)  # well inside the patience of clients, which is 30 s and more
FARTHEST = timedelta(days=30)  # how far ahead mail can be submitted
NO_REPORT = "no report"  # among the notes: recipients whose failures nobody wants to hear of
INITIATOR = "initiator"  # among the notes: the part of the client that sent, as it says; such as a plug-in
METADATA = "metadata"  # among the notes: what the client wants to find again with the message
TOO_SLOW = "The disk is too slow. Nothing was accepted; try again later."
NOT_KNOWN = "The disk is too slow. Whether the message was accepted is not known; send it again"
STORED_TOO_LATE = "answered 451: stored too late"


@dataclass(slots=True, kw_only=True)
class Draft:
    """What an entrypoint hands in. `content` is the message up to 64 KiB, `tail` the rest of a larger one."""

    id: int
    sender: str
    recipients: tuple[str, ...]
    content: bytes
    tail: Tail | None = None
    client: str = ""
    entrypoint: str = ""
    peer: str = ""
    helo: str = ""
    tls: bool = False
    eight_bit: bool = False
    smtputf8: bool = False
    dsn: Mapping[str, str] | None = None
    trusted: bool = False  # may name a connection and use any sender
    senders: tuple[str, ...] = ()  # patterns that the credential may send as; () means any
    priority: Priority | None = None
    key: str = ""
    digest: str = ""  # with a key: what must be the same when it is used again; else envelope and body
    tag: str = ""
    metadata: Mapping[str, str] | None = None  # the client's own; kept with the notes
    due: datetime | None = None  # not before
    connection: str = ""  # only this one: a test message
    prefer: str = ""  # this one first; the entrypoint has made sure that the client may choose
    parent: int | None = None


@dataclass(slots=True)
class Submit:
    """Call it with a `Draft`. Raises `Refusal` at once, or returns the future of a `Receipt`."""

    store: Store
    worker: Worker
    desk: Desk
    hostname: str
    now: Callable[[], datetime]
    new_id: Callable[[], int]
    pace: Callable[[str, datetime], None] | None = None  # raises `Refusal` for a client that may not submit now
    _second: datetime | None = None
    _second_text: str = ""
    _pending: dict[int, tuple[Submission, "Future[Receipt]"]] = field(default_factory=dict)
    _late: list[Submission] = field(default_factory=list)  # given up; to be undone
    _undoing: set["Task[None]"] = field(default_factory=set)

    def __call__(self, draft: Draft) -> "Future[Receipt]":
        if self.pace is not None and draft.client and not draft.trusted:
            self.pace(draft.client, self.now())
        submission = self.prepare(draft, hold=True)
        accepted = self.store.accept(submission)
        self._pending[draft.id] = submission, accepted
        accepted.add_done_callback(lambda done: self._stored(submission, done))
        return accepted

    async def give_up(self) -> None:
        """Answer for the disk where it is too slow: a client that stops waiting would send the message again.

        A commit that comes through after that is undone: its deliveries are cancelled before anything can leave. So
        that this holds even if the process dies first, nobody hears "no" before the store has a note of it.
        With an idempotency key it stays: the client's next try is told of it, and must not hear OK for nothing.
        """
        now = self.now()
        overdue = [
            id
            for id, (it, accepted) in self._pending.items()
            if now - it.accepted > INTAKE_DEADLINE and not accepted.done()
        ]
        given_up = [self._pending.pop(id) for id in overdue]
        late, self._late = self._late + [it for it, _ in given_up], []
        self._undo_all(late)
        for it, accepted in given_up:
            if it.key:
                # Of a plain StoreError an entrypoint does not think that nothing was stored.
                accepted.set_exception(StoreError(NOT_KNOWN + " with the same key."))
        await self._refuse({it.id: accepted for it, accepted in given_up if not it.key})

    async def _refuse(self, refused: "dict[int, Future[Receipt]]") -> None:
        if not refused:
            return
        answer: StoreError = StoreUnavailable(TOO_SLOW)
        try:
            await self.store.refuse(refused)
        except StoreError as error:
            logger.error("what is refused could not be noted: %s", error)
            answer = StoreError(NOT_KNOWN + " later.")
        for accepted in refused.values():
            if not accepted.done():  # whoever asked may have gone
                accepted.set_exception(answer)

    def _undo_all(self, late: list[Submission]) -> None:
        """All at once, and nobody waits: behind a slow disk the next clients must still get their answer, and whatever
        would send these messages can only be asked for behind the moves that cancel them."""
        for submission in late:
            task = asyncio.ensure_future(self._undo(submission))
            self._undoing.add(task)
            task.add_done_callback(self._undoing.discard)

    async def _undo(self, it: Submission) -> None:
        if it.key:
            if it.worker:
                self.worker.give_back(lease_of(it))
            return
        try:
            await self._cancel(it.id)
        except StoreError as error:
            logger.error("a message that came too late is not cancelled yet: %s", error, extra={"id": it.id})
            self._late.append(it)

    async def undo_refused(self) -> None:
        """At start: cancel what a process before this one refused, and could not undo any more."""
        for message in await self.store.refused():
            await self._cancel(message)

    async def _cancel(self, message: int) -> None:
        await self.store.move(message, None, Move.CANCEL, now=self.now(), due=None, reason=STORED_TOO_LATE)
        await self.store.forget_refused(message)

    def prepare(self, draft: Draft, *, hold: bool = False) -> Submission:
        """What would be stored for a draft. `hold`: take room in memory for it, if there is some. Raises `Refusal`."""
        now = self.now()
        if draft.due is not None and draft.due - now > FARTHEST:
            raise Malformed([Fault("send_at", f"It is farther ahead than {FARTHEST.days} days.")])
        message, summary = self._complete(draft, now)
        return self._submission(draft, message, summary, now, hold=hold)

    def _complete(self, draft: Draft, now: datetime) -> tuple[Message, Summary]:
        head, body = rfc5322.split(draft.content)
        rfc5322.check_head(head)
        summary = rfc5322.summarize(head)
        self._check_sender(draft, head)
        name = rfc5322.id_text(draft.id)
        date = self._date(now)
        head = rfc5322.complete(head, message_id=f"<{name}@{self.hostname}>", date=date)
        if draft.entrypoint == "smtp":
            head = self._received(draft, name, date) + head
        return Message(head, body, draft.tail), summary

    def _date(self, now: datetime) -> str:
        """The Date of this second: formatted once, since many messages share it."""
        second = now.replace(microsecond=0)
        if second != self._second:
            self._second, self._second_text = second, rfc5322.date_text(second.astimezone())
        return self._second_text

    def _received(self, draft: Draft, name: str, date: str) -> bytes:
        protocol = (
            ("UTF8" if draft.smtputf8 else "E")
            + "SMTP"
            + ("S" if draft.tls else "")
            + ("A" if draft.client and not draft.peer.startswith("[") else "")
        )
        return rfc5322.received(
            helo=draft.helo,
            peer=draft.peer,
            by=self.hostname,
            protocol=protocol,
            id=name,
            when=date,
            recipient=draft.recipients[0] if len(draft.recipients) == 1 else "",
        )

    def _check_sender(self, draft: Draft, head: bytes) -> None:
        if not draft.senders:
            return
        for sender in {draft.sender, *rfc5322.authors(head)} - {""}:
            if not address.allowed(sender, draft.senders):
                raise Refusal(
                    553,
                    "5.7.1",
                    f"This log-in may not send as {sender}. Nothing was stored; "
                    "use one of its own senders, or add this one to the credential.",
                )

    def _submission(self, draft: Draft, message: Message, summary: Summary, now: datetime, *, hold: bool) -> Submission:
        private = summary.private
        verdict = self.desk.choose(draft, summary, message)
        priority = _priority(draft.priority, verdict.priority, private.get("secondpost-priority", ""))
        withheld = self.desk.withheld(draft.recipients, verdict)
        some = not withheld or any(recipient not in withheld for recipient in draft.recipients)
        due = draft.due if draft.due is not None and draft.due > now else None
        notes = _notes(draft, verdict, summary)  # may refuse: so before room is taken, which nobody would give back
        hold = hold and some and due is None and self.worker.has_room(message.size, verdict.connections)
        return Submission(
            id=draft.id,
            accepted=now,
            message=message,
            summary=summary,
            sender=draft.sender,
            recipients=draft.recipients,
            priority=priority,
            expires=(due or now) + self.desk.policies[priority].expires,
            due=due,
            route=verdict.connections,
            client=draft.client,
            entrypoint=draft.entrypoint,
            notes=notes,
            tag=draft.tag or private.get("secondpost-tag", "")[:200],
            key=draft.key or private.get("secondpost-idempotency-key", "")[:200],
            worker=self.worker.name if hold else "",
            digest=draft.digest,
            withheld=withheld,
            parent=draft.parent,
        )

    def _stored(self, submission: Submission, accepted: "Future[Receipt]") -> None:
        """A message just accepted is delivered from memory, without reading it back."""
        self._pending.pop(submission.id, None)
        if not submission.worker:
            return
        if accepted.cancelled():  # whoever asked has gone, and the message may be stored all the same
            self.worker.give_back(lease_of(submission))
        elif accepted.exception() is None and not accepted.result().duplicate:
            self.worker.take(lease_of(submission))
            return
        self.worker.room.give(submission.message.size)


def _notes(draft: Draft, verdict: Verdict, summary: Summary) -> str:
    """Why this route, which part of the client sent, its metadata, whose failures nobody wants to hear of, copies."""
    notes, private = dict(verdict.notes or {}), summary.private
    if initiator := private.get("secondpost-initiator", ""):
        notes[INITIATOR] = initiator[:200]
    field = private.get("secondpost-metadata", "")
    if metadata := dict(draft.metadata or {}) or (_metadata(field) if field else {}):
        notes[METADATA] = metadata
    if asked := draft.dsn:
        quiet = [to for to in draft.recipients if "FAILURE" not in asked.get(f"NOTIFY {to}", "FAILURE").upper()]
        notes |= {NO_REPORT: quiet} if quiet else {}
    if summary.cc or draft.recipients != summary.to:
        notes |= _copies(draft.recipients, summary)
    return json.dumps(notes) if notes else ""


def _metadata(field: str) -> dict[str, str]:
    """What the header field says, as JSON. Raises `Refusal`."""
    try:
        given = json.loads(field)
        return form.metadata("Secondpost-Metadata", {str(name): str(value) for name, value in given.items()})
    except (ValueError, AttributeError, RecursionError):
        raise form.wrong("Secondpost-Metadata", "Secondpost-Metadata is not a JSON object.") from None


def _copies(recipients: tuple[str, ...], summary: Summary) -> dict[str, list[str]]:
    """The recipients whom the field Cc names, and, when any is named at all, those whom no field names."""
    fields = {"to": summary.to, "cc": summary.cc}
    named = {name: {address.casefold() for address in listed} for name, listed in fields.items()}
    cc = [to for to in recipients if to.casefold() in named["cc"] - named["to"]]
    bcc = [to for to in recipients if to.casefold() not in named["cc"] | named["to"]]
    found = {"cc": cc, "bcc": bcc if len(bcc) < len(recipients) else []}
    return {name: listed for name, listed in found.items() if listed}


def _priority(asked: Priority | None, by_rule: Priority | None, field: str) -> Priority:
    """The first that was given: by the entrypoint, by Smart Routing, by the header field. Raises `Refusal`."""
    if asked is not None:
        return asked
    if by_rule is not None:
        return by_rule
    try:
        return Priority.parse(field) if field else Priority.NORMAL
    except ValueError as error:
        raise Refusal(550, "5.6.0", f"Secondpost-Priority: {error}. Nothing was stored.", "priority") from None


def lease_of(submission: Submission, *, trace: bool = False) -> Lease:
    """The lease under which an accepted submission was stored (its first fence is 1)."""
    return Lease(
        id=submission.id,
        sender=submission.sender,
        priority=submission.priority,
        expires=submission.expires,
        accepted=submission.accepted,
        route=submission.route,
        fence=1,
        deliveries=[
            Delivery(number=number, recipient=recipient)
            for number, recipient in enumerate(submission.recipients)
            if recipient not in submission.withheld
        ],
        message=submission.message,
        size=submission.message.size,
        trace=trace,
        from_email=submission.summary.from_email,
        entrypoint=submission.entrypoint,
        notes=submission.notes,
    )


def utc_now() -> datetime:
    return datetime.now(UTC)
