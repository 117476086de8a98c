"""The layers of a configuration: file, environment, command line; merged into one tree that remembers who said what.

Rule: a later layer wins for single settings and adds to tables; lists are replaced whole.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from secondpost.config.faults import Faults
from secondpost.config.settings import SECRETS
from secondpost.errors import ConfigError

PREFIX = "SECONDPOST_"
BUILT_IN = "built-in"
_OURS = frozenset({"SECONDPOST_CONFIG"})
# Kubernetes sets these for every service of the cluster: SECONDPOST_PORT, SECONDPOST_SMTP_SERVICE_HOST …
_KUBERNETES = re.compile(r"SECONDPOST(_[A-Z0-9]+)*_(SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP)(_[A-Z]+)?)?)")

Path_ = tuple[str, ...]


@dataclass(slots=True)
class Tree:
    """Raw values, and for each path that was set where it came from."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[Path_, str] = field(default_factory=dict)
    folder: Path = Path()  # what relative names in the file are relative to
    file: str = ""

    def origin(self, *path: str) -> str:
        """Where the setting came from, or something in it, or the table that was given with it."""
        for length in range(len(path), 0, -1):
            if found := self.origins.get(path[:length]):
                return found
        within = (origin for known, origin in self.origins.items() if known[: len(path)] == path)
        return next(within, BUILT_IN) if path else BUILT_IN

    def set(self, path: Path_, value: Any, origin: str) -> None:
        """Set one value; tables on the way are made, and a value that stood where a table must be is replaced."""
        table = self.values
        for key in path[:-1]:
            if not isinstance(table.get(key), dict):
                table[key] = {}
            table = table[key]
        table[path[-1]] = value
        for known in [known for known in self.origins if known[: len(path)] == path]:
            del self.origins[known]
        self.origins[path] = origin

    def resolve(self, path: Path, *at: str) -> Path:
        """A relative name that the file gave is relative to the file's folder."""
        return self.folder / path if self.file and self.origin(*at) == self.file else path


def read(file: Path | None, environ: Mapping[str, str], overrides: Mapping[str, Any], faults: Faults) -> Tree:
    """All layers above the database, merged. Raises `ConfigError` when the file cannot be read."""
    tree = _file(_find(file, environ))
    for name, path, value in _variables(environ, tree, faults):
        tree.set(path, value, f"environment {name}")
    for dotted, value in overrides.items():
        option = "--" + dotted.replace(".", "-").replace("_", "-")
        tree.set(tuple(dotted.split(".")), value, f"command line {option}")
    return tree


def _find(file: Path | None, environ: Mapping[str, str]) -> Path | None:
    if file is not None:
        return file
    if named := environ.get("SECONDPOST_CONFIG"):
        return Path(named)
    usual = Path("secondpost.toml")
    return usual if usual.exists() else None


def _file(file: Path | None) -> Tree:
    if file is None:
        return Tree()
    try:
        values = tomllib.loads(file.read_bytes().decode())
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"The configuration file {file} is not valid TOML: {error}. Nothing was started.") from None
    except RecursionError:
        raise ConfigError(f"The configuration file {file} is nested too deeply. Nothing was started.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"The configuration file {file} is not UTF-8 text. Save it as UTF-8.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "this cannot be the name of a file"
        hint = "Check --config and SECONDPOST_CONFIG."
        raise ConfigError(f"The configuration file {file} cannot be read: {reason}. {hint}") from None
    tree = Tree(values=values, folder=file.parent, file=str(file))
    tree.origins = dict.fromkeys(_leaves(values), tree.file)
    return tree


def _leaves(table: Mapping[str, Any], above: Path_ = ()) -> Iterator[Path_]:
    for key, value in table.items():
        if isinstance(value, dict) and value and len(above) < 8:
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key)


def _variables(environ: Mapping[str, str], tree: Tree, faults: Faults) -> Iterator[tuple[str, Path_, Any]]:
    """(variable, path, value) of the environment's settings. Empty variables count as not set."""
    ours = environ.get("SECONDPOST_DATABASE") or environ.get("SECONDPOST_DATABASE_FILE")
    if environ.get("DATABASE_URL") and not ours:
        yield "DATABASE_URL", ("database",), environ["DATABASE_URL"]
    borrowed = set(_borrowed(tree.values))
    for name in sorted(environ):
        if not name.startswith(PREFIX) or not environ[name] or name in _OURS or name in borrowed:
            continue
        if "__" not in name and _KUBERNETES.fullmatch(name):
            continue
        parts = name.removeprefix(PREFIX).lower().split("__")
        if not all(parts) or len(parts) > 8:
            text = "between the words of a path stand two underscores, as in SECONDPOST_SMTP__LISTEN"
            faults.add(name, "environment", text)
            continue
        yield name, *_secret_file(_as_known(parts, tree), environ[name])


def _borrowed(value: Any, depth: int = 0) -> Iterator[str]:
    """Names of variables that the file uses by { env = "…" }: they are not settings themselves."""
    if isinstance(value, dict):
        if isinstance(value.get("env"), str):
            yield value["env"]
        if depth < 8:
            for inner in value.values():
                yield from _borrowed(inner, depth + 1)


def _as_known(parts: list[str], tree: Tree) -> Path_:
    """SECONDPOST_CONNECTIONS__MY_MAIN__… means the file's [connections.my-main], if that is there."""
    names = tree.values.get("connections")
    if parts[0] == "connections" and len(parts) > 1 and isinstance(names, dict):
        folded = {name.lower().replace("-", "_"): name for name in names}
        parts[1] = folded.get(parts[1], parts[1])
    return tuple(parts)


def _secret_file(path: Path_, value: str) -> tuple[Path_, Any]:
    """…_FILE: the value is in a file, as container secrets are given."""
    stem = path[-1].removesuffix("_file")
    at_top = len(path) == 1 and stem in SECRETS
    in_connection = len(path) == 3 and path[0] == "connections"
    if stem not in ("", path[-1]) and (at_top or in_connection):
        return (*path[:-1], stem), {"file": value}
    return path, value


def reveal(value: Any, environ: Mapping[str, str], folder: Path) -> Any:
    """The value of { env = "…" } or { file = "…" }; any other value as it is. Raises `ValueError`."""
    if not isinstance(value, dict) or len(value) != 1 or not isinstance(source := next(iter(value.values())), str):
        return value
    if "env" in value:
        if source not in environ:
            raise ValueError(f"the environment variable {source} is not set")
        return environ[source]
    if "file" in value:
        return _secret(folder / source)
    return value


def _secret(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            data = opened.read(65_537)
        if len(data) > 65_536:
            raise ValueError(f"the file {file} is too large for a secret")
        return data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"the file {file} is not UTF-8 text") from None
    except OSError as error:
        raise ValueError(f"the file {file} cannot be read: {error.strerror or error}") from None
