"""Credentials: who may submit mail. Machine secrets of 160 random bits, kept only as their SHA-256.

Rule: the answer for an unknown name takes the same way and the same time as for a wrong secret.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any

from secondpost.errors import SecondpostError
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

    async def load(self) -> None:
        self._known = await self.store.all(KIND)

    async def authenticate(self, name: str, secret: str) -> Client | None:
        """The client that this name and secret belong to, or None."""
        kept = self._known.get(name)
        digest = hashlib.sha256(secret.encode()).hexdigest()
        if not hmac.compare_digest(digest, kept["digest"] if kept else NOBODY) or kept is None:
            return None
        return Client(name, tuple(kept["senders"]))

    async def add(self, name: str, senders: tuple[str, ...] = ()) -> str:
        """Make a credential and return its secret, which cannot be shown again."""
        if not name or not name.isprintable() or len(name) > 64:
            raise SecondpostError("A credential needs a name of 1 to 64 printable characters.")
        if name in self._known:
            raise SecondpostError(f"There is already a credential {name!r}. Revoke it first, or choose another name.")
        secret = "sp_" + secrets.token_hex(20)
        digest = hashlib.sha256(secret.encode()).hexdigest()
        await self.store.put(KIND, name, {"digest": digest, "senders": list(senders)})
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
        return [{"name": name, "senders": kept["senders"]} for name, kept in sorted(self._known.items())]
