"""Known providers' SMTP servers, as data: `sendgrid+smtp://:KEY@default`, or `preset = "sendgrid"` for mailer smtp.

Rule: facts only, from the providers' own documentation; the code that uses them is in `smtp.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Encryption = Literal["none", "starttls", "tls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One provider's submission server. A `host` may contain {region}; `regions` names other hosts."""

    title: str
    host: str
    port: int = 587
    encryption: Encryption = "starttls"
    username: str = ""  # the same for all customers: then only the password is asked for
    region: str = ""  # the default for {region}
    regions: Mapping[str, str] = field(default_factory=dict)
    hint: str = ""  # what to enter as username and password
    note: str = ""

    def host_in(self, region: str) -> str:
        """The host for a region; an unknown one is put into the template, if there is one."""
        return self.regions.get(region) or self.host.format(region=region or self.region)


MAILBOX_HINT: Final = "Your address, and an app password made in the account's security settings."
WHOLE_ADDRESS: Final = "The mailbox's full address."

PROVIDERS: Final[Mapping[str, Provider]] = {
    # Transactional providers.
    "sendgrid": Provider(
        title="SendGrid", host="smtp.sendgrid.net", regions={"eu": "smtp.eu.sendgrid.net"}, username="apikey",
        hint="Username: the word apikey. Password: an API key with Mail Send.",
        note="Also port 465 with TLS, and 2525.",
    ),
    "mailgun": Provider(
        title="Mailgun", host="smtp.mailgun.org", regions={"eu": "smtp.eu.mailgun.org"},
        hint="SMTP user and password of the domain, for example postmaster@mg.example.com.",
    ),
    "postmark": Provider(
        title="Postmark", host="smtp.postmarkapp.com", regions={"broadcast": "smtp-broadcasts.postmarkapp.com"},
        hint="The server API token, as username and as password.", note="STARTTLS on 25, 587 and 2525.",
    ),
    "ses": Provider(
        title="Amazon SES", host="email-smtp.{region}.amazonaws.com", region="us-east-1",
        hint="SES SMTP credentials of the region; IAM keys do not work here.",
        note="Also 2587, and 465 or 2465 with TLS.",
    ),
    "brevo": Provider(title="Brevo", host="smtp-relay.brevo.com", hint="SMTP log-in and SMTP key (not an API key)."),
    "mailjet": Provider(title="Mailjet", host="in-v3.mailjet.com", hint="API key and secret key."),
    "mailtrap": Provider(
        title="Mailtrap", host="live.smtp.mailtrap.io", username="api",
        regions={"bulk": "bulk.smtp.mailtrap.io", "sandbox": "sandbox.smtp.mailtrap.io"},
        hint="Username: the word api. Password: an API token. The sandbox has a username of its own.",
    ),
    "mandrill": Provider(title="Mandrill", host="smtp.mandrillapp.com", hint="Any username; an API key as password."),
    "resend": Provider(
        title="Resend", host="smtp.resend.com", port=465, encryption="tls", username="resend",
        hint="Username: the word resend. Password: an API key.", note="Also 587 and 2587 with STARTTLS.",
    ),
    "smtp2go": Provider(
        title="SMTP2GO", host="mail.smtp2go.com", port=2525,
        regions={"us": "mail-us.smtp2go.com", "eu": "mail-eu.smtp2go.com", "au": "mail-au.smtp2go.com"},
        hint="An SMTP user (Sending, SMTP Users).", note="Also 587 and 8025, and 465 with TLS.",
    ),
    "sparkpost": Provider(
        title="SparkPost", host="smtp.sparkpostmail.com", regions={"eu": "smtp.eu.sparkpostmail.com"},
        username="SMTP_Injection",
        hint="Username: the word SMTP_Injection. Password: an API key with Send via SMTP.", note="Also port 2525.",
    ),
    "elasticemail": Provider(title="Elastic Email", host="smtp.elasticemail.com", port=2525, hint="SMTP credentials."),
    "mailersend": Provider(title="MailerSend", host="smtp.mailersend.net", hint="SMTP user of the domain."),
    "sendlayer": Provider(title="SendLayer", host="smtp.sendlayer.net", hint="SMTP username and password."),
    "smtpcom": Provider(title="SMTP.com", host="send.smtp.com", port=2525, hint="Sender name and SMTP password."),
    "scaleway": Provider(
        title="Scaleway", host="smtp.tem.scaleway.com", hint="Project id, and the secret key of an API key.",
        note="Also 2587, and 465 or 2465 with TLS.",
    ),
    # Mailboxes. They are made for people: their daily limits are low.
    "gmail": Provider(
        title="Gmail", host="smtp.gmail.com", hint=MAILBOX_HINT, note="About 500 a day, Workspace 2,000.",
    ),
    "gmail-relay": Provider(
        title="Google Workspace relay", host="smtp-relay.gmail.com", hint="As set in the admin console.",
    ),
    "office365": Provider(
        title="Microsoft 365", host="smtp.office365.com",
        hint="Your address; SMTP AUTH must be allowed for the mailbox.",
        note="Passwords are being retired: use auth xoauth2. 30 messages a minute.",
    ),
    "outlook": Provider(title="Outlook.com", host="smtp-mail.outlook.com", hint="Your address, with auth xoauth2."),
    "zoho": Provider(
        title="Zoho Mail", host="smtp.zoho.com", port=465, encryption="tls", hint=MAILBOX_HINT,
        regions={"eu": "smtp.zoho.eu", "in": "smtp.zoho.in", "pro": "smtppro.zoho.com"},
    ),
    "yahoo": Provider(title="Yahoo Mail", host="smtp.mail.yahoo.com", port=465, encryption="tls", hint=MAILBOX_HINT),
    "aol": Provider(title="AOL Mail", host="smtp.aol.com", port=465, encryption="tls", hint=MAILBOX_HINT),
    "icloud": Provider(title="iCloud Mail", host="smtp.mail.me.com", hint=MAILBOX_HINT),
    "fastmail": Provider(title="Fastmail", host="smtp.fastmail.com", port=465, encryption="tls", hint=MAILBOX_HINT),
    "protonmail": Provider(
        title="Proton Mail", host="smtp.protonmail.ch", hint="Your address, and an SMTP token made for it.",
        note="Only addresses with a domain of your own.",
    ),
    "gmx": Provider(
        title="GMX", host="mail.gmx.net", regions={"com": "mail.gmx.com"},
        hint="Your address; allow POP3/IMAP access in the settings.",
    ),
    "webde": Provider(title="WEB.DE", host="smtp.web.de", hint="Your address; allow POP3/IMAP access in the settings."),
    # Hosting companies.
    "ovh": Provider(title="OVHcloud", host="ssl0.ovh.net", port=465, encryption="tls", hint=WHOLE_ADDRESS),
    "ionos": Provider(
        title="IONOS", host="smtp.ionos.com",
        regions={"de": "smtp.ionos.de", "uk": "smtp.ionos.co.uk", "fr": "smtp.ionos.fr"},
        hint=WHOLE_ADDRESS,
    ),
    "gandi": Provider(title="Gandi", host="mail.gandi.net", hint=WHOLE_ADDRESS),
    "hostinger": Provider(
        title="Hostinger", host="smtp.hostinger.com", port=465, encryption="tls", hint=WHOLE_ADDRESS,
    ),
    # For development, on this machine: nothing leaves it.
    "mailpit": Provider(title="Mailpit", host="localhost", port=1025, encryption="none"),
    "mailhog": Provider(title="MailHog", host="localhost", port=1025, encryption="none"),
}  # fmt: skip

# What a DSN stands for: settings of mailer smtp.
PRESETS: Final[Mapping[str, Mapping[str, str | int]]] = {name: {"preset": name} for name in PROVIDERS}
