"""A mailer that is let in by OAuth 2 tokens: had once for all who ask together, renewed ahead, kept over restarts.

Rule: without a token nothing is sent; why there is none is an outcome as any other.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from secondpost.core.connection import Connection
from secondpost.core.outcome import Accepted, Deferred, Fault, Outcome, Phase
from secondpost.errors import SecondpostError
from secondpost.mailers import oauth
from secondpost.mailers.api import Request
from secondpost.mailers.base import Crossing, Keeper
from secondpost.mailers.http import HttpMailer
from secondpost.mailers.http_line import Answer
from secondpost.mailers.oauth import OAuthApi, Token

logger = logging.getLogger(__name__)

EARLY: Final = timedelta(minutes=5)  # before its end a token is no longer used, if another can be had
AHEAD: Final = timedelta(minutes=15)  # before its end it is renewed, so that no mail waits for that
LAST: Final = timedelta(seconds=30)


class OAuthMailer(HttpMailer):
    """`keeper` keeps the token; without one it lives as long as the mailer."""

    api: ClassVar[OAuthApi]
    keeper: Keeper | None = None

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._token: Token | None = None
        self._whose = oauth.for_whom(self._values)
        self._one_at_a_time = asyncio.Lock()
        self._door = self._new_line(connection)  # where tokens are given: another host than that of the mail

    @property
    def by_person(self) -> bool:
        return bool(self._values.get("grant", "person") == "person")

    # A person signs in ---------------------------------------------------------------------------------------------

    def sign_in_page(self, *, state: str, verifier: str, redirect: str) -> str:
        return oauth.page(self.api, self._values, state=state, verifier=verifier, redirect=redirect)

    async def signed_in(self, *, code: str, verifier: str, redirect: str) -> Outcome:
        """Exchange the code that the page gave for tokens, and keep them."""
        fields = oauth.code_fields(self._values, code=code, verifier=verifier, redirect=redirect)
        async with self._one_at_a_time:
            found = await self._exchange(fields, None)
        if isinstance(found, Answer):
            return _outcome(found)
        if not found.refresh:
            return Deferred(Fault.ACCOUNT, "they gave no refresh token, so it would end within the hour; sign in again")
        self._learned.clear()  # it may be another person
        return Accepted("signed in")

    async def renew(self, now: datetime) -> Outcome | None:
        """Renew a token that ends soon; why that failed, if it did."""
        found = await self._current(now, AHEAD)
        return _outcome(found) if isinstance(found, Answer) else None

    async def close(self) -> None:
        await self._door.close()
        await super().close()

    # Asking --------------------------------------------------------------------------------------------------------

    async def _ask(self, request: Request, crossing: Crossing | None = None) -> Answer:
        token = await self._current(datetime.now(UTC), EARLY)
        if isinstance(token, Answer):
            return token
        answer = await self._bear(request, token, crossing)
        if answer.response is None or answer.response.status != 401:
            return answer
        # It was withdrawn before its end. They refused the request, so it may be made once more.
        renewed = await self._instead(token)
        return renewed if isinstance(renewed, Answer) else await self._bear(request, renewed, crossing)

    async def _bear(self, request: Request, token: Token, crossing: Crossing | None) -> Answer:
        return await self._line.ask(oauth.bearing(request, token, self.api.scheme), crossing)

    async def _current(self, now: datetime, margin: timedelta) -> Token | Answer:
        """A token that is good for a while; else a new one; else one that is still good; else why there is none."""
        if self._token is not None and self._token.is_good(now, margin):
            return self._token
        async with self._one_at_a_time:
            self._token = self._token or await self._kept(now)
            before = self._token
            if before is not None and before.is_good(now, margin):
                return before
            found = await self._renewed(before, now)
        return before if isinstance(found, Answer) and before and before.is_good(now, LAST) else found

    async def _instead(self, refused: Token) -> Token | Answer:
        """Another token than this, which they no longer take."""
        async with self._one_at_a_time:
            if self._token is not None and self._token.access != refused.access:
                return self._token
            return await self._renewed(refused, datetime.now(UTC))

    async def _renewed(self, before: Token | None, now: datetime) -> Token | Answer:
        fields = self.api.alone(self._values, now)
        if fields is None and before is not None and before.refresh:
            fields = self.api.renewing(self._values, before.refresh)
        if fields is None:
            return Answer(phase=Phase.LOGIN, outcome=oauth.NOT_CONNECTED)
        return await self._exchange(fields, before)

    async def _exchange(self, fields: Mapping[str, str], before: Token | None) -> Token | Answer:
        answer = await self._door.ask(oauth.ask(self.api.token_url(self._values), fields))
        if answer.response is None:
            return answer
        found = oauth.granted(answer.response, datetime.now(UTC), before)
        if isinstance(found, Token):
            await self._keep(found)
            return found
        answer.stages.note("Log-in", found.reply, ok=False)
        shown = "" if answer.response.ok else answer.transcript  # what looks like a success may hold a token
        return replace(answer, phase=Phase.LOGIN, response=None, outcome=found, transcript=shown)

    # Keeping -------------------------------------------------------------------------------------------------------

    async def _kept(self, now: datetime) -> Token | None:
        kept = await self.keeper.load() if self.keeper else None
        if kept is not None and kept.get("for") == self._whose:
            token = oauth.from_kept(kept)
        elif given := str(self._values.get("refresh_token") or ""):
            token = Token(expires=now, refresh=given)
        else:
            return None
        self._hide(token)
        return token

    async def _keep(self, token: Token) -> None:
        """What cannot be written down still works until a restart."""
        self._token = token
        self._hide(token)
        try:
            if self.keeper is not None:
                await self.keeper.save({"for": self._whose, **token.kept()})
        except SecondpostError as error:
            logger.error("a renewed token could not be written down: %s", error)

    def _hide(self, token: Token) -> None:
        for line in (self._line, self._door):
            line.hide(token.access, token.refresh)


def _outcome(answer: Answer) -> Outcome:
    """Why there is no token."""
    assert answer.outcome is not None
    return answer.outcome
