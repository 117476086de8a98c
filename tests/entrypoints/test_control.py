"""The control door: one JSON object a line, the same operations as everywhere, for nobody but our own user."""

import asyncio
import json
import stat

import pytest

from secondpost.entrypoints import control as door
from secondpost.entrypoints.control import Control
from secondpost.errors import ConfigError
from secondpost.service.ids import new_id
from secondpost.service.keys import Keys
from secondpost.service.operate import Operations
from secondpost.service.retention import CONTENT, ENTRIES, MEGABYTES, UNLIMITED, Retention
from secondpost.service.suppressions import Suppressions
from tests.service.conftest import make_office
from tests.service.connected import connections_of


@pytest.fixture
async def office():
    office = make_office()
    yield office
    await office.worker.stop(0.05)


@pytest.fixture
async def control(office, tmp_path):
    """An open door to an office with the built-in Inbox."""
    connections = connections_of(office, "inbox")
    await connections.load()
    operations = Operations(
        office.store,
        office.worker,
        office.submit,
        connections,
        office.credentials,
        Keys(office.store),
        Suppressions(office.store, office.desk, office.clock),
        office.clock,
        new_id,
        Retention(office.store, office.clock, {CONTENT: 7, ENTRIES: 30, MEGABYTES: UNLIMITED}),
    )
    control = Control(operations, tmp_path / "control.sock")
    await control.start()
    yield control
    await control.stop()


class Caller:
    """Somebody at the door."""

    def __init__(self, streams):
        self.reader, self.writer = streams

    async def say(self, line: bytes):
        self.writer.write(line + b"\n")
        await self.writer.drain()

    async def hear(self):
        async with asyncio.timeout(2):
            line = await self.reader.readline()
        return json.loads(line) if line else None

    async def ask(self, operation: str, **given):
        await self.say(json.dumps({"do": operation, "with": given}).encode())
        return await self.hear()


@pytest.fixture
async def call(control):
    """`await call()`: a session with the gateway."""
    callers = []

    async def enter() -> Caller:
        callers.append(Caller(await asyncio.open_unix_connection(str(control.path))))
        return callers[-1]

    yield enter
    for caller in callers:
        caller.writer.close()


async def test_only_our_own_user_can_open_it(control):
    assert stat.S_IMODE(control.path.stat().st_mode) == 0o600
    assert stat.S_ISSOCK(control.path.stat().st_mode)


async def test_an_operation_is_answered_and_then_the_next(call):
    caller = await call()
    sent = await caller.ask("send", sender="shop@example.com", to=["a@example.net"], subject="hi", text="hi")
    assert sent["ok"]
    shown = await caller.ask("log_show", id=sent["result"]["id"])
    assert shown["result"]["subject"] == "hi"
    assert (await caller.ask("health"))["result"]["ok"]


async def test_what_takes_no_arguments_may_be_asked_without_any(call):
    caller = await call()
    await caller.say(b'{"do": "backup_show"}')
    assert (await caller.hear())["result"]["backup"] is None


async def test_rows_come_one_by_one_and_then_the_end(call, office):
    for _ in range(3):
        await office.send()
    caller = await call()
    first = await caller.ask("log_export")
    rows = [first, await caller.hear(), await caller.hear()]
    assert [row["row"]["subject"] for row in rows] == ["hello"] * 3
    assert await caller.hear() == {"ok": True, "result": None}


async def test_an_expected_error_is_told_by_its_name_and_without_a_traceback(call, caplog):
    caller = await call()
    answer = await caller.ask("send", sender="nobody", to=["a@example.net"])
    assert (answer["ok"], answer["error"]["kind"]) == (False, "Malformed")
    assert "is not an address" in answer["error"]["message"]
    assert (await caller.ask("nothing"))["error"]["kind"] == "SecondpostError"
    assert caplog.text == ""


@pytest.mark.parametrize("line", [b"hello", b"[]", b"null", b"{}", b'{"do": 1}', b'{"do":"queue","with":7}', b"\xff"])
async def test_what_cannot_be_understood_is_answered_and_the_session_goes_on(call, caplog, line):
    caller = await call()
    await caller.say(line)
    answer = await caller.hear()
    assert answer["ok"] is False
    assert (await caller.ask("queue"))["ok"]


async def test_wrong_arguments_are_a_fault_that_the_log_explains(call, caplog):
    answer = await (await call()).ask("queue", nonsense=1)
    assert answer["error"]["kind"] == "InternalError"
    assert "TypeError" in caplog.text


async def test_nothing_but_operations_can_be_reached(call):
    caller = await call()
    for name in ("named", "store", "_move", "__init__"):
        assert (await caller.ask(name))["error"]["kind"] == "SecondpostError"


async def test_a_request_without_end_is_cut_off_and_others_are_served(control, call, monkeypatch):
    await control.stop()
    monkeypatch.setattr(door, "MAX_LINE", 1000)
    await control.start()
    caller = await call()
    await caller.say(b"x" * 5000)
    assert await caller.hear() is None
    assert (await (await call()).ask("queue"))["ok"]


async def test_who_leaves_in_the_middle_harms_nobody(call, office):
    for _ in range(50):
        await office.send()
    caller = await call()
    await caller.say(json.dumps({"do": "log_export"}).encode())
    caller.writer.transport.abort()
    assert (await (await call()).ask("queue"))["ok"]


async def test_a_slow_operation_keeps_nobody_waiting(call, control, office):
    gate = asyncio.get_running_loop().create_future()
    office.mailers["inbox"].before = lambda: gate
    slow, quick = await call(), await call()
    testing = asyncio.create_task(slow.ask("email_test", to="a@example.net"))
    await office.rest()
    assert (await quick.ask("queue"))["ok"]
    gate.set_result(None)
    assert (await testing)["result"]["ok"]


async def test_a_socket_that_a_dead_gateway_left_is_replaced(control, call):
    again = Control(control.operations, control.path)
    await again.start()
    assert (await (await call()).ask("queue"))["ok"]
    await again.stop()


async def test_after_a_stop_there_is_no_door(control):
    await control.stop()
    assert not control.path.exists()
    await control.stop()


async def test_a_path_that_no_socket_can_have_is_told_with_what_to_do(control, tmp_path):
    for path in (tmp_path / ("x" * 120) / "control.sock", tmp_path / "nowhere" / "control.sock"):
        with pytest.raises(ConfigError, match="set data_dir"):
            await Control(control.operations, path).start()
