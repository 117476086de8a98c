"""Where our payloads differ from those of providers' models and clients, and why."""

from tests.mailers.beside_anymail.explained import PICTURES

# Providers, cases, what becomes of our payload, and why.
BY_MODEL: list[tuple[tuple[str, ...], tuple[str, ...], str, str]] = [
    (
        ("elasticemail", "mailersend", "mailtrap"),
        ("calendar invite",),
        "refused",
        "They have no place for it. We refuse before sending, and the backup gets it.",
    ),
    (
        ("elasticemail",),
        PICTURES,
        "refused",
        "Elastic Email has no Content-ID. We refuse before sending, and the backup gets it.",
    ),
    (
        ("mailersend", "mailtrap"),
        ("empty subject",),
        "refused",
        "They document the subject as required, though their models take an empty one.",
    ),
    (
        ("mailersend",),
        ("forty in bcc", "two in reply-to"),
        "refused",
        "The model takes no such message, either: ten in Bcc, and one in Reply-To.",
    ),
    (
        ("mailersend",),
        ("domain in umlauts",),
        "changed",
        "The model writes a domain in its own letters. We send it as DNS knows it, which every API takes.",
    ),
]

# Providers, cases, what differs, and why.
BY_CLIENT: list[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], str]] = [
    (
        ("sendlayer",),
        ("address with apostrophe",),
        ("refused",),
        "The client's own pattern for addresses has no apostrophe; the API names no such rule.",
    ),
    (
        ("sendlayer",),
        ("forty in to", "forty in bcc", "empty subject"),
        ("refused",),
        "The client lets SendLayer refuse. We refuse before sending, and the backup gets it.",
    ),
    (
        ("sendlayer",),
        PICTURES,
        ("files",),
        "The client attaches every file. We place pictures within the HTML, as the API documents.",
    ),
    (
        ("zeptomail",),
        ("own headers", "header in umlauts", "list-unsubscribe", "thread"),
        ("refused",),
        "The client takes no fields of the sender's own. The API has mime_headers for them.",
    ),
    (
        ("zeptomail",),
        (*PICTURES, "file of an unknown type", "text file in latin-1"),
        ("files",),
        "Of a part given whole, the client takes a field's name for its type, and encoded text for the content.",
    ),
]
