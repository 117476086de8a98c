"""Microsoft 365 and Outlook, by Microsoft Graph: https://learn.microsoft.com/en-us/graph/api/user-sendmail"""

import base64
import re
from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Final
from urllib.parse import quote

from secondpost.core.outcome import Accepted, Outcome
from secondpost.errors import ConfigError
from secondpost.mailers import api, oauth
from secondpost.mailers.base import Abilities, Setting
from secondpost.mailers.parts import Letter, with_bcc

URL: Final = "https://graph.microsoft.com/v1.0"
LOGIN: Final = "https://login.microsoftonline.com"
SCOPE: Final = "offline_access https://graph.microsoft.com/Mail.Send"
CODES: Final = {
    "ErrorSendAsDenied": api.sender, "ErrorAccessDenied": api.account, "InvalidAuthenticationToken": api.account,
    "ErrorInvalidUser": api.account, "MailboxNotEnabledForRESTAPI": api.account, "ResourceNotFound": api.account,
    "ErrorExceededMessageLimit": api.limit, "ErrorSubmissionQuotaExceeded": api.limit, "TooManyRequests": api.limit,
    "ApplicationThrottled": api.limit,
    "ErrorMessageSizeExceeded": api.unsupported, "ErrorInvalidRecipients": api.message,
}  # fmt: skip
_TENANT: Final = re.compile(r"common|organizations|consumers|[0-9a-fA-F-]{36}|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")


class Outlook(oauth.OAuthApi):
    """Takes the message as it is, and reads from its header who gets it."""

    name: ClassVar[str] = "outlook"
    title: ClassVar[str] = "Microsoft 365 / Outlook"
    site: ClassVar[str] = "https://learn.microsoft.com/en-us/graph/api/user-sendmail"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="client_id", label="Application (client) ID", required=True,
            help="In Microsoft Entra: App registrations, the application's overview.",
        ),
        Setting(
            name="client_secret", label="Client Secret", kind="secret", required=True,
            help="The application's Certificates & secrets: the value, not its ID. It ends after two years.",
        ),
        Setting(
            name="tenant", label="Directory (tenant) ID", default="common",
            help="Of your organization. An application that signs in by itself needs it.",
        ),
        *oauth.who_signs_in("application", "the application itself, with the application permission Mail.Send"),
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities(envelope=False, max_bytes=2_900_000, max_recipients=500)
    notes: ClassVar[tuple[str, ...]] = (
        "The application needs the permission Mail.Send.",
        "Its redirect address is the one that `secondpost connections connect NAME` names.",
        "Sent mail is in the mailbox's Sent Items.",
        "30 messages a minute and 10,000 recipients a day for a mailbox.",
        "It may send and nothing else, so it cannot be asked whether it took a message.",
    )

    def check(self, settings: api.Values) -> None:
        """The tenant becomes a part of the address that the secret is sent to."""
        if not _TENANT.fullmatch(settings["tenant"]):
            raise ConfigError("Directory (tenant) ID must be an ID, a domain, or common, organizations or consumers.")
        if settings["grant"] == "application" and (not settings["mailbox"] or settings["tenant"] == "common"):
            raise ConfigError("An application that signs in by itself needs the Mailbox and the Directory (tenant) ID.")

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        body = base64.encodebytes(with_bcc(letter))
        return api.Request(url=f"{_mailbox(settings)}/sendMail", headers={"Content-Type": "text/plain"}, body=body)

    def outcome(self, response: api.Response, letter: Letter) -> Outcome:
        said = response.dig("error", "message")
        if response.ok:
            return Accepted(response.reply("accepted"), response.headers.get("request-id", ""))
        judge = CODES.get(str(response.dig("error", "code")))
        return judge(response, response.reply(said)) if judge else api.by_status(response, said)

    def verify(self, settings: api.Values) -> api.Request:
        return api.get(_mailbox(settings), {})

    def verified(self, response: api.Response) -> tuple[Outcome, Mapping[str, str]]:
        """Who may only send is not shown the mailbox: that the token is taken is what counts."""
        if response.ok:
            return Accepted(response.reply("signed in")), {"mailbox": str(response.dig("userPrincipalName") or "")}
        if response.status == 403:
            return Accepted(response.reply("signed in")), {"may": "send only"}
        return api.by_status(response, response.dig("error", "message")), {}

    # Signing in ----------------------------------------------------------------------------------------------------

    def token_url(self, settings: api.Values) -> str:
        return f"{LOGIN}/{settings['tenant']}/oauth2/v2.0/token"

    def sign_in(self, settings: api.Values) -> tuple[str, Mapping[str, str]]:
        return f"{LOGIN}/{settings['tenant']}/oauth2/v2.0/authorize", {"scope": SCOPE, "response_mode": "query"}

    def alone(self, settings: api.Values, now: datetime) -> Mapping[str, str] | None:
        if settings["grant"] == "person":
            return None
        scope = "https://graph.microsoft.com/.default"
        return oauth.own(settings) | {"grant_type": "client_credentials", "scope": scope}


def _mailbox(settings: api.Values) -> str:
    return f"{URL}/me" if settings["grant"] == "person" else f"{URL}/users/{quote(settings['mailbox'], safe='@')}"
