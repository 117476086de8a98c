"""DSNs: a whole connection in one line, in Symfony Mailer's grammar: scheme://user:password@host:port?option=value.

Rule: a refusal (`ValueError`) teaches the right form and never repeats a user, a password or a token.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from urllib.parse import unquote

from secondpost.config import catalog
from secondpost.config.faults import clip, did_you_mean

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9.-]*)(?:\+([A-Za-z]+))?://(.*)", re.DOTALL)
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LOOPBACK = re.compile(r"localhost|127(\.\d+){3}|::1")
_API = ("api", "https")  # Symfony has both; where a provider takes whole messages, its "https" does
_PLAIN = ("smtp", "smtps", "sendmail", "capture")
_TEACH = {
    "failover": "Secondpost does this by itself: give the first DSN as primary and the second as backup",
    "roundrobin": "sharing mail out by turns is not offered; give one DSN as primary and one as backup",
    "null": "mail that goes nowhere is kept in the Inbox: write capture://default",
    "native": "write sendmail://default, or smtp:// with the server's name",
}
_VERIFY = (
    "certificates are always verified, so this option is not offered; remove it. For a server with a certificate "
    "of your own, add its authority to the system's trusted certificates"
)


@dataclass(frozen=True, slots=True)
class Parts:
    """A DSN taken apart and decoded."""

    scheme: str
    manner: str  # "smtp" or "api" after a provider's name, else ""
    user: str = field(repr=False)
    password: str = field(repr=False)
    host: str
    port: int | None
    options: Mapping[str, str] = field(repr=False)


def looks_like(text: str) -> bool:
    """Whether this is a DSN rather than the name of a connection."""
    return "://" in text or text.startswith(("failover(", "roundrobin("))


def table(dsn: str) -> dict[str, Any]:
    """The [connections.NAME] table that a DSN stands for. Raises ValueError."""
    parts = split(dsn)
    options = _options(parts.options)
    if parts.manner in _API:
        return _api(parts) | options
    if parts.manner:
        return _preset(parts) | options
    if parts.scheme in ("smtp", "smtps"):
        return _smtp(parts, options) | options
    if parts.user or parts.host not in ("default", "localhost", ""):
        raise ValueError(f"write {parts.scheme}://default: this mailer needs no server and no log-in")
    return {"mailer": parts.scheme} | options


def split(dsn: str) -> Parts:
    """A DSN taken apart. Raises ValueError."""
    for word, text in _TEACH.items():
        if dsn.startswith((f"{word}(", f"{word}://")):
            raise ValueError(text)
    match = _SCHEME.fullmatch(dsn.strip())
    if match is None:
        raise ValueError(
            "a DSN is written scheme://user:password@host:port, such as smtp://user:password@mail.example.com:587"
        )
    scheme, manner, rest = match[1].lower(), (match[2] or "").lower(), match[3]
    _check_scheme(scheme, manner)
    rest, _, query = rest.partition("?")
    login, _, host = rest.rpartition("@")
    user, _, password = login.partition(":")
    name, port = _host(host.rstrip("/"))
    return Parts(scheme, manner, _decode(user), _decode(password), name, port, _query(query))


def _check_scheme(scheme: str, manner: str) -> None:
    if scheme in _PLAIN and not manner:
        return
    ways = [f"{scheme}+{way}" for way, known in (("api", catalog.apis()), ("smtp", presets())) if scheme in known]
    if manner == "https" and scheme in catalog.apis():
        return
    word = f"{scheme}+{manner}" if manner else scheme
    if word.removesuffix("s") in ways or word in ways:
        return
    if ways:
        raise ValueError(f"there is no scheme {clip(word)}; write {' or '.join(f'{way}://' for way in ways)}")
    names = [*_PLAIN, *(f"{name}+api" for name in catalog.apis()), *(f"{name}+smtp" for name in presets())]
    meant = did_you_mean(word, names)
    hint = f"did you mean {meant}?" if meant else f"there are {', '.join(names)}"
    raise ValueError(f"there is no scheme {clip(word)}; {hint} Any other provider: smtp://user:password@its-server:587")


def _host(text: str) -> tuple[str, int | None]:
    match = _HOST.fullmatch(text)
    if text and match is None:
        raise ValueError(
            'the host and port after "@" cannot be read. In a user or password write these signs by their codes: '
            "/ as %2F, ? as %3F, # as %23, @ as %40, : as %3A, % as %25"
        )
    port = int(match[3]) if match and match[3] else None
    if port is not None and not 1 <= port <= 65_535:
        raise ValueError("the port must be between 1 and 65535")
    return (match[1] or match[2] if match else ""), port


def _decode(text: str) -> str:
    if _BAD_PERCENT.search(text):
        raise ValueError('a "%" in a user, password or option is written %25')
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("a percent code in the DSN is not UTF-8") from None
    if not decoded.isprintable():
        raise ValueError("a DSN cannot contain control characters or line ends")
    return decoded


def _query(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, equals, value = part.partition("=")
        name = _decode(name)
        if not equals or not name or name in options:
            raise ValueError("options are written ?name=value&name=value, each once")
        options[name] = _decode(value.replace("+", "%20"))
    return options


def _options(options: Mapping[str, str]) -> dict[str, Any]:
    """Options as keys of the table: the mailer's settings and what all connections share; some have Symfony's names."""
    found: dict[str, Any] = dict(options)
    for name in ("verify_peer", "verify_peer_name", "allow_self_signed"):
        if name in found:
            raise ValueError(f"{name}: {_VERIFY}")
    if "max_per_second" in found:
        found["limits"] = {"per_second": found.pop("max_per_second")}
    return found


def _smtp(parts: Parts, options: dict[str, Any]) -> dict[str, Any]:
    if not parts.host or parts.host == "default":
        raise ValueError("name the server: smtp://user:password@mail.example.com:587")
    found: dict[str, Any] = {"mailer": "smtp", "host": parts.host, "encryption": _encryption(parts, options)}
    port = parts.port or (465 if found["encryption"] == "tls" else None)
    return found | ({"port": port} if port else {}) | _login(parts)


def _encryption(parts: Parts, options: dict[str, Any]) -> str:
    """Symfony's rule: port 465 is TLS at once, else STARTTLS; but ours is never optional, except for this machine."""
    auto, require = options.pop("auto_tls", ""), options.pop("require_tls", "")
    if parts.scheme == "smtps" or parts.port == 465:
        return "tls"
    if require.lower() in ("1", "true", "on", "yes"):
        return "starttls"
    if auto.lower() in ("0", "false", "off", "no") or _LOOPBACK.fullmatch(parts.host):
        return "none"
    return "starttls"


