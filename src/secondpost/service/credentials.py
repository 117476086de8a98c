"""Credentials: who may submit mail. Machine secrets of 160 random bits, kept only as their SHA-256.

Rule: the answer for an unknown name takes the same way and the same time as for a wrong secret.
"""

import hashlib
import hmac
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from secondpost.core import limits
from secondpost.core.connection import Limits
from secondpost.errors import Refusal, SecondpostError
from secondpost.store.base import Store

KIND = "credential"
NOBODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Client:
    """Who submits. `senders`: address patterns it may send as; empty means any."""

    name: str
    senders: tuple[str, ...] = ()


@dataclass(slots=True)
class Credentials:
    """The credentials of one store."""

    store: Store
    _known: dict[str, Any] = field(default_factory=dict)
    _limiters: dict[str, limits.Limiter] = field(default_factory=dict)  # of those that have limits

    async def load(self) -> None:
        self._known = await self.store.all(KIND)
        allowed = {name: _limits(kept) for name, kept in self._known.items()}
        self._limiters = {
            name: replace(self._limiters.get(name, limits.Limiter()), limits=limit)
            for name, limit in allowed.items()
            if limit != limits.UNLIMITED
        }

    def pace(self, name: str, now: datetime) -> None:
        """Count one message of a credential. Raises `Refusal` when it was revoked, or has submitted as many as it may.

        So a secret that leaked cannot be used to send without end, whatever sessions are open.
        """
        if name not in self._known:
            raise Refusal(550, "5.7.1", f"The log-in {name} was revoked. Nothing was stored; use another one.")
        limiter = self._limiters.get(name)
        if limiter is None:
            return
        wait = limits.wait(limiter, now)
        if wait:
            raise Refusal(
                451,
                "4.7.1",
                f"The log-in {name} has submitted as many messages as it may ({_words(limiter.limits)}). Nothing was "
                f"stored; send it again in {math.ceil(wait.total_seconds())} s, or ask for a higher limit.",
            )
        self._limiters[name] = limits.take(limiter, now)

    async def authenticate(self, name: str, secret: str) -> Client | None:
        """The client that this name and secret belong to, or None."""
        kept = self._known.get(name)
        digest = hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
        if not hmac.compare_digest(digest, kept["digest"] if kept else NOBODY) or kept is None:
            return None
        return Client(name, tuple(kept["senders"]))

    async def add(
        self,
        name: str,
        senders: tuple[str, ...] = (),
        *,
        per_minute: int | None = None,
        per_hour: int | None = None,
    ) -> str:
        """Make a credential and return its secret, which cannot be shown again."""
        if not name or not name.isprintable() or len(name) > 64:
            raise SecondpostError("A credential needs a name of 1 to 64 printable characters.")
        if name in self._known:
            raise SecondpostError(f"There is already a credential {name!r}. Revoke it first, or choose another name.")
        for limit in (per_minute, per_hour):
            if limit is not None and (type(limit) is not int or limit < 1):
                raise SecondpostError("A credential's limit is a whole number of messages, at least 1.")
        secret = "sp_" + secrets.token_hex(20)
        digest = hashlib.sha256(secret.encode()).hexdigest()
        kept = {"digest": digest, "senders": list(senders), "per_minute": per_minute, "per_hour": per_hour}
        await self.store.put(KIND, name, kept)
        await self.load()
        return secret

    async def revoke(self, name: str) -> None:
        """Make a credential worthless at once."""
        if not await self.store.delete(KIND, name):
            raise SecondpostError(f"There is no credential {name!r}. See them with: secondpost credentials list")
        await self.load()

    def __bool__(self) -> bool:
        return bool(self._known)

    def list(self) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "senders": kept["senders"],
                "per_minute": kept.get("per_minute"),
                "per_hour": kept.get("per_hour"),
            }
            for name, kept in sorted(self._known.items())
        ]


def _limits(kept: Mapping[str, Any]) -> Limits:
    return Limits(per_minute=kept.get("per_minute"), per_hour=kept.get("per_hour"))


def _words(limit: Limits) -> str:
    spans = ((limit.per_minute, "a minute"), (limit.per_hour, "an hour"))
    return ", ".join(f"{number} {span}" for number, span in spans if number)
