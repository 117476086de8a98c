"""The sendmail mailer with small programs in its place, and with a real one where there is one."""

import asyncio
import sys
import time

import pytest

from secondpost.core.outcome import Accepted, Phase
from secondpost.mailers.sendmail import Sendmail, outcome_of_exit
from tests.mailers.parcels import Crossing, Tail, connection, parcel, told, words

ALL = "import sys,os,time\ndata = sys.stdin.buffer.read()\n"


@pytest.fixture
def program(tmp_path):
    """Makes a sendmail whose body is Python; it can write to `out` and `args`."""

    def make(code, **options):
        path = tmp_path / "sendmail"
        code = code.replace("OUT", str(tmp_path / "out")).replace("ARGS", str(tmp_path / "args"))
        path.write_text(f"#!{sys.executable} -S\n{code}")
        path.chmod(0o755)
        return Sendmail(connection("sendmail", program=str(path), data_reply=1.0, data_block=1.0, **options))

    return make


KEEP = ALL + "open('OUT','wb').write(data)\nopen('ARGS','w').write(repr(sys.argv[1:]))\n"


async def test_it_gets_the_message_as_a_unix_text(program, tmp_path):
    given = parcel(
        "bob@dest.example", "eve@dest.example", body=b".\r\nd\xc3\xb6t\r", tail=Tail(b"\nend\r\n" * 50_000, block=4099)
    )
    crossing = Crossing()
    report = await program(KEEP).send(given, crossing)
    assert told(report) == ["accepted", "accepted"]
    assert crossing.taken == 1
    content = given.message.head + given.message.body + given.message.tail.data
    assert (tmp_path / "out").read_bytes() == content.replace(b"\r\n", b"\n")
    assert (tmp_path / "args").read_text() == repr(
        ["-i", "-f", "shop@shop.example", "--", "bob@dest.example", "eve@dest.example"]
    )


async def test_a_null_sender_is_written_as_such(program, tmp_path):
    await program(KEEP).send(parcel(sender=""), Crossing())
    assert "'-f', '<>'" in (tmp_path / "args").read_text()


@pytest.mark.parametrize("address", ["-oQ/tmp/x@dest.example", "bob\n@dest.example", "bob"[:0]])
async def test_an_address_that_is_an_option_is_refused(program, tmp_path, address):
    assert told(await program(KEEP).send(parcel(address), Crossing())) == ["rejected message"]
    assert not (tmp_path / "args").exists()


async def test_without_the_right_it_never_sees_the_end(program, tmp_path):
    report = await program(KEEP).send(parcel(), Crossing(granted=False))
    assert report.abandoned
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("sys.exit(75)", "deferred provider"),
        ("sys.exit(67)", "rejected recipient"),
        ("sys.exit(77)", "deferred account"),
        ("os.kill(os.getpid(), 9)", "unclear"),
        ("time.sleep(30)", "unclear"),
    ],
)
async def test_how_it_ends_after_it_had_everything(program, code, expected):
    report = await program(ALL + code).send(parcel(), Crossing())
    assert told(report) == [expected]
    assert report.phase is Phase.POINT


@pytest.mark.parametrize("code", ["os.kill(os.getpid(), 9)", "sys.exit(0)", "time.sleep(30)"])
async def test_how_it_ends_before_it_had_everything(program, code):
    crossing = Crossing()
    start = time.monotonic()
    report = await program(f"import os,sys,time\n{code}").send(parcel(tail=Tail(b"x" * 5_000_000)), crossing)
    assert told(report) == ["deferred provider"]
    assert crossing.taken == 0
    assert time.monotonic() - start < 3


@pytest.mark.parametrize(
    ("code", "said", "closed", "expected"),
    [
        (0, "", True, "accepted"),
        (0, "", False, "deferred provider"),
        (69, "sendmail: server message: 451 4.7.1 Greylisted, try again in 300 seconds", True, "deferred recipient"),
        (65, "sendmail: server message: 550 5.1.1 no such user", True, "rejected recipient"),
        (69, "sendmail: server message: 554 5.7.1 spam", True, "rejected message"),
        (76, "", True, "unclear"),
        (76, "", False, "deferred provider"),
        (-15, "", True, "unclear"),
        (-15, "", False, "deferred provider"),
        (127, "", True, "deferred provider"),
        (68, "", True, "rejected recipient"),
        (78, "no account", True, "deferred account"),
    ],
)
def test_exit_codes(code, said, closed, expected):
    assert words(outcome_of_exit(code, said, closed=closed, alone=True)) == expected


def test_one_of_several_recipients_cannot_be_blamed():
    assert words(outcome_of_exit(67, "", closed=True, alone=False)) == "deferred provider"


async def test_there_is_no_program(tmp_path):
    mailer = Sendmail(connection("sendmail", program=str(tmp_path / "none")))
    assert told(await mailer.send(parcel(), Crossing())) == ["deferred unreachable"]
    assert words((await mailer.verify()).outcome) == "deferred unreachable"


async def test_verify_starts_nothing(program, tmp_path):
    assert isinstance((await program(KEEP).verify()).outcome, Accepted)
    assert not (tmp_path / "args").exists()


async def test_cancelled_it_is_killed(program, tmp_path):
    task = asyncio.create_task(program(ALL + "time.sleep(30)").send(parcel(), Crossing(delay=30)))
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
