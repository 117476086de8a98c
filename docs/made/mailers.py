"""mailers/README.md: what each provider's API can, as its mailer declares it."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from made.tables import code, table
from secondpost import mailers
from secondpost.mailers.base import Abilities
from secondpost.mailers.presets import PROVIDERS

MATRIX = ("mailer", "message", "largest", "recipients", "same key, one message", "can be asked", "tells later", "SMTP")


def part() -> str:
    return "\n\n".join(_chapters())


def _chapters() -> Iterator[str]:
    apis = [found for name in sorted(mailers.MAILERS) if hasattr(found := mailers.find(name), "api")]
    yield "## What each can"
    yield (
        "**Message**: whether it is carried *as it is* or *taken apart* into text, HTML and files. "
        "**Same key, one message**: for how long the same request may be sent again without harm. "
        "**Can be asked**: whether it has a message. **Tells later**: by webhooks."
    )
    yield table(MATRIX, [_row(one) for one in apis])
    for one in apis:
        yield from _chapter(one)


def _row(mailer: Any) -> tuple[str, ...]:
    can: Abilities = mailer.can
    smtp = code(f"{mailer.name}+smtp") if mailer.name in PROVIDERS else "–"
    return (
        f"[{mailer.title}](#{_anchor(mailer.title)})",
        "as it is" if can.raw else "taken apart",
        f"{can.max_bytes // 1_000_000} MB" if can.max_bytes else "–",
        str(can.max_recipients or "–"),
        _span(can.idempotency),
        _yes(can.lookup),
        _yes(can.events),
        smtp,
    )


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-").translate({ord(sign): None for sign in "./"})


def _yes(able: bool) -> str:
    return "yes" if able else "–"


def _span(life: timedelta | None) -> str:
    if life is None:
        return "–"
    minutes = life // timedelta(minutes=1)
    return f"{minutes // 60} h" if minutes >= 60 else f"{minutes} min"


def _chapter(mailer: Any) -> Iterator[str]:
    needed = [one for one in mailer.settings if one.required and one.default == "" and one.name != "host"]
    login = ":".join(one.name.upper() for one in needed)
    yield f"## {mailer.title}"
    dsn = code(f"{mailer.name}+api://{login}@default")
    yield f'`mailer = "{mailer.name}"`, or {dsn}. [Its documentation]({mailer.api.site}).'
    rows = [(code(one.name), one.label, _must(one), one.help) for one in mailer.settings if not one.advanced]
    yield table(("setting", "what it is", "", "where to get it"), rows)
    points = [*_cannot(mailer.can), *mailer.api.notes]
    if points:
        yield "\n".join(f"- {point}" for point in points)


def _must(setting: Any) -> str:
    if setting.required:
        return "must be given"
    return f"else {code(str(setting.default))}" if setting.default not in ("", False) else "may be left out"


def _cannot(can: Abilities) -> Iterator[str]:
    if not can.envelope:
        yield "Recipients are read from the header: if To or Cc names somebody who is not to get it, it is refused."
    if can.raw:
        return
    yield "A message that is signed or encrypted as a whole is refused: it cannot be taken apart."
    for able, what in (
        (can.inline, "Images within the HTML are refused."),
        (can.alternatives, "Calendar invites and other forms of the text are refused."),
        (can.no_subject, "A message without a subject is refused."),
        (can.headers, "Header fields of your own are refused."),
        (can.international, "Addresses with letters beyond ASCII are refused."),
        (can.reply_to != 0, "A Reply-To is refused."),
        (can.file_types != frozenset(), "Attachments are refused."),
    ):
        if not able:
            yield what
    if can.reply_to:
        yield f"At most {can.reply_to} address{'es' if can.reply_to > 1 else ''} in Reply-To."
    if can.left_out:
        yield f"Not carried: {', '.join(code(name) for name in sorted(can.left_out))}."
    if can.file_types:
        yield f"Attachments end in {', '.join(sorted(can.file_types))}; others are refused."
