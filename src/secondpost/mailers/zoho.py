"""Zoho Mail: https://www.zoho.com/mail/help/api/post-send-an-email.html"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from secondpost.core.outcome import Accepted, Outcome
from secondpost.errors import ConfigError
from secondpost.mailers import api, oauth
from secondpost.mailers.base import Abilities, Setting
from secondpost.mailers.parts import Letter, field_text

REGIONS: Final = ("com", "eu", "in", "com.au", "jp", "sa", "com.cn", "ca")
SCOPE: Final = "ZohoMail.messages.CREATE,ZohoMail.accounts.READ"
LEFT_OUT: Final = frozenset({"x-*", "user-agent"})
# Their gate refuses with these, whatever the status.
CODES: Final = {
    "INVALID_OAUTHTOKEN": api.account, "INVALID_OAUTHSCOPE": api.account, "OAUTH_SCOPE_MISMATCH": api.account,
    "INVALID_TICKET": api.account, "URL_RULE_NOT_CONFIGURED": api.account,
    "URL_ROLLING_THROTTLES_LIMIT_EXCEEDED": api.limit, "URL_FIXED_THROTTLES_LIMIT_EXCEEDED": api.limit,
}  # fmt: skip


class Zoho(oauth.OAuthApi):
    """Takes a message apart: one text, no files, no fields of the sender's own."""

    name: ClassVar[str] = "zoho"
    title: ClassVar[str] = "Zoho Mail"
    site: ClassVar[str] = "https://www.zoho.com/mail/help/api/post-send-an-email.html"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="client_id", label="Client ID", required=True,
            help="In the Zoho API console of your region: a client of type Server-based Applications.",
        ),
        Setting(
            name="client_secret", label="Client Secret", kind="secret", required=True,
            help="It stands beside the Client ID.",
        ),
        Setting(
            name="region", label="Region", kind="choice", default="com", choices=REGIONS,
            help="How the address of your Zoho Mail ends; ca is mail.zohocloud.ca.",
        ),
        Setting(
            name="account_id", label="Account ID", advanced=True,
            help="Only if who signs in has several accounts. Empty: their Zoho account, which is asked for.",
        ),
        *oauth.PERSON,
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities(
        raw=False, inline=False, alternatives=False, headers=False, left_out=LEFT_OUT, reply_to=0,
        file_types=frozenset(), international=False,
    )  # fmt: skip
    notes: ClassVar[tuple[str, ...]] = (
        "The client needs the redirect address that `secondpost connections connect NAME` names.",
        "Zoho wants attachments uploaded before the message, which is not done: a backup gets such a message.",
        "Of a message with a plain text and HTML only the HTML is sent.",
        "From must be an address of the account.",
        "Few messages: about 30 requests a minute, and 50 to 500 recipients elsewhere an hour, by the plan.",
        "It may not read mail, so it cannot be asked whether it took a message.",
    )
    scheme: ClassVar[str] = "Zoho-oauthtoken"
    learns: ClassVar[str] = "account_id"

    def check(self, settings: api.Values) -> None:
        """The account becomes a part of the address."""
        if settings["account_id"] and not _is_number(settings["account_id"]):
            raise ConfigError("Account ID must be digits only, as `secondpost connections verify NAME` shows it.")

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        parts = letter.parts
        body = {
            "fromAddress": field_text([parts.author]),
            "toAddress": field_text(parts.to),
            "ccAddress": field_text(parts.cc),
            "bccAddress": field_text(parts.bcc),
            "subject": parts.subject,
            "content": parts.html or parts.text,
            "mailFormat": "html" if parts.html else "plaintext",
            "encoding": "UTF-8",
        }
        url = f"{_host('mail', settings)}/api/accounts/{settings['account_id']}/messages"
        return api.post(url, {}, {name: value for name, value in body.items() if value})

    def outcome(self, response: api.Response, letter: Letter) -> Outcome:
        if response.ok:
            return Accepted(response.reply("accepted"), str(response.dig("data", "messageId") or ""))
        judge = CODES.get(str(response.dig("data", "errorCode")))
        said = _said(response)
        return judge(response, response.reply(said)) if judge else api.by_status(response, said)

    def verify(self, settings: api.Values) -> api.Request:
        return api.get(f"{_host('mail', settings)}/api/accounts", {})

    def verified(self, response: api.Response) -> tuple[Outcome, Mapping[str, str]]:
        """Of several accounts, Zoho's own comes first: the others are mailboxes elsewhere that it fetches from."""
        if response.status == 429 or response.status >= 500:
            return api.by_status(response, _said(response)), {}
        if not response.ok:
            judge = CODES.get(str(response.dig("data", "errorCode")), api.account)
            return judge(response, response.reply(_said(response))), {}
        if not (accounts := _accounts(response)):
            return api.account(response, response.reply("who signed in has no account of Zoho Mail")), {}
        own = min(accounts, key=lambda one: one.get("type") != "ZOHO_ACCOUNT")
        mailbox = str(own.get("primaryEmailAddress") or own.get("incomingUserName") or "")
        return Accepted(response.reply("signed in")), {"mailbox": mailbox, "account_id": str(own["accountId"])}

    # Signing in ----------------------------------------------------------------------------------------------------

    def token_url(self, settings: api.Values) -> str:
        return f"{_host('accounts', settings)}/oauth/v2/token"

    def sign_in(self, settings: api.Values) -> tuple[str, Mapping[str, str]]:
        more = {"scope": SCOPE, "access_type": "offline", "prompt": "consent"}
        return f"{_host('accounts', settings)}/oauth/v2/auth", more

    def alone(self, settings: api.Values, now: datetime) -> Mapping[str, str] | None:
        return None


def _host(name: str, settings: api.Values) -> str:
    region = settings["region"]
    return f"https://{name}.zohocloud.ca" if region == "ca" else f"https://{name}.zoho.{region}"


def _accounts(response: api.Response) -> list[dict[str, Any]]:
    listed = response.dig("data")
    known = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return [one for one in known if _is_number(str(one.get("accountId")))]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _said(response: api.Response) -> str:
    found = [response.dig("status", "description"), response.dig("data", "errorCode"), response.dig("data", "moreInfo")]
    return "; ".join(one for one in found if isinstance(one, str) and one)
