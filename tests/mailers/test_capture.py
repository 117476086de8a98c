"""The Inbox keeps everything."""

from secondpost.core.outcome import Accepted, Phase
from secondpost.mailers.capture import Capture
from tests.mailers.parcels import Crossing, connection, parcel


async def test_it_crosses_and_says_so():
    crossing = Crossing()
    report = await Capture(connection("capture")).send(parcel("a@b", "c@d"), crossing)
    assert report.outcomes == (Accepted("kept in the Inbox"),) * 2
    assert report.phase is Phase.POINT
    assert crossing.taken == 1


async def test_without_the_right_it_keeps_nothing():
    report = await Capture(connection("capture")).send(parcel(), Crossing(granted=False))
    assert report.abandoned
