"""An address: one mailbox of RFC 5321 section 4.1.2, with UTF-8 as RFC 6531 allows.

Rule: what `parse` returns can stand between < and > on the wire: it has no line end, NUL, bracket or unquoted space.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

LOCAL_LIMIT = 64  # octets, RFC 5321 section 4.5.3.1.1
TOTAL_LIMIT = 254  # octets: a path of 256 without its brackets

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_WIDE_ATOM = _ATOM.replace("-]", "\x80-\U0010ffff-]")
_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}+(?<!-)"  # underscore: container names such as app_web_1; Postfix takes them too
_PLAIN = re.compile(rf"({_ATOM}++(?:\.{_ATOM}++)*+)@({_LABEL}(?:\.{_LABEL})*+)")
_DOT_ATOM = re.compile(rf"{_WIDE_ATOM}++(?:\.{_WIDE_ATOM}++)*+")
_QUOTED = re.compile(r'"(?:[ !#-\[\]-~\x80-\U0010ffff]|\\[ -~])*+"')
_WIDE_LABEL = re.compile(_LABEL.replace("_-]", "_\x80-\U0010ffff-]"))
_OTHER_DOTS = frozenset("\u3002\uff0e\uff61")  # IDNA reads these as dots, so one domain would have several spellings
_IPV4 = re.compile(r"\[(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!\])|(?=\]))){4}\]", re.ASCII)
_SHOWN = 80


class AddressError(ValueError):
    """A text is not an address. The message names it, says what is wrong, and what to do."""

    def __init__(self, text: str, reason: str) -> None:
        shown = repr(text[:_SHOWN])
        shown = shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"
        super().__init__(f"{shown} is not an address: {reason}")
        self.text = text
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox. Made by `parse`, so that it is always valid."""

    local: str
    domain: str

    @property
    def text(self) -> str:
        return f"{self.local}@{self.domain}"


def parse(text: str) -> Address:
    """The address that `text` is, without brackets or display name. Raises `AddressError`."""
    match = _PLAIN.fullmatch(text)
    if match and match.end(1) <= LOCAL_LIMIT and len(text) <= TOTAL_LIMIT:
        return Address(match[1], match[2])
    return _parse(text)


def once(texts: Iterable[str]) -> tuple[str, ...]:
    """Each mailbox once, as it was written first. The case of a domain makes no other mailbox."""
    found: dict[str, str] = {}
    for text in texts:
        local, sign, domain = text.rpartition("@")
        found.setdefault(local + sign + domain.lower(), text)
    return tuple(found.values())


def domain_of(text: str) -> str:
    """The lower-cased domain of an address as it stands in a header; empty when it has none."""
    return text.rpartition("@")[2].lower() if "@" in text else ""


def allowed(text: str, patterns: Collection[str]) -> bool:
    """Whether `text` fits a pattern: an address, a domain (`example.com`, `@example.com`), `*.example.com`, or `*`."""
    text = text.casefold()
    domain = domain_of(text)
    return any(
        _fits(text, domain, pattern.strip().casefold().removeprefix("*@").removeprefix("@")) for pattern in patterns
    )


def is_pattern(text: str) -> bool:
    """Whether `allowed` can find an address for this pattern."""
    pattern = text.strip().removeprefix("*@").removeprefix("@")
    try:
        parse(pattern if "@" in pattern else f"x@{pattern.removeprefix('*.')}")
    except AddressError:
        return pattern == "*"
    return True


def _fits(text: str, domain: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return domain.endswith(pattern[1:])
    return text == pattern if "@" in pattern else pattern in {domain, "*"}


def _parse(text: str) -> Address:
    reason = _form_fault(text)
    if reason:
        raise AddressError(text, reason)
    local, _, domain = text.rpartition("@")
    reason = _local_fault(local) or _domain_fault(domain)
    if reason:
        raise AddressError(text, reason)
    return Address(local, domain)


def _form_fault(text: str) -> str:
    if not text:
        return "it is empty. Give an address such as name@example.com."
    if len(text) > TOTAL_LIMIT or len(text.encode(errors="replace")) > TOTAL_LIMIT:
        return f"it is longer than {TOTAL_LIMIT} bytes, the most that SMTP allows."
    if not text.isprintable():
        return "it holds a line end, a NUL or another character that cannot be printed. Remove it."
    if "<" in text or ">" in text:
        return "it has an angle bracket. Give only what stands between < and >."
    if "@" not in text:
        return "it has no @. Give an address such as name@example.com."
    return ""


def _local_fault(local: str) -> str:
    if not local:
        return "nothing stands before the @. Add the name of the mailbox."
    if len(local.encode()) > LOCAL_LIMIT:
        return f"the part before the @ is longer than {LOCAL_LIMIT} bytes, the most that SMTP allows."
    if _DOT_ATOM.fullmatch(local) or _QUOTED.fullmatch(local):
        return ""
    if ".." in local or local.startswith(".") or local.endswith("."):
        return "the part before the @ has a dot at an end, or two in a row. Remove the dot."
    return "the part before the @ has a character that needs double quotes, such as a space or a comma. Correct it."


def _domain_fault(domain: str) -> str:
    if not domain:
        return "nothing stands after the @. Add the domain."
    if domain.startswith("["):
        return "" if _is_literal(domain) else "what stands after the @ is not [IPv4] or [IPv6:…]. Correct it."
    for label in domain.split("."):
        if not label:
            return "its domain has a dot at an end, or two in a row. Remove the dot."
        if not _WIDE_LABEL.fullmatch(label) or _OTHER_DOTS.intersection(label):
            return f"{label!r} cannot be in a domain: use letters, digits and inner hyphens, at most 63 between dots."
    return ""


def _is_literal(domain: str) -> bool:
    if _IPV4.fullmatch(domain):
        return True
    from ipaddress import IPv6Address  # rare, and its import takes milliseconds

    try:
        IPv6Address(domain.removeprefix("[IPv6:").removesuffix("]"))
    except ValueError:
        return False
    return domain.startswith("[IPv6:") and domain.endswith("]") and "%" not in domain
