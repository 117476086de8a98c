"""Style sheet, script and icon: our own, read once, compressed once, named by what is in them.

Rule: a browser may keep a file for ever, since a changed file has another name.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
NAMES = ("admin.css", "admin.js", "icon.svg")


@dataclass(frozen=True, slots=True)
class Asset:
    content: bytes
    compressed: bytes
    media_type: str
    digest: str


@cache
def assets() -> dict[str, Asset]:
    return {name: _read(name) for name in NAMES}


def _read(name: str) -> Asset:
    content = files("secondpost.admin").joinpath("static", name).read_bytes()
    kind = TYPES[name[name.rindex(".") :]]
    return Asset(content, gzip.compress(content, mtime=0), kind, hashlib.sha256(content).hexdigest()[:12])


def link(name: str) -> str:
    """The path by which pages name the file."""
    return f"/static/{name}?{assets()[name].digest}"
