"""Verification: signing in sends nothing, and what nobody has looked at for a day is looked at by itself."""

import pytest

from secondpost.core.outcome import Deferred, Fault
from secondpost.errors import SecondpostError
from secondpost.service.verification import Verification
from tests.service.conftest import REFUSED_LOG_IN
from tests.service.connected import connections_of


@pytest.fixture
async def verification(office):
    connections = connections_of(office)
    for name in ("main", "second"):
        await connections.add(name, mailer="scripted")
    await connections.add("off", mailer="scripted", enabled=False)
    return Verification(office.store, connections, office.clock)


def sign_ins(office):
    return {name: mailer.sign_ins for name, mailer in office.mailers.items()}


async def test_every_connection_is_signed_in_to_once_a_day_and_the_result_is_kept(office, verification):
    await verification.daily()  # while all of it starts
    assert sign_ins(office) == {"main": 0, "second": 0, "off": 0}
    office.mailers["second"].refuse = REFUSED_LOG_IN
    await verification.daily()
    await verification.daily()
    assert sign_ins(office) == {"main": 1, "second": 1, "off": 0}
    ready = await verification.readiness()
    assert (ready["main"].ok, ready["main"].text) == (True, "Ready: signing in worked")
    assert (ready["second"].ok, ready["off"].text) == (False, "Switched off.")
    (event,) = await office.store.events(limit=5, kinds=["verify"])
    assert event["connection"] == "second"
    assert "535 5.7.8" in event["text"]
    office.clock.forward(hours=23)
    await verification.verify("main")
    office.clock.forward(hours=2)
    await verification.daily()
    assert sign_ins(office) == {"main": 2, "second": 2, "off": 0}


async def test_verifying_signs_in_and_sends_nothing(office, verification):
    (told,) = await verification.verify("main")
    assert told == {
        "name": "main", "ok": True, "phase": "login", "reply": "ready", "advice": None,
        "stages": [], "transcript": "S: 220 hello", "details": {"tls": "TLSv1.3"},
    }  # fmt: skip
    office.mailers["second"].refuse = Deferred(Fault.ACCOUNT, "535 no")
    ok = {row["name"]: row["ok"] for row in await verification.verify(None)}
    assert ok == {"main": True, "second": False, "off": True}
    assert "log-in" in (await verification.verify("second"))[0]["advice"]["title"]
    with pytest.raises(SecondpostError, match="no connection 'nowhere'"):
        await verification.verify("nowhere")
    assert office.copies() == 0
