"""reference/smtp-replies.md: every reply of the SMTP entrypoint that is the same each time."""

import re
from base64 import b64decode
from collections.abc import Iterator

from made.tables import code, table
from secondpost.entrypoints import smtp_answers
from secondpost.wire import server_content, server_replies

REPLY = re.compile(rb"([2-5]\d\d) (?:([245]\.\d+\.\d+) )?(.*)\r\n")
CHAPTERS = {
    "2": "2xx: done",
    "3": "3xx: go on",
    "4": "4xx: not now, try again later",
    "5": "5xx: not like this",
}


def part() -> str:
    found = sorted(set(_replies()))
    chapters = []
    for digit, title in CHAPTERS.items():
        rows = [
            (code(number), code(status) if status else "–", text)
            for number, status, text in found
            if number.startswith(digit)
        ]
        chapters += [f"### {title}", table(("code", "status", "text"), rows)]
    return "\n\n".join(chapters)


def _replies() -> Iterator[tuple[str, str, str]]:
    """Code, enhanced status and text of every constant that is a reply."""
    for module in (server_replies, server_content, smtp_answers):
        for value in vars(module).values():
            if isinstance(value, bytes) and (match := REPLY.fullmatch(value)):
                number, status, text = (part.decode() if part else "" for part in match.groups())
                text = f"{text} ({b64decode(text).decode()})" if number == "334" and text else text
                yield number, status, text.replace("<", "&lt;") or "(nothing)"
