"""Who may submit: secrets that are shown once, kept as digests, limited, and revoked at once."""

import json
from datetime import timedelta

import pytest

from secondpost.errors import Refusal, SecondpostError
from secondpost.service.credentials import KIND, Client, Credentials
from secondpost.service.submit import utc_now
from secondpost.store.memory import MemoryStore

NOW = utc_now().replace(minute=10, second=1, microsecond=0)


@pytest.fixture
async def credentials():
    return Credentials(MemoryStore())


async def test_the_secret_opens_and_no_other_does(credentials):
    secret = await credentials.add("shop", ("@example.com",))
    assert await credentials.authenticate("shop", secret) == Client("shop", ("@example.com",))
    for name, wrong in (("shop", secret[:-1]), ("shop", ""), ("other", secret), ("", ""), ("shop", "\udcff")):
        assert await credentials.authenticate(name, wrong) is None


async def test_only_a_digest_is_kept_and_two_secrets_are_never_alike(credentials):
    secrets = {await credentials.add(f"shop{number}") for number in range(10)}
    assert len(secrets) == 10
    assert all(len(secret) == 43 and secret.startswith("sp_") for secret in secrets)
    kept = json.dumps(await credentials.store.all(KIND))
    assert not any(secret in kept for secret in secrets)


async def test_they_survive_a_restart(credentials):
    secret = await credentials.add("shop", per_minute=1)
    again = Credentials(credentials.store)
    await again.load()
    assert await again.authenticate("shop", secret)
    again.pace("shop", NOW)
    with pytest.raises(Refusal):
        again.pace("shop", NOW)


async def test_the_list_tells_all_but_the_secret(credentials):
    await credentials.add("shop", ("a@example.com",), per_minute=10, per_hour=100, per_day=1000)
    await credentials.add("blog")
    assert credentials.list() == [
        {"name": "blog", "senders": [], "per_minute": None, "per_hour": None, "per_day": None},
        {"name": "shop", "senders": ["a@example.com"], "per_minute": 10, "per_hour": 100, "per_day": 1000},
    ]


@pytest.mark.parametrize("name", ["", "x" * 65, "a\nb", "\0"])
async def test_a_name_that_cannot_be_shown_is_refused(credentials, name):
    with pytest.raises(SecondpostError, match="needs a name"):
        await credentials.add(name)


async def test_a_name_is_given_once(credentials):
    await credentials.add("shop")
    with pytest.raises(SecondpostError, match="Revoke it first"):
        await credentials.add("shop")


@pytest.mark.parametrize("limit", [0, -1, True, "5", 1.5])
async def test_a_limit_that_is_none_is_refused(credentials, limit):
    with pytest.raises(SecondpostError, match="at least 1"):
        await credentials.add("shop", per_hour=limit)
    assert credentials.list() == []


async def test_a_limit_that_does_not_exist_is_refused(credentials):
    with pytest.raises(SecondpostError, match="no limit 'per_year'"):
        await credentials.add("shop", per_year=5)


async def test_a_day_has_its_limit_too(credentials):
    await credentials.add("shop", per_day=1)
    credentials.pace("shop", NOW)
    with pytest.raises(Refusal, match="1 a day"):
        credentials.pace("shop", NOW + timedelta(seconds=1))
    credentials.pace("shop", NOW + timedelta(days=1))


async def test_a_revoked_credential_is_worthless_at_once_also_for_sessions_that_are_open(credentials):
    secret = await credentials.add("shop")
    credentials.pace("shop", NOW)
    assert credentials
    await credentials.revoke("shop")
    assert not credentials
    assert await credentials.authenticate("shop", secret) is None
    with pytest.raises(Refusal, match="was revoked") as caught:
        credentials.pace("shop", NOW)
    assert caught.value.code == 550


async def test_what_is_not_there_cannot_be_revoked(credentials):
    with pytest.raises(SecondpostError, match="no credential 'shop'"):
        await credentials.revoke("shop")


# Limits ---------------------------------------------------------------------------------------------------------------


async def test_without_limits_it_may_submit_any_number(credentials):
    await credentials.add("shop")
    for _ in range(1000):
        credentials.pace("shop", NOW)


async def test_each_span_has_its_own_limit(credentials):
    await credentials.add("shop", per_minute=2, per_hour=3)
    submitted = []
    for second in range(0, 3600, 20):
        try:
            credentials.pace("shop", NOW + timedelta(seconds=second))
        except Refusal:
            continue
        submitted.append(second)
    assert submitted == [0, 20, 60, 3000, 3020, 3060]  # the hour ends after fifty minutes


async def test_the_refusal_says_how_much_it_may_and_when_to_come_back(credentials):
    await credentials.add("shop", per_minute=1, per_hour=50)
    credentials.pace("shop", NOW)
    with pytest.raises(Refusal) as caught:
        credentials.pace("shop", NOW)
    assert (caught.value.code, caught.value.status) == (451, "4.7.1")
    assert "1 a minute, 50 an hour" in caught.value.text
    assert "in 59 s" in caught.value.text


async def test_one_does_not_use_up_what_another_may(credentials):
    await credentials.add("shop", per_hour=1)
    await credentials.add("blog", per_hour=1)
    credentials.pace("shop", NOW)
    credentials.pace("blog", NOW)


async def test_a_change_of_another_credential_does_not_begin_the_count_anew(credentials):
    await credentials.add("shop", per_hour=1)
    credentials.pace("shop", NOW)
    await credentials.add("blog")
    with pytest.raises(Refusal):
        credentials.pace("shop", NOW)


async def test_a_restart_does_not_begin_the_count_anew(credentials):
    await credentials.add("shop", per_hour=2)
    credentials.pace("shop", NOW)
    credentials.pace("shop", NOW)
    await credentials.keep_counts()
    again = Credentials(credentials.store)
    await again.load()
    with pytest.raises(Refusal):
        again.pace("shop", NOW)
    again.pace("shop", NOW + timedelta(hours=1))


async def test_the_count_of_what_was_revoked_is_forgotten(credentials):
    await credentials.add("shop", per_hour=1)
    credentials.pace("shop", NOW)
    await credentials.keep_counts()
    await credentials.revoke("shop")
    await credentials.add("shop", per_hour=1)
    credentials.pace("shop", NOW)


async def test_what_has_not_changed_is_not_written_again(credentials):
    await credentials.add("shop", per_hour=2)
    credentials.pace("shop", NOW)
    await credentials.keep_counts()
    await credentials.store.put_all("credential pace", {"shop": None})
    await credentials.keep_counts()
    assert await credentials.store.all("credential pace") == {}
