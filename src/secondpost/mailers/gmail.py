"""Gmail and Google Workspace: https://developers.google.com/workspace/gmail/api/reference/rest"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from secondpost.core.outcome import Accepted, Outcome
from secondpost.errors import ConfigError
from secondpost.mailers import api, oauth
from secondpost.mailers.base import Abilities, Setting
from secondpost.mailers.parts import Letter, with_bcc

URL: Final = "https://gmail.googleapis.com"
TOKENS: Final = "https://oauth2.googleapis.com/token"
PAGE: Final = "https://accounts.google.com/o/oauth2/v2/auth"
SCOPE: Final = "https://www.googleapis.com/auth/gmail.send"
REASONS: Final = {
    "rateLimitExceeded": api.limit, "userRateLimitExceeded": api.limit, "dailyLimitExceeded": api.limit,
    "quotaExceeded": api.limit, "insufficientPermissions": api.account, "domainPolicy": api.account,
    "authError": api.account, "accessNotConfigured": api.account, "failedPrecondition": api.account,
}  # fmt: skip


class Gmail(oauth.OAuthApi):
    """Takes the message as it is, and reads from its header who gets it."""

    name: ClassVar[str] = "gmail"
    title: ClassVar[str] = "Google / Gmail"
    site: ClassVar[str] = "https://developers.google.com/workspace/gmail/api/guides/sending"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="client_id", label="Client ID", required=True,
            help="In the Google Cloud console: APIs & Services, Credentials, an OAuth client of type Web application.",
        ),
        Setting(
            name="client_secret", label="Client Secret", kind="secret", required=True,
            help="It stands beside the Client ID. With a service account: the whole JSON file of its key.",
        ),
        *oauth.who_signs_in("service_account", "a service account with domain-wide delegation sends for the mailbox"),
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities(envelope=False, max_bytes=36_700_160, max_recipients=500)
    notes: ClassVar[tuple[str, ...]] = (
        "The client needs the redirect address that `secondpost connections connect NAME` names.",
        "From must be the account's address or one of its aliases, or Gmail puts the account's in its place.",
        "About 500 messages a day, 2,000 with Workspace.",
        "It may send and nothing else, so it cannot be asked whether it took a message.",
        "Bounces come to the mailbox as mail.",
    )

    def check(self, settings: api.Values) -> None:
        if settings["grant"] == "service_account":
            if not settings["mailbox"]:
                raise ConfigError("A service account needs the Mailbox that it sends for.")
            _service_account(settings)

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        url = f"{URL}/upload/gmail/v1/users/me/messages/send?uploadType=media"
        return api.Request(url=url, headers={"Content-Type": "message/rfc822"}, body=with_bcc(letter))

    def outcome(self, response: api.Response, letter: Letter) -> Outcome:
        said = response.dig("error", "message")
        if response.ok:
            return Accepted(response.reply("sent"), str(response.dig("id") or ""))
        judge = REASONS.get(str(response.dig("error", "errors", 0, "reason")))
        return judge(response, response.reply(said)) if judge else api.by_status(response, said)

    def verify(self, settings: api.Values) -> api.Request:
        return api.get(f"{URL}/gmail/v1/users/me/profile", {})

    def verified(self, response: api.Response) -> tuple[Outcome, Mapping[str, str]]:
        """Who may only send is not shown the profile: that the token is taken is what counts."""
        if response.ok:
            return Accepted(response.reply("signed in")), {"mailbox": str(response.dig("emailAddress") or "")}
        said = str(response.dig("error", "message") or "")
        if (
            response.status == 403
            and "insufficient" in f"{said} {response.dig('error', 'errors', 0, 'reason')}".lower()
        ):
            return Accepted(response.reply("signed in")), {"may": "send only"}
        return api.by_status(response, said), {}

    # Signing in ----------------------------------------------------------------------------------------------------

    def token_url(self, settings: api.Values) -> str:
        return TOKENS

    def sign_in(self, settings: api.Values) -> tuple[str, Mapping[str, str]]:
        return PAGE, {"scope": SCOPE, "access_type": "offline", "prompt": "consent"}

    def alone(self, settings: api.Values, now: datetime) -> Mapping[str, str] | None:
        if settings["grant"] == "person":
            return None
        account, key = _service_account(settings)
        claims = {
            "iss": account["client_email"], "sub": settings["mailbox"], "scope": SCOPE, "aud": TOKENS,
            "iat": int(now.timestamp()), "exp": int(now.timestamp()) + 3600,
        }  # fmt: skip
        head = {"alg": "RS256", "typ": "JWT", "kid": str(account.get("private_key_id", ""))}
        text = ".".join(oauth.base64url(json.dumps(part).encode()) for part in (head, claims))
        proof = oauth.base64url(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))
        return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": f"{text}.{proof}"}


def _service_account(settings: api.Values) -> tuple[Mapping[str, Any], rsa.RSAPrivateKey]:
    """The JSON file of a key, and the key in it. Raises ConfigError."""
    try:
        account = json.loads(settings["client_secret"])
        key = load_pem_private_key(account["private_key"].encode(), None)
        if isinstance(key, rsa.RSAPrivateKey) and account["client_email"]:
            return account, key
    except (ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm):
        pass
    raise ConfigError(
        "With a service account, Client Secret must be the whole JSON file of its key, as Google gave it."
    )
