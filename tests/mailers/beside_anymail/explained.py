"""Where our payloads and anymail's differ, and why."""

from tests.mailers.beside_anymail.corpus import CORPUS

REFUSED = ("empty subject", "header in umlauts", "two in reply-to")  # for Brevo, by us or by anymail
PLAIN = tuple(case for case, made in CORPUS.items() if not made().alternatives and case not in REFUSED)
PICTURES = ("picture", "two pictures", "picture and file", "picture with an odd name")

# Providers, cases, what differs, and why.
EXPLAINED: list[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], str]] = [
    (
        ("brevo",),
        PLAIN,
        ("html",),
        "Brevo documents HTML as mandatory, so a message without it gets its text as HTML beside the text.",
    ),
    (
        ("brevo", "mailersend", "mailtrap", "resend", "scaleway", "sendgrid"),
        ("empty subject",),
        ("refused",),
        "They document the subject as required. anymail lets them refuse; we refuse first, and the backup gets it.",
    ),
    (
        ("brevo",),
        ("header in umlauts",),
        ("refused",),
        "Brevo transmits such a field as it is, in UTF-8. anymail refuses it; we carry it, and our notes say so.",
    ),
    (
        ("mailgun", "mandrill", "postal", "sparkpost"),
        ("calendar invite",),
        ("refused",),
        "anymail takes the message apart and cannot carry an invite; we hand it over whole.",
    ),
    (
        ("postal",),
        ("two in reply-to", *PICTURES),
        ("refused",),
        "anymail takes the message apart and cannot carry these; we hand it over whole.",
    ),
    (
        ("mailgun", "mandrill", "sparkpost"),
        PICTURES,
        ("files",),
        "Their form names a picture by its Content-ID alone; in a whole message it keeps its file name, too.",
    ),
    (
        ("mailgun",),
        ("file name with quotes",),
        ("files",),
        "anymail's form writes quotes in a file name as %22; in a whole message they stay quotes.",
    ),
    (
        ("brevo", "mailersend", "mailjet", "sendgrid"),
        ("text file in latin-1",),
        ("files",),
        "anymail makes text files UTF-8. We carry every file byte by byte: it may be signed, or be read by a program.",
    ),
    (
        ("mailersend",),
        ("thread",),
        ("headers",),
        "MailerSend checks In-Reply-To as an address, so it goes without < and >, as its own client sends it.",
    ),
    (
        ("mailersend",),
        ("forty in bcc",),
        ("refused",),
        "MailerSend takes ten in Bcc. anymail lets it refuse; we refuse before sending, and the backup gets it.",
    ),
    (
        ("scaleway",),
        ("forty in to", "forty in bcc"),
        ("refused",),
        "Scaleway takes ten recipients. anymail lets it refuse; we refuse before sending, and the backup gets it.",
    ),
    (
        ("scaleway",),
        ("empty file", "file of an unknown type", "forwarded message"),
        ("refused",),
        "Scaleway lists the types it takes. anymail lets it refuse; we refuse before sending, and the backup gets it.",
    ),
]
