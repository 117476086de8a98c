"""The store in one SQLite file: nothing else to install."""

from secondpost.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
