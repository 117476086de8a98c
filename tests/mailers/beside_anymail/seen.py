"""What a request asks a provider to send, read from its payload by the provider's documentation; one form for all."""

import json
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import getaddresses
from typing import Any, cast
from urllib.parse import parse_qsl

from secondpost.core import words
from tests.providers.server import Call

Pair = tuple[str, str]  # a name and an address
Attached = tuple[str, str, bytes, str]  # file name, type, content, Content-ID


@dataclass(kw_only=True)
class Seen:
    """A message as the provider would understand it. What is in no order is sorted."""

    sender: Pair = ("", "")
    to: list[Pair] = field(default_factory=list)
    cc: list[Pair] = field(default_factory=list)
    bcc: list[Pair] = field(default_factory=list)
    reply_to: list[Pair] = field(default_factory=list)
    subject: str = ""
    text: str | None = ""
    html: str | None = ""
    headers: dict[str, str] = field(default_factory=dict)
    files: list[Attached] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.text, self.html = _lines(self.text), _lines(self.html)
        self.headers = {name.lower(): " ".join(value.split()) for name, value in self.headers.items()}
        if answer := self.headers.pop("reply-to", ""):
            self.reply_to += pairs(answer)
        self.files.sort()
        self.bcc.sort()


def _lines(text: str | None) -> str:
    return (text or "").replace("\r\n", "\n").rstrip("\n")


def pairs(text: str | Iterable[str] | None) -> list[Pair]:
    """Mailboxes from a field's text, or from several."""
    texts = [text] if isinstance(text, str) else list(text or ())
    return [_boxed(name, email) for name, email in getaddresses(texts) if email]


def _boxed(name: str, email: str) -> Pair:
    local, _, domain = email.rpartition("@")
    return " ".join(words.decode(name.encode()).split()), f"{local}@{_ascii(domain)}"


def _ascii(domain: str) -> str:
    return domain if domain.isascii() else domain.encode("idna").decode()


def objects(many: Iterable[Mapping[str, str]] | None, email: str = "email", name: str = "name") -> list[Pair]:
    return [_boxed(one.get(name) or "", one[email]) for one in many or ()]


def attached(name: str, kind: str, content: str, cid: str = "") -> Attached:
    return name, kind.partition(";")[0].strip().lower(), plain(b64decode(content)), cid.removeprefix("cid:").strip("<>")


