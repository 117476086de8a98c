"""Sessions of the web admin: what a browser's cookie stands for, kept in the store as a digest, so that they can be
ended.

Rule: a session ends after 30 minutes without a request, after 12 hours in any case, and when its user's password
changes.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from secondpost.service.credentials import digest_of
from secondpost.store.base import Store

KIND = "session"
IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=1)  # how exactly the last request is remembered: a page is not worth an fsync


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`id` is the digest of the cookie: it names the session and cannot be used as one."""

    id: str
    email: str
    begun: datetime
    seen: datetime
    client: str  # where from: an IP address
    agent: str  # the browser's name for itself

    def over(self, now: datetime) -> bool:
        return now - self.seen > IDLE or now - self.begun > LONGEST


@dataclass(slots=True)
class Sessions:
    store: Store
    now: Callable[[], datetime]

    async def begin(self, email: str, *, client: str, agent: str) -> str:
        """The value of the new session's cookie."""
        for session in await self.all():
            if session.over(self.now()):
                await self.end(session.id)
        secret, now = secrets.token_urlsafe(32), self.now()
        session = Session(id=digest_of(secret), email=email, begun=now, seen=now, client=client, agent=agent[:200])
        await self._keep(session)
        return secret

    async def find(self, secret: str) -> Session | None:
        """The session of a cookie, while it lasts."""
        kept = await self.store.get(KIND, digest_of(secret)) if secret else None
        session = None if kept is None else _session(digest_of(secret), kept)
        if session is None or session.over(self.now()):
            return None
        if self.now() - session.seen > SEEN_EVERY:
            await self._keep(session, seen=self.now())
        return session

    async def lasts(self, session: Session) -> bool:
        """Whether it goes on. Asking is no request: it does not make it last longer."""
        kept = await self.store.get(KIND, session.id)
        return kept is not None and not _session(session.id, kept).over(self.now())

    async def _keep(self, session: Session, *, seen: datetime | None = None) -> None:
        kept = {
            "email": session.email, "begun": session.begun.isoformat(), "seen": (seen or session.seen).isoformat(),
            "client": session.client, "agent": session.agent,
        }  # fmt: skip
        await self.store.put(KIND, session.id, kept)

    async def all(self, email: str | None = None) -> list[Session]:
        """Sessions that last, of one user or of all; the one used last comes first."""
        found = [_session(id, kept) for id, kept in (await self.store.all(KIND)).items()]
        found = [one for one in found if email in (None, one.email)]
        return sorted(found, key=lambda one: one.seen, reverse=True)

    async def end(self, id: str) -> None:
        await self.store.delete(KIND, id)

    async def end_all(self, email: str, *, but: str = "") -> None:
        for session in await self.all(email):
            if session.id != but:
                await self.end(session.id)


def _session(id: str, kept: dict[str, Any]) -> Session:
    return Session(
        id=id, email=kept["email"], client=kept["client"], agent=kept["agent"],
        begun=datetime.fromisoformat(kept["begun"]), seen=datetime.fromisoformat(kept["seen"]),
    )  # fmt: skip
