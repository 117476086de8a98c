"""SMTP.com: https://www.smtp.com/resources/api-documentation/"""

import re
from typing import Any, ClassVar, Final

from secondpost.core.outcome import Accepted, Outcome
from secondpost.mailers import api
from secondpost.mailers.base import Abilities, Setting
from secondpost.mailers.parts import Letter, objects, seven_bit

URL: Final = "https://api.smtp.com/v4"
_ID: Final = re.compile(r"msg_id: ?(\S+)")


class SmtpCom(api.Api):
    """Takes the message as it is, with an envelope of its own."""

    name: ClassVar[str] = "smtpcom"
    title: ClassVar[str] = "SMTP.com"
    site: ClassVar[str] = "https://www.smtp.com/resources/api-documentation/"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(name="key", label="API Key", kind="secret", required=True, help="In SMTP.com: Account, API."),
        Setting(
            name="channel", label="Sender Name", required=True, help="In SMTP.com: Senders. The API says channel.",
        ),
        *api.SHARED,
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities()
    body_tells: ClassVar[bool] = True  # a "fail" or an "error" may come with any status

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        body: dict[str, Any] = {
            "channel": settings["channel"],
            "originator": {"from": objects([letter.parts.author], "address")[0]},
            "recipients": {"to": [{"address": recipient} for recipient in letter.recipients]},
            "mime": seven_bit(letter.content).decode("utf-8", "replace"),
        }
        return api.post(f"{URL}/messages/mime", _key(settings), body)

    def outcome(self, response: api.Response, letter: Letter) -> Outcome:
        data = response.dig("data")
        status = response.dig("status")
        if response.ok and status == "success":
            told = str(response.dig("data", "message") or "")
            words = _ID.search(told)
            return Accepted(response.reply(told), str(response.dig("data", "msg_id") or (words[1] if words else "")))
        said = "; ".join(f"{name}: {text}" for name, text in data.items()) if isinstance(data, dict) else None
        if response.ok:
            return (api.message if status == "fail" else api.unclear)(response, response.reply(said))
        return api.by_status(response, said)

    def verify(self, settings: api.Values) -> api.Request:
        return api.get(f"{URL}/account", _key(settings))


def _key(settings: api.Values) -> dict[str, str]:
    return {"Authorization": f"Bearer {settings['key']}"}
