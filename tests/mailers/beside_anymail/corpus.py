"""Messages as Django programs build them: what each provider's payload is compared over."""

from collections.abc import Callable
from email.encoders import encode_base64
from email.mime.base import MIMEBase
from email.mime.image import MIMEImage
from email.mime.text import MIMEText
from typing import Any

from tests import django_project  # noqa: F401  # isort: skip  # Django has to be configured first
from django.core.mail import EmailMultiAlternatives

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
ICS = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"


FIRST = b"From: a@shop.example\nSubject: The first\n\nHello\n"


def mail(**parts: Any) -> EmailMultiAlternatives:
    """A plain message from the shop to Bob, but for `parts`. `html`: an alternative."""
    html = parts.pop("html", None)
    given = {
        "subject": "Your order",
        "body": "Thank you.",
        "from_email": "shop@shop.example",
        "to": ["bob@dest.example"],
    }
    made = EmailMultiAlternatives(**{**given, **parts})
    if html is not None:
        made.attach_alternative(html, "text/html")
    return made


def files(*attached: tuple[str, bytes | str, str], **parts: Any) -> EmailMultiAlternatives:
    made = mail(**parts)
    for name, content, kind in attached:
        made.attach(name, content, kind)
    return made


def pictures(*ids: str, disposition: str = "inline", name: str = "logo.png", **parts: Any) -> EmailMultiAlternatives:
    shown = "".join(f'<img src="cid:{cid}">' for cid in ids)
    made = mail(html=f"<p>Look:</p>{shown}", **parts)
    for number, cid in enumerate(ids):
        image = MIMEImage(PNG + bytes([number]), "png")
        image.add_header("Content-ID", f"<{cid}>")
        image.add_header("Content-Disposition", disposition, filename=f"{number or ''}{name}")
        made.attach(image)
    return made


def invitation() -> EmailMultiAlternatives:
    made = mail(html="<p>Come!</p>")
    made.attach_alternative(ICS, "text/calendar; method=REQUEST")
    return made


def forwarded() -> EmailMultiAlternatives:
    made = mail()
    made.attach("first.eml", FIRST, "message/rfc822")
    return made


def typed(kind: str, name: str, content: bytes) -> EmailMultiAlternatives:
    main, _, sub = kind.partition("/")
    part = MIMEBase(main, sub)
    part.set_payload(content)
    encode_base64(part)
    part.add_header("Content-Disposition", "attachment", filename=name)
    made = mail()
    made.attach(part)
    return made


def latin() -> EmailMultiAlternatives:
    made = mail()
    part = MIMEText("Grüße", "plain", "iso-8859-1")
    part.add_header("Content-Disposition", "attachment", filename="gruss.txt")
    made.attach(part)
    return made


def many(count: int, field: str) -> EmailMultiAlternatives:
    return mail(**{field: [f"r{number}@dest.example" for number in range(count)]})


