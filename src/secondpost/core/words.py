"""RFC 2047: words of a header in other alphabets, decoded for people and encoded for the wire.

Rule: decoding is linear, bounded and never raises; what comes out has no line ends or control characters.
"""

import re
from binascii import Error, a2b_base64, a2b_qp, b2a_base64

TEXT_LIMIT = 998  # characters of a decoded value
_INPUT_LIMIT = 32_768  # 998 characters, each in an encoded word of its own, fit

_WORD = re.compile(r"=\?([^?\s]*+)\?([bBqQ])\?([^?\s]*+)\?=")
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_FOLD = re.compile(r"[ \t]*[\r\n]+[ \t]*")

# Only codecs that are linear and give text: Python also knows "punycode" (quadratic), "idna", "unicode_escape", …
_CHARSETS = frozenset(
    [f"iso-8859-{part}" for part in (*range(1, 12), *range(13, 17))]
    + [f"{maker}-125{part}" for part in range(9) for maker in ("windows", "cp")[: 2 if part else 2]]
    + "utf-8 utf8 us-ascii ascii latin1 latin-1 koi8-r koi8-u gb2312 gbk gb18030 big5 hz-gb-2312 macintosh".split()
    + "euc-jp euc-kr shift_jis iso-2022-jp iso-2022-jp-1 iso-2022-jp-2 iso-2022-kr ks_c_5601-1987 tis-620".split()
)

_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_ESCAPED = re.compile(r'(["\\])')
_LINE = 70  # a quoted name longer than this is folded as encoded words instead


def decode(value: bytes) -> str:
    """The text of a header value: unfolded, decoded, at most 998 characters."""
    text = unicode(value[:_INPUT_LIMIT])
    if "\n" in text:
        text = _FOLD.sub(" ", text)
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
        between, data = text[end : match.start()], _bytes(match[2], match[3])
        word_charset = match[1].partition("*")[0].lower()
        if data is None:
            continue
        if not run or between.strip() or word_charset != charset:
            parts += (_text(run, charset), between if between.strip() or not run else "")
            length += len(parts[-1]) + len(parts[-2])
            run = b""
        charset, run, end = word_charset, run + data, match.end()
        if length + len(run) // 4 > TEXT_LIMIT:
            break
    return "".join((*parts, _text(run, charset), text[end:]))


def _bytes(encoding: str, data: str) -> bytes | None:
    if not data.isascii():
        return None
    if encoding in "qQ":
        return a2b_qp(data, header=True)
    try:
        return a2b_base64(data + "==")
    except Error:
        return None


def _text(data: bytes, charset: str) -> str:
    if charset in _CHARSETS:
        return data.decode(charset, "replace")
    return unicode(data)


def encode_phrase(name: str) -> str:
    """A display name for a header: plain, quoted, or RFC 2047 encoded words folded to short lines. Always pure ASCII."""
    name = clean(name)
    if _ATOMS.fullmatch(name) and len(name) <= _LINE and "=?" not in name:
        return name
    if name.isascii() and len(name) <= _LINE and "=?" not in name:
        return '"' + _ESCAPED.sub(r"\\\1", name) + '"'
    return "\r\n ".join(f"=?utf-8?b?{b2a_base64(chunk, newline=False).decode()}?=" for chunk in _chunks(name))


def _chunks(name: str, size: int = 42) -> list[bytes]:
    """UTF-8 in pieces of at most `size` bytes that never split a character (RFC 2047 section 5)."""
    chunks = [b""]
    for character in name:
        data = character.encode()
        if len(chunks[-1]) + len(data) > size:
            chunks.append(b"")
        chunks[-1] += data
    return chunks
