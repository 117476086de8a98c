"""The HTTP API itself: submitting, asking what became of it, and acting on it.

Rule: 202 means that the message is on disk. A key sees its own messages, unless it may read all.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Header, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from secondpost.core import message as rfc5322
from secondpost.core import words
from secondpost.entrypoints.http_api import letters
from secondpost.entrypoints.http_api.counter import Counter, work
from secondpost.entrypoints.http_api.letters import Asked, Envelope, Letter, Letters
from secondpost.entrypoints.http_api.problems import Problem, invalid, problem
from secondpost.errors import Malformed, Refusal
from secondpost.service import present
from secondpost.service.credentials import Client
from secondpost.service.operate import Operations
from secondpost.service.submit import METADATA, Draft
from secondpost.store.base import Receipt
from secondpost.store.log import LogEntry

M = TypeVar("M", bound=BaseModel)
Status = Literal[
    "sent", "delivered", "bounced", "complained", "failed", "waiting", "unclear", "leased", "sending", "accepted",
    "rejected", "expired", "cancelled",
]  # fmt: skip
Key = Annotated[str, Header(alias="Idempotency-Key", description="Repeated within 24 hours, it is the same message.")]


class Settlement(letters.Strict):
    """What became of a delivery of which nobody could know."""

    verdict: Literal["arrived", "refused", "send_again"]
    number: int | None = None  # the place of the recipient, from 0; else all that are unclear


@dataclass(slots=True)
class V1:
    """The handlers; one method each."""

    counter: Counter
    operations: Operations

    # Submitting ----------------------------------------------------------------------------------------------------

    async def submit(self, request: Request, _key: Key = "") -> Response:
        """Submit a message. The answer comes when it is on disk."""
        asked = self._asked(request)
        with await self.counter.intake.read(request) as body:
            draft = await work(len(body), self._draft, body, asked)
        return await self._taken(await self.counter.take(draft))

    async def submit_raw(
        self,
        request: Request,
        _key: Key = "",
        mail_from: Annotated[
            str | None, Header(alias="Secondpost-Mail-From", description="The envelope's sender.")
        ] = None,
        rcpt_to: Annotated[str, Header(alias="Secondpost-Rcpt-To", description="The recipients, with commas.")] = "",
        connection: Annotated[str, Header(alias="Secondpost-Connection", description="Goes by it first.")] = "",
    ) -> Response:
        """Submit a message that is written already. Without these fields the envelope comes from the message's own."""
        asked = self._asked(request)
        if request.headers.get("content-type", "message/rfc822").partition(";")[0].strip().lower() != "message/rfc822":
            raise Problem(415, "Send the message as message/rfc822. Nothing was stored.")
        to = [text.strip() for text in words.unicode(rcpt_to.encode("latin-1")).split(",") if text.strip()]
        mail_from = None if mail_from is None else words.unicode(mail_from.encode("latin-1"))
        with await self.counter.intake.read(request) as body:
            id = self.operations.new_id()
            draft = await work(len(body), letters.raw, body, id, asked, Envelope(mail_from, to, connection))
        return await self._taken(await self.counter.take(draft))

    async def submit_batch(self, request: Request, _key: Key = "") -> Response:
        """Submit up to 500 messages. When anything is wrong with one of them, none is taken."""
        asked = self._asked(request)
        with await self.counter.intake.read(request) as body:
            drafts = await work(len(body), self._drafts, body, asked)
        receipts = await self.counter.take_all(drafts)
        told = [_told(receipt) for receipt in receipts]
        if not any("id" in answer for answer in told):
            assert isinstance(receipts[0], BaseException)
            raise receipts[0]
        return JSONResponse({"messages": told}, 202)

    def _asked(self, request: Request) -> Asked:
        return self.counter.asked(request, request.state.client)

    def _draft(self, body: bytes, asked: Asked) -> Draft:
        return letters.draft(read(Letter, body), self.operations.new_id(), asked)

    def _drafts(self, body: bytes, asked: Asked) -> list[Draft]:
        """All of them, or `Problem` with the faults of all."""
        drafts, faults = [], list[tuple[str, str]]()
        for number, letter in enumerate(read(Letters, body).messages):
            try:
                one = asked.model_copy(update={"key": letters.numbered(asked.key, number)})
                drafts.append(letters.draft(letter, self.operations.new_id(), one))
            except (Malformed, Refusal) as error:
                found = problem(error)
                faults += [(f"messages[{number}].{name}", text) for name, text in found.errors or [("", found.detail)]]
        if faults:
            raise Problem(422, "Some of the messages are wrong. Nothing was stored.", faults)
        return drafts

    async def _taken(self, receipt: Receipt) -> Response:
        status = "waiting"
        if receipt.duplicate and (entry := await self.counter.store.entry(receipt.id)):
            status = present.status(entry.row.standings)
        return JSONResponse(_told(receipt) | {"status": status}, 202)

    # Asking --------------------------------------------------------------------------------------------------------

    async def show(self, request: Request, id: str) -> Response:
        """Everything known of a message: its deliveries, the attempts, the events."""
        entry = await self._entry(request, id)
        shown = present.entry(entry, self.operations.worker.policies, self.operations.now())
        notes = letters.facts(shown.pop("notes"))
        shown |= {METADATA: notes.get(METADATA, {}), "why": notes.get("why", "")}
        for attempt in shown["attempts"]:
            attempt.pop("transcript", None)
        return JSONResponse(shown)

    async def list(
        self,
        *,
        address: Annotated[str, Query(max_length=254, description="Sender or recipient.")] = "",
        subject: Annotated[str, Query(max_length=998, description="Words of the subject.")] = "",
        status: Annotated[Status | None, Query(description="Where it stands.")] = None,
        connection: Annotated[str, Query(max_length=200, description="By which it went.")] = "",
        since: Annotated[str, Query(max_length=40, description="ISO 8601.")] = "",
        until: Annotated[str, Query(max_length=40, description="ISO 8601.")] = "",
        limit: Annotated[int, Query(ge=1, le=500, description="Most messages of a page.")] = 50,
        cursor: Annotated[str, Query(max_length=40, description="The field next of the page before.")] = "",
    ) -> Response:
        """Messages, newest first."""
        filters = {
            "address": address, "subject": subject, "status": status, "connection": connection, "since": since,
            "until": until, "limit": limit, "before": cursor,
        }  # fmt: skip
        page = await self.operations.log_list(**filters)
        return JSONResponse({"messages": page["rows"], "next": page["next"]})

    async def _entry(self, request: Request, id: str) -> LogEntry:
        """A message that the key may see. Another one's is not there, as far as it can tell."""
        client: Client = request.state.client
        try:
            entry = await self.counter.store.entry(letters.parse_id(id))
        except ValueError:
            entry = None
        if entry is None or not (entry.row.client == client.name or "read-all" in client.scopes):
            raise Problem(404, f"There is no message {id[:40]!r}. It may be older than the Log Retention Period.")
        return entry

    # Acting --------------------------------------------------------------------------------------------------------

    async def resend(self, request: Request, id: str) -> Response:
        """Send it once more, as a new message that links to the first."""
        done = await self.operations.messages_resend(await self._named(request, id))
        return JSONResponse(done, 202)

    async def cancel(self, request: Request, id: str) -> Response:
        """Withdraw what has not left yet."""
        return JSONResponse(await self.operations.messages_cancel(await self._named(request, id)))

    async def settle(self, request: Request, id: str) -> Response:
        """Say what became of a delivery that is unclear."""
        with await self.counter.intake.read(request) as body:
            given = read(Settlement, body)
        named = await self._named(request, id)
        return JSONResponse(await self.operations.messages_settle(named, given.verdict, given.number))

    async def _named(self, request: Request, id: str) -> str:
        return rfc5322.id_text((await self._entry(request, id)).row.id)

    # The gateway ---------------------------------------------------------------------------------------------------

    async def connections(self) -> Response:
        """The connections, their roles, and whether they can take mail."""
        rows = await self.operations.connections_list()
        shown = [{name: value for name, value in row.items() if name not in {"settings", "origin"}} for row in rows]
        return JSONResponse({"connections": shown})

    async def verify(self, id: str) -> Response:
        """Sign in to a connection, without sending."""
        if id not in [row["name"] for row in await self.operations.connections_list()]:
            raise Problem(404, f"There is no connection {id[:80]!r}.")
        (verdict,) = await self.operations.connections_verify(id)
        return JSONResponse({name: value for name, value in verdict.items() if name != "transcript"})

    async def stats(self) -> Response:
        """What waits, and the outcomes since the gateway was started."""
        outcomes = [
            {
                "connection": connection,
                "outcome": outcome,
                "fault": fault,
                "backup": backup == "yes",
                "recipients": count,
            }
            for (connection, outcome, fault, backup), count in sorted(self.operations.worker.outcomes.items())
        ]
        return JSONResponse({"queue": await self.operations.queue(), "outcomes": outcomes})


def read(model: type[M], body: bytes) -> M:
    """The body as what it should be. Raises `Problem` with everything that is wrong with it."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise invalid(error) from None


def _told(receipt: Receipt | BaseException) -> dict[str, Any]:
    if isinstance(receipt, BaseException):
        return {"error": problem(receipt).document()}
    return {"id": rfc5322.id_text(receipt.id), "status": "waiting", "duplicate": receipt.duplicate}
