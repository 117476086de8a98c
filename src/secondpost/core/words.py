"""RFC 2047: words of a header in other alphabets, decoded for people and encoded for the wire.

Rule: decoding is linear, bounded and never raises; what comes out has no line ends or control characters.
"""

import re
from binascii import Error, a2b_base64, a2b_qp, b2a_base64

TEXT_LIMIT = 998  # characters of a decoded value
_INPUT_LIMIT = 32_768  # 998 characters, each in an encoded word of its own, fit

_WORD = re.compile(r"=\?([^?\s]*+)\?([bBqQ])\?([^?\s]*+)\?=")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")

# Only codecs that are linear and give text: Python also knows "punycode" (quadratic), "idna", "unicode_escape", …
_CHARSET = re.compile(
    r"utf-?8|(?:us-)?ascii|latin-?1|iso-8859-(?:1[013-6]?|[2-9])|(?:windows-|cp)125[0-8]|koi8-[ru]|macintosh|tis-620"
    r"|gb(?:2312|k|18030)|hz-gb-2312|big5|euc-(?:jp|kr)|shift_jis|iso-2022-(?:jp(?:-[12])?|kr)|ks_c_5601-1987"
)

_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_ESCAPED = re.compile(r'(["\\])')
_LINE = 70  # a longer name is folded, as encoded words
_CHUNK = 42  # bytes in an encoded word: 56 characters of base64, 68 with its frame (75 are allowed)


def decode(value: bytes) -> str:
    """The text of a header value: unfolded, decoded, at most 998 characters."""
    text = unicode(value[:_INPUT_LIMIT].strip())
    if "\n" in text:
        text = text.replace("\r", "").replace("\n", "")
    if "=?" in text:
        text = decode_words(text)
    return clean(text)


def unicode(value: bytes) -> str:
    """Raw header bytes as text: UTF-8 (RFC 6532), else Latin-1, which has a character for every byte."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def clean(text: str) -> str:
    """`text` in one line without control characters, trimmed and bounded."""
    if not text.isprintable():
        text = _CONTROLS.sub(" ", text)
    return text.strip()[:TEXT_LIMIT]


def decode_words(text: str) -> str:
    """`text` with its encoded words decoded; what is malformed stays as it is."""
    parts: list[str] = []
    length = end = 0
    charset, run = "", b""  # neighbors in one charset are joined first: many mailers split a character between them
    for match in _WORD.finditer(text):
        data = _bytes(match[2], match[3])
        if data is None:
            continue
        between = text[end : match.start()]
        word_charset = match[1].partition("*")[0].lower()  # RFC 2231 section 5: a language may follow
        apart = not end or bool(between.strip())  # white space between two encoded words is not shown
        if apart or word_charset != charset:
            parts += (as_text(run, charset), between if apart else "")
            length += len(parts[-2]) + len(parts[-1])
            run = b""
        charset, run, end = word_charset, run + data, match.end()
        if length + len(run) // 4 > TEXT_LIMIT:
            break
    return "".join((*parts, as_text(run, charset), text[end:]))


def _bytes(encoding: str, data: str) -> bytes | None:
    if not data.isascii():
        return None
    if encoding in "qQ":
        return a2b_qp(data, header=True)
    try:
        return a2b_base64(data + "==")
    except Error:
        return None


def as_text(data: bytes, charset: str) -> str:
    """Bytes in a charset as text; one that is unknown, or not known to be harmless, is taken as UTF-8 or Latin-1."""
    return data.decode(charset, "replace") if _CHARSET.fullmatch(charset) else unicode(data)


def encode_phrase(name: str) -> str:
    """A display name for a header: plain, quoted, or RFC 2047 encoded words folded to short lines. Always ASCII."""
    name = clean(name)
    if len(name) > _LINE or not name.isascii() or "=?" in name:
        return "\r\n ".join(f"=?utf-8?b?{b2a_base64(chunk, newline=False).decode()}?=" for chunk in _chunks(name))
    if _ATOMS.fullmatch(name):
        return name
    return '"' + _ESCAPED.sub(r"\\\1", name) + '"'


def _chunks(name: str) -> list[bytes]:
    """UTF-8 in pieces that never split a character (RFC 2047 section 5)."""
    chunks = [b""]
    for character in name:
        data = character.encode()
        if len(chunks[-1]) + len(data) > _CHUNK:
            chunks.append(b"")
        chunks[-1] += data
    return chunks
