"""Do Not Send: what comes in is kept and not sent, over a restart too, unless the configuration has the say."""

import pytest

from secondpost.errors import SecondpostError
from secondpost.service.do_not_send import DoNotSend


async def test_mail_is_kept_and_not_sent_while_it_is_on_and_a_test_is_sent(office):
    switch = DoNotSend(office.store, office.desk)
    await switch.load()
    assert not switch.on
    await switch.set(on=True)
    kept, test = await office.send(), await office.send(connection="primary")
    await switch.set(on=False)
    sent = await office.send()
    assert [await office.states(one) for one in (kept, test, sent)] == [["cancelled"], ["accepted"], ["accepted"]]


async def test_it_survives_a_restart(office):
    await DoNotSend(office.store, office.desk).set(on=True)
    office.desk.do_not_send = False
    await DoNotSend(office.store, office.desk).load()
    assert office.desk.do_not_send


async def test_what_the_configuration_sets_is_not_changed(office):
    await DoNotSend(office.store, office.desk).set(on=True)
    office.desk.do_not_send = False
    fixed = DoNotSend(office.store, office.desk, "secondpost.toml")
    await fixed.load()
    with pytest.raises(SecondpostError, match=r"set by secondpost\.toml"):
        await fixed.set(on=True)
    assert not fixed.on
