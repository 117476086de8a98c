"""What programs on this machine come in by: a Unix socket, whose users the kernel names; and who may reach it.

Rule: a socket or folder is never wider open than `access` says, not for a moment.
"""

import os
import pwd
import socket
import struct
from contextlib import suppress
from pathlib import Path

from secondpost.errors import ConfigError

BACKLOG = 1024
OWNER, EVERYONE = "owner", "everyone"
_CREDENTIALS = struct.Struct("3i")  # process, user, group


def user_of(sock: socket.socket) -> str:
    """Who is at the other end, as it stands in the log; empty where the system does not say."""
    if not hasattr(socket, "SO_PEERCRED"):
        return ""
    _, user, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return user_name(user)


def user_name(number: int) -> str:
    """`user:www-data`: no credential's name, since it was not a log-in that said so."""
    try:
        return f"user:{pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"user:{number}"


def grant(path: Path, access: str, *, owner: int, group: int, everyone: int) -> None:
    """Give `path` the mode that fits `access`. Raises `ConfigError`."""
    try:
        if access not in (OWNER, EVERYONE):
            os.chown(path, -1, _group(access))
        path.chmod({OWNER: owner, EVERYONE: everyone}.get(access, group))
    except (OSError, KeyError) as error:
        reason = getattr(error, "strerror", None) or "there is no such group"
        raise ConfigError(
            f"{path} cannot be opened to {access!r}: {reason}. Nothing was started. Let the gateway's user be a member "
            "of that group, or set [sendmail] access to another group, to owner or to everyone."
        ) from None


def _group(name: str) -> int:
    import grp

    return grp.getgrnam(name).gr_gid


class LocalDoor:
    """A listening Unix socket. `open` it, `close` it."""

    def __init__(self, path: Path, access: str) -> None:
        self.path, self._access = path, access
        self._number = 0  # of its file: what somebody else put there since is not removed

    def open(self) -> socket.socket:
        """Raises `ConfigError` when there can be no socket at that path."""
        if self._is_in_use():
            raise self._sorry("another program listens there")
        made = self.path.with_name(self.path.name + ".new")
        sock = socket.socket(socket.AF_UNIX)
        try:
            made.unlink(missing_ok=True)
            sock.bind(str(made))
            grant(made, self._access, owner=0o600, group=0o660, everyone=0o666)
            sock.listen(BACKLOG)
            sock.setblocking(False)
            self._number = made.stat().st_ino
            made.replace(self.path)
        except (OSError, ConfigError) as error:
            sock.close()
            with suppress(OSError):
                made.unlink(missing_ok=True)
            raise error if isinstance(error, ConfigError) else self._sorry(error.strerror or str(error)) from None
        return sock

    def close(self) -> None:
        with suppress(OSError):
            if self.path.stat().st_ino == self._number:
                self.path.unlink()

    def _is_in_use(self) -> bool:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(1)
            try:
                sock.connect(str(self.path))
            except OSError:
                return False
            return True

    def _sorry(self, reason: str) -> ConfigError:
        return ConfigError(
            f"The Unix socket {self.path} cannot be made: {reason}. Nothing was started. Its folder has to be there, "
            'and its path may have about 100 characters; set another one, or "off": [sendmail] socket.'
        )