CORPUS: dict[str, Callable[[], EmailMultiAlternatives]] = {
    # addresses
    "plain": mail,
    "named": lambda: mail(from_email="Shop <shop@shop.example>", to=["Bob <bob@dest.example>"]),
    "name with comma": lambda: mail(
        from_email='"Shop, Inc." <shop@shop.example>', to=['"Doe, Bob" <bob@dest.example>']
    ),
    "name with quotes": lambda: mail(from_email='"The \\"Shop\\"" <shop@shop.example>'),
    "name with a bracket": lambda: mail(to=['"Bob <x> (CEO)" <bob@dest.example>']),
    "name with an at": lambda: mail(to=['"bob@work" <bob@dest.example>']),
    "name in umlauts": lambda: mail(from_email="Müller & Söhne <shop@shop.example>", to=["Jürgen <bob@dest.example>"]),
    "name in umlauts with comma": lambda: mail(from_email='"Müller, Söhne" <shop@shop.example>'),
    "name in Japanese": lambda: mail(
        from_email="株式会社ショップ <shop@shop.example>", to=["田中太郎 <bob@dest.example>"]
    ),
    "name in Arabic": lambda: mail(to=["محمد <bob@dest.example>"]),
    "name with emoji": lambda: mail(from_email="Shop 🛒 <shop@shop.example>"),
    "long name": lambda: mail(from_email=f"{'Müller ' * 12}<shop@shop.example>"),
    "address with plus": lambda: mail(to=["bob+orders@dest.example"]),
    "address with apostrophe": lambda: mail(to=["o'brien@dest.example"]),
    "domain in umlauts": lambda: mail(to=["bob@bücher.example"]),
    "cc": lambda: mail(cc=["Carol <carol@dest.example>"]),
    "bcc": lambda: mail(bcc=["dave@dest.example"]),
    "to, cc and bcc": lambda: mail(cc=["carol@dest.example"], bcc=["dave@dest.example", "erin@dest.example"]),
    "two in to": lambda: mail(to=["bob@dest.example", "Carol <carol@dest.example>"]),
    "forty in to": lambda: many(40, "to"),
    "forty in bcc": lambda: many(40, "bcc"),
    "reply-to": lambda: mail(reply_to=["Help <help@shop.example>"]),
    "two in reply-to": lambda: mail(reply_to=["help@shop.example", "Boss <boss@shop.example>"]),
    # subjects and headers
    "empty subject": lambda: mail(subject=""),
    "subject in umlauts": lambda: mail(subject="Ihre Bestellung über Bücher"),
    "subject in Chinese and emoji": lambda: mail(subject="您的订单 🎉 已发货"),
    "long subject": lambda: mail(subject="Your order of many things" + ", many things" * 30),
    "long subject in Greek": lambda: mail(subject="Η παραγγελία σας" * 20),
    "own headers": lambda: mail(headers={"X-Shop": "a", "X-Order-Id": "12345"}),
    "header in umlauts": lambda: mail(headers={"X-Shop": "Bücher für alle"}),
    "list-unsubscribe": lambda: mail(
        headers={
            "List-Unsubscribe": "<https://shop.example/u?x=1>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    ),
    "thread": lambda: mail(
        headers={"In-Reply-To": "<1@shop.example>", "References": "<0@shop.example> <1@shop.example>"}
    ),
    # text
    "html and text": lambda: mail(html="<p>Thank <b>you</b>.</p>"),
    "html in umlauts": lambda: mail(html="<p>Schöne Grüße – 你好</p>", body="Schöne Grüße – 你好"),
    "dots and From": lambda: mail(body="one\n.\n..two\nFrom me\n"),
    "long lines": lambda: mail(body="word " * 1000, html="<p>" + "word " * 1000 + "</p>"),
    "text with entities": lambda: mail(html="<p>1 &lt; 2 &amp; {{handlebars}} %recipient% {{{raw}}}</p>"),
    "calendar invite": invitation,
    # attachments
    "csv": lambda: files(("orders.csv", "a;b\n1;2\n", "text/csv")),
    "pdf and png": lambda: files(("a.pdf", b"%PDF-1.4\x00\xff", "application/pdf"), ("b.png", PNG, "image/png")),
    "empty file": lambda: files(("empty.bin", b"", "application/octet-stream")),
    "file name in umlauts": lambda: files(("Rechnung März.pdf", b"%PDF", "application/pdf")),
    "file name in Japanese": lambda: files(("請求書.pdf", b"%PDF", "application/pdf")),
    "file name with quotes": lambda: files(('the "best" file; really.pdf', b"%PDF", "application/pdf")),
    "long file name": lambda: files(("x" * 180 + ".pdf", b"%PDF", "application/pdf")),
    "file of an unknown type": lambda: typed("application/x-shop", "data.shop", b"\x00\x01"),
    "text file in latin-1": latin,
    "forwarded message": forwarded,
    "html and file": lambda: files(("a.pdf", b"%PDF", "application/pdf"), html="<p>Hi</p>"),
    # images within the HTML
    "picture": lambda: pictures("logo@shop.example"),
    "two pictures": lambda: pictures("one@shop.example", "two@shop.example"),
    "picture and file": lambda: _with_file(pictures("logo@shop.example")),
    "picture with an odd name": lambda: pictures("logo@shop.example", name="lögo 1.png"),
}


def _with_file(made: EmailMultiAlternatives) -> EmailMultiAlternatives:
    made.attach("a.pdf", b"%PDF", "application/pdf")
    return made