def _login(parts: Parts) -> dict[str, Any]:
    return {key: value for key, value in (("username", parts.user), ("password", parts.password)) if value}


def _preset(parts: Parts) -> dict[str, Any]:
    preset = presets()[parts.scheme]
    host = {} if parts.host in ("", "default") else {"host": parts.host}
    port = {"port": parts.port} if parts.port else {}
    found = {"mailer": "smtp"} | dict(preset) | host | port | _login(parts)
    if parts.manner == "smtps" or parts.port == 465:
        found["encryption"] = "tls"
    return found


def presets() -> Mapping[str, Mapping[str, Any]]:
    """Provider → the settings of its SMTP server."""
    try:
        found: Mapping[str, Mapping[str, Any]] = import_module("secondpost.mailers.presets").PRESETS
    except ImportError:
        return {}
    return found


def _api(parts: Parts) -> dict[str, Any]:
    """The log-in fills the mailer's required settings in the order it declares them: TOKEN, or KEY:SECRET."""
    wanted = [setting.name for setting in catalog.settings(parts.scheme) if setting.required]
    given = [value for value in (parts.user, parts.password) if value]
    if len(given) > len(wanted):
        raise ValueError(f"write {parts.scheme}+api://{':'.join(name.upper() for name in wanted)}@default")
    found: dict[str, Any] = {"mailer": parts.scheme, **dict(zip(wanted, given, strict=False))}
    if parts.host not in ("", "default"):
        found["host"] = parts.host if parts.port is None else f"{parts.host}:{parts.port}"
    return found
