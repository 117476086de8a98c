"""Signing in to a provider in a browser (OAuth 2): the page to open, and what comes back from it.

Rule: what comes back is believed once, within minutes, and only with the secret that was given along: `state`.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from secondpost.core.outcome import Accepted, Fault
from secondpost.errors import SecondpostError
from secondpost.mailers.base import TokenMailer, has_tokens
from secondpost.service.credentials import digest_of
from secondpost.service.verification import Verification
from secondpost.service.worker import Worker
from secondpost.store.base import Store

logger = logging.getLogger(__name__)

KIND = "sign-in"  # what was begun, by the hash of its state
PATH = "/oauth/callback"
TIME = timedelta(minutes=15)


@dataclass(slots=True)
class SignIns:
    """`url` is how people reach the gateway; the provider sends them back there."""

    store: Store
    worker: Worker
    verification: Verification
    now: Callable[[], datetime]
    url: str

    @property
    def redirect(self) -> str:
        return f"{self.url}{PATH}"

    async def begin(self, name: str) -> str:
        """The page to open in a browser. Raises `SecondpostError` when nobody signs in to this connection so."""
        mailer = self._mailer(name)
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        await self._forget_old()
        begun = {"connection": name, "verifier": verifier, "until": (self.now() + TIME).isoformat()}
        await self.store.put(KIND, digest_of(state), begun)
        return mailer.sign_in_page(state=state, verifier=verifier, redirect=self.redirect)

    async def end(self, state: str, code: str, refused: str = "") -> str:
        """What came back from the page; the connection's name. Raises `SecondpostError` that a person can read."""
        begun = await self.store.get(KIND, digest_of(state))
        if begun is not None:
            await self.store.delete(KIND, digest_of(state))  # it counts once
        if begun is None or datetime.fromisoformat(begun["until"]) < self.now():
            raise SecondpostError("This sign-in was not begun here, or too long ago. Nothing was changed; begin again.")
        name = str(begun["connection"])
        if refused or not code:
            raise SecondpostError(f"The provider did not let us in ({refused or 'no code'}). Nothing was changed.")
        outcome = await self._mailer(name).signed_in(code=code, verifier=begun["verifier"], redirect=self.redirect)
        if not isinstance(outcome, Accepted):
            raise SecondpostError(f"Signing in to {name} failed: {outcome.reply}")
        await self.store.event("sign-in", at=self.now(), connection=name, text="a person signed in; tokens are kept")
        self.verification.later(name)
        await self.verification.connections.trials.try_now(self.worker.ways.lines[name])
        return name

    def _mailer(self, name: str) -> TokenMailer:
        line = self.worker.ways.lines.get(name)
        if line is None:
            raise SecondpostError(f"There is no connection {name!r} (any more).")
        if not has_tokens(line.mailer) or not line.mailer.by_person:
            raise SecondpostError(f"Nobody needs to sign in to {name!r}: its settings say all. Nothing was changed.")
        return line.mailer

    async def _forget_old(self) -> None:
        for digest, begun in (await self.store.all(KIND)).items():
            if datetime.fromisoformat(begun["until"]) < self.now():
                await self.store.delete(KIND, digest)

    async def renew(self) -> None:
        """Renew tokens before they end. A connection that must be signed in to again is shown so before mail fails."""
        lines = [line for line in self.worker.ways.lines.values() if line.connection.enabled]
        await asyncio.gather(*[self._renew(line.name, line.mailer) for line in lines if has_tokens(line.mailer)])

    async def _renew(self, name: str, mailer: TokenMailer) -> None:
        outcome = await mailer.renew(self.now())
        if outcome is None:
            return
        logger.warning("connection %s: its token could not be renewed: %s", name, getattr(outcome, "reply", ""))
        known = (await self.verification.readiness()).get(name)
        if getattr(outcome, "fault", None) is Fault.ACCOUNT and known is not None and known.ok is not False:
            text = f"needs attention: {getattr(outcome, 'reply', '')}"
            await self.store.event("sign-in", at=self.now(), connection=name, text=text)
            await self.verification.verify(name)
