"""Credentials: who may submit mail. Machine secrets of 160 random bits, kept only as their SHA-256.

Rule: the answer for an unknown name takes the same way and the same time as for a wrong secret.
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from secondpost.core import address
from secondpost.errors import Refusal, SecondpostError, WrongInput
from secondpost.service import pace
from secondpost.service.pace import Pace
from secondpost.store.base import Store

KIND = "credential"


def digest_of(secret: str) -> str:
    """What is kept of a random secret."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


NOBODY = digest_of("")


@dataclass(frozen=True, slots=True)
class Client:
    """Who submits. `senders`: address patterns it may send as; empty means any. `scopes`: what an API key may do."""

    name: str
    senders: tuple[str, ...] = ()
    scopes: frozenset[str] = frozenset()


def check_senders(patterns: Collection[str]) -> None:
    """Raises `WrongInput` for a pattern that no address fits: its client could never send."""
    for pattern in patterns:
        if not address.is_pattern(pattern):
            raise WrongInput("senders", f"{pattern[:80]!r} is neither an address nor a domain such as @example.com.")


@dataclass(slots=True)
class Credentials:
    """The credentials of one store."""

    store: Store
    _known: dict[str, Any] = field(default_factory=dict)
    _pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        self._pace = Pace(self.store, f"{KIND} pace")

    async def load(self) -> None:
        self._known = await self.store.all(KIND)
        await self._pace.load(self._known)

    async def keep_counts(self) -> None:
        """Write down how much each has submitted, so that a restart does not begin a new count."""
        await self._pace.keep()

    def pace(self, name: str, now: datetime) -> None:
        """Count one message of a credential. Raises `Refusal` when it was revoked, or has submitted as many as it may.

        So a secret that leaked cannot be used to send without end, whatever sessions are open.
        """
        if name not in self._known:
            raise Refusal(550, "5.7.1", f"The log-in {name} was revoked. Nothing was stored; use another one.")
        self._pace.take(name, now, f"The log-in {name}")

    async def authenticate(self, name: str, secret: str) -> Client | None:
        """The client that this name and secret belong to, or None."""
        kept = self._known.get(name)
        digest = digest_of(secret)
        if not hmac.compare_digest(digest, kept["digest"] if kept else NOBODY) or kept is None:
            return None
        return Client(name, tuple(kept["senders"]))

    async def add(self, name: str, senders: tuple[str, ...] = (), **rates: int | None) -> str:
        """Make a credential and return its secret, which cannot be shown again. `rates`: per_minute, per_hour, …"""
        if not name or not name.isprintable() or len(name) > 64:
            raise SecondpostError("A credential needs a name of 1 to 64 printable characters.")
        if name.startswith("key:"):
            raise SecondpostError(
                "The name of a credential does not begin with key: – API keys are called so in the log."
            )
        if name in self._known:
            raise SecondpostError(f"There is already a credential {name!r}. Revoke it first, or choose another name.")
        check_senders(senders)
        limits = pace.checked(rates)
        secret = "sp_" + secrets.token_hex(20)
        kept = {"digest": digest_of(secret), "senders": list(senders), **limits}
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
            {"name": name, "senders": kept["senders"], **pace.shown(kept)} for name, kept in sorted(self._known.items())
        ]
