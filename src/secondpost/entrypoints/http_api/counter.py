"""The counter of the HTTP API: takes drafts, and gives a receipt when they are on disk.

Rule: nobody cancels a commit that has begun: the client may leave, the message stays.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import Request

from secondpost.entrypoints.http_api.gate import Gate
from secondpost.entrypoints.http_api.intake import Intake
from secondpost.entrypoints.http_api.letters import LONGEST_KEY, Asked
from secondpost.entrypoints.http_api.problems import Problem
from secondpost.errors import Refusal
from secondpost.service import large
from secondpost.service.credentials import Client
from secondpost.service.submit import Draft, Submit
from secondpost.store.base import Receipt, Store

T = TypeVar("T")
LARGE = 262_144  # bytes from which on a body is worked on in a thread: meanwhile the others go on


@dataclass(slots=True)
class Counter:
    """What every route of the API needs."""

    submit: Submit
    store: Store
    gate: Gate
    intake: Intake
    recipients: int  # most of one message

    def asked(self, request: Request, client: Client, key: str = "") -> Asked:
        """Who asks. Raises `Problem` for a key that cannot be kept."""
        key = key or request.headers.get("idempotency-key", "")
        if len(key) > LONGEST_KEY or not key.isprintable():
            fault = f"It has at most {LONGEST_KEY} printable characters."
            raise Problem(422, f"The Idempotency-Key is wrong. {fault}", [("Idempotency-Key", fault)])
        trace = request.headers.get("traceparent", "")
        trace = trace if trace.isascii() and trace.isprintable() and len(trace) <= 256 else ""
        peer = request.client.host if request.client else ""
        return Asked(client=client, peer=peer, key=key, trace=trace, most=self.recipients)

    async def take(self, draft: Draft) -> Receipt:
        """On disk when it returns. Raises `Refusal` or `StoreError`."""
        (receipt,) = await self.take_all([draft])
        if isinstance(receipt, BaseException):
            raise receipt
        return receipt

    async def take_all(self, drafts: list[Draft]) -> list[Receipt | BaseException]:
        """Each draft's receipt, or why it was not taken. They share a commit where they can."""
        for draft in drafts:
            if len(draft.content) > self.intake.limit:
                raise Refusal(
                    552, "5.3.4", f"The message is larger than {self.intake.limit} bytes. Nothing was stored."
                )
        taking = [large.submit(self.submit, draft) for draft in drafts]
        return await asyncio.shield(asyncio.gather(*taking, return_exceptions=True))


async def work(size: int, do: Callable[..., T], *given: object) -> T:
    """What takes long for a large body is done beside the event loop."""
    return await asyncio.to_thread(do, *given) if size > LARGE else do(*given)