def plain(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n")


# ── raw ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def mime(content: bytes, recipients: Iterable[str]) -> Seen:
    made = BytesParser(policy=policy.default).parsebytes(content)
    seen = Seen(
        sender=_field(made, "from")[0],
        to=_field(made, "to"),
        cc=_field(made, "cc"),
        reply_to=_field(made, "reply-to"),
        subject=str(made["subject"] or "").strip(),
        headers={name: str(value) for name, value in made.items() if name.lower() != "reply-to"},
    )
    shown = {email for _, email in seen.to + seen.cc}
    seen.bcc = sorted(("", _boxed("", one)[1]) for one in recipients if _boxed("", one)[1] not in shown)
    _take(made, seen)
    seen.files.sort()
    return seen


def _field(made: EmailMessage, name: str) -> list[Pair]:
    value = made[name]
    found: tuple[Address, ...] = value.addresses if value is not None else ()
    return [_boxed(one.display_name, one.addr_spec) for one in found]


def _take(part: EmailMessage, seen: Seen) -> None:
    kind, name = part.get_content_type(), part.get_filename()
    if part.is_multipart() and kind != "message/rfc822":
        for inner in part.iter_parts():
            _take(cast("EmailMessage", inner), seen)
    elif kind == "text/plain" and not name and not seen.text:
        seen.text = _lines(part.get_content())
    elif kind == "text/html" and not name and not seen.html:
        seen.html = _lines(part.get_content())
    else:
        cid = (part["content-id"] or "").strip("<> ") if part.get_content_disposition() == "inline" else ""
        seen.files.append((name or "", kind, plain(_bytes(part)), cid))


def _bytes(part: Any) -> bytes:
    inner = part.get_content_type() == "message/rfc822"
    return cast("bytes", part.get_payload(0).as_bytes() if inner else part.get_payload(decode=True))


# ── structured: one function a provider ─────────────────────────────────────────────────────────────────────────────


def postmark(call: Call) -> Seen:
    it = call.json
    return Seen(
        sender=pairs(it["From"])[0], to=pairs(it["To"]), cc=pairs(it.get("Cc")), bcc=pairs(it.get("Bcc")),
        reply_to=pairs(it.get("ReplyTo")), subject=it.get("Subject", ""),
        text=it.get("TextBody"), html=it.get("HtmlBody"),
        headers={one["Name"]: one["Value"] for one in it.get("Headers", [])},
        files=[
            attached(one["Name"], one["ContentType"], one["Content"], one.get("ContentID") or "")
            for one in it.get("Attachments", [])
        ],
    )  # fmt: skip


def resend(call: Call) -> Seen:
    it = call.json
    return Seen(
        sender=pairs(it["from"])[0], to=pairs(it["to"]), cc=pairs(it.get("cc")), bcc=pairs(it.get("bcc")),
        reply_to=pairs(it.get("reply_to")), subject=it.get("subject", ""), text=it.get("text"), html=it.get("html"),
        headers=it.get("headers", {}),
        files=[
            attached(one["filename"], one.get("content_type", ""), one["content"], one.get("content_id") or "")
            for one in it.get("attachments", [])
        ],
    )  # fmt: skip


def sendgrid(call: Call) -> Seen:
    it = call.json
    (person,) = it["personalizations"]
    content = {one["type"]: one["value"] for one in it["content"]}
    answers = it.get("reply_to_list") or ([it["reply_to"]] if it.get("reply_to") else [])
    return Seen(
        sender=objects([it["from"]])[0], to=objects(person["to"]), cc=objects(person.get("cc")),
        bcc=objects(person.get("bcc")), reply_to=objects(answers), subject=it.get("subject", ""),
        text=content.get("text/plain"), html=content.get("text/html"), headers=it.get("headers", {}),
        files=[
            attached(one["filename"], one.get("type", ""), one["content"], one.get("content_id") or "")
            for one in it.get("attachments", [])
        ],
    )  # fmt: skip


def brevo(call: Call) -> Seen:
    it = call.json
    return Seen(
        sender=objects([it["sender"]])[0], to=objects(it["to"]), cc=objects(it.get("cc")), bcc=objects(it.get("bcc")),
        reply_to=objects([it["replyTo"]] if it.get("replyTo") else []), subject=it.get("subject", ""),
        text=it.get("textContent"), html=it.get("htmlContent"), headers=it.get("headers", {}),
        files=[attached(one["name"], "", one["content"]) for one in it.get("attachment", [])],
    )  # fmt: skip


def mailjet(call: Call) -> Seen:
    (it,) = call.json["Messages"]
    it = {**call.json.get("Globals", {}), **it}
    people = {name: objects(it.get(name), "Email", "Name") for name in ("To", "Cc", "Bcc")}
    return Seen(
        sender=objects([it["From"]], "Email", "Name")[0], to=people["To"], cc=people["Cc"], bcc=people["Bcc"],
        reply_to=objects([it["ReplyTo"]] if it.get("ReplyTo") else [], "Email", "Name"), subject=it.get("Subject", ""),
        text=it.get("TextPart"), html=it.get("HTMLPart"), headers=it.get("Headers", {}),
        files=[
            attached(one["Filename"], one["ContentType"], one["Base64Content"], one.get("ContentID", ""))
            for one in it.get("Attachments", []) + it.get("InlinedAttachments", [])
        ],
    )  # fmt: skip


def mailersend(call: Call) -> Seen:
    it = call.json
    headers = {one["name"]: one["value"] for one in it.get("headers") or []}
    own = {"in_reply_to": "in-reply-to", "list_unsubscribe": "list-unsubscribe"}
    headers |= {name: it[key] for key, name in own.items() if it.get(key)}
    headers |= {"references": " ".join(it["references"])} if it.get("references") else {}
    return Seen(
        sender=objects([it["from"]])[0], to=objects(it["to"]), cc=objects(it.get("cc")), bcc=objects(it.get("bcc")),
        reply_to=objects([it["reply_to"]] if it.get("reply_to") else []), subject=it.get("subject", ""),
        text=it.get("text"), html=it.get("html"),
        headers=headers,
        files=[attached(one["filename"], "", one["content"], one.get("id") or "") for one in it.get("attachments", [])],
    )  # fmt: skip


def mailtrap(call: Call) -> Seen:
    it = call.json
    return Seen(
        sender=objects([it["from"]])[0], to=objects(it["to"]), cc=objects(it.get("cc")), bcc=objects(it.get("bcc")),
        reply_to=objects([it["reply_to"]] if it.get("reply_to") else []), subject=it.get("subject", ""),
        text=it.get("text"), html=it.get("html"), headers=it.get("headers", {}),
        files=[
            attached(one["filename"], one.get("type", ""), one["content"], one.get("content_id") or "")
            for one in it.get("attachments", [])
        ],
    )  # fmt: skip


def scaleway(call: Call) -> Seen:
    it = call.json
    return Seen(
        sender=objects([it["from"]])[0], to=objects(it["to"]), cc=objects(it.get("cc")), bcc=objects(it.get("bcc")),
        subject=it.get("subject", ""), text=it.get("text"), html=it.get("html"),
        headers={one["key"]: one["value"] for one in it.get("additional_headers", [])},
        files=[attached(one["name"], one["type"], one["content"]) for one in it.get("attachments", [])],
    )  # fmt: skip


def mailgun(call: Call) -> Seen:
    """As a form of parts, which is not how we ask."""
    head = b"Content-Type: %b\r\n\r\n" % call.headers["content-type"].encode()
    if "multipart" not in call.headers["content-type"]:
        fields = parse_qsl(call.body.decode(), keep_blank_values=True)
        parts: list[Any] = []
    else:
        parts = list(BytesParser(policy=policy.HTTP).parsebytes(head + call.body).iter_parts())
        fields = [
            (part.get_param("name", header="content-disposition"), part.get_payload(decode=True).decode())
            for part in parts if not part.get_filename()
        ]  # fmt: skip
    known: dict[str, list[str]] = {}
    for name, value in fields:
        known.setdefault(name, []).append(value)
    files = [
        (part.get_filename(), part.get_content_type(), plain(_bytes(part)),
         part.get_filename() if part.get_param("name", header="content-disposition") == "inline" else "")
        for part in parts if part.get_filename()
    ]  # fmt: skip
    return Seen(
        sender=pairs(known["from"])[0],
        to=pairs(known.get("to")), cc=pairs(known.get("cc")), bcc=pairs(known.get("bcc")),
        subject=known.get("subject", [""])[0], text=known.get("text", [""])[0], html=known.get("html", [""])[0],
        headers={name[2:]: values[0] for name, values in known.items() if name.startswith("h:")}, files=files,
    )  # fmt: skip


def sparkpost(call: Call) -> Seen:
    it = call.json["content"]
    headers = {name.lower(): value for name, value in it.get("headers", {}).items()}
    copied = pairs(headers.pop("cc", None))
    to = pairs(call.json["recipients"][0]["address"]["header_to"])
    shown = {email for _, email in to + copied}
    hidden = [_boxed("", one["address"]["email"]) for one in call.json["recipients"]]
    sender = it["from"] if isinstance(it["from"], str) else f"{it['from'].get('name', '')} <{it['from']['email']}>"
    return Seen(
        sender=pairs(sender)[0], to=to, cc=copied, bcc=[one for one in hidden if one[1] not in shown],
        reply_to=pairs(it.get("reply_to")), subject=it.get("subject", ""), text=it.get("text"), html=it.get("html"),
        headers=headers,
        files=[attached(one["name"], one["type"], one["data"]) for one in it.get("attachments", [])]
        + [attached("", one["type"], one["data"], one["name"]) for one in it.get("inline_images", [])],
    )  # fmt: skip


def mandrill(call: Call) -> Seen:
    it = call.json["message"]
    people = {
        kind: [_boxed(one.get("name", ""), one["email"]) for one in it["to"] if one.get("type", "to") == kind]
        for kind in ("to", "cc", "bcc")
    }
    return Seen(
        sender=_boxed(it.get("from_name", ""), it["from_email"]), **people, subject=it.get("subject", ""),
        text=it.get("text"), html=it.get("html"), headers=it.get("headers", {}),
        files=[attached(one["name"], one["type"], one["content"]) for one in it.get("attachments", [])]
        + [attached("", one["type"], one["content"], one["name"]) for one in it.get("images", [])],
    )  # fmt: skip


def postal(call: Call) -> Seen:
    it = call.json
    return Seen(
        sender=pairs(it["from"])[0], to=pairs(it.get("to")), cc=pairs(it.get("cc")), bcc=pairs(it.get("bcc")),
        reply_to=pairs(it.get("reply_to")), subject=it.get("subject", ""), text=it.get("plain_body"),
        html=it.get("html_body"), headers=it.get("headers", {}),
        files=[attached(one["name"], one["content_type"], one["data"]) for one in it.get("attachments", [])],
    )  # fmt: skip


def raw(read: Callable[[Call], bytes], recipients: Callable[[Call], list[str]]) -> Callable[[Call], Seen]:
    return lambda call: mime(read(call), recipients(call))


OURS_RAW: dict[str, Callable[[Call], bytes]] = {
    "mailgun": lambda call: dict(call.form)["message"],
    "sparkpost": lambda call: call.json["content"]["email_rfc822"].encode(),
    "mandrill": lambda call: json.loads(call.body)["raw_message"].encode(),
    "postal": lambda call: b64decode(call.json["data"]),
}
