"""Point your app here: what to write where, for the address that this gateway listens on.

Rule: each snippet is complete and can be copied as it stands.
"""

from collections.abc import Mapping

_SMTPLIB = """\
import smtplib
from email.message import EmailMessage


def send(to: str, subject: str, text: str) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "@FROM@", to, subject
    message.set_content(text)
    with smtplib.SMTP("@HOST@", @PORT@, timeout=30) as session:
        session.send_message(message)
"""
_TEXTS = {
    "WordPress": """\
In an SMTP plug-in choose "Other SMTP":
  SMTP Host       @HOST@
  SMTP Port       @PORT@
  Encryption      None
  Auto TLS        off
  Authentication  off
Leave a backup connection there empty: Secondpost has one.
""",
    "PHP": """\
; php.ini: mail() by our sendmail, which keeps mail safe while the gateway restarts
sendmail_path = "secondpost-sendmail -t -i"
""",
    "Django": """\
# settings.py
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = "@HOST@"
EMAIL_PORT = @PORT@
EMAIL_TIMEOUT = 30
DEFAULT_FROM_EMAIL = "@FROM@"
""",
    "Flask": """\
# Flask-Mail
app.config["MAIL_SERVER"] = "@HOST@"
app.config["MAIL_PORT"] = @PORT@
app.config["MAIL_DEFAULT_SENDER"] = "@FROM@"
""",
    "FastAPI": f"""\
{_SMTPLIB}

# In an endpoint, with background: BackgroundTasks
background.add_task(send, "@TO@", "Hello", "Hello from my app.")
""",
    "Node": """\
import nodemailer from "nodemailer";

const transport = nodemailer.createTransport({ host: "@HOST@", port: @PORT@, secure: false });
await transport.sendMail({ from: "@FROM@", to: "@TO@", subject: "Hello", text: "Hello from my app." });
""",
    "curl": """\
printf 'From: @FROM@\\r\\nTo: @TO@\\r\\nSubject: Hello\\r\\n\\r\\nHello from my app.\\r\\n' |
  curl smtp://@HOST@:@PORT@ --mail-from @FROM@ --mail-rcpt @TO@ --upload-file -
""",
    "sendmail": """\
printf 'From: @FROM@\\nTo: @TO@\\nSubject: Hello\\n\\nHello from my app.\\n' | secondpost-sendmail -t -i
""",
    "Postfix": """\
# /etc/postfix/main.cf
relayhost = [@HOST@]:@PORT@
""",
}


def snippets(*, host: str, port: int, sender: str, to: str) -> Mapping[str, str]:
    """Every snippet by the name of what it is for."""
    given = {"HOST": host, "PORT": str(port), "FROM": sender, "TO": to}
    return {name: _filled(text, given) for name, text in _TEXTS.items()}


def _filled(text: str, given: Mapping[str, str]) -> str:
    for place, value in given.items():
        text = text.replace(f"@{place}@", value)
    return text
