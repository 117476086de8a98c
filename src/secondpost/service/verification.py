"""Verification: signing in to a connection without sending, and what came of it, kept for who chooses a backup.

Rule: a verdict is about the settings of now: it is forgotten when they change.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from secondpost.core.breaker import State
from secondpost.core.connection import Connection
from secondpost.core.outcome import Accepted
from secondpost.errors import SecondpostError
from secondpost.mailers.base import Verdict
from secondpost.service.connections import Connections
from secondpost.service.diagnosis import diagnose
from secondpost.service.tokens import made
from secondpost.store.base import Store

logger = logging.getLogger(__name__)

KIND = "verdict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether a connection could carry mail now, as far as we know. `ok` is None when nobody has tried."""

    ok: bool | None
    text: str
    at: datetime | None = None
    warning: str = ""


@dataclass(slots=True)
class Verification:
    store: Store
    connections: Connections
    now: Callable[[], datetime]
    _running: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)
    _started: bool = False

    async def verify(self, name: str | None) -> list[dict[str, Any]]:
        """Sign in to one connection or to all, send nothing, and remember how it went."""
        connections = self.connections
        chosen = [connections.known(name)] if name else list(connections.desk.connections.values())
        lines = connections.worker.ways.lines
        verdicts = [_told(connection, await lines[connection.name].mailer.verify()) for connection in chosen]
        for verdict in verdicts:
            await self.keep(verdict)
        return verdicts

    async def try_out(self, connection: Connection) -> dict[str, Any]:
        """Sign in with settings that are not kept (yet)."""
        mailer = made(self.connections.find, connection, self.store)
        try:
            return _told(connection, await mailer.verify())
        finally:
            await mailer.close()

    async def keep(self, verdict: Mapping[str, Any]) -> None:
        """Remember how signing in went."""
        kept = {key: verdict[key] for key in ("ok", "phase", "reply", "stages")} | {"at": self.now().isoformat()}
        kept["title"] = verdict["advice"]["title"] if verdict["advice"] else ""
        await self.store.put(KIND, verdict["name"], kept)
        if not verdict["ok"]:
            text = f"signing in failed: {kept['title']}: {verdict['reply']}"
            await self.store.event("verify", at=self.now(), connection=verdict["name"], text=text)

    async def last(self, name: str) -> dict[str, Any] | None:
        """How signing in went the last time, if anybody has tried."""
        return await self.store.get(KIND, name)

    async def forget(self, name: str) -> None:
        await self.store.delete(KIND, name)

    def later(self, name: str) -> None:
        """Verify soon, without making anybody wait: a server that does not answer takes its time."""
        if before := self._running.pop(name, None):
            before.cancel()
        self._running[name] = asyncio.create_task(self._quietly(name))

    async def _quietly(self, name: str) -> None:
        try:
            await self.verify(name)
        except SecondpostError as error:
            logger.warning("connection %s was not verified: %s", name, error)
        finally:
            if self._running.get(name) is asyncio.current_task():
                del self._running[name]

    async def daily(self) -> None:
        """Housekeeping: sign in to every connection that nobody has verified for a day; not while all of it starts."""
        if not self._started:
            self._started = True
            return
        kept, now = await self.store.all(KIND), self.now()
        for name, connection in list(self.connections.desk.connections.items()):
            at = kept.get(name, {}).get("at")
            fresh = at is not None and now - datetime.fromisoformat(at) < timedelta(days=1)
            if connection.enabled and not fresh and name not in self._running:
                await self._quietly(name)

    async def stop(self) -> None:
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def readiness(self) -> dict[str, Readiness]:
        """What is known of each connection."""
        kept = await self.store.all(KIND)
        return {name: self._readiness(one, kept.get(name)) for name, one in self.connections.desk.connections.items()}

    def _readiness(self, connection: Connection, kept: dict[str, Any] | None) -> Readiness:
        at = datetime.fromisoformat(kept["at"]) if kept else None
        warning = self._warning(connection)
        if not connection.enabled:
            return Readiness(ok=False, text="Switched off.")
        if self.connections.worker.ways.lines[connection.name].breaker.state is State.OPEN:
            return Readiness(ok=False, text="Down: it is tried again by signing in, until it answers.", warning=warning)
        if connection.name in self._running:
            return Readiness(ok=None, text="Signing in to it now.", warning=warning)
        if kept is None:
            return Readiness(ok=None, text="Not verified yet.", warning=warning)
        if kept["ok"]:
            return Readiness(ok=True, text="Ready: signing in worked", at=at, warning=warning)
        return Readiness(ok=False, text=f"{kept['title']}: signing in failed", at=at, warning=warning)

    def _warning(self, connection: Connection) -> str:
        """Two connections that can only fail together are no backup of each other."""
        primary = self.connections.desk.connections.get(self.connections.desk.primary)
        if primary is None or primary is connection or not _server(connection):
            return ""
        if _server(primary) == _server(connection):
            return "It uses the same server as the Primary Connection: both may fail together."
        return ""


def _told(connection: Connection, verdict: Verdict) -> dict[str, Any]:
    ok = isinstance(verdict.outcome, Accepted)
    return {
        "name": connection.name,
        "ok": ok,
        "phase": verdict.phase.value,
        "reply": verdict.outcome.reply,
        "advice": None if ok else diagnose(verdict.outcome, verdict.phase, connection),
        "stages": [asdict(stage) for stage in verdict.stages],
        "transcript": verdict.transcript,
        "details": dict(verdict.details or {}),
    }


def _server(connection: Connection) -> tuple[str, ...]:
    """What would fail as one: the mailer and the host that it reaches."""
    settings = connection.settings
    if connection.mailer in ("capture", "sendmail"):
        return (connection.mailer,)
    host = str(settings.get("host") or settings.get("preset") or "")
    return (connection.mailer, host, str(settings.get("port", ""))) if host else (connection.mailer,)
