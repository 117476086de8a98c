"""Reading a configuration in a folder of its own: what it says, or what is wrong with it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from secondpost import config
from secondpost.config import Config
from secondpost.errors import ConfigError

Load = Callable[..., Config]

MAIN = """
primary = "main"
[connections.main]
mailer = "smtp"
host = "mail.example.com"
"""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """`load(text, environ, **overrides)`; double underscores in an override's name are dots."""
    monkeypatch.chdir(tmp_path)

    def read(text: str | None = None, environ: dict[str, str] | None = None, **overrides: str) -> Config:
        if text is not None:
            (tmp_path / "secondpost.toml").write_text(text)
        dotted = {name.replace("__", "."): value for name, value in overrides.items()}
        return config.load(environ=environ or {}, overrides=dotted)

    return read


@pytest.fixture
def faults(load: Load) -> Callable[..., str]:
    """The message of the ConfigError that reading raises."""

    def message(*arguments: Any, **overrides: str) -> str:
        with pytest.raises(ConfigError) as caught:
            load(*arguments, **overrides)
        return str(caught.value)

    return message
