"""API keys: who may use the HTTP API, and for what. A key is shown once and kept as its SHA-256.

Rule: a key may do what its scopes name and nothing else; what it may send as and how much is checked for every message.

One kind is kept otherwise: a key for Amazon's SDKs signs requests with its secret and never sends it (Signature Version
4), so both sides have to know it. It is kept encrypted, as a connection's password is, and opens nothing else.
"""

import hmac
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from secondpost.errors import Refusal, SecondpostError
from secondpost.service import pace
from secondpost.service.credentials import Client, check_senders, digest_of
from secondpost.service.pace import Pace
from secondpost.store.base import Store

KIND = "key"
PREFIX = "key:"  # before its name, wherever a client is named: in the log, and with idempotency keys
SCOPES = {
    "send": "submit messages",
    "read": "see what became of the messages that this key submitted",
    "read-all": "see every message and the statistics",
    "manage": "resend, cancel and settle the messages that it can see",
    "connections": "see the connections and try to sign in to them",
    "choose": "name the connection that a message goes by",
}
USUAL = ("send", "read")
_SHORT = 12  # hexadecimal digits of a digest that find the key; the comparison takes all of them


@dataclass(slots=True)
class Keys:
    """The API keys of one store."""

    store: Store
    _known: dict[str, Any] = field(default_factory=dict)
    _by_digest: dict[str, str] = field(default_factory=dict)
    _by_access_id: dict[str, str] = field(default_factory=dict)
    _pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        self._pace = Pace(self.store, f"{KIND} pace")

    async def load(self) -> None:
        self._known = await self.store.all(KIND)
        self._by_digest = {kept["digest"][:_SHORT]: name for name, kept in self._known.items() if kept.get("digest")}
        self._by_access_id = {kept["access_id"]: name for name, kept in self._known.items() if kept.get("access_id")}
        await self._pace.load(self._known)

    async def keep_counts(self) -> None:
        """Write down how much each has submitted, so that a restart does not begin a new count."""
        await self._pace.keep()

    def client(self, secret: str) -> Client | None:
        """Whom a key belongs to, or None."""
        digest = digest_of(secret)
        name = self._by_digest.get(digest[:_SHORT], "")
        kept = self._known.get(name, {"digest": "0" * 64})
        return self._client(name) if hmac.compare_digest(digest, kept["digest"]) and name else None

    def signing(self, access_id: str) -> tuple[Client, str] | None:
        """Whom an access key id belongs to, with the secret that its requests are signed with, or None."""
        name = self._by_access_id.get(access_id)
        return (self._client(name), self._known[name]["secret"]) if name else None

    def _client(self, name: str) -> Client:
        kept = self._known[name]
        return Client(PREFIX + name, tuple(kept["senders"]), frozenset(kept["scopes"]))

    def pace(self, client: str, now: datetime) -> None:
        """Count one message. Raises `Refusal` when the key was revoked, or has submitted as many as it may."""
        name = client.removeprefix(PREFIX)
        if name not in self._known:
            raise Refusal(550, "5.7.1", f"The API key {name} was revoked. Nothing was stored; use another one.")
        self._pace.take(name, now, f"The API key {name}")

    async def add(
        self,
        name: str,
        scopes: Collection[str] = USUAL,
        senders: Collection[str] = (),
        *,
        signing: bool = False,
        **rates: int | None,
    ) -> dict[str, str]:
        """Make a key and return its secret, which cannot be shown again. `rates`: per_minute, per_hour, …"""
        self._check(name, scopes)
        check_senders(senders)
        limits = pace.checked(rates)
        kept: dict[str, Any] = {"scopes": [scope for scope in SCOPES if scope in scopes], "senders": list(senders)}
        kept |= limits
        shown = _signing() if signing else {"key": "sp_" + secrets.token_hex(20)}
        kept |= shown if signing else {"digest": digest_of(shown["key"])}
        await self.store.put(KIND, name, kept)
        await self.load()
        return {"name": name} | shown

    def _check(self, name: str, scopes: Collection[str]) -> None:
        if not name or not name.isprintable() or len(name) > 64:
            raise SecondpostError("An API key needs a name of 1 to 64 printable characters.")
        if name in self._known:
            raise SecondpostError(f"There is already an API key {name!r}. Revoke it first, or choose another name.")
        unknown = [scope for scope in scopes if scope not in SCOPES]
        if unknown or not scopes:
            what = f"Unknown scope {unknown[0]!r}" if unknown else "An API key needs a scope"
            raise SecondpostError(f"{what}. Scopes: {', '.join(SCOPES)}.")

    async def revoke(self, name: str) -> None:
        """Make a key worthless at once."""
        if not await self.store.delete(KIND, name):
            raise SecondpostError(f"There is no API key {name!r}. See them with: secondpost keys list")
        await self.load()

    def list(self) -> list[dict[str, Any]]:
        return [_row(name, kept) for name, kept in sorted(self._known.items())]


def _signing() -> dict[str, str]:
    """What Amazon's SDKs ask for: an access key id and a secret access key."""
    return {"access_id": "SPKEY" + secrets.token_hex(8).upper(), "secret": "sps_" + secrets.token_hex(20)}


def _row(name: str, kept: Mapping[str, Any]) -> dict[str, Any]:
    shown = {field: kept.get(field) for field in ("scopes", "senders")}
    return {"name": name, **shown, **pace.shown(kept), "access_id": kept.get("access_id")}
