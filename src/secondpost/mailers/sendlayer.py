"""SendLayer: https://developers.sendlayer.com/"""

from typing import Any, ClassVar, Final

from secondpost.core.outcome import Accepted, Outcome
from secondpost.mailers import api
from secondpost.mailers.base import Abilities, Setting
from secondpost.mailers.parts import File, Letter, objects

URL: Final = "https://console.sendlayer.com/api/v1"
CODES: Final = {
    **dict.fromkeys((1, 12, 13), api.account), **dict.fromkeys(range(2, 12), api.message), 14: api.recipient,
    17: api.limit, **dict.fromkeys(range(18, 32), api.message), 32: api.sender,
}  # fmt: skip


class SendLayer(api.Api):
    """Takes a message apart, for a few recipients at once."""

    name: ClassVar[str] = "sendlayer"
    title: ClassVar[str] = "SendLayer"
    site: ClassVar[str] = "https://developers.sendlayer.com/"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="key", label="API Key", kind="secret", required=True, help="In SendLayer: Settings, API Keys.",
        ),
        *api.SHARED,
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities(
        raw=False, max_bytes=10_000_000, max_recipients=10, max_bcc=5, alternatives=False, international=False,
        no_subject=False,
    )  # fmt: skip
    notes: ClassVar[tuple[str, ...]] = ("At most five recipients in Bcc.",)

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        parts = letter.parts
        body: dict[str, Any] = {
            "From": objects([parts.author])[0],
            "To": objects(parts.to),
            "CC": objects(parts.cc),
            "BCC": objects(parts.bcc),
            "ReplyTo": objects(parts.reply_to),
            "Subject": parts.subject,
            "ContentType": "Text" if parts.html is None else "HTML",
            "HTMLContent": parts.html,
            "PlainContent": parts.text,
            "Headers": dict(letter.headers),
            "Tags": [letter.mark],
            "Attachments": [_file(file) for file in parts.files],
        }
        return api.post(f"{URL}/email", _key(settings), {name: value for name, value in body.items() if value})

    def outcome(self, response: api.Response, letter: Letter) -> Outcome:
        if response.ok:
            return Accepted(response.reply("accepted"), str(response.dig("MessageID") or ""))
        error = response.dig("Errors", 0) or {}
        said, judge = error.get("Message") or response.dig("Error"), CODES.get(error.get("Code") or 0)
        return judge(response, response.reply(said)) if judge else api.by_status(response, said)

    def verify(self, settings: api.Values) -> api.Request:
        return api.get(f"{URL}/events", _key(settings), RetrieveCount="1")


def _key(settings: api.Values) -> dict[str, str]:
    return {"Authorization": f"Bearer {settings['key']}"}


def _file(file: File) -> dict[str, str]:
    placed = {"Disposition": "inline", "ContentId": file.cid} if file.inline else {"Disposition": "attachment"}
    return {"Content": file.encoded, "Type": file.full_type, "Filename": file.name, **placed}
