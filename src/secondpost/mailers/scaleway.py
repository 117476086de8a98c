"""Scaleway Transactional Email: https://www.scaleway.com/en/developers/api/transactional-email/"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from secondpost.core.outcome import Accepted, Outcome
from secondpost.mailers import api
from secondpost.mailers.base import Abilities, Setting, Sought
from secondpost.mailers.parts import Letter, field_text, objects

URL: Final = "https://api.scaleway.com/transactional-email/v1alpha1/regions/fr-par"
TYPES: Final = {
    "denied_authentication": api.account, "permissions_denied": api.account, "quotas_exceeded": api.limit,
    "too_many_requests": api.limit, "transient_state": api.later,
}  # fmt: skip
FIELDS: Final = {
    "project_id": api.account, "from": api.sender, "to": api.recipient, "cc": api.recipient, "bcc": api.recipient,
    "subject": api.unsupported, "text": api.unsupported, "html": api.unsupported, "attachments": api.unsupported,
}  # fmt: skip
FILES: Final = frozenset({
    "crl", "csv", "doc", "docx", "dwf", "dwg", "dwt", "dxf", "gif", "htm", "html", "ics", "jpeg", "jpg", "mp3", "ods",
    "p10", "p12", "p7b", "p7c", "p7m", "p7r", "p7s", "pdf", "pfx", "png", "spc", "svg", "tif", "tiff", "txt", "wav",
    "webp", "xls", "xlsx", "xltx", "xml", "zip",
})  # fmt: skip


class Scaleway(api.Api):
    """Takes a message apart. It wants ten characters at least of each text, and few types of attachments."""

    name: ClassVar[str] = "scaleway"
    title: ClassVar[str] = "Scaleway"
    site: ClassVar[str] = "https://www.scaleway.com/en/developers/api/transactional-email/"
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(name="project_id", label="Project ID", required=True, help="In Scaleway: Project, Settings."),
        Setting(
            name="key", label="Secret Key", kind="secret", required=True,
            help="In Scaleway: IAM, API keys. Its policy needs TransactionalEmailFullAccess.",
        ),
        *api.SHARED,
    )  # fmt: skip
    can: ClassVar[Abilities] = Abilities(
        raw=False, max_bytes=2_000_000, max_recipients=10, lookup=True, inline=False, alternatives=False,
        file_types=FILES, international=False, no_subject=False,
    )  # fmt: skip
    notes: ClassVar[tuple[str, ...]] = (
        "A subject or a text of fewer than ten characters is refused; another connection may take it.",
        "Blocked recipients are accepted, and dropped later.",
        "Zip files need the Scale plan.",
        "Its events come by Topics and Events, which are not read: doubts are looked up.",
    )

    def request(self, letter: Letter, settings: api.Values) -> api.Request:
        parts = letter.parts
        body: dict[str, Any] = {
            "project_id": settings["project_id"],
            "from": objects([parts.author])[0],
            "to": objects(parts.to),
            "cc": objects(parts.cc),
            "bcc": objects(parts.bcc),
            "subject": parts.subject,
            "text": parts.text,
            "html": parts.html,
            "attachments": [{"name": one.name, "type": one.type, "content": one.encoded} for one in parts.files],
            "additional_headers": [{"key": name, "value": value} for name, value in _fields(letter)],
        }
        return api.post(f"{URL}/emails", _key(settings), {name: value for name, value in body.items() if value})

    def outcome(self, response: api.Response, letter: Letter) -> Outcome | list[Outcome]:
        if response.ok:
            ids = {str(one.get("mail_rcpt")).lower(): str(one.get("id") or "") for one in _emails(response)}
            return [Accepted(response.reply("accepted"), ids.get(one.lower(), "")) for one in letter.recipients]
        said, field = _said(response), str(response.dig("details", 0, "argument_name") or "")
        if response.dig("resource") == "domain":
            return api.sender(response, response.reply(said))
        name = field.replace("[", ".").partition(".")[0]
        judge = TYPES.get(str(response.dig("type"))) or (FIELDS.get(name) if response.status == 400 else None)
        return judge(response, response.reply(said)) if judge else api.by_status(response, said)

    def verify(self, settings: api.Values) -> api.Request:
        return api.get(f"{URL}/domains", _key(settings), project_id=settings["project_id"])

    def verified(self, response: api.Response) -> tuple[Outcome, Mapping[str, str]]:
        names = ", ".join(str(one.get("name")) for one in response.dig("domains") or [] if isinstance(one, dict))
        return api.by_status(response, _said(response)), {"domains": names} if names else {}

    def lookup(self, sought: Sought, settings: api.Values) -> api.Request:
        message_id, project = sought.message_id.strip("<>"), settings["project_id"]
        return api.get(f"{URL}/emails", _key(settings), project_id=project, message_id=message_id, page_size="100")

    def found(self, response: api.Response, sought: Sought) -> Mapping[str, str]:
        """Only those of this very Message-ID; what was cancelled is no proof."""
        return {
            str(one.get("mail_rcpt")).lower(): str(one.get("id") or "")
            for one in _emails(response)
            if str(one.get("message_id")).strip("<>") == sought.message_id.strip("<>")
            and one.get("status") not in {"canceled", "unknown"}
        }


def _key(settings: api.Values) -> dict[str, str]:
    return {"X-Auth-Token": settings["key"]}


def _fields(letter: Letter) -> list[tuple[str, str]]:
    """The sender's fields, and those that have no place of their own."""
    parts = letter.parts
    own = [("Message-ID", parts.message_id), ("Reply-To", field_text(parts.reply_to))]
    return [*letter.headers, *[pair for pair in own if pair[1]]]


def _emails(response: api.Response) -> list[dict[str, Any]]:
    return [one for one in response.dig("emails") or [] if isinstance(one, dict)]


def _said(response: api.Response) -> str:
    details = [one for one in response.dig("details") or [] if isinstance(one, dict)]
    more = [f"{one.get('argument_name')}: {one.get('help_message') or one.get('reason')}" for one in details]
    return "; ".join([str(response.dig("message") or ""), *more])
