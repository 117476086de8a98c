"""Zoho ZeptoMail: https://www.zoho.com/zeptomail/help/api/email-sending.html"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from secondpost.core.outcome import Accepted, Outcome
from secondpost.mailers import api
from secondpost.mailers.base import Abilities, Setting
from secondpost.mailers.parts import File, Letter, Mailbox, objects

# Codes of an error's details.
CODES: Final = {
    "SERR_156": api.account, "SERR_157": api.account, "AE_101": api.account, "SM_128": api.account,
    "LE_101": api.limit, "LE_102": api.limit, "SM_133": api.limit, "SMI_115": api.limit, "SM_111": api.sender,
    "SM_120": api.unsupported, "SM_127": api.unsupported, "SM_129": api.unsupported,
}  # fmt: skip
MISSING: Final = {"TM_3201", "TM_3301"}  # a field is missing, or no JSON: the key was believed, nothing was sent


class ZeptoMail(api.Api):
    """Takes a message apart. A key is tried by a template's form with nothing in it, which sends nothing."""

    name: ClassVar[str] = "zeptomail"
    title: ClassVar[str] = "Zoho ZeptoMail"
    site: ClassVar[str] = "https://www.zoho.com/zeptomail/help/api/email-sending.html"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="key", label="Send Mail Token", kind="secret", required=True,
            help="In ZeptoMail: Mail Agents, the agent, SMTP/API, without the word Zoho-enczapikey.",
        ),
        Setting(
            name="region", label="Data Center", kind="choice", default="com",
            choices=("com", "eu", "in", "com.au", "jp", "sa", "ca", "com.cn"),
            help="How the address of your ZeptoMail ends.",
        ),
        *api.SHARED,
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities(
        raw=False, max_bytes=15_000_000, max_recipients=100, alternatives=False, reply_to=40, international=False,
        no_subject=False,
    )  # fmt: skip
    notes: ClassVar[tuple[str, ...]] = (
        "It can neither be asked whether it took a message nor are its webhooks read: a doubt waits for the policy.",
        "Zoho Mail, which has mailboxes, is another product: its mailer is `zoho`.",
    )

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        parts = letter.parts
        body: dict[str, Any] = {
            "from": objects([parts.author], "address")[0],
            "to": _wrapped(parts.to),
            "cc": _wrapped(parts.cc),
            "bcc": _wrapped(parts.bcc),
            "reply_to": objects(parts.reply_to, "address"),
            "subject": parts.subject,
            "textbody": parts.text,
            "htmlbody": parts.html,
            "mime_headers": dict(letter.headers),
            "client_reference": letter.mark,
            "attachments": [_file(file) | {"name": file.name} for file in parts.attachments],
            "inline_images": [_file(file) | {"cid": file.cid} for file in parts.inline],
        }
        return api.post(_url(settings), _key(settings), {name: value for name, value in body.items() if value})

    def outcome(self, response: api.Response, letter: Letter) -> Outcome:
        if response.ok:
            return Accepted(response.reply("accepted"), str(response.dig("request_id") or ""))
        detail, said = response.dig("error", "details", 0, "code"), _said(response)
        target = str(response.dig("error", "details", 0, "target") or "")
        if detail == "SM_113" and target in {"to", "cc", "bcc"}:
            return api.recipient(response, response.reply(said))
        judge = CODES.get(str(detail))
        return judge(response, response.reply(said)) if judge else api.by_status(response, said)

    def verify(self, settings: api.Values) -> api.Request:
        return api.post(f"{_url(settings)}/template", _key(settings), {})

    def verified(self, response: api.Response) -> tuple[Outcome, Mapping[str, str]]:
        if response.dig("error", "code") in MISSING:
            return Accepted("the token is good"), {}
        judge = CODES.get(str(response.dig("error", "details", 0, "code")), api.account)
        if 400 <= response.status < 429:
            return judge(response, response.reply(_said(response))), {}
        return api.by_status(response, _said(response)), {}


def _url(settings: api.Values) -> str:
    return f"https://api.zeptomail.{settings['region']}/v1.1/email"


def _key(settings: api.Values) -> dict[str, str]:
    return {"Authorization": f"Zoho-enczapikey {settings['key']}", "Accept": "application/json"}


def _wrapped(boxes: Sequence[Mailbox]) -> list[dict[str, Any]]:
    return [{"email_address": one} for one in objects(boxes, "address")]


def _file(file: File) -> dict[str, str]:
    return {"content": file.encoded, "mime_type": file.full_type}


def _said(response: api.Response) -> str:
    details = [one for one in response.dig("error", "details") or [] if isinstance(one, dict)]
    more = [f"{one.get('code')} {one.get('message')} {one.get('target_value') or ''}".strip() for one in details]
    return "; ".join([str(response.dig("error", "message") or ""), *more])
