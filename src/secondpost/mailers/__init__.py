"""The list of mailers. Each is imported when it is first asked for: nobody pays for providers that are not used.

Rule: a new provider is its file, its test, and one line here; other packages add theirs by the entry-point group
`secondpost.mailers`.
"""

from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from secondpost.mailers.base import Mailer

MAILERS: dict[str, str] = {
    "brevo": "secondpost.mailers.brevo:Brevo",
    "capture": "secondpost.mailers.capture:Capture",
    "cloudflare": "secondpost.mailers.cloudflare:Cloudflare",
    "elasticemail": "secondpost.mailers.elasticemail:ElasticEmail",
    "gmail": "secondpost.mailers.gmail:Gmail",
    "mailersend": "secondpost.mailers.mailersend:MailerSend",
    "mailgun": "secondpost.mailers.mailgun:Mailgun",
    "mailjet": "secondpost.mailers.mailjet:Mailjet",
    "mailtrap": "secondpost.mailers.mailtrap:Mailtrap",
    "mandrill": "secondpost.mailers.mandrill:Mandrill",
    "outlook": "secondpost.mailers.outlook:Outlook",
    "postal": "secondpost.mailers.postal:Postal",
    "postmark": "secondpost.mailers.postmark:Postmark",
    "resend": "secondpost.mailers.resend:Resend",
    "scaleway": "secondpost.mailers.scaleway:Scaleway",
    "sendgrid": "secondpost.mailers.sendgrid:SendGrid",
    "sendlayer": "secondpost.mailers.sendlayer:SendLayer",
    "sendmail": "secondpost.mailers.sendmail:Sendmail",
    "ses": "secondpost.mailers.ses:Ses",
    "smtp": "secondpost.mailers.smtp:Smtp",
    "smtp2go": "secondpost.mailers.smtp2go:Smtp2Go",
    "smtpcom": "secondpost.mailers.smtpcom:SmtpCom",
    "sparkpost": "secondpost.mailers.sparkpost:SparkPost",
    "zeptomail": "secondpost.mailers.zeptomail:ZeptoMail",
    "zoho": "secondpost.mailers.zoho:Zoho",
}


@cache
def _others() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group="secondpost.mailers") if point.name not in MAILERS}


def names() -> list[str]:
    """Every mailer that can be asked for, sorted."""
    return sorted({*MAILERS, *_others()})


def find(name: str) -> "type[Mailer]":
    """The mailer of that name; a provider's API is put into the shell that carries it. Raises KeyError."""
    found = _load(name)
    if hasattr(found, "request"):
        from secondpost.mailers.http import HttpMailer, mailer  # only then: it brings the HTTP client along

        if hasattr(found, "token_url"):
            from secondpost.mailers.http_oauth import OAuthMailer

            return mailer(found, OAuthMailer)
        return mailer(found, HttpMailer)
    mailer_class: type[Mailer] = found
    return mailer_class


@cache
def _load(name: str) -> Any:
    if name not in MAILERS:
        return _others()[name].load()
    module, _, attribute = MAILERS[name].partition(":")
    return getattr(import_module(module), attribute)
