"""Users of the web admin: invitations, passwords, one-time codes, sessions."""

import asyncio
from datetime import timedelta

import pyotp
import pytest

from secondpost.errors import SecondpostError, WrongInput
from secondpost.service.sessions import Sessions
from secondpost.service.users import Role, Users
from secondpost.store.memory import MemoryStore
from tests.service.conftest import Clock

PASSWORD = "quiet harbor lantern"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def users(clock):
    store = MemoryStore()
    await store.open()
    users = Users(store, clock)
    await users.join(await users.set_up(), "Ada@example.com", PASSWORD)
    return users


async def test_an_invitation_works_once_and_for_a_day(users, clock):
    secret = await users.invite("ben@example.com", Role.VIEWER)
    late = await users.invite("cleo@example.com", Role.VIEWER)
    await users.join(secret, "other@example.com", PASSWORD)
    assert [(user.email, user.role) for user in await users.all()] == [
        ("ada@example.com", "owner"),
        ("ben@example.com", "viewer"),
    ]
    with pytest.raises(SecondpostError, match="used already"):
        await users.join(secret, "", PASSWORD)
    clock.forward(days=1, seconds=1)
    assert await users.invitation(late) is None


async def test_nobody_sets_it_up_twice(users):
    with pytest.raises(SecondpostError, match="set up already"):
        await users.set_up()


async def test_a_new_link_ends_the_one_before(users):
    first, second = await users.reset("ada@example.com"), await users.reset("ada@example.com")
    assert await users.invitation(first) is None
    assert await users.invitation(second) is not None


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaaa", "my-ada-password", "x" * 257])
async def test_a_password_that_can_be_guessed_is_refused_and_the_link_stays(users, password):
    secret = await users.reset("ada@example.com")
    with pytest.raises(WrongInput):
        await users.join(secret, "", password)
    assert await users.invitation(secret) is not None


async def test_only_the_right_password_signs_in(users):
    assert (await users.sign_in(" ADA@example.com", PASSWORD, "")) is not None
    assert await users.sign_in("ada@example.com", PASSWORD + "x", "") is None
    assert await users.sign_in("nobody@example.com", PASSWORD, "") is None


async def test_a_one_time_code_is_asked_for_and_works_once(users, clock):
    secret = pyotp.random_base32()
    now = pyotp.TOTP(secret).at(clock())
    recovery = await users.use_codes(await users.known("ada@example.com"), secret, now)
    assert await users.sign_in("ada@example.com", PASSWORD, "") is None
    assert await users.sign_in("ada@example.com", PASSWORD, now) is None
    clock.forward(seconds=60)
    later = pyotp.TOTP(secret).at(clock())
    assert await users.sign_in("ada@example.com", PASSWORD, later) is not None
    assert await users.sign_in("ada@example.com", PASSWORD, later) is None
    assert await users.sign_in("ada@example.com", PASSWORD, recovery[0]) is not None
    assert await users.sign_in("ada@example.com", PASSWORD, recovery[0]) is None


async def test_the_last_owner_stays(users):
    with pytest.raises(SecondpostError, match="only owner"):
        await users.remove("ada@example.com")
    with pytest.raises(SecondpostError, match="only owner"):
        await users.change_role("ada@example.com", Role.VIEWER)


async def test_two_owners_who_demote_each_other_at_once_leave_one(users):
    await users.join(await users.invite("ben@example.com", Role.OWNER), "", PASSWORD)
    done = await asyncio.gather(
        users.change_role("ada@example.com", Role.VIEWER), users.remove("ben@example.com"), return_exceptions=True
    )
    assert [type(one) for one in done] == [type(None), SecondpostError]
    assert [user.role for user in await users.all()] == [Role.VIEWER, Role.OWNER]


async def test_who_was_removed_does_not_come_back_by_a_link_of_before(users):
    await users.join(await users.invite("ben@example.com", Role.ADMIN), "", PASSWORD)
    secret = await users.reset("ben@example.com")
    assert [one.email for one in await users.invited()] == ["ben@example.com"]
    await users.remove("ben@example.com")
    assert await users.invitation(secret) is None
    assert await users.invited() == []


async def test_a_session_ends_when_it_is_idle_old_or_ended(users, clock):
    sessions = Sessions(users.store, clock)
    secret = await sessions.begin("ada@example.com", client="::1", agent="test")
    for _ in range(4):
        clock.forward(minutes=29)
        found = await sessions.find(secret)
        assert found is not None
    clock.forward(minutes=31)
    assert await sessions.find(secret) is None
    second = await sessions.begin("ada@example.com", client="::1", agent="test")
    assert [one.client for one in await sessions.all()] == ["::1"]
    await sessions.end_all("ada@example.com")
    assert await sessions.find(second) is None
    assert await sessions.find("") is None


async def test_a_session_ends_after_twelve_hours_however_busy(users, clock):
    sessions = Sessions(users.store, clock)
    secret = await sessions.begin("ada@example.com", client="::1", agent="test")
    for _ in range(48):
        clock.forward(minutes=15)
        await sessions.find(secret)
    clock.forward(seconds=1)
    assert await sessions.find(secret) is None
    assert timedelta(hours=12) < clock.ahead
