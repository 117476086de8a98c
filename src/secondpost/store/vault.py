"""Sealing what is secret at rest: message content, settings, transcripts. AES-256-GCM, the key outside the database.

Rule: every sealed value is bound to its place (table, row, field), so that one cannot be put in another's stead.
"""

import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from secondpost.errors import KeyProblem

KEY_BYTES = 32
NONCE_BYTES = 12


class Vault:
    """Seals and opens values with one key."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise KeyProblem(
                f"The key has {len(key)} bytes; it must have {KEY_BYTES}. Give the key that this store was made with."
            )
        self._cipher = AESGCM(key)

    def seal(self, plain: bytes, place: bytes) -> bytes:
        """A random 96-bit nonce, then the ciphertext with its tag."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, plain, place)

    def open(self, sealed: bytes, place: bytes) -> bytes:
        """The value sealed for this place. Raises `KeyProblem`: another key, another place, or damaged."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place)
        except (InvalidTag, ValueError):  # ValueError: cut within the nonce
            raise KeyProblem(
                f"A sealed value ({place.decode(errors='replace')}) does not open: the key is not the one it was "
                "sealed with, or it was changed on disk. Put back the secret.key that belongs to this database."
            ) from None


def read_key(path: Path) -> bytes:
    """The key in a file that nobody else may read. Raises `KeyProblem`."""
    try:
        mode = path.stat().st_mode
        key = path.read_bytes()
    except FileNotFoundError:
        raise KeyProblem(
            f"The key file {path} is missing, but the database beside it holds mail sealed with it. "
            "Put it back from your backup; a new key could not open what is there."
        ) from None
    except OSError as error:
        raise KeyProblem(
            f"The key file {path} cannot be read: {error.strerror}. Let the user that runs Secondpost read it."
        ) from None
    if stat.S_IMODE(mode) & 0o077:
        raise KeyProblem(
            f"The key file {path} can be read by others (mode {stat.S_IMODE(mode):04o}). Run: chmod 600 {path}"
        )
    if len(key) != KEY_BYTES:
        raise KeyProblem(
            f"The key file {path} has {len(key)} bytes; it must have {KEY_BYTES}. Put it back from your backup."
        )
    return key


def make_key(path: Path) -> bytes:
    """Write a new key, whole or not at all, and flush it to disk before anything is sealed with it."""
    key = os.urandom(KEY_BYTES)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    sync_folder(path.parent)
    return key


def sync_folder(folder: Path) -> None:
    """Flush a folder, so that the names in it are on disk as well."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
