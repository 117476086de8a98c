"""Cloudflare Email Sending: https://developers.cloudflare.com/email-service/"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from secondpost.core.outcome import Accepted, Outcome
from secondpost.mailers import api
from secondpost.mailers.base import Abilities, Setting
from secondpost.mailers.parts import Letter, seven_bit

URL: Final = "https://api.cloudflare.com/client/v4"
CODES: Final = {
    6003: api.account, 10001: api.message, 10003: api.never, 10004: api.limit, 10200: api.unsupported,
    10202: api.message, 10203: api.sender,
}  # fmt: skip
WORDS: Final = {"sender_not_configured": api.sender, "suppressed": api.recipient}  # in a message, without a known code
OF_ACCOUNT: Final = "cfat_"  # how tokens begin that belong to an account; they are checked elsewhere than a user's


class Cloudflare(api.Api):
    """Takes the message as it is, with an envelope of its own; says of each recipient what became of it."""

    name: ClassVar[str] = "cloudflare"
    title: ClassVar[str] = "Cloudflare Email Sending"
    site: ClassVar[str] = "https://developers.cloudflare.com/email-service/"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="account", label="Account ID", required=True, help="In Cloudflare: the account's overview.",
        ),
        Setting(
            name="token", label="API Token", kind="secret", required=True,
            help="In Cloudflare: Manage Account or My Profile, API Tokens, with permission to send emails.",
        ),
        *api.SHARED,
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities(max_bytes=5_242_880, max_recipients=50, international=False)
    notes: ClassVar[tuple[str, ...]] = (
        "It can neither be asked whether it took a message nor tell what became of one: a doubt waits for the policy.",
        "Until a sending domain is added, only verified addresses get mail.",
    )
    body_tells: ClassVar[bool] = True  # success may be false in any answer, and bounces stand in the body

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        body: dict[str, Any] = {
            "from": letter.sender or letter.parts.author.email,
            "recipients": list(letter.recipients),
            "mime_message": seven_bit(letter.content).decode("utf-8", "replace"),
        }
        return api.post(f"{URL}/accounts/{settings['account']}/email/sending/send_raw", _key(settings), body)

    def outcome(self, response: api.Response, letter: Letter) -> Outcome | list[Outcome]:
        if response.ok and response.dig("success") is True:
            return _each(response, letter)
        code, said = response.dig("errors", 0, "code"), _said(response)
        by_words = next((judge for word, judge in WORDS.items() if word in said), None)
        if judge := (CODES.get(code) if isinstance(code, int) else None) or by_words:
            return judge(response, response.reply(said))
        return api.unclear(response, response.reply(said)) if response.ok else api.by_status(response, said)

    def verify(self, settings: api.Values) -> api.Request:
        owner = f"accounts/{settings['account']}" if settings["token"].startswith(OF_ACCOUNT) else "user"
        return api.get(f"{URL}/{owner}/tokens/verify", _key(settings))

    def verified(self, response: api.Response) -> tuple[Outcome, Mapping[str, str]]:
        """The token's state; whether it may send is not told. A token of the wrong form is a 400."""
        state = str(response.dig("result", "status") or "")
        if response.status == 400 or (response.ok and state != "active"):
            return api.account(response, response.reply(_said(response))), {"token": state}
        return api.by_status(response, _said(response)), {"token": state} if state else {}


def _key(settings: api.Values) -> dict[str, str]:
    return {"Authorization": f"Bearer {settings['token']}"}


def _said(response: api.Response) -> str:
    errors = response.dig("errors")
    found = errors if isinstance(errors, list) else []
    return "; ".join(f"{one.get('code')} {one.get('message')}" for one in found if isinstance(one, dict))


def _each(response: api.Response, letter: Letter) -> list[Outcome]:
    """Who bounced at once or is suppressed was refused; of whom nothing is said, nobody knows."""
    taken = Accepted(response.reply("accepted"), str(response.dig("result", "message_id") or "").strip("<>"))
    meant = {
        "delivered": taken,
        "queued": taken,
        "permanent_bounces": api.recipient(response, response.reply("bounced permanently")),
        "suppressed_recipients": api.recipient(response, response.reply("on the suppression list")),
    }
    told = {str(one).lower(): meant[name] for name in meant for one in response.dig("result", name) or []}
    silent = api.unclear(response, response.reply("no word about this recipient"))
    return [told.get(one.lower(), silent) for one in letter.recipients]
