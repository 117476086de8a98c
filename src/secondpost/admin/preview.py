"""What a message says, taken apart so that people can look at it safely.

Rule: nothing here trusts the message. Its HTML is never put into a page of ours; images that it brings along become
data, and everything remote stays away by the policy in HEADERS.
"""

import logging
from dataclasses import dataclass, field

from secondpost.core import words
from secondpost.core.fields import FIELD
from secondpost.core.message import split
from secondpost.mailers import parts
from secondpost.mailers.parts import File

logger = logging.getLogger(__name__)

CLOSED = "default-src 'none'; sandbox"
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'self'; sandbox"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "X-DNS-Prefetch-Control": "off",
}
TEXT_LIMIT = 256 * 1024  # characters of text, source and HTML that a page shows
HTML_LIMIT = 2 * 2**20
INLINE_LIMIT = 8 * 2**20  # bytes of images within the HTML
IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/x-icon"})  # no SVG


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    headers: list[tuple[str, str]]
    source: str
    text: str = ""
    html: str = ""
    files: list[File] = field(default_factory=list)
    trouble: str = ""  # why it could not be taken apart

    @property
    def framed(self) -> str:
        """The HTML with the images that came along in their places."""
        html, room = self.html[:HTML_LIMIT], INLINE_LIMIT
        for file in self.files:
            if file.cid and file.type in IMAGES and len(file.data) <= room:
                room -= len(file.data) * html.count(f"cid:{file.cid}")
                html = html.replace(f"cid:{file.cid}", f"data:{file.type};base64,{file.encoded}") if room >= 0 else html
        return html


def take_apart(content: bytes) -> Preview:
    """Never raises: what cannot be taken apart is shown as its source."""
    head, _ = split(content)
    headers = [(name.decode(), words.decode(value)) for name, value in FIELD.findall(b"\n" + head)]
    source = words.unicode(content[:TEXT_LIMIT])
    try:
        found = parts.take_apart(content, ())
    except Exception as error:  # strangers write messages, and the parser is not ours
        logger.info("a message cannot be taken apart: %s", type(error).__name__)
        return Preview(headers=headers, source=source, trouble="Its parts cannot be told apart. The source is whole.")
    return Preview(
        headers=headers, source=source, text=(found.text or "")[:TEXT_LIMIT], html=found.html or "", files=found.files
    )
