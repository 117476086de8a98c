"""The store in memory: the same promises but durability. For tests, and as the model of the other stores.

Rule: nothing here is clever; what SQLite finds by an index is found by looking at everything.
"""

from secondpost.store.memory.store import MemoryStore

__all__ = ["MemoryStore"]
