"""OAuth 2 as facts and pure functions: how a token is asked for (RFC 6749, 7523, 7636), and what the answer means.

Rule: a token is a secret; it stands in requests and in the encrypted store, and nowhere else.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from secondpost.core.outcome import Deferred, Fault
from secondpost.mailers import api
from secondpost.mailers.base import Setting

USUAL_LIFE: Final = 3600  # seconds, where the answer does not say
CONNECT: Final = "Sign in to it again: secondpost connections connect NAME"
NOT_CONNECTED: Final = Deferred(Fault.ACCOUNT, f"nobody has signed in to this connection yet. {CONNECT}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What lets us in until `expires`, and what renews it. Without `access` it was never used."""

    access: str = ""
    expires: datetime
    refresh: str = ""

    def is_good(self, now: datetime, margin: timedelta) -> bool:
        return bool(self.access) and self.expires - now > margin

    def kept(self) -> dict[str, str]:
        return {"access": self.access, "expires": self.expires.isoformat(), "refresh": self.refresh}


def from_kept(kept: Mapping[str, Any]) -> Token:
    return Token(access=kept["access"], expires=datetime.fromisoformat(kept["expires"]), refresh=kept["refresh"])


class OAuthApi(api.Api):
    """A provider that lets in by tokens. Its settings: `client_id`, `client_secret`, and in the end `who_signs_in`, or
    `PERSON` where nobody but a person can."""

    scheme: ClassVar[str] = "Bearer"  # the word before a token

    def token_url(self, settings: api.Values) -> str:
        raise NotImplementedError

    def sign_in(self, settings: api.Values) -> tuple[str, Mapping[str, str]]:
        """The page where a person signs in, and what it is asked besides the usual."""
        raise NotImplementedError

    def alone(self, settings: api.Values, now: datetime) -> Mapping[str, str] | None:
        """The grant of an application that needs nobody to sign in; None: a person has to."""
        raise NotImplementedError

    def renewing(self, settings: api.Values, refresh: str) -> Mapping[str, str]:
        return own(settings) | {"grant_type": "refresh_token", "refresh_token": refresh}


PERSON: Final = (
    Setting(
        name="refresh_token", label="Refresh Token", kind="secret", advanced=True,
        help="Only if you have one already. Else sign in: secondpost connections connect NAME.",
    ),
    *api.SHARED,
)  # fmt: skip


def who_signs_in(other: str, how: str) -> tuple[Setting, ...]:
    """The settings that end those of every such provider. `other` signs in without a person, as `how` says."""
    return (
        Setting(
            name="grant", label="Who Signs In", kind="choice", default="person", choices=("person", other),
            help=f"A person signs in once; or {how}.",
        ),
        Setting(
            name="mailbox", label="Mailbox", help="Only where no person signs in: the address that it sends for.",
        ),
        *PERSON,
    )  # fmt: skip


def own(settings: api.Values) -> dict[str, str]:
    """What says which application asks."""
    return {"client_id": settings["client_id"], "client_secret": settings["client_secret"]}


def for_whom(settings: api.Values) -> str:
    """What must be the same for a kept token to be of use."""
    told = [str(settings.get(name, "")) for name in ("client_id", "tenant", "grant", "mailbox", "refresh_token")]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def page(provider: OAuthApi, settings: api.Values, *, state: str, verifier: str, redirect: str) -> str:
    """The URL of the page where a person signs in (authorization code with PKCE)."""
    url, more = provider.sign_in(settings)
    digest = hashlib.sha256(verifier.encode()).digest()
    asked = {
        "response_type": "code", "client_id": settings["client_id"], "redirect_uri": redirect, "state": state,
        "code_challenge": base64url(digest), "code_challenge_method": "S256",
    }  # fmt: skip
    return f"{url}?{urlencode(asked | dict(more))}"


def code_fields(settings: api.Values, *, code: str, verifier: str, redirect: str) -> Mapping[str, str]:
    """What the code that the page gave is exchanged with."""
    more = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier, "redirect_uri": redirect}
    return own(settings) | more


def ask(url: str, fields: Mapping[str, str]) -> api.Request:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return api.Request(url=url, headers=headers, body=urlencode(fields).encode())


def granted(response: api.Response, now: datetime, before: Token | None) -> Token | Deferred:
    """The token, or why there is none. A refresh token that is not renewed stays. Some refuse with status 200."""
    access = response.dig("access_token")
    if response.ok and isinstance(access, str) and access:
        seconds, refresh = response.dig("expires_in"), response.dig("refresh_token")
        life = seconds if isinstance(seconds, int) and seconds > 0 else USUAL_LIFE
        kept = refresh if isinstance(refresh, str) else (before.refresh if before else "")
        return Token(access=access, expires=now + timedelta(seconds=life), refresh=kept)
    said = _said(response)
    if response.status == 429 or "too many requests" in said:
        return Deferred(Fault.LIMIT, said, retry_after=api.retry_after(response))
    if response.status >= 500 or (response.ok and response.dig("error") is None):
        return Deferred(Fault.UNREACHABLE, said)
    return Deferred(Fault.ACCOUNT, f"{said}. {CONNECT}")


def bearing(request: api.Request, token: Token, scheme: str) -> api.Request:
    return replace(request, headers={**request.headers, "Authorization": f"{scheme} {token.access}"})


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _said(response: api.Response) -> str:
    """Only the error's own words: the rest of such an answer could be a token."""
    words = [response.dig("error"), response.dig("error_description")]
    said = ": ".join([str(one).splitlines()[0] for one in words if isinstance(one, str) and one.strip()])
    return f"no access token: {response.reply(said or 'an answer without a reason')}"
