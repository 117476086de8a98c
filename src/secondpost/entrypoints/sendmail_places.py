"""Where `secondpost-sendmail` finds the gateway: the environment, else the configuration file, else the usual places.

Rule: the names are those of the gateway's own settings. No flag and no file in the current folder has a say, since
others may choose these.
"""

import os

from secondpost.entrypoints.sendmail_exits import CONFIG, Stop

TYPE_CHECKING = False  # `typing` costs 8 ms
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

FILE = "/etc/secondpost/secondpost.toml"
SOCKET = "/run/secondpost/sendmail.sock"
SPOOL = "/var/spool/secondpost"
SERVER = ("127.0.0.1", 2525)
LIMIT = 36_700_160


class Places:
    """An empty place is switched off."""

    __slots__ = ("limit", "server", "socket", "spool")

    def __init__(self, socket: str, server: tuple[str, int] | None, spool: str, limit: int = LIMIT) -> None:
        self.socket, self.server, self.spool, self.limit = socket, server, spool, limit


def find(environ: "Mapping[str, str]") -> Places:
    """Raises `Stop` when a file that the environment names cannot be used."""
    settings = _from_file(environ) | _from_environment(environ)
    data = settings.get("data_dir", "")
    try:
        return Places(
            _path(settings.get("socket"), data and f"{data}/sendmail.sock", SOCKET),
            _server(settings.get("listen", "")),
            _path(settings.get("spool"), data and f"{data}/spool", SPOOL),
            int(settings.get("limit") or LIMIT),
        )
    except (ValueError, TypeError) as error:
        raise Stop(CONFIG, f"A setting of [smtp] is not right: {error}. Nothing was sent.") from None


def _path(given: str | None, in_data: str, usual: str) -> str:
    if given == "off":
        return ""
    return given or in_data or usual


def _from_environment(environ: "Mapping[str, str]") -> "dict[str, Any]":
    names = {
        "data_dir": "SECONDPOST_DATA_DIR", "socket": "SECONDPOST_SENDMAIL__SOCKET",
        "spool": "SECONDPOST_SENDMAIL__SPOOL", "listen": "SECONDPOST_SMTP__LISTEN",
        "limit": "SECONDPOST_SMTP__MAX_MESSAGE_BYTES",
    }  # fmt: skip
    return {key: environ[name] for key, name in names.items() if environ.get(name)}


def _from_file(environ: "Mapping[str, str]") -> "dict[str, Any]":
    """What the gateway's file says. The usual one may be for the gateway's eyes only: it can hold passwords."""
    named = environ.get("SECONDPOST_CONFIG", "")
    try:
        with open(named or FILE, "rb") as file:
            text = file.read().decode()
    except (OSError, ValueError) as error:
        if not named:
            return {}
        raise Stop(
            CONFIG, f"SECONDPOST_CONFIG names {named}, which cannot be read: {error}. Nothing was sent."
        ) from None
    try:
        return _picked(text, os.path.dirname(named or FILE))
    except (ValueError, TypeError, AttributeError) as error:
        raise Stop(CONFIG, f"The configuration {named or FILE} is not right: {error}. Nothing was sent.") from None


def _picked(text: str, folder: str) -> "dict[str, Any]":
    import tomllib  # 13 ms, where there is a file to read

    table = tomllib.loads(text)
    smtp, own = table.get("smtp", {}), table.get("sendmail", {})
    paths = {"data_dir": table.get("data_dir"), "socket": own.get("socket"), "spool": own.get("spool")}
    found = {key: path if path == "off" else os.path.join(folder, path) for key, path in paths.items() if path}
    return found | {"listen": smtp.get("listen", ""), "limit": smtp.get("max_message_bytes", 0)}


def _server(listen: "Any") -> tuple[str, int] | None:
    """The first listener of this machine that speaks without TLS; the built-in one when none is configured."""
    if not listen:
        return SERVER
    for item in listen.split(",") if isinstance(listen, str) else listen:
        host, _, port = item.strip().rpartition(":") if isinstance(item, str) else ("", "", "")
        if host in ("127.0.0.1", "localhost", "0.0.0.0") and port.isdigit():  # noqa: S104  # asked, not listened on
            return "127.0.0.1", int(port)
    return None
