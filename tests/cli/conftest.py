"""A gateway that is not one: it answers at the control socket what a test gives it, and remembers what it was asked."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from secondpost.cli import cli


@dataclass
class FakeGateway:
    """`answers`: operation → result. An exception becomes an error, a function's values become rows, `...` hangs up."""

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def reply(self, line: bytes) -> Iterator[dict[str, Any]]:
        request = json.loads(line)
        self.asked.append((request["do"], request["with"]))
        answer = self.answers[request["do"]]
        if answer is ...:
            return
        if isinstance(answer, Exception):
            yield {"ok": False, "error": {"kind": type(answer).__name__, "message": str(answer)}}
            return
        if callable(answer):
            yield from ({"row": row} for row in answer())
            answer = None
        yield {"ok": True, "result": answer}

    def serve(self, door: socket.socket) -> None:
        while True:
            try:
                session, _ = door.accept()
            except OSError:
                return
            with session, session.makefile("rwb") as lines:
                line = lines.readline()
                for answer in self.reply(line) if line else ():
                    lines.write(json.dumps(answer).encode() + b"\n")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where commands are typed: no configuration, the data folder is ./d."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECONDPOST_DATA_DIR", "d")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TZ", "UTC")
    return tmp_path


@pytest.fixture
def gateway(folder: Path) -> Iterator[FakeGateway]:
    """A gateway that runs."""
    (folder / "d").mkdir()
    fake = FakeGateway()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind("d/control.sock")
        door.listen()
        thread = threading.Thread(target=fake.serve, args=(door,), daemon=True)
        thread.start()
        yield fake
        door.shutdown(socket.SHUT_RDWR)
    thread.join(5)


Run = Callable[..., Result]


@pytest.fixture
def run(folder: Path) -> Run:
    """`run("log", "list", code=1, input="…")`: what it printed; the exit status is checked."""

    def type_(*words: str, code: int = 0, **options: Any) -> Result:
        result = CliRunner().invoke(cli, words, catch_exceptions=False, **options)
        assert result.exit_code == code, f"{words} ended with {result.exit_code}:\n{result.output}"
        return result

    return type_


@pytest.fixture
def ask(run: Run) -> Callable[..., Any]:
    """The same with --json: the answer as data."""

    def type_(*words: str, **options: Any) -> Any:
        return json.loads(run(*words, "--json", **options).stdout)

    return type_
