"""Who may use the HTTP API, and for what.

Rule: every route names the scope that its key must have, and whoever shows no such key gets no farther than here.
"""

import base64
import binascii
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.requests import Request

from secondpost.entrypoints.auth import LogIns
from secondpost.entrypoints.http_api.problems import Problem
from secondpost.service.credentials import Client
from secondpost.service.keys import Keys

logger = logging.getLogger(__name__)

UNKNOWN = "The API key is missing, wrong or revoked. Make one: secondpost keys add NAME"
WHO = {"WWW-Authenticate": "Bearer"}


@dataclass(slots=True)
class Gate:
    """`needs` makes what FastAPI asks before a route; look-alikes bring the secret from where their SDK puts it."""

    keys: Keys
    delay: float = 1.0
    _log_ins: LogIns = field(init=False)

    def __post_init__(self) -> None:
        self._log_ins = LogIns(self._none, delay=self.delay)

    def needs(self, scope: str) -> Callable[[Request], Awaitable[None]]:
        async def admit(request: Request) -> None:
            request.state.client = await self.admit(request, bearer(request), scope)

        return admit

    async def admit(self, request: Request, secret: str, scope: str) -> Client:
        """The client that the key belongs to. Raises `Problem` or `Refusal`."""
        client = self.keys.client(secret) if secret else None
        if client is None:
            await self.refuse(request, secret)
        assert client is not None
        if scope not in client.scopes:
            raise Problem(403, f"The API key {client.name.partition(':')[2]} has not the scope {scope}.")
        return client

    async def refuse(self, request: Request, secret: str) -> None:
        """A wrong key waits, and is counted, as a wrong log-in is: nobody finds one by trying. Always raises."""
        if secret:
            peer = request.client.host if request.client else ""
            await self._log_ins.check(secret[:11], secret, peer=peer)
            logger.warning("HTTP: a key from %s is not known", peer)
        raise Problem(401, UNKNOWN, headers=WHO)

    @staticmethod
    async def _none(_identity: str, _secret: str) -> None:
        """It is known already that this key is none."""


def bearer(request: Request) -> str:
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" else ""


def basic(request: Request) -> str:
    """The password of HTTP's own log-in; the name says nothing."""
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return ""
    try:
        return base64.b64decode(given, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
