"""What all commands share: --json, --config, exit statuses, errors, the way to the gateway."""

import errno
import subprocess
import sys

import pytest

from secondpost import __version__
from secondpost.cli import COMMANDS, cli, output
from secondpost.errors import ConfigError, SecondpostError, StoreInUse


def test_every_command_has_help_and_takes_json_and_a_configuration(run):
    assert run("--version").output.strip().endswith(__version__)
    assert all(f"\n  {name}" in run("--help").output for name in COMMANDS)
    for words in commands(cli, ()):
        text = run(*words, "--help").output
        assert "--json" in text
        assert "--config" in text
        assert max(map(len, text.splitlines())) <= 110


def commands(group, words):
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        yield (*words, name)
        if hasattr(command, "list_commands"):
            yield from commands(command, (*words, name))


@pytest.mark.parametrize(
    "words", [["serv"], ["log", "lst"], ["log", "show"], ["send", "--nope"], ["log", "list", "--limit", "x"]]
)
def test_a_wrong_command_is_a_usage_error(run, words):
    result = run(*words, code=2)
    assert result.stdout == ""
    assert len(result.stderr) > 20


def test_a_misspelled_command_is_answered_with_the_right_one(run):
    assert "Did you mean serve?" in run("serv", code=2).stderr


def test_the_running_gateway_is_asked(gateway, ask):
    gateway.answers["queue"] = {"waiting": 3}
    assert ask("queue") == {"waiting": 3}
    assert gateway.asked == [("queue", {})]


def test_json_may_stand_anywhere(gateway, run):
    gateway.answers["backup_show"] = {"backup": "b", "locked": False}
    outputs = {
        run(*words).output
        for words in (["--json", "backup", "show"], ["backup", "--json", "show"], ["backup", "show", "--json"])
    }
    assert len(outputs) == 1


def test_an_error_of_the_gateway_is_a_message_and_status_one(gateway, run, ask):
    gateway.answers["queue"] = StoreInUse("It is in use. Wait.")
    result = run("queue", code=1)
    assert (result.stdout, result.stderr) == ("", "secondpost: It is in use. Wait.\n")
    assert ask("queue", code=1) == {"error": {"kind": "StoreInUse", "message": "It is in use. Wait."}}


def test_a_wrong_configuration_is_status_two_here_and_there(gateway, run, folder, ask):
    gateway.answers["backup_set"] = ConfigError("no")
    run("backup", "set", "x", code=2)
    (folder / "c.toml").write_text("nope = 1\n")
    result = run("queue", "--config", "c.toml", code=2)
    assert "there is no setting 'nope'" in result.stderr
    assert ask("queue", "--config", "c.toml", code=2)["error"]["kind"] == "ConfigError"


def test_without_data_and_gateway_a_question_is_not_answered_with_nothing(run, folder):
    for words in (["queue"], ["log", "list"], ["messages", "cancel", "x"], ["db", "status"]):
        assert "There is no data in d" in run(*words, code=1).stderr
    assert list(folder.iterdir()) == []


def test_a_gateway_that_dies_while_it_answers_leaves_a_doubt_and_says_so(gateway, run):
    gateway.answers["messages_cancel"] = ...
    assert "It may or may not be done" in run("messages", "cancel", "x", code=1).stderr


class Offline:
    """Operations without a gateway, as `secondpost.app.offline` gives them."""

    async def queue(self):
        return {"waiting": 1}

    async def log_export(self, **filters):
        for number in range(3):
            yield {"id": str(number)} | filters


@pytest.fixture
def offline(monkeypatch, folder):
    from contextlib import asynccontextmanager
    from types import ModuleType

    @asynccontextmanager
    async def open_store(config):
        assert config.data_dir.name == "d"
        yield Offline()

    app = ModuleType("secondpost.app")
    app.offline = open_store  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "secondpost.app", app)
    (folder / "d").mkdir()


def test_without_a_gateway_the_store_is_opened_here(offline, ask, run):
    assert ask("queue") == {"waiting": 1}
    assert run("log", "export", "--json", "--subject", "s").stdout.splitlines()[2] == '{"id": "2", "subject": "s"}'


def test_an_error_of_our_own_kind_is_never_a_traceback(offline, run, monkeypatch):
    async def fail(_self):
        raise SecondpostError("The database is broken. Restore it.")

    monkeypatch.setattr(Offline, "queue", fail)
    assert run("queue", code=1).stderr == "secondpost: The database is broken. Restore it.\n"


def test_a_stale_socket_is_no_gateway(offline, ask, folder):
    import socket

    with socket.socket(socket.AF_UNIX) as door:
        door.bind("d/control.sock")
    assert ask("queue") == {"waiting": 1}


def test_help_loads_neither_the_configuration_nor_tables_nor_an_event_loop():
    code = (
        "import sys; from secondpost.cli import cli; cli(['-h'], standalone_mode=False); sys.exit(str({*sys.modules}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True).stderr
    assert "'click'" in loaded
    for heavy in ("pydantic", "rich", "asyncio", "aiohttp", "secondpost.app", "secondpost.service"):
        assert f"'{heavy}'" not in loaded, heavy


def test_an_answer_that_cannot_be_written_is_told_in_a_sentence(run, gateway, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    gateway.answers["log_list"] = {"rows": [], "next": None}
    monkeypatch.setattr(output, "data", full)
    assert "could not be written: No space left" in run("log", "list", "--json", code=1).stderr
