"""A token endpoint on this machine: what RFC 6749, 7523 and 7636 say, refusals included."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from tests.providers.server import SECRET, Call, Says

REFRESH = "refresh-canary-1"


@dataclass
class Tokens:
    """Gives tokens to who shows the right secret and a grant that it knows. `refuse` makes the next answers so."""

    life: int = 3599
    scheme: str = "Bearer"  # the word before a token
    rotates: bool = False  # a refresh token is good once
    refreshes: set[str] = field(default_factory=lambda: {REFRESH})
    codes: dict[str, str] = field(default_factory=dict)  # code: the challenge that it was given for
    alone: Callable[[dict[str, str]], bool] = lambda _: False
    refuse: Says | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    withdrawn: set[str] = field(default_factory=set)
    count: int = 0

    def answer(self, call: Call, _taken: Any = None) -> Says:
        fields = dict(parse_qsl(call.body.decode(), keep_blank_values=True))
        self.asked.append(fields)
        if self.refuse is not None:
            return self.refuse
        kind = fields.get("grant_type", "")
        if self.alone(fields):
            return self._token("")
        if fields.get("client_secret") != SECRET:
            return Says(401, {"error": "invalid_client", "error_description": "Unauthorized"})
        if kind == "refresh_token" and fields.get("refresh_token") in self.refreshes:
            if not self.rotates:
                return self._token("")
            self.refreshes.remove(fields["refresh_token"])
            return self._token(self._refresh())
        if kind == "authorization_code" and self._proves(fields):
            return self._token(self._refresh())
        return Says(400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."})

    def _proves(self, fields: dict[str, str]) -> bool:
        digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return self.codes.pop(fields.get("code", ""), None) == challenge

    def _refresh(self) -> str:
        made = f"refresh-canary-{len(self.asked) + 1}"
        self.refreshes.add(made)
        return made

    def _token(self, refresh: str) -> Says:
        self.count += 1
        body = {"access_token": f"access-canary-{self.count}", "expires_in": self.life, "token_type": "Bearer"}
        return Says(200, body | ({"refresh_token": refresh} if refresh else {}))

    def lets_in(self, call: Call) -> bool:
        """Whether a request bears a token of ours that was not withdrawn. Who asks for one has none yet."""
        if call.path.endswith("/token"):
            return True
        kind, _, token = call.headers.get("authorization", "").partition(" ")
        return kind == self.scheme and token.startswith("access-canary-") and token not in self.withdrawn
